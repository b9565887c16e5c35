using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Optimisers;

public sealed class OptimizerTests
{
    public static IEnumerable<object[]> Optimisers() =>
        new (string Name, Func<IEnumerable<Cell>, Optimizer> Make)[]
        {
            ("SGD", p => new SGD(p, 0.1)),
            ("SGD, momentum", p => new SGD(p, 0.1, 0.9)),
            ("SGD, dampening", p => new SGD(p, 0.1, 0.9, 0.5, 0.01)),
            ("SGD, nesterov", p => new SGD(p, 0.1, 0.9, nesterov: true)),
            ("Adam", p => new Adam(p, 0.01)),
            ("AdamW", p => new AdamW(p, 0.01)),
            ("RMSprop", p => new RMSprop(p)),
            ("RMSprop, momentum", p => new RMSprop(p, momentum: 0.9)),
        }.Select(optimiser => new object[] { optimiser.Name, optimiser.Make });

    [Fact]
    public void No_optimiser_is_left_out()
    {
        var library = typeof(Optimizer).Assembly.GetExportedTypes().Where(type => !type.IsAbstract && typeof(Optimizer).IsAssignableFrom(type));
        var parameters = new[] { new Cell("p", Tensor.Scalar(1)) };
        var tried = Optimisers().Select(o => ((Func<IEnumerable<Cell>, Optimizer>)o[1])(parameters).GetType()).ToHashSet();
        Assert.All(library, type => Assert.Contains(type, tried));
    }

    [Theory]
    [MemberData(nameof(Optimisers))]
    public void Saved_state_continues_the_run(string name, Func<IEnumerable<Cell>, Optimizer> make)
    {
        var (net, other) = (Network(), Network());
        var (optimizer, resumed) = (make(net.Parameters()), make(other.Parameters()));
        for (var k = 0; k < 3; k++)
            Train(net, optimizer);
        optimizer.LearningRate = 0.05;
        var (weights, state) = (net.StateDict(), optimizer.StateDict());
        var values = state.ToDictionary(entry => entry.Key, entry => entry.Value.ToDoubles());
        Train(net, optimizer);
        other.LoadStateDict(weights);
        resumed.LoadStateDict(state);
        Assert.Equal(0.05, resumed.LearningRate);
        Train(other, resumed);
        Assert.All(net.Parameters().Zip(other.Parameters()), pair => Assert.Equal(pair.First.Value.ToDoubles(), pair.Second.Value.ToDoubles()));
        Assert.All(values, entry => Assert.Equal(entry.Value, state[entry.Key].ToDoubles()));
        Assert.True(name == "SGD" || state.Count > 1);
        var error = Assert.Throws<CellException>(() => resumed.LoadStateDict(new StateDict(state.Skip(1))));
        Assert.StartsWith(
            $"{optimizer.GetType().Name}.LoadStateDict: expected a state dict that fits, got no 'lr'. Nothing was changed.",
            error.Message
        );
    }

    // A compiled function runs Update itself; a lazy step applies what Update built once.
    [Theory]
    [MemberData(nameof(Optimisers))]
    public void What_is_written_down_once_gives_the_bits_of_an_update_that_runs_each_time(string name, Func<IEnumerable<Cell>, Optimizer> make)
    {
        foreach (var rewrites in new[] { true, false })
        {
            using var engine = new Engine(new EngineOptions { Rewrites = rewrites }).Use();
            var (net, other) = (Network(), Network());
            var (optimizer, traced) = (make(net.Parameters()), make(other.Parameters()));
            var step = new CompiledFunction(_ =>
            {
                Train(net, optimizer);
                optimizer.ZeroGrad();
                return [];
            });
            for (var k = 0; k < 4; k++)
            {
                optimizer.LearningRate = traced.LearningRate = 0.1 / (k + 1);
                step.Invoke();
                Train(other, traced);
            }
            Assert.All(net.Parameters().Zip(other.Parameters()), pair => Assert.Equal(Bits(pair.First), Bits(pair.Second)));
            Assert.True(Engine.Current.Stats.Compiles < 12, $"{name}: {Engine.Current.Stats.Compiles} plans");
        }

        static IEnumerable<long> Bits(Cell cell) => cell.Value.ToDoubles().Select(BitConverter.DoubleToInt64Bits);
    }

