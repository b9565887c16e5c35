namespace Hybrid.Layers.Data;

/// <summary>A dataset in two parts that share no image.</summary>
/// <param name="Train">The images to learn from.</param>
/// <param name="Test">The images to judge by.</param>
public sealed record DatasetSplit(ImageDataset Train, ImageDataset Test);
