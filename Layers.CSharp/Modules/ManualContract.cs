using System.Collections.Concurrent;
using System.Reflection;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>Which methods of the manual contract a type of module overrides; found out once for each type.</summary>
/// <param name="General">Whether <c>Backward(Call, Tensor[])</c> is overridden.</param>
/// <param name="Delta">Whether <c>BackwardDelta</c> is overridden.</param>
/// <param name="Update">Whether <c>BackwardUpdateGradient</c> is overridden.</param>
internal sealed record ManualContract(bool General, bool Delta, bool Update)
{
    private static readonly ConcurrentDictionary<Type, ManualContract> Known = new();

    /// <summary>Whether there is a backward by hand at all.</summary>
    public bool Any => General || Delta || Update;

    /// <summary>The contract of a type.</summary>
    public static ManualContract Of(Type type) =>
        Known.GetOrAdd(
            type,
            static t =>
                new(
                    Overrides(t, "Backward", [typeof(Call), typeof(Tensor[])]),
                    Overrides(t, nameof(Module.BackwardDelta), [typeof(Tensor), typeof(Tensor)]),
                    Overrides(t, nameof(Module.BackwardUpdateGradient), [typeof(Tensor), typeof(Tensor)])
                )
        );

    private static bool Overrides(Type type, string name, Type[] parameters)
    {
        const BindingFlags flags = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        var method = type.GetMethod(name, flags, parameters);
        return method is not null && method.GetBaseDefinition().DeclaringType == typeof(Module) && method.DeclaringType != typeof(Module);
    }
}
