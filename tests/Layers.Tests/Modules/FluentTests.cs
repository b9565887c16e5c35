using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

public sealed class FluentTests
{
    [Fact]
    public void The_hash_tells_structures_apart_and_no_numbers()
    {
        var (x, w) = (Numbers.Normal(1, 2, 3), new Cell("w", Numbers.Normal(2, 2, 3)));
        Tensor[] different =
        [
            x,
            Numbers.Normal(1, 3, 2),
            w.Value,
            x.Exp(),
            x.Log(),
            x + x,
            x + Numbers.Normal(1, 2, 3),
            x - w.Value,
            w.Value - x,
            x * 2.0,
            x.Sum(0),
            x.Sum(1),
            x.Detach(),
            x.To(ElementType.Float32),
        ];
        Assert.Equal(different.Length, different.Select(tensor => Graph.Hash(tensor)).Distinct().Count());
        Assert.Equal(Graph.Hash(x * 2.0), Graph.Hash(Numbers.Normal(9, 2, 3) * 3.0));
        Assert.NotEqual(Graph.Hash(x.Exp(), x.Log()), Graph.Hash(x.Log(), x.Exp()));
        Assert.Equal(Graph.Hash(w.Value.Exp()), Graph.Hash(w.Value.Exp().Eval()));
    }

    [Fact]
    public void Shapes_are_inferred_and_the_description_prints()
    {
        var model = Model.Input(1, 4, 6).Linear(5, bias: false).Flatten().Linear(3).Sigmoid().Softmax().LogSoftmax();
        Assert.Equal(Shape.Of(3), model.OutputShape);
        Assert.Equal(
            """
            Input [1, 4, 6]
            Linear(5, bias: false) [1, 4, 5]
            Flatten() [20]
            Linear(3) [3]
            Sigmoid() [3]
            Softmax() [3]
            LogSoftmax() [3]
            """.ReplaceLineEndings("\n"),
            model.ToString()
        );
        Assert.Equal((6, Shape.Of(1, 4, 6)), (model.Count, model.InputShape));
        Assert.Equal(Shape.Of(2, 3), model.Build(1).Forward(Tensor.Ones(Shape.Of(2, 1, 4, 6))).Shape);
        Assert.Null(((Linear)model.Build(1)[0]).Bias);
    }

    [Fact]
    public void A_description_is_immutable_and_builds_the_same_model_each_time()
    {
        var trunk = Model.Input(3).Linear(4);
        var (one, other) = (trunk.ReLU().Linear(2), trunk.Tanh());
        Assert.Equal((1, 3, 2), (trunk.Count, one.Count, other.Count));
        var (a, b, c) = (one.Build(1), one.Build(1), one.Build(2));
        Assert.All(a.StateDict(), entry => Assert.Equal(entry.Value.ToArray<float>(), b.StateDict()[entry.Key].ToArray<float>()));
        Assert.NotEqual(a.StateDict()["0.weight"].ToArray<float>(), c.StateDict()["0.weight"].ToArray<float>());
        Assert.NotSame(a[0], b[0]);
        Assert.All(one.Build(1, ElementType.Float64).Parameters(), cell => Assert.Equal(ElementType.Float64, cell.DType));
        Assert.NotEqual(one.Build().StateDict()["0.bias"].ToArray<float>(), one.Build().StateDict()["0.bias"].ToArray<float>());
    }

    [Fact]
    public void Modules_of_ones_own_are_steps_too()
    {
        var own = new Linear(6, 3, seed: 1);
        var model = Model.Input(6).Then(own).Then((shape, generator) => new Linear(shape[0], 2, seed: generator));
        Assert.Equal(Shape.Of(2), model.OutputShape);
        Assert.Same(own, model.Build(3)[0]);
        Assert.Equal(new Linear(3, 2, seed: 3).Weight.Value.ToArray<float>(), ((Linear)model.Build(3)[1]).Weight.Value.ToArray<float>());
    }

    public static TheoryData<string, string> Refusals() =>
        new()
        {
            { "no axis", "Model: expected at least one axis, with lengths of at least 1, got [] (in Input). Leave the batch out: Input(1, 28, 28)." },
            {
                "batch",
                "Model: expected at least one axis, with lengths of at least 1, got [-1, 28] (in Input). Leave the batch out: Input(1, 28, 28)."
            },
            { "no output", "Model: expected at least 1 output, got 0 (in step 2: Linear(0)). The number is that of the layer's results." },
            { "own", "Model: expected an input of shape [.., 3], got [1, 4] (in step 3: Linear). The layer maps the last axis, from 3 to 2." },
            { "mixer", "Model: expected a result of shape [batch, ...], got [4] (in step 1: Mixer). A layer keeps the first axis, the batch." },
            { "scalar", "Model: expected an example of at least one axis, got [] (in step 2: Linear(2)). The layer maps the last axis." },
            { "type", "Model: expected float32 or float64, got int32 (in Build). Parameters are floating-point numbers." },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_does_not_fit_is_refused_at_the_call(string which, string message)
    {
        Action act = which switch
        {
            "no axis" => () => Model.Input(),
            "batch" => () => Model.Input(-1, 28),
            "no output" => () => Model.Input(3).ReLU().Linear(0),
            "own" => () => Model.Input(5).Linear(4).ReLU().Then(new Linear(3, 2)),
            "mixer" => () => Model.Input(4).Then(new Mixer(x => x.Sum(0))),
            "scalar" => () => Model.Input(4).Then(new Mixer(x => x.Sum(1))).Linear(2),
            _ => () => Model.Input(4).Build(1, ElementType.Int32),
        };
        Assert.Equal(message, Assert.ThrowsAny<HybridException>(act).Message);
    }

    private sealed class Mixer(Func<Tensor, Tensor> function) : Module
    {
        protected override Tensor Compute(Tensor x) => function(x);
    }
}
