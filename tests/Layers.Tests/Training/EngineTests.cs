using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Training;

/// <summary>What training asks of the engine: no work twice, no plan too many, no memory that stays.</summary>
[Collection("alone")]
public sealed class EngineTests
{
    public static IEnumerable<object[]> Ways() => new[] { "automatic", "manual", "by hand" }.Select(way => new object[] { way });

    /// <summary>R2.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void Two_hundred_steps_under_a_cosine_schedule_compile_at_most_two_plans(string way)
    {
        foreach (
            var make in new Func<IEnumerable<Cell>, Optimizer>[] { p => new SGD(p, 0.1, 0.9), p => new Adam(p, 0.01), p => new RMSprop(p, 0.01) }
        )
        {
            var engine = new Engine(new EngineOptions());
            using var _ = engine.Use();
            var run = new Run(way, make);
            var before = engine.Stats.Compiles;
            for (var k = 0; k < 200; k++)
            {
                run.Optimizer.LearningRate = 0.05 * (1 + Math.Cos(Math.PI * k / 200));
                run.Step();
            }
            Assert.True(engine.Stats.Compiles - before <= 2, $"{engine.Stats.Compiles - before} plans were made");
        }
    }

    [Fact]
    public void A_schedule_of_UpdateParameters_compiles_one_plan()
    {
        var engine = new Engine(new EngineOptions());
        using var _ = engine.Use();
        var run = new Run("by hand", p => new SGD(p, 0.1));
        var before = engine.Stats.Compiles;
        for (var k = 0; k < 200; k++)
        {
            run.Gradient();
            run.Net.UpdateParameters(0.1 / (k + 1));
        }
        Assert.Equal(1, engine.Stats.Compiles - before);
    }