    [Theory]
    [MemberData(nameof(Optimisers))]
    public void Parameters_without_gradient_and_frozen_ones_are_skipped_with_their_state(string name, Func<IEnumerable<Cell>, Optimizer> make)
    {
        var moved = new Cell("moved", Numbers.Normal(1, 3));
        var late = new Cell("late", Numbers.Normal(2, 3));
        var frozen = new Cell("frozen", Numbers.Normal(3, 3));
        var optimizer = make([moved, late, frozen, moved]);
        Assert.Equal([moved, late, frozen], optimizer.Parameters);
        frozen.Accumulate(Numbers.Normal(4, 3));
        frozen.Trainable = false;
        var before = late.Value.ToDoubles();
        var still = frozen.Value.ToDoubles();
        moved.Accumulate(Numbers.Normal(5, 3));
        optimizer.Step();
        Assert.Equal(before, late.Value.ToDoubles());
        Assert.Equal(still, frozen.Value.ToDoubles());
        Assert.Equal(0, late.Version);
        Assert.Equal(1, moved.Version);

        // Its first step now is as the first step of a parameter alone.
        var alone = new Cell("alone", late.Value);
        var only = make([alone]);
        late.Accumulate(Numbers.Normal(6, 3));
        alone.Accumulate(Numbers.Normal(6, 3));
        optimizer.Step();
        only.Step();
        Numbers.AssertClose(alone.Value.ToDoubles(), late.Value.ToDoubles(), 0, name);
        optimizer.ZeroGrad();
        Assert.Null(moved.Grad);
        optimizer.Step();
        Assert.Equal(2, moved.Version);
    }

    [Theory]
    [MemberData(nameof(Optimisers))]
    public void A_step_that_fails_changes_no_cell(string name, Func<IEnumerable<Cell>, Optimizer> make)
    {
        var (good, bad) = (new Cell("good", Numbers.Normal(1, 2)), new Cell("bad", Numbers.Normal(2, 2)));
        var optimizer = make([good, bad]);
        good.Accumulate(Numbers.Normal(3, 2));
        bad.Accumulate(Numbers.Normal(4, 2, 3).CrossEntropy(Tensor.From(new[] { 1, 5 })));
        var before = optimizer.StateDict().Select(entry => entry.Value.ToDoubles()).Append(good.Value.ToDoubles()).ToArray();
        Assert.Throws<ValueException>(optimizer.Step);
        Assert.Equal(before, optimizer.StateDict().Select(entry => entry.Value.ToDoubles()).Append(good.Value.ToDoubles()));
        Assert.Equal(0, good.Version);
        bad.ZeroGrad();
        optimizer.Step();
        Assert.True(good.Version == 1, name);
    }

    [Theory]
    [MemberData(nameof(Optimisers))]
    public void A_float32_run_stays_near_its_float64_copy(string name, Func<IEnumerable<Cell>, Optimizer> make)
    {
        var net = Network();
        var single = (Sequential)net.Clone(ElementType.Float32);
        var (optimizer, other) = (make(net.Parameters()), make(single.Parameters()));
        for (var k = 0; k < 20; k++)
        {
            Train(net, optimizer);
            Train(single, other);
        }
        foreach (var (a, b) in net.Parameters().Zip(single.Parameters()))
            Numbers.AssertClose(a.Value.ToDoubles(), b.Value.ToDoubles(), 1e-4, name);
    }

    /// <summary>Dampening has no trajectory of PyTorch; this is its update, scalar by scalar.</summary>
    [Fact]
    public void Dampening_leaves_out_part_of_every_gradient_but_the_first()
    {
        var cell = new Cell("w", Tensor.From(new[] { 2.0 }));
        var optimizer = new SGD([cell], lr: 0.1, momentum: 0.9, dampening: 0.25, weightDecay: 0.01);
        double w = 2,
            b = 0;
        for (var k = 0; k < 5; k++)
        {
            cell.ZeroGrad();
            cell.Accumulate(Tensor.From(new[] { Math.Sin(k) }));
            optimizer.Step();
            var g = Math.Sin(k) + (0.01 * w);
            b = k == 0 ? g : (0.9 * b) + (0.75 * g);
            w -= 0.1 * b;
            Assert.Equal(w, cell.Value.Item(), 1e-14);
        }
    }

