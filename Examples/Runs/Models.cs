using Hybrid.Examples.CommandLine;
using Hybrid.Kernels;
using Hybrid.Layers;

namespace Hybrid.Examples.Runs;

/// <summary>A network of the curriculum.</summary>
/// <param name="Name">The word for it on the command line.</param>
/// <param name="Build">Makes it for images of a number of pixels and classes, from a generator.</param>
internal sealed record ModelSpec(string Name, Func<int, int, Generator, ElementType, Sequential> Build)
{
    /// <summary>The network for some data, its first parameters drawn by the seed.</summary>
    internal Sequential Create(ExampleData data, Settings settings) =>
        Build(data.Pixels, data.Train.Classes, new Generator((ulong)settings.Seed), settings.Precision);
}

/// <summary>The networks, as data.</summary>
internal static class Models
{
    private const int Hidden = 128;

    /// <summary>All of them, in the order in which they are checked.</summary>
    internal static IReadOnlyList<ModelSpec> All { get; } =
    [
        new("softmax", (inputs, classes, seed, type) => new(new Linear(inputs, classes, seed: seed, type: type))),
        new(
            "mlp",
            (inputs, classes, seed, type) =>
                new(new Linear(inputs, Hidden, seed: seed, type: type), new ReLU(), new Linear(Hidden, classes, seed: seed, type: type))
        ),
    ];

    /// <summary>The network of a name, or all of them for <c>all</c>.</summary>
    internal static IReadOnlyList<ModelSpec> Named(string name) => name == "all" ? All : [All.Single(model => model.Name == name)];
}
