namespace Hybrid.Layers.Data;

/// <summary>Which part of a dataset, as its authors divided it.</summary>
public enum DatasetPart
{
    /// <summary>The images to learn from.</summary>
    Train,

    /// <summary>The images to judge by.</summary>
    Test,
}
