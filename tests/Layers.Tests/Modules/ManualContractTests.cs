using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>The ways of writing a backward by hand.</summary>
public sealed class ManualContractTests
{
    public static IEnumerable<object[]> Ways() =>
        new (string Name, Func<Module> Make)[]
        {
            ("as taught", () => new Taught()),
            ("general form", () => new General()),
            ("taught, of taught parts", () => new TaughtComposite()),
            ("general, of parts", () => new GeneralComposite()),
            ("delta alone, without parameters", () => new Doubler()),
            ("two inputs", () => new OneOfTwo()),
        }.Select(way => new object[] { way.Name, way.Make });

    [Theory]
    [MemberData(nameof(Ways))]
    public void Every_way_of_writing_it_works_alone_and_in_a_network(string name, Func<Module> make)
    {
        var x = Numbers.Normal(1, 4, 2);
        var cotangent = Numbers.Normal(2, 4, 2);
        foreach (var wrap in new Func<Module, Module>[] { m => m, m => new Sequential(new Tanh(), m, new Sequential(new Sigmoid())) })
        {
            Assert.True(make().HasManualBackward);
            var automatic = GradientWays.BySweep(wrap(make()), x, cotangent, manual: false);
            var manual = GradientWays.BySweep(wrap(make()), x, cotangent, manual: true);
            var hand = GradientWays.ByHand(wrap(make()), x, cotangent);
            for (var i = 0; i < automatic.Length; i++)
            {
                Assert.Contains(automatic[i], value => value != 0);
                Numbers.AssertClose(automatic[i], manual[i], 1e-13, $"{name}, manual {i}");
                Numbers.AssertClose(manual[i], hand[i], 0, $"{name}, by hand {i}");
            }
        }
    }

    [Fact]
    public void A_layer_without_a_backward_is_looked_through_and_refuses_to_go_by_hand()
    {
        var x = Numbers.Normal(3, 4, 2);
        var cotangent = Numbers.Normal(4, 4, 2);
        Func<Module> make = () => new Sequential(new AutomaticOnly(), new Tanh());
        Assert.False(new AutomaticOnly().HasManualBackward);
        Assert.False(make().HasManualBackward);
        var automatic = GradientWays.BySweep(make(), x, cotangent, manual: false);
        var manual = GradientWays.BySweep(make(), x, cotangent, manual: true);
        for (var i = 0; i < automatic.Length; i++)
            Numbers.AssertClose(automatic[i], manual[i], 1e-13, "automatic only");
        var error = Assert.Throws<TapeException>(() => make().BackwardDelta(x, cotangent));
        Assert.Equal(
            "manual backward: expected a layer with a backward written by hand, got net/0:AutomaticOnly, which has none (in net/0:AutomaticOnly)."
                + " Give the layer a backward, or use the automatic path.",
            error.Message
        );
    }

    [Fact]
    public void Half_a_backward_is_refused()
    {
        var x = Numbers.Normal(5, 4, 2);
        var update = Assert.Throws<TapeException>(() => new UpdateAlone().BackwardDelta(x, x));
        Assert.Equal(
            "manual backward: expected BackwardDelta, got a module with BackwardUpdateGradient alone (in net)."
                + " Override it as well, or neither, to leave gradients to the automatic path.",
            update.Message
        );
        var delta = Assert.Throws<TapeException>(() => new DeltaAlone().BackwardUpdateGradient(x, x));
        Assert.Equal(
            "manual backward: expected BackwardUpdateGradient, got a module of 1 parameters with BackwardDelta alone (in net)."
                + " Override it as well, or neither, to leave gradients to the automatic path.",
            delta.Message
        );
        Assert.Throws<TapeException>(() => new DeltaAlone().Forward(x).Sum().BackwardManual());
        Assert.Throws<TapeException>(() => new UpdateAlone().Forward(x).Sum().BackwardManual());
        Assert.Throws<InvalidOperationException>(() => new AsksTheBase().BackwardDelta(x, x));
    }

