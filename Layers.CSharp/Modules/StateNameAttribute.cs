namespace Hybrid.Layers;

/// <summary>
/// The name of a parameter or inner module in parameter names and layer paths, in place of its field's or property's. The empty name
/// leaves the level out, as <see cref="Sequential"/> does with its list: <c>0.weight</c>.
/// </summary>
/// <param name="name">The name, without dots.</param>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class StateNameAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;
}
