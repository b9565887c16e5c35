using Hybrid.Core;
using Hybrid.Kernels;
using Xunit;

namespace Hybrid.Layers.Tests.Training;

/// <summary>
/// What a step costs beside its kernels: operations that are built, and bytes of short-lived objects. Neither depends on sizes, so small
/// networks stand for large ones. The limits are what was measured, and a twentieth more for the bytes, but 16 KiB at most.
/// </summary>
public sealed class StepCostTests
{
    private const int Steps = 20;

    [Theory]
    [InlineData("softmax", "SGD", "automatic", 19, 7_100)]
    [InlineData("softmax", "SGD", "manual", 24, 8_750)]
    [InlineData("MLP", "SGD", "automatic", 37, 13_350)]
    [InlineData("MLP", "momentum", "automatic", 41, 14_000)]
    [InlineData("MLP", "Adam", "automatic", 49, 15_300)]
    [InlineData("MLP", "Adam", "manual", 52, 16_384)]
    [InlineData("MLP", "Adam", "compiled", 0, 300)]
    [InlineData("MLP", "Adam", "compiled into cells", 0, 0)]
    [InlineData("MLP", "none", "automatic", 13, 4_500)]
    public void A_step_builds_few_operations_and_objects(string model, string optimiser, string path, long operations, long bytes)
    {
        using var engine = new Engine(new EngineOptions { Threads = 1 }).Use();
        var step = Step(model == "MLP" ? Mlp() : Softmax(), optimiser, path);
        for (var k = 0; k < Steps; k++)
            step();
        var least = long.MaxValue;
        for (var k = 0; k < 5; k++)
        {
            var (built, before) = (Mode.Built, GC.GetAllocatedBytesForCurrentThread());
            for (var i = 0; i < Steps; i++)
                step();
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / Steps);
            Assert.Equal(operations, (Mode.Built - built) / Steps);
        }
        Assert.True(least <= bytes, $"{least} bytes a step");
    }

    private static Sequential Softmax() => new(new Linear(8, 10, seed: 1));

    private static Sequential Mlp() => new(new Linear(8, 8, seed: 1), new ReLU(), new Linear(8, 10, seed: 2));

    private static Action Step(Sequential net, string optimiser, string path)
    {
        var x = new Generator(3).Uniform(0, 1, Shape.Of(4, 8)).Eval();
        var y = Tensor.From(new[] { 1, 2, 3, 4 }, 4);
        if (optimiser == "none")
        {
            return () =>
            {
                using var recording = Mode.NoGrad();
                net.Forward(x).Eval();
            };
        }
        var loss = new CrossEntropyLoss();
        Optimizer optimizer = optimiser switch
        {
            "Adam" => new Adam(net.Parameters()),
            "momentum" => new SGD(net.Parameters(), 0.01, 0.9),
            _ => new SGD(net.Parameters(), 0.01),
        };
        if (path is "automatic" or "manual")
            return () => Train(x, y);
        var last = new Cell("loss", Tensor.Scalar(0.0, ElementType.Float32), trainable: false);
        var function = new CompiledFunction(arguments =>
        {
            var value = Train(arguments[0], arguments[1]);
            if (path == "compiled")
                return [value];
            last.Set(value);
            return [];
        });
        Tensor[] given = [x, y];
        return () => function.Invoke(given);

        Tensor Train(Tensor inputs, Tensor targets)
        {
            optimizer.ZeroGrad();
            var value = loss.Of(input: net.Forward(inputs), target: targets);
            if (path == "manual")
                value.BackwardManual();
            else
                value.Backward();
            optimizer.Step();
            if (path.StartsWith("compiled", StringComparison.Ordinal))
                optimizer.ZeroGrad();
            return value;
        }
    }
}
