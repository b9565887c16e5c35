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
        [typeof(Unflatten)] =
        [
            new("images", () => new Unflatten(3, 2, 2), Numbers.Normal(49, 2, 12)),
            new("axes that follow", () => new Unflatten(2, 3), Numbers.Normal(50, 2, 6, 4)),
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
        [typeof(Conv2d)] =
        [
            new("square", () => new Conv2d(2, 3, 2, seed: 31, type: ElementType.Float64), Numbers.Normal(31, 3, 2, 4, 5)),
            new("padded", () => new Conv2d(1, 2, 3, padding: 1, seed: 32, type: ElementType.Float64), Numbers.Normal(32, 2, 1, 4, 4)),
            new("strided", () => new Conv2d(2, 2, 2, stride: 3, bias: false, seed: 33, type: ElementType.Float64), Numbers.Normal(33, 2, 2, 6, 7)),
            new("dilated", () => new Conv2d(1, 2, 2, dilation: 2, seed: 34, type: ElementType.Float64), Numbers.Normal(34, 2, 1, 5, 4)),
            new(
                "everything",
                () => new Conv2d(2, 2, (3, 2), (2, 3), (3, 1), (2, 3), seed: 35, type: ElementType.Float64),
                Numbers.Normal(35, 2, 2, 6, 7)
            ),
        ],
        [typeof(Conv1d)] =
        [
            new("plain", () => new Conv1d(2, 3, 3, seed: 36, type: ElementType.Float64), Numbers.Normal(36, 2, 2, 6)),
            new("everything", () => new Conv1d(2, 2, 3, 2, 3, 2, bias: false, seed: 37, type: ElementType.Float64), Numbers.Normal(37, 3, 2, 7)),
        ],
        [typeof(MaxPool2d)] =
        [
            new("halves", () => new MaxPool2d(2), Numbers.Normal(38, 2, 3, 4, 5)),
            new("overlapping and padded", () => new MaxPool2d((3, 2), (1, 2), (1, 1)), Numbers.Normal(39, 2, 2, 4, 5)),
            new("dilated", () => new MaxPool2d(2, 1, dilation: 2), Numbers.Normal(40, 2, 1, 4, 5)),
        ],
        [typeof(MaxPool1d)] =
        [
            new("halves", () => new MaxPool1d(2), Numbers.Normal(41, 2, 2, 7)),
            new("everything", () => new MaxPool1d(3, 2, 1, 2), Numbers.Normal(42, 2, 2, 8)),
        ],
        [typeof(AvgPool2d)] =
        [
            new("halves", () => new AvgPool2d(2), Numbers.Normal(43, 2, 3, 4, 5)),
            new("overlapping and padded", () => new AvgPool2d((3, 2), (1, 2), (1, 1)), Numbers.Normal(44, 2, 2, 4, 5)),
            new("whole images", () => new AvgPool2d((3, 4)), Numbers.Normal(45, 2, 2, 3, 4)),
        ],
        [typeof(AvgPool1d)] =
        [
            new("halves", () => new AvgPool1d(2), Numbers.Normal(46, 2, 2, 7)),
            new("overlapping and padded", () => new AvgPool1d(3, 2, 1), Numbers.Normal(47, 2, 2, 8)),
        ],
        [typeof(Sequential)] =
        [
            new("empty", () => new Sequential(), Numbers.Normal(13, 2, 3)),
            new("network", () => Network(), Numbers.Normal(14, 4, 2, 3)),
            new("convolutional", () => Convolutional(), Numbers.Normal(48, 2, 36)),
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

    private static Sequential Convolutional() =>
        new(
            new Unflatten(1, 6, 6),
            new Conv2d(1, 2, 3, seed: 51, type: ElementType.Float64),
            new Tanh(),
            new MaxPool2d(2),
            new Flatten(),
            new Linear(8, 3, seed: 52, type: ElementType.Float64)
        );

    private static LayerCase Untold(Type type)
    {
        if (type.GetConstructor([]) is null)
            throw new InvalidOperationException($"{type.Name} needs cases in LayerCase: it has no constructor without arguments.");
        return new("matrix", () => (Module)Activator.CreateInstance(type)!, Numbers.Normal(20, 3, 4));
    }
}