    [Fact]
    public void A_gradient_of_another_shape_is_refused_by_layer()
    {
        var x = Numbers.Normal(6, 4, 2);
        var wrong = new Sequential(new Tanh(), new WrongShape());
        var error = Assert.Throws<ShapeException>(() => wrong.Forward(new Cell("x", x).Value).Sum().BackwardManual());
        Assert.Equal(
            "manual backward: expected a gradient of shape [4, 2], that of input 0, got [2] (in net/1:WrongShape)."
                + " A gradient has the shape of its input.",
            error.Message
        );
        var delta = Assert.Throws<ShapeException>(() => wrong.BackwardDelta(x, Numbers.Normal(7, 4, 3)));
        Assert.Equal(
            "manual backward: expected a delta of shape [4, 2], got [4, 3] (in net)."
                + " A delta is the gradient with respect to the result, and has its shape.",
            delta.Message
        );
    }

    /// <summary>R12.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nested_Sequentials_build_a_linear_number_of_operations(bool sweep)
    {
        var built = Enumerable.Range(0, 13).Select(depth => Built(depth, sweep)).ToArray();
        var steps = built.Skip(1).Zip(built, (b, a) => b - a).Distinct().ToArray();
        Assert.True(steps.Length == 1 && steps[0] is >= 0 and < 10, $"operations by depth: {string.Join(", ", built)}");
    }

    private static long Built(int depth, bool sweep)
    {
        Module net = new Linear(2, 2, seed: 1, type: ElementType.Float64);
        for (var i = 0; i < depth; i++)
            net = new Sequential(net);
        var x = Numbers.Normal(10, 3, 2);
        var before = Mode.Built;
        var y = net.Forward(x);
        if (sweep)
        {
            y.Sum().BackwardManual();
        }
        else
        {
            net.BackwardUpdateGradient(x, y);
            net.BackwardDelta(x, y);
        }
        return Mode.Built - before;
    }