    /// <summary>R8.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reading_the_loss_before_backward_runs_the_forward_pass_once_and_changes_no_bit(bool manual)
    {
        var (kernels, weights) = (new List<long>(), new List<double[]>());
        foreach (var read in new[] { "never", "before", "after", "layer" })
        {
            var engine = new Engine(new EngineOptions());
            using var _ = engine.Use();
            var run = new Run(manual ? "manual" : "automatic", p => new SGD(p, 0.1));
            run.Step(); // Reads what initialisation left pending.
            var before = engine.Stats.Operations;
            run.Optimizer.ZeroGrad();
            var loss = run.Loss();
            if (read == "before")
                loss.Item();
            if (manual)
                loss.BackwardManual();
            else
                loss.Backward();
            if (read == "layer")
                run.Net.Parameters()[0].Grad.Eval();
            run.Optimizer.Step();
            if (read == "after")
                loss.Item();
            kernels.Add(engine.Stats.Operations - before);
            weights.Add(run.Net.Parameters()[0].Value.ToDoubles());
        }
        Assert.All(weights, value => Assert.Equal(weights[0], value));
        Assert.Equal(kernels[0], kernels[2]);
        Assert.True(kernels[1] <= kernels[0] + 2, $"kernels: {string.Join(", ", kernels)}");
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Live_memory_after_step_1000_is_that_after_step_10(string way)
    {
        foreach (var make in new Func<IEnumerable<Cell>, Optimizer>[] { p => new SGD(p, 0.01), p => new Adam(p) })
        {
            var run = new Run(way, make, width: 200);
            for (var k = 1; k <= 10; k++)
                run.Step();

            // The test runner reports what ran before on threads of its own, for some windows after another; a leak shows in every one.
            const int windows = 10;
            var growth = Enumerable.Range(0, windows).Select(_ => Growth(run, 990)).TakeWhile(grown => grown >= 100_000).ToArray();
            GC.KeepAlive(run);
            Assert.True(growth.Length < windows, $"{string.Join(", ", growth)} bytes more in windows of 990 steps");
        }
    }

    private static long Growth(Run run, int steps)
    {
        var before = Live();
        for (var k = 0; k < steps; k++)
            run.Step();
        return Live() - before;
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_history_of_losses_holds_only_their_values(string way)
    {
        var run = new Run(way, p => new SGD(p, 0.01), width: 200);
        var history = new List<Tensor>();
        run.Step();
        var before = Live();
        for (var k = 0; k < 200; k++)
            history.Add(run.Step());
        var after = Live();
        Assert.True(after - before < 200 * 2000, $"{(after - before) / 200} bytes a loss");
        Assert.True(history[^1].Item() < history[0].Item());
        GC.KeepAlive(run);
    }

    [Fact]
    public void Batches_that_are_kept_do_not_keep_the_steps_that_used_them()
    {
        var run = new Run("by hand", p => new SGD(p, 0.001), width: 200);
        run.Step();
        var batches = Enumerable.Range(0, 100).Select(i => Numbers.Normal((ulong)i, 8, 6).Eval()).ToArray();
        var before = Live();
        foreach (var x in batches)
            run.Step(x);
        var after = Live();
        GC.KeepAlive(batches);
        GC.KeepAlive(run);
        Assert.True(after - before < 1_000_000, $"{after - before} bytes for 100 batches");
    }

    [Fact]
    public void A_compiled_step_is_the_eager_one_bit_by_bit_and_follows_the_schedule()
    {
        var (eager, compiled) = (new Run("automatic", p => new Adam(p, 0.01)), new Run("automatic", p => new Adam(p, 0.01)));
        var function = new CompiledFunction(_ => [compiled.Step(compiled.X)]);
        for (var k = 0; k < 10; k++)
        {
            eager.Optimizer.LearningRate = compiled.Optimizer.LearningRate = 0.01 / (k + 1);
            var a = eager.Step().Item();
            var b = function.Invoke(compiled.X)[0].Item();
            Assert.Equal(a, b);
        }
        Assert.All(
            eager.Net.Parameters().Zip(compiled.Net.Parameters()),
            pair => Assert.Equal(pair.First.Value.ToDoubles(), pair.Second.Value.ToDoubles())
        );
    }

    [Fact]
    public void Backward_twice_adds_up()
    {
        foreach (var manual in new[] { false, true })
        {
            var run = new Run("automatic", p => new SGD(p, 0.1));
            var loss = run.Loss();
            Sweep();
            var once = run.Net.Parameters().Select(p => p.Grad.ToDoubles()).ToArray();
            Sweep();
            Assert.All(run.Net.Parameters().Zip(once), pair => Assert.Equal(pair.Second.Select(g => 2 * g), pair.First.Grad.ToDoubles()));

            void Sweep()
            {
                if (manual)
                    loss.BackwardManual();
                else
                    loss.Backward();
            }
        }
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

    private sealed class Run
    {
        private readonly string way;
        private readonly Tensor y = Tensor.From(new[] { 0, 1, 2, 0, 1, 2, 0, 1 });

        public Run(string way, Func<IEnumerable<Cell>, Optimizer> make, int width = 5)
        {
            this.way = way;
            Net = new Sequential(
                new Linear(6, width, seed: 1, type: ElementType.Float64),
                new Tanh(),
                new Sequential(new Linear(width, 3, seed: 2, type: ElementType.Float64))
            );
            Optimizer = make(Net.Parameters());
            X = Numbers.Normal(3, 8, 6).Eval();
        }

        public Sequential Net { get; }

        public Optimizer Optimizer { get; }

        public Tensor X { get; }

        public Tensor Loss() => new CrossEntropyLoss().Of(Net.Forward(X), y);

        public Tensor Gradient(Tensor? x = null)
        {
            x ??= X;
            Net.ZeroGrad();
            var yhat = Net.Forward(x);
            if (way == "by hand")
            {
                Net.BackwardUpdateGradient(x, new CrossEntropyLoss().Backward(y, yhat) / 8);
                return new CrossEntropyLoss().Forward(y, yhat).Mean();
            }
            var loss = new CrossEntropyLoss().Of(yhat, y);
            if (way == "manual")
                loss.BackwardManual();
            else
                loss.Backward();
            return loss;
        }

        public Tensor Step(Tensor? x = null)
        {
            var loss = Gradient(x);
            Optimizer.Step();
            return Mode.Compilation is null ? loss.Eval() : loss;
        }
    }
}

/// <summary>Tests that measure memory or count work run alone.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