    /// <summary>Weight decay that is not decoupled is the gradient of the penalty |w|²/2, whatever the optimiser makes of gradients.</summary>
    [Fact]
    public void Weight_decay_is_the_gradient_of_a_penalty()
    {
        (string Name, Func<Cell, double, Optimizer> Make)[] optimisers =
        [
            ("SGD", (cell, decay) => new SGD([cell], 0.1, 0.9, weightDecay: decay)),
            ("Adam", (cell, decay) => new Adam([cell], 0.1, weightDecay: decay)),
            ("RMSprop", (cell, decay) => new RMSprop([cell], 0.1, weightDecay: decay, momentum: 0.5)),
        ];
        foreach (var (name, make) in optimisers)
        {
            var (decayed, penalised) = (new Cell("w", Numbers.Normal(1, 4)), new Cell("w", Numbers.Normal(1, 4)));
            var (a, b) = (make(decayed, 0.3), make(penalised, 0));
            for (var k = 0; k < 5; k++)
            {
                var gradient = Numbers.Normal((ulong)k, 4);
                decayed.ZeroGrad();
                penalised.ZeroGrad();
                decayed.Accumulate(gradient);
                penalised.Accumulate(gradient + (0.3 * penalised.Value));
                a.Step();
                b.Step();
            }
            Numbers.AssertClose(penalised.Value.ToDoubles(), decayed.Value.ToDoubles(), 1e-14, name);
        }
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        var p = new[] { new Cell("p", Tensor.Scalar(1)) };
        (Action Act, string Message)[] cases =
        [
            (() => new SGD(p, -1), "SGD: expected a learning rate of at least 0, got -1. A usual rate is between 1e-4 and 1."),
            (() => new SGD(p, double.NaN), "SGD: expected a learning rate of at least 0, got NaN. A usual rate is between 1e-4 and 1."),
            (() => new SGD(p, 1).LearningRate = -2, "SGD: expected a learning rate of at least 0, got -2. A usual rate is between 1e-4 and 1."),
            (() => new SGD(p, 1, momentum: -0.1), "SGD: expected a momentum of at least 0, got -0.1. A usual momentum is 0.9."),
            (() => new SGD(p, 1, 0.9, double.PositiveInfinity), "SGD: expected a finite dampening, got Infinity. It is 0 by default."),
            (() => new SGD(p, 1, weightDecay: -1), "SGD: expected a weight decay of at least 0, got -1. A usual one is 1e-4."),
            (() => new SGD(p, 1, nesterov: true), "SGD: expected a momentum above 0, as nesterov is on, got 0. A usual momentum is 0.9."),
            (() => new SGD(p, 1, 0.9, 0.1, nesterov: true), "SGD: expected a dampening of 0, as nesterov is on, got 0.1. Leave dampening out."),
            (() => new Adam(p, beta1: 1), "Adam: expected a beta1 from 0 to below 1, got 1. It is 0.9 by default."),
            (() => new AdamW(p, beta2: -0.5), "AdamW: expected a beta2 from 0 to below 1, got -0.5. It is 0.999 by default."),
            (() => new Adam(p, eps: -1), "Adam: expected an eps of at least 0, got -1. It is 1e-8 by default."),
            (() => new Adam(p, weightDecay: double.NaN), "Adam: expected a weight decay of at least 0, got NaN. A usual one is 1e-2."),
            (() => new RMSprop(p, alpha: 1.5), "RMSprop: expected an alpha from 0 to 1, got 1.5. It is 0.99 by default."),
            (() => new RMSprop(p, eps: -1), "RMSprop: expected an eps of at least 0, got -1. It is 1e-8 by default."),
            (() => new RMSprop(p, weightDecay: -1), "RMSprop: expected a weight decay of at least 0, got -1. A usual one is 1e-4."),
            (() => new RMSprop(p, momentum: -1), "RMSprop: expected a momentum of at least 0, got -1. A usual momentum is 0.9."),
            (() => new SGD([], 1), "SGD: expected at least one parameter, got none. Pass the Parameters() of a module."),
            (
                () => new SGD([new Cell("n", Tensor.From(new[] { 1, 2 }))], 1),
                "SGD: expected parameters of type float32 or float64, got 'n' of type int32. Only floating-point numbers can be moved."
            ),
        ];
        foreach (var (act, message) in cases)
            Assert.Equal(message, Assert.ThrowsAny<HybridException>(act).Message);
    }

    private static Sequential Network() =>
        new(new Linear(2, 3, seed: 1, type: ElementType.Float64), new Tanh(), new Linear(3, 2, seed: 2, type: ElementType.Float64));

    private static void Train(Sequential net, Optimizer optimizer)
    {
        optimizer.ZeroGrad();
        var x = Numbers.Normal(9, 6, 2).To(net.Parameters()[0].DType);
        new CrossEntropyLoss().Of(net.Forward(x), Tensor.From(new[] { 0, 1, 1, 0, 1, 0 })).Backward();
        optimizer.Step();
    }
}
