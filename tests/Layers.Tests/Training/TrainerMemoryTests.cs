using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Training;

/// <summary>The trainer keeps no graph and no batch.</summary>
[Collection("alone")]
public sealed class TrainerMemoryTests
{
    [Theory]
    [InlineData("evaluate")]
    [InlineData("predict")]
    [InlineData("fit")]
    public void Memory_stays_flat(string what)
    {
        var net = new Sequential(new Linear(6, 200, seed: 1), new Tanh(), new Linear(200, 3, seed: 2));
        var trainer = new Trainer(net, new CrossEntropyLoss(), new SGD(net.Parameters(), 0.001), new() { Metrics = [Metric.Accuracy] });
        var (x, y) = (new Generator(1).Normal(0, 1, Shape.Of(1000, 6)), Tensor.From(new int[1000]));
        var loader = new DataLoader(x, y, batchSize: 10);
        Run();
        var growth = Enumerable.Range(0, 3).Select(_ => Growth()).TakeWhile(grown => grown >= 100_000).ToArray();
        Assert.True(growth.Length < 3, $"{string.Join(", ", growth)} bytes more in windows of 300 batches");
        GC.KeepAlive(trainer);

        long Growth()
        {
            var before = Live();
            for (var i = 0; i < 3; i++)
                Run();
            return Live() - before;
        }

        void Run()
        {
            if (what == "evaluate")
                trainer.Evaluate(loader);
            else if (what == "predict")
                trainer.Predict(x, batchSize: 10);
            else
                trainer.Fit(loader, loader);
        }
    }

    /// <summary>While a batch is measured, no more is alive than for the batches before it.</summary>
    [Fact]
    public void Memory_stays_flat_within_an_evaluation()
    {
        var net = new Sequential(new Linear(6, 2000, seed: 1), new Tanh(), new Linear(2000, 3, seed: 2));
        var trainer = new Trainer(net, new CrossEntropyLoss(), new SGD(net.Parameters(), 0.001));
        var live = new List<long>();

        IEnumerable<(Tensor, Tensor)> Batches()
        {
            for (var i = 0; i < 40; i++)
            {
                yield return (new Generator(1).Normal(0, 1, Shape.Of(100, 6)), Tensor.From(new int[100]));
                if (i is 9 or 39)
                    live.Add(Live());
            }
        }

        trainer.Evaluate(Batches());
        // One hidden layer's values are 800,000 bytes.
        Assert.True(live[1] - live[0] < 800_000, $"{live[1] - live[0]} bytes more after 30 batches");
    }

    private static long Live()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(2, GCCollectionMode.Forced, blocking: true);
            GC.WaitForPendingFinalizers();
            Storage.Trim();
        }
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
