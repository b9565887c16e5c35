using Hybrid.Core;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>The workloads, as data.</summary>
internal static class WorkloadTable
{
    private static readonly DataSpec Mnist = new(DataSource.Mnist, [784]);
    private static readonly DataSpec MnistTest = new(DataSource.MnistTest, [784]);
    private static readonly DataSpec Digits = new(DataSource.Digits, [64]);
    private static readonly CrossEntropyLoss CrossEntropy = new();

    /// <summary>All that this build can run.</summary>
    internal static IReadOnlyList<Workload> All { get; } =
    [
        new("W1", seed => new Sequential(new Linear(784, 10, seed: seed)), Mnist, 100, CrossEntropy, Sgd(0.1)),
        new("W2-64", seed => Mlp(seed, 784, 128, 10), Mnist, 64, CrossEntropy, Adam),
        new("W2-512", seed => Mlp(seed, 784, 128, 10), Mnist, 512, CrossEntropy, Adam),
        new("W4", Autoencoder, new(DataSource.Noise, [256], 12_800), 128, new BCELoss(), Adam, TargetIsInput: true),
        new("W6", TwoTanh, Digits, null, new MSELoss(Reduction.Sum), Sgd(1e-4)),
        new("W7", seed => Mlp(seed, 784, 512, 512, 256, 10), Mnist, 256, CrossEntropy, Sgd(0.01, 0.9)),
        new("W9", seed => Mlp(seed, 1024, 2048, 2048, 10), new(DataSource.Noise, [1024], 8_192), 512, CrossEntropy, Sgd(0.01)),
        new("W8-W2-1", seed => Mlp(seed, 784, 128, 10), MnistTest, 1),
        new("W8-W2-1000", seed => Mlp(seed, 784, 128, 10), MnistTest, 1000),
    ];

    /// <summary>
    /// What a build with convolution will run: each becomes a row of <see cref="All"/>. The peer has them already.
    /// </summary>
    internal static IReadOnlyList<(string Name, string Needs)> NotInThisBuild { get; } =
    [("W3-64", "Conv2d"), ("W3-512", "Conv2d"), ("W5", "Conv1d"), ("W8-W3-1", "Conv2d"), ("W8-W3-1000", "Conv2d")];

    /// <summary>The workload of a name.</summary>
    /// <exception cref="BenchmarkException">There is none, or it needs a layer that is not there yet.</exception>
    internal static Workload Named(string name)
    {
        if (All.FirstOrDefault(workload => workload.Name == name) is { } found)
            return found;
        if (NotInThisBuild.FirstOrDefault(missing => missing.Name == name) is { Needs: { } needs })
            throw new BenchmarkException($"{name} not in this build: it needs {needs}.", ExitCodes.Usage);
        throw new BenchmarkException(
            $"There is no workload {name}; there are {string.Join(", ", All.Select(workload => workload.Name))}.",
            ExitCodes.Usage
        );
    }

    private static Func<IEnumerable<Cell>, Optimizer> Sgd(double lr, double momentum = 0) => cells => new SGD(cells, lr, momentum);

    private static Adam Adam(IEnumerable<Cell> cells) => new(cells);

    private static Sequential Mlp(Generator seed, params int[] widths)
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
