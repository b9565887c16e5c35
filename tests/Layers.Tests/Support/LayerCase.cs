using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers.Tests.Support;

/// <summary>A layer in float64 and an input to try it on, away from its kinks.</summary>
internal sealed record LayerCase(string Name, Func<Module> Make, Tensor Input)
{
    private static readonly Dictionary<Type, LayerCase[]> Known = new()
    {
        [typeof(Linear)] =
        [
            new("matrix", () => new Linear(3, 4, seed: 11, type: ElementType.Float64), Numbers.Normal(1, 5, 3)),
            new("without bias", () => new Linear(3, 2, bias: false, seed: 12, type: ElementType.Float64), Numbers.Normal(2, 5, 3)),
            new("sequences", () => new Linear(3, 2, seed: 13, type: ElementType.Float64), Numbers.Normal(3, 2, 4, 3)),
            new("vector", () => new Linear(3, 2, seed: 14, type: ElementType.Float64), Numbers.Normal(4, 3)),
            new("one to one", () => new Linear(1, 1, seed: 15, type: ElementType.Float64), Numbers.Normal(5, 1, 1)),
        ],
        [typeof(Flatten)] =
        [
            new("images", () => new Flatten(), Numbers.Normal(6, 2, 3, 2, 2)),
            new("vector", () => new Flatten(), Numbers.Normal(7, 3)),
        ],
        [typeof(Softmax)] =
        [
            new("last axis", () => new Softmax(), Numbers.Normal(8, 3, 4)),
            new("first axis", () => new Softmax(0), Numbers.Normal(9, 3, 4)),
            new("inner axis", () => new Softmax(1), Numbers.Normal(10, 2, 3, 2)),
        ],
        [typeof(LogSoftmax)] =
        [
            new("last axis", () => new LogSoftmax(), Numbers.Normal(11, 3, 4)),
            new("first axis", () => new LogSoftmax(0), Numbers.Normal(12, 3, 4)),
        ],
        [typeof(Sequential)] =
        [
            new("empty", () => new Sequential(), Numbers.Normal(13, 2, 3)),
            new("network", () => Network(), Numbers.Normal(14, 4, 2, 3)),
            new("nested", () => new Sequential(new Sequential(Network()), new Sequential(new Tanh(), new LogSoftmax())), Numbers.Normal(15, 4, 2, 3)),
        ],
    };

    /// <summary>Every layer of the library, found by reflection; a new one is tried on a matrix until it says more.</summary>
    public static IEnumerable<LayerCase> All() =>
        typeof(Module)
            .Assembly.GetExportedTypes()
            .Where(type => !type.IsAbstract && typeof(Module).IsAssignableFrom(type))
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            .SelectMany(type =>
                (Known.TryGetValue(type, out var cases) ? cases : [Untold(type)]).Select(c => c with { Name = $"{type.Name}, {c.Name}" })
            );

    /// <summary>The names, for data-driven tests.</summary>
    public static IEnumerable<object[]> Names() => All().Select(c => new object[] { c.Name });

    public static LayerCase Called(string name) => All().Single(c => c.Name == name);

    private static Sequential Network() =>
        new(
            new Flatten(),
            new Linear(6, 5, seed: 16, type: ElementType.Float64),
            new Sigmoid(),
            new Linear(5, 4, seed: 17, type: ElementType.Float64),
            new ReLU(),
            new Linear(4, 3, seed: 18, type: ElementType.Float64)
        );

    private static LayerCase Untold(Type type)
    {
        if (type.GetConstructor([]) is null)
            throw new InvalidOperationException($"{type.Name} needs cases in LayerCase: it has no constructor without arguments.");
        return new("matrix", () => (Module)Activator.CreateInstance(type)!, Numbers.Normal(20, 3, 4));
    }
}
