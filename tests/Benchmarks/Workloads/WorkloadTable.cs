using Hybrid.Core;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>The workloads, as data.</summary>
internal static class WorkloadTable
{
    private static readonly DataSpec Mnist = new(DataSource.Mnist, [784]);
    private static readonly DataSpec MnistTest = new(DataSource.MnistTest, [784]);
    private static readonly DataSpec MnistImages = new(DataSource.Mnist, [1, 28, 28]);
    private static readonly DataSpec MnistTestImages = new(DataSource.MnistTest, [1, 28, 28]);
    private static readonly DataSpec Digits = new(DataSource.Digits, [64]);
    private static readonly CrossEntropyLoss CrossEntropy = new();

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<Workload> All { get; } =
    [
        new("W1", seed => new Sequential(new Linear(784, 10, seed: seed)), Mnist, 100, CrossEntropy, Sgd(0.1)),
        new("W2-64", seed => Mlp(seed, 784, 128, 10), Mnist, 64, CrossEntropy, Adam),
        new("W2-512", seed => Mlp(seed, 784, 128, 10), Mnist, 512, CrossEntropy, Adam),
        new("W3-64", Cnn, MnistImages, 64, CrossEntropy, Adam),
        new("W3-512", Cnn, MnistImages, 512, CrossEntropy, Adam),
        new("W4", Autoencoder, new(DataSource.Noise, [256], 12_800), 128, new BCELoss(), Adam, TargetIsInput: true),
        new("W5", Conv1dNet, new(DataSource.Noise, [1, 256], 12_800), 128, CrossEntropy, Sgd(0.01)),
        new("W6", TwoTanh, Digits, null, new MSELoss(Reduction.Sum), Sgd(1e-4)),
        new("W7", seed => Mlp(seed, 784, 512, 512, 256, 10), Mnist, 256, CrossEntropy, Sgd(0.01, 0.9)),
        new("W9", seed => Mlp(seed, 1024, 2048, 2048, 10), new(DataSource.Noise, [1024], 8_192), 512, CrossEntropy, Sgd(0.01)),
        new("W8-W2-1", seed => Mlp(seed, 784, 128, 10), MnistTest, 1),
        new("W8-W2-1000", seed => Mlp(seed, 784, 128, 10), MnistTest, 1000),
        new("W8-W3-1", Cnn, MnistTestImages, 1),
        new("W8-W3-1000", Cnn, MnistTestImages, 1000),
    ];

    /// <summary>The workload of a name.</summary>
    /// <exception cref="BenchmarkException">There is none.</exception>
    internal static Workload Named(string name)
    {
        if (All.FirstOrDefault(workload => workload.Name == name) is { } found)
            return found;
        throw new BenchmarkException(
            $"There is no workload {name}; there are {string.Join(", ", All.Select(workload => workload.Name))}.",
            ExitCodes.Usage
        );
    }

    private static Func<IEnumerable<Cell>, Optimizer> Sgd(double lr, double momentum = 0) => cells => new SGD(cells, lr, momentum);

    private static Adam Adam(IEnumerable<Cell> cells) => new(cells);

    /// <summary>Linear layers from each width to the next, ReLU between them.</summary>
    internal static Sequential Mlp(Generator seed, params int[] widths)
    {
        var modules = new List<Module>();
        for (var i = 1; i < widths.Length; i++)
        {
            if (i > 1)
                modules.Add(new ReLU());
            modules.Add(new Linear(widths[i - 1], widths[i], seed: seed));
        }
        return new([.. modules]);
    }

    private static Sequential Cnn(Generator seed) =>
        new(
            new Conv2d(1, 8, 5, seed: seed),
            new ReLU(),
            new MaxPool2d(2),
            new Conv2d(8, 16, 5, seed: seed),
            new ReLU(),
            new MaxPool2d(2),
            new Flatten(),
            new Linear(256, 10, seed: seed)
        );

    private static Sequential Conv1dNet(Generator seed) =>
        new(
            new Conv1d(1, 32, 3, seed: seed),
            new MaxPool1d(2),
            new Flatten(),
            new Linear(4064, 100, seed: seed),
            new ReLU(),
            new Linear(100, 10, seed: seed)
        );

    private static Sequential Autoencoder(Generator seed) =>
        new(
            new Linear(256, 100, seed: seed),
            new Tanh(),
            new Linear(100, 10, seed: seed),
            new Tanh(),
            new Linear(10, 100, seed: seed),
            new Tanh(),
            new Linear(100, 256, seed: seed),
            new Sigmoid()
        );

    private static Sequential TwoTanh(Generator seed) => new(new Linear(64, 50, seed: seed), new Tanh(), new Linear(50, 10, seed: seed), new Tanh());
}
