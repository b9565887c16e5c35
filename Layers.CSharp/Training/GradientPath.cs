namespace Hybrid.Layers;

/// <summary>How the gradient of a training step is found.</summary>
public enum GradientPath
{
    /// <summary>Derived from the graph. The default.</summary>
    Automatic,

    /// <summary>By the backward that the author of each layer wrote.</summary>
    Manual,
}