    private sealed class Taught : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(21, 2));

        protected override Tensor Compute(Tensor x) => x * scale.Value;

        public override Tensor BackwardDelta(Tensor input, Tensor delta) => delta * scale.Value;

        public override void BackwardUpdateGradient(Tensor input, Tensor delta) => Accumulate(scale, (delta * input).Sum(0));
    }

    private sealed class General : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(22, 2));

        protected override Tensor Compute(Tensor x)
        {
            Current.Saved = x.Square();
            return x.Square() * scale.Value;
        }

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            Accumulate(scale, (deltas[0]! * (Tensor)call.Saved).Sum(0));
            return [2.0 * deltas[0]! * call.Inputs[0] * call.ParameterValues[0]];
        }
    }

    private sealed class TaughtComposite : Module
    {
        private readonly Linear first = new(2, 3, seed: 23, type: ElementType.Float64);
        private readonly Tanh second = new();
        private readonly Linear third = new(3, 2, seed: 24, type: ElementType.Float64);
        private Tensor? a;
        private Tensor? b;

        protected override Tensor Compute(Tensor x)
        {
            a = first.Forward(x);
            b = second.Forward(a);
            return third.Forward(b);
        }

        public override Tensor BackwardDelta(Tensor input, Tensor delta) =>
            first.BackwardDelta(input, second.BackwardDelta(a!, third.BackwardDelta(b!, delta)));

        public override void BackwardUpdateGradient(Tensor input, Tensor delta)
        {
            third.BackwardUpdateGradient(b!, delta);
            first.BackwardUpdateGradient(input, second.BackwardDelta(a!, third.BackwardDelta(b!, delta)));
        }
    }

    private sealed class GeneralComposite : Module
    {
        private readonly Sequential inner = new(new Linear(2, 2, seed: 25, type: ElementType.Float64), new Tanh());

        protected override Tensor Compute(Tensor x) => x + inner.Forward(x);

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            inner.BackwardUpdateGradient(call.Inputs[0], deltas[0]!);
            return [deltas[0]! + inner.BackwardDelta(call.Inputs[0], deltas[0]!)];
        }
    }

    private sealed class Doubler : Module
    {
        protected override Tensor Compute(Tensor x) => 2.0 * x;

        public override Tensor BackwardDelta(Tensor input, Tensor delta) => delta + delta;
    }

    /// <summary>A module of two inputs and two outputs inside of one of one.</summary>
    private sealed class OneOfTwo : Module
    {
        private readonly TwoByTwo inner = new();

        protected override Tensor Compute(Tensor x) => inner.Forward([x, x.Tanh()])[1];

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            var x = call.Inputs[0];
            return [deltas[0]! * x.Tanh() + deltas[0]! * x * (1.0 - x.Tanh().Square())];
        }
    }

    private sealed class TwoByTwo : Module
    {
        protected override Tensor Compute(Tensor x) => throw new NotSupportedException();

        protected override Tensor[] Compute(Tensor[] inputs) => [inputs[0] + inputs[1], inputs[0] * inputs[1]];

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            var (a, b) = (call.Inputs[0], call.Inputs[1]);
            var sum = deltas[0];
            var (da, db) = deltas[1] is { } d ? (d * b, d * a) : (null, null);
            return [Plus(sum, da), Plus(sum, db)];
        }

        private static Tensor? Plus(Tensor? a, Tensor? b) =>
            a is null ? b
            : b is null ? a
            : a + b;
    }

    [Fact]
    public void Modules_of_several_inputs_and_outputs_are_crossed_by_hand()
    {
        var (a, b) = (new Cell("a", Numbers.Normal(31, 3)), new Cell("b", Numbers.Normal(32, 3)));
        foreach (var outputs in new[] { new[] { 0 }, [1], [0, 1] })
        {
            var results = new List<double[]>();
            foreach (var manual in new[] { false, true })
            {
                a.ZeroGrad();
                b.ZeroGrad();
                var y = new TwoByTwo().Forward([a.Value, b.Value]);
                var loss = outputs.Select(i => y[i].Square().Sum()).Aggregate((s, t) => s + t);
                if (manual)
                    loss.BackwardManual();
                else
                    loss.Backward();
                results.Add([.. a.Grad.ToDoubles(), .. b.Grad.ToDoubles()]);
            }
            Numbers.AssertClose(results[0], results[1], 1e-13, $"outputs {string.Join(", ", outputs)}");
        }
    }

    [Fact]
    public void One_input_methods_of_a_module_of_two_inputs_say_what_is_missing()
    {
        var error = Assert.Throws<ShapeException>(() => new Tanh().Forward([Numbers.Normal(33, 2), Numbers.Normal(34, 2)]));
        Assert.Equal("forward: expected one input, got 2 (in net). Override Compute(Tensor[]) to take several.", error.Message);
    }

    private sealed class AutomaticOnly : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(41, 2));

        protected override Tensor Compute(Tensor x) => x * scale.Value;
    }

    private sealed class UpdateAlone : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(42, 2));

        protected override Tensor Compute(Tensor x) => x * scale.Value;

        public override void BackwardUpdateGradient(Tensor input, Tensor delta) => Accumulate(scale, (delta * input).Sum(0));
    }

    private sealed class DeltaAlone : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(43, 2));

        protected override Tensor Compute(Tensor x) => x * scale.Value;

        public override Tensor BackwardDelta(Tensor input, Tensor delta) => delta * scale.Value;
    }

    private sealed class AsksTheBase : Module
    {
        protected override Tensor Compute(Tensor x) => x;

        public override Tensor BackwardDelta(Tensor input, Tensor delta) => base.BackwardDelta(input, delta);
    }

    private sealed class WrongShape : Module
    {
        protected override Tensor Compute(Tensor x) => x;

        public override Tensor BackwardDelta(Tensor input, Tensor delta) => delta.Sum(0);
    }
}
