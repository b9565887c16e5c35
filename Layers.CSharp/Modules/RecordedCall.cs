using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>A Call that a module remembers for the manual contract, and what it depended on.</summary>
/// <param name="Call">The Call.</param>
/// <param name="Parameters">The parameters of the module and all in it, at the versions of then.</param>
/// <param name="Training">Whether training mode was in force.</param>
/// <param name="Compilation">The compile that was under way.</param>
internal sealed record RecordedCall(Call Call, ParameterStamp Parameters, bool Training, object? Compilation)
{
    /// <summary>Whether entering the module now would do the same.</summary>
    public bool IsOfNow => Parameters.IsOfNow && Training == Mode.IsTraining && ReferenceEquals(Compilation, Mode.Compilation);
}
