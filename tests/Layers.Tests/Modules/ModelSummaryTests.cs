using Hybrid.Core;
using Hybrid.Kernels;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

public sealed class ModelSummaryTests
{
    [Fact]
    public void The_table_of_a_perceptron()
    {
        var model = Model.Input(1, 28, 28).Flatten().Linear(128).ReLU().Linear(10).Build(1);
        model[3].Freeze();
        var summary = ModelSummary.Of(model, 1, 28, 28);
        Assert.Equal(101_770, summary.Parameters);
        Assert.Equal(100_480, summary.TrainableParameters);
        Assert.Equal((784 * 128) + (128 * 10), summary.MultiplyAdds);
        Assert.Equal(
            string.Join(
                "\n",
                "layer          output              parameters  multiply-adds",
                "input          [batch, 1, 28, 28]                           ",
                "net/0:Flatten  [batch, 784]                 0              0",
                "net/1:Linear   [batch, 128]           100,480        100,352",
                "net/2:ReLU     [batch, 128]                 0              0",
                "net/3:Linear   [batch, 10]              1,290          1,280",
                "total                                 101,770        101,632",
                "1,290 of the parameters are frozen"
            ),
            summary.ToString()
        );
    }

    [Fact]
    public void Shared_layers_count_once_nested_ones_are_found_and_nothing_is_computed()
    {
        var shared = new Linear(4, 4, seed: 1, type: ElementType.Float64);
        var model = new Sequential(shared, new Sequential(new Tanh(), shared), new Scaled());
        var engine = new Engine(new EngineOptions());
        using var _ = engine.Use();
        var summary = ModelSummary.Of(model, 3, 4);
        Assert.Equal(0, engine.Stats.Operations);
        Assert.Equal(
            [
                ("net/0:Linear", 20L, 48L),
                ("net/1:Sequential/0:Tanh", 0, 0),
                ("net/1:Sequential/1:Linear", 0, 48),
                ("net/2:Scaled/inner:ReLU", 0, 0),
                ("net/2:Scaled", 1, 0),
            ],
            summary.Layers.Select(layer => (layer.Path, layer.Parameters, layer.MultiplyAdds))
        );
        Assert.All(summary.Layers, layer => Assert.Equal(Shape.Of(1, 3, 4), layer.OutputShape));
        Assert.Equal((21, 96), (summary.Parameters, summary.MultiplyAdds));
    }

    [Fact]
    public void A_shape_that_does_not_fit_names_the_layer()
    {
        var error = Assert.Throws<ShapeException>(() => ModelSummary.Of(Model.Input(3).Linear(2).Build(1), 4));
        Assert.Equal(
            "Linear: expected an input of shape [.., 3], got [1, 4] (in net/0:Linear). The layer maps the last axis, from 3 to 2.",
            error.Message
        );
    }

    private sealed class Scaled : Module
    {
        private readonly Cell scale = new("scale", Tensor.Ones(Shape.Of(1), ElementType.Float64));
        private readonly ReLU inner = new();

        protected override Tensor Compute(Tensor x) => inner.Forward(x) * scale.Value;
    }
}
