using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

public sealed class StateDictTests
{
    [Fact]
    public void It_has_the_order_of_the_parameters_and_is_a_snapshot()
    {
        var net = Network(1);
        var state = net.StateDict();
        var values = state.ToDictionary(entry => entry.Key, entry => entry.Value.ToDoubles());
        var unread = net.StateDict();
        Assert.Equal(["0.weight", "0.bias", "2.weight", "2.bias"], state.Keys);
        Assert.Equal(4, state.Count);
        for (var step = 0; step < 5; step++)
            Train(net);
        Assert.NotEqual(values["0.weight"], net.StateDict()["0.weight"].ToDoubles());
        Assert.All(values, entry => Assert.Equal(entry.Value, state[entry.Key].ToDoubles()));
        Assert.All(values, entry => Assert.Equal(entry.Value, unread[entry.Key].ToDoubles()));
    }

    [Fact]
    public void What_is_computed_from_it_leads_to_no_parameter()
    {
        var net = Network(1);
        var sum = net.StateDict()["0.weight"].Sum();
        Assert.Throws<TapeException>(sum.Backward);
    }

    [Fact]
    public void Loading_brings_the_state_back()
    {
        var (net, other) = (Network(1), Network(2));
        var x = Numbers.Normal(1, 3, 2);
        var before = net.Forward(x).ToDoubles();
        var state = net.StateDict();
        Train(net);
        other.LoadStateDict(state);
        net.LoadStateDict(state);
        Assert.Equal(before, net.Forward(x).ToDoubles());
        Assert.Equal(before, other.Forward(x).ToDoubles());
    }

    [Fact]
    public void What_does_not_fit_is_listed_whole_and_changes_nothing()
    {
        var net = Network(1);
        var before = net.StateDict();
        var wrong = new StateDict(
            new Dictionary<string, Tensor>
            {
                ["0.weight"] = Numbers.Normal(1, 2, 3),
                ["0.bias"] = Numbers.Normal(2, 3).To(ElementType.Float32),
                ["2.weight"] = Numbers.Normal(3, 1, 3),
                ["4.weight"] = Numbers.Normal(4, 1),
            }
        );
        var error = Assert.Throws<CellException>(() => net.LoadStateDict(wrong));
        Assert.Equal(
            "LoadStateDict: expected a state dict that fits, got no '2.bias'; '4.weight', which the target has not; "
                + "'0.weight' of shape [2, 3] for [3, 2]; '0.bias' of type float32 for float64. "
                + "Nothing was changed. Load it into a model of the same layers, or with strict: false to skip names that differ.",
            error.Message
        );
        Assert.All(before, entry => Assert.Equal(entry.Value.ToDoubles(), net.StateDict()[entry.Key].ToDoubles()));
        Assert.Throws<CellException>(() => net.LoadStateDict(wrong, strict: false));
        Assert.All(before, entry => Assert.Equal(entry.Value.ToDoubles(), net.StateDict()[entry.Key].ToDoubles()));
    }

    [Fact]
    public void A_value_that_cannot_be_computed_changes_nothing()
    {
        var net = Network(1);
        var before = net.StateDict();
        var bad = Numbers.Normal(1, 3, 3).To(ElementType.Float64).CrossEntropy(Tensor.From(new[] { 0, 1, 7 }));
        var state = before.ToDictionary(entry => entry.Key, entry => entry.Key == "0.bias" ? bad : entry.Value + 1.0);
        Assert.Throws<ValueException>(() => net.LoadStateDict(state));
        Assert.All(before, entry => Assert.Equal(entry.Value.ToDoubles(), net.StateDict()[entry.Key].ToDoubles()));
    }

    [Fact]
    public void Without_strict_only_common_names_are_loaded()
    {
        var (net, other) = (Network(1), Network(2));
        var partial = other.StateDict().Where(entry => entry.Key != "0.bias").Append(new("extra", Numbers.Normal(1, 1)));
        var bias = net.StateDict()["0.bias"].ToDoubles();
        net.LoadStateDict(new StateDict(partial), strict: false);
        Assert.Equal(bias, net.StateDict()["0.bias"].ToDoubles());
        Assert.Equal(other.StateDict()["2.weight"].ToDoubles(), net.StateDict()["2.weight"].ToDoubles());
    }

    private static Sequential Network(ulong seed)
    {
        Generator numbers = seed;
        return new(
            new Linear(2, 3, seed: numbers, type: ElementType.Float64),
            new Tanh(),
            new Linear(3, 1, seed: numbers, type: ElementType.Float64)
        );
    }

    private static void Train(Module net)
    {
        net.ZeroGrad();
        net.Forward(Numbers.Normal(9, 4, 2)).Square().Sum().Backward();
        net.UpdateParameters(0.1);
    }
}
