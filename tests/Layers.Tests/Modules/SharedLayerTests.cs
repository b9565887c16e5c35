using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>Layers and parameters used more than once: every use is a Call of its own, and gradients add up.</summary>
public sealed class SharedLayerTests
{
    public static IEnumerable<object[]> Networks() =>
        new (string Name, Func<Module> Make)[]
        {
            ("siamese", () => new Siamese()),
            ("tied autoencoder", () => new Tied()),
            ("two rectifiers on one input", () => new TwoRectifiers()),
            ("one layer twice in a chain", Twice),
        }.Select(network => new object[] { network.Name, network.Make });

    [Theory]
    [MemberData(nameof(Networks))]
    public void Both_paths_agree_with_differences(string name, Func<Module> make)
    {
        var x = Numbers.Normal(1, 5, 2);
        var cotangent = Numbers.Normal(2, [.. make().Forward(x).Shape.ToArray()]);
        var automatic = GradientWays.BySweep(make(), x, cotangent, manual: false);
        var manual = GradientWays.BySweep(make(), x, cotangent, manual: true);
        var differences = GradientWays.ByDifferences(make(), x, cotangent);
        for (var i = 0; i < automatic.Length; i++)
        {
            Numbers.AssertClose(differences[i], automatic[i], 1e-7, $"{name}, automatic {i}");
            Numbers.AssertClose(automatic[i], manual[i], 1e-13, $"{name}, manual {i}");
        }
    }

    [Fact]
    public void A_chain_that_uses_a_layer_twice_goes_by_hand_too()
    {
        var x = Numbers.Normal(3, 5, 2);
        var cotangent = Numbers.Normal(4, 5, 2);
        var automatic = GradientWays.BySweep(Twice(), x, cotangent, manual: false);
        var hand = GradientWays.ByHand(Twice(), x, cotangent);
        Assert.Equal(3, hand.Length);
        for (var i = 0; i < hand.Length; i++)
            Numbers.AssertClose(automatic[i], hand[i], 1e-13, $"gradient {i}");
    }

    [Fact]
    public void One_layer_on_two_inputs_by_hand_finds_both_Calls()
    {
        var layer = new Linear(2, 2, seed: 1, type: ElementType.Float64);
        var (a, b) = (Numbers.Normal(5, 3, 2), Numbers.Normal(6, 4, 2));
        var (da, db) = (Numbers.Normal(7, 3, 2), Numbers.Normal(8, 4, 2));
        layer.Forward(a);
        layer.Forward(b);
        layer.BackwardUpdateGradient(a, da);
        layer.BackwardUpdateGradient(b, db);
        var expected = (da.Transpose().MatMul(a) + db.Transpose().MatMul(b)).ToDoubles();
        Numbers.AssertClose(expected, layer.Weight.Grad.ToDoubles(), 1e-15, "weight");
    }

    private static Sequential Twice()
    {
        var layer = new Linear(2, 2, seed: 9, type: ElementType.Float64);
        return new Sequential(layer, new Tanh(), layer);
    }

    private sealed class Siamese : Module
    {
        private readonly Sequential tower = new(new Linear(2, 3, seed: 2, type: ElementType.Float64), new Tanh());

        protected override Tensor Compute(Tensor x) => tower.Forward(x) - tower.Forward(x.Square());
    }

    private sealed class Tied : Module
    {
        private readonly Linear code = new(2, 3, bias: false, seed: 3, type: ElementType.Float64);
        private readonly Transposed decode;

        public Tied() => decode = new Transposed(code.Weight);

        protected override Tensor Compute(Tensor x) => decode.Forward(code.Forward(x).Tanh());
    }

    private sealed class Transposed(Cell weight) : Module
    {
        private readonly Cell weight = weight;

        protected override Tensor Compute(Tensor x) => x.MatMul(weight.Value);

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            Accumulate(weight, call.Inputs[0].Transpose().MatMul(deltas[0]!));
            return [deltas[0]!.MatMul(call.ParameterValues[0].Transpose())];
        }
    }

    private sealed class TwoRectifiers : Module
    {
        private readonly ReLU first = new();
        private readonly ReLU second = new();
        private readonly Cell scale = new("scale", Numbers.Normal(10, 2));

        protected override Tensor Compute(Tensor x)
        {
            var scaled = x * scale.Value;
            return first.Forward(scaled) * 3.0 + second.Forward(scaled).Square();
        }
    }
}
