using Hybrid.Core;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>Every layer, by hand against automatic against central differences; a layer that is added is tested unasked.</summary>
public sealed class LayerGradientTests
{
    public static IEnumerable<object[]> Layers() => LayerCase.Names();

    [Fact]
    public void No_layer_is_left_out()
    {
        var cases = LayerCase.All().ToArray();
        Assert.True(cases.Length >= 38, $"only {cases.Length} cases ran");
        var types = cases.Select(c => c.Make().GetType()).ToHashSet();
        Assert.Superset(
            new HashSet<Type>
            {
                typeof(Linear),
                typeof(Flatten),
                typeof(Unflatten),
                typeof(ReLU),
                typeof(Tanh),
                typeof(Sigmoid),
                typeof(Softmax),
                typeof(LogSoftmax),
                typeof(Sequential),
                typeof(Conv1d),
                typeof(Conv2d),
                typeof(MaxPool1d),
                typeof(MaxPool2d),
                typeof(AvgPool1d),
                typeof(AvgPool2d),
            },
            types
        );
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void All_ways_to_the_gradient_agree(string name)
    {
        var layer = LayerCase.Called(name);
        var module = layer.Make();
        Assert.True(module.HasManualBackward, $"{name} has no backward by hand");
        var cotangent = Numbers.Normal(99, module.Forward(layer.Input).Shape.ToArray());
        var automatic = GradientWays.BySweep(layer.Make(), layer.Input, cotangent, manual: false);
        var manual = GradientWays.BySweep(layer.Make(), layer.Input, cotangent, manual: true);
        var hand = GradientWays.ByHand(layer.Make(), layer.Input, cotangent);
        var alone = GradientWays.ByHand(layer.Make(), layer.Input, cotangent, forwardFirst: false);
        var differences = GradientWays.ByDifferences(layer.Make(), layer.Input, cotangent);
        var names = GradientWays.Names(module);
        Assert.Equal(names.Length, automatic.Length);
        for (var i = 0; i < names.Length; i++)
        {
            Assert.Contains(automatic[i], value => value != 0);
            Numbers.AssertClose(differences[i], automatic[i], 1e-7, $"{name}, {names[i]}, automatic against differences");
            Numbers.AssertClose(automatic[i], manual[i], 1e-13, $"{name}, {names[i]}, manual against automatic");
            Numbers.AssertClose(manual[i], hand[i], 0, $"{name}, {names[i]}, by hand against the manual sweep");
            Numbers.AssertClose(manual[i], alone[i], 0, $"{name}, {names[i]}, by hand without Forward");
        }
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Backward_by_hand_is_linear_in_delta(string name)
    {
        var layer = LayerCase.Called(name);
        var shape = layer.Make().Forward(layer.Input).Shape.ToArray();
        var (a, b) = (Numbers.Normal(97, shape), Numbers.Normal(98, shape));
        var ga = GradientWays.ByHand(layer.Make(), layer.Input, a);
        var gb = GradientWays.ByHand(layer.Make(), layer.Input, b);
        var sum = GradientWays.ByHand(layer.Make(), layer.Input, (2.0 * a) + b);
        for (var i = 0; i < sum.Length; i++)
            Numbers.AssertClose([.. ga[i].Zip(gb[i], (x, y) => (2 * x) + y)], sum[i], 1e-13, $"{name}, gradient {i}");
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Delta_touches_no_gradient_and_updates_add_up(string name)
    {
        var layer = LayerCase.Called(name);
        var module = layer.Make();
        var cotangent = Numbers.Normal(96, module.Forward(layer.Input).Shape.ToArray());
        module.BackwardDelta(layer.Input, cotangent).Eval();
        Assert.All(module.Parameters(), parameter => Assert.Null(parameter.Grad));
        module.BackwardUpdateGradient(layer.Input, cotangent);
        var once = module.Parameters().Select(parameter => parameter.Grad.ToDoubles()).ToArray();
        module.BackwardUpdateGradient(layer.Input, cotangent);
        Assert.All(module.Parameters().Zip(once), pair => Assert.Equal(pair.Second.Select(g => 2 * g), pair.First.Grad.ToDoubles()));
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_copy_in_float32_gives_the_rounded_result(string name)
    {
        var layer = LayerCase.Called(name);
        var single = layer.Make().Clone(Kernels.ElementType.Float32);
        var expected = layer.Make().Forward(layer.Input).ToDoubles();
        var y = single.Forward(layer.Input.To(Kernels.ElementType.Float32));
        Assert.Equal(Kernels.ElementType.Float32, y.DType);
        Numbers.AssertClose(expected, y.ToDoubles(), 1e-5, name);
    }

    /// <summary>The net must catch a wrong sign, a missing factor and a forgotten gradient.</summary>
    [Theory]
    [InlineData(-1.0, 1.0)]
    [InlineData(1.0, -1.0)]
    [InlineData(1.0, 0.5)]
    [InlineData(1.0, 0.0)]
    public void A_wrong_backward_is_caught(double delta, double update)
    {
        var x = Numbers.Normal(95, 3, 2);
        var cotangent = Numbers.Normal(94, 3, 2);
        var automatic = GradientWays.BySweep(new WrongScale(delta, update), x, cotangent, manual: false);
        var manual = GradientWays.BySweep(new WrongScale(delta, update), x, cotangent, manual: true);
        Assert.ThrowsAny<Exception>(() =>
        {
            for (var i = 0; i < manual.Length; i++)
                Numbers.AssertClose(automatic[i], manual[i], 1e-13, "wrong");
        });
    }

    private sealed class WrongScale(double delta, double update) : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(93, 2));

        protected override Tensor Compute(Tensor x) => x * scale.Value;

        public override Tensor BackwardDelta(Tensor input, Tensor d) => d * scale.Value * delta;

        public override void BackwardUpdateGradient(Tensor input, Tensor d) => Accumulate(scale, (d * input).Sum(0) * update);
    }
}
