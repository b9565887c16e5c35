namespace Hybrid.Layers;

/// <summary>How a loss turns its values per example, shape <c>[batch]</c>, into its result.</summary>
public enum Reduction
{
    /// <summary>The mean over all elements: a scalar. The default.</summary>
    Mean,

    /// <summary>The sum over all elements: a scalar.</summary>
    Sum,

    /// <summary>No reduction: one value for each example, shape <c>[batch]</c>.</summary>
    None,
}
