using Hybrid.Examples.CommandLine;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>A network of the curriculum.</summary>
/// <param name="Name">The word for it on the command line.</param>
/// <param name="StepsAmongAll">How many steps an epoch has at most where all networks are trained, for the time that takes.</param>
/// <param name="Describe">Describes it for images of a shape, which come as rows of pixels, and a number of classes.</param>
internal sealed record ModelSpec(string Name, int StepsAmongAll, Func<ImageShape, int, ModelBuilder> Describe)
{
    /// <summary>The network for some data, its first parameters drawn by the seed.</summary>
    internal Sequential Create(ExampleData data, Settings settings) =>
        Describe(data.Train.Shape, data.Train.Classes).Build(new Generator((ulong)settings.Seed), settings.Precision);
}

/// <summary>The networks, as data.</summary>
internal static class Models
{
    /// <summary>The word for all of them.</summary>
    internal const string AllNames = "all";

    private const int Hidden = 128;
    private const int SmallestForFive = 16;

    /// <summary>All of them, in the order in which they are checked.</summary>
    internal static IReadOnlyList<ModelSpec> All { get; } =
    [
        new("softmax", int.MaxValue, (image, classes) => Model.Input(image.Pixels).Linear(classes)),
        new("mlp", int.MaxValue, (image, classes) => Model.Input(image.Pixels).Linear(Hidden).ReLU().Linear(classes)),
        new("cnn", 40, (image, classes) => Features(image, Math.Min(image.Height, image.Width) < SmallestForFive).Flatten().Linear(classes)),
    ];

    /// <summary>The network of a name, or all of them for <see cref="AllNames"/>.</summary>
    internal static IReadOnlyList<ModelSpec> Named(string name) => name == AllNames ? All : [All.Single(model => model.Name == name)];

    /// <summary>The cnn up to its 16 pooled channels; of images that are too small for two windows of 5, windows of 3 leave as much as went in.</summary>
    private static ModelBuilder Features(ImageShape image, bool small)
    {
        var (kernel, padding) = small ? (3, 1) : (5, 0);
        return Model
            .Input(image.Pixels)
            .Unflatten(image.Channels, image.Height, image.Width)
            .Conv2d(8, kernel, padding: padding)
            .ReLU()
            .MaxPool2d(2)
            .Conv2d(16, kernel, padding: padding)
            .ReLU()
            .MaxPool2d(2);
    }
}
