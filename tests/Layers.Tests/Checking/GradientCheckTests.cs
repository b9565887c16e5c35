using Hybrid.Core;
using Hybrid.Core.Checking;
using Hybrid.Kernels;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Checking;

public sealed class GradientCheckTests
{
    private static readonly Tensor X = Numbers.Normal(31, 5, 3);

    [Theory]
    [MemberData(nameof(LayerCase.Names), MemberType = typeof(LayerCase))]
    public void Every_layer_of_the_library_agrees(string name)
    {
        var layer = LayerCase.Called(name);
        var module = layer.Make();
        var report = GradientCheck.Of(module, layer.Input);
        if (module is Sequential { Count: 0 })
            return;
        Assert.True(report.Succeeded, report.ToString());
        Assert.All(report.Rows, row => Assert.Equal(Verdict.Agree, row.Verdict));
    }

    /// <summary>Where differences would leave the loss's domain, and where numbers are none.</summary>
    [Fact]
    public void Saturated_probabilities_and_NaN_are_checked()
    {
        var saturated = Tensor.From([1e-5, 0.0, 1.0, 0.5], 2, 2);
        var report = GradientCheck.Of(new BCELoss(), Tensor.From([1.0, 0.0, 1.0, 0.25], 2, 2), saturated);
        Assert.True(report.Succeeded, report.ToString());
        var rectified = GradientCheck.Of(new ReLU(), Tensor.From([double.NaN, 1.0, -2.0, 3.0], 2, 2));
        Assert.Equal(Verdict.Disagree, rectified.Rows[0].Verdict); // By hand it holds NaN back.
    }

    public static TheoryData<string> Losses => [.. new[] { "mse", "bce", "cross-entropy", "cross-entropy rows", "nll" }];

    [Theory]
    [MemberData(nameof(Losses))]
    public void Every_loss_of_the_library_agrees(string name)
    {
        var labels = Tensor.From<int>([2, 0, 1, 1, 2], 5);
        var (loss, target, prediction) = name switch
        {
            "mse" => ((Loss)new MSELoss(), Numbers.Normal(32, 5, 3), X),
            "bce" => (new BCELoss(), Numbers.Uniform(33, 0.1, 0.9, 5, 3), Numbers.Uniform(34, 0.1, 0.9, 5, 3)),
            "cross-entropy" => (new CrossEntropyLoss(), labels, X),
            "cross-entropy rows" => (new CrossEntropyLoss(), Numbers.Uniform(35, 0.1, 0.9, 5, 3), X),
            _ => (new NLLLoss(), labels, X),
        };
        var report = GradientCheck.Of(loss, target, prediction);
        Assert.True(report.Succeeded, report.ToString());
    }

    [Fact]
    public void A_network_and_its_loss_have_a_row_for_each_gradient()
    {
        var net = new Sequential(new Linear(3, 4, seed: 1), new Tanh(), new Linear(4, 3, seed: 2));
        var labels = Tensor.From<int>([2, 0, 1, 1, 2], 5);
        var report = GradientCheck.Of(net, new CrossEntropyLoss(), X.To(ElementType.Float32), labels);
        Assert.True(report.Succeeded, report.ToString());
        var names = report.Rows.Select(row => $"{row.Path} {row.Name}").ToArray();
        Assert.Equal(
            [
                "net/0:Linear input",
                "net/0:Linear weight",
                "net/0:Linear bias",
                "net/1:Tanh input",
                "net/2:Linear input",
                "net/2:Linear weight",
                "net/2:Linear bias",
                "CrossEntropyLoss input 0",
                "CrossEntropyLoss input 1",
            ],
            names
        );
        Assert.Equal("int32 numbers have no derivative", report.Rows[7].Reason);
        Assert.All(report.Rows.Where(row => row.Verdict == Verdict.Agree), row => Assert.True(row.Bound < 1e-13));
    }

    [Fact]
    public void The_assertion_is_silent_or_throws_the_table_and_the_diagnosis()
    {
        var layer = new HandLinear(3, 4);
        GradientCheck.AssertAgrees(layer, X);
        layer.InputRule = (w, delta) => -delta.MatMul(w.Transpose());
        var e = Assert.Throws<GradientCheckException>(() => GradientCheck.AssertAgrees(layer, X));
        Assert.Contains("layer  gradient  shape", e.Message, StringComparison.Ordinal);
        Assert.Contains("manual = -1.000000 x automatic in all 15 elements: the sign is flipped", e.Message, StringComparison.Ordinal);
        Assert.Contains("the difference sides with the automatic path", e.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string> Mistakes =>
        new()
        {
            { "sign", "weight", "manual = -1.000000 x automatic in all 9 elements: the sign is flipped" },
            { "mean", "bias", "manual = 0.200000 x automatic in all 3 elements: it is divided by the batch size, 5: a mean where a sum belongs" },
            { "transposed", "weight", "manual = automatic with its axes in the order [1, 0], in all 9 elements: it is transposed" },
            { "untransposed", "input", "" },
            { "one example", "weight", "manual = the contribution of example 4 in all 9 elements: it is not summed over the batch of 5" },
            {
                "batch",
                "weight",
                "manual = 5.000000 x automatic in all 9 elements: it is multiplied by the batch size, 5: a sum where a mean belongs"
            },
            { "zero", "bias", "manual is zero in all 3 elements: the gradient is not computed, not reported, or lost" },
            { "decay", "weight", "manual - automatic = 0.100000 x the parameter weight in all 9 elements: that term should not be there" },
        };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_planted_mistake_is_found_in_its_row_alone_and_explained(string mistake, string row, string explanation)
    {
        var layer = new HandLinear(3, 3);
        var last = Tensor.From<int>([4], 1);
        switch (mistake)
        {
            case "sign":
                layer.WeightRule = (x, delta) => -x.Transpose().MatMul(delta);
                break;
            case "mean":
                layer.BiasRule = delta => delta.Mean(0);
                break;
            case "transposed":
                layer.WeightRule = (x, delta) => delta.Transpose().MatMul(x);
                break;
            case "untransposed":
                layer.InputRule = (w, delta) => delta.MatMul(w);
                break;
            case "one example":
                layer.WeightRule = (x, delta) => x.Gather(last).Transpose().MatMul(delta.Gather(last));
                break;
            case "batch":
                layer.WeightRule = (x, delta) => x.Transpose().MatMul(delta) * 5.0;
                break;
            case "zero":
                layer.BiasRule = delta => delta.Sum(0) * 0.0;
                break;
            default:
                layer.WeightRule = (x, delta) => x.Transpose().MatMul(delta) + (layer.Weight.Value * 0.1);
                break;
        }
        var report = CallCheck.OfTape(layer.Forward(CallCheck.Track(X)), null, layer.Parameters(), null);
        if (mistake == "decay")
        {
            // A term that does not come from the cotangent breaks linearity, which is said first.
            Assert.Equal(Verdict.Error, report.Rows.Single(r => r.Name == "weight").Verdict);
        }
        var failure = Assert.Single(report.Failures);
        Assert.Equal(row, failure.Name);
        if (explanation.Length == 0)
            Assert.Empty(failure.Diagnosis);
        else
            Assert.Equal(explanation, failure.Diagnosis[0].Text);
    }

    [Fact]
    public void A_stale_activation_is_found()
    {
        var layer = new StaleSigmoid();
        GradientCheck.AssertAgrees(layer, X);
        var module = new StaleSigmoid();
        module.Forward(Numbers.Normal(36, 5, 3)).Eval();
        var report = CallCheck.OfTape(module.Forward(CallCheck.Track(X)), null, [], null);
        Assert.Equal(Verdict.Disagree, Assert.Single(report.Rows).Verdict);
        Assert.Contains("the difference sides with the automatic path", report.Rows[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shared_parameter_that_is_counted_once_is_found()
    {
        GradientCheck.AssertAgrees(new Shared(twice: true), X);
        var failure = Assert.Single(GradientCheck.Of(new Shared(twice: false), X).Failures);
        Assert.Equal("weight", failure.Name);
    }

    [Fact]
    public void A_module_that_is_used_twice_sums_over_its_calls()
    {
        var layer = new HandLinear(3, 3);
        GradientCheck.AssertAgrees(new Sequential(layer, new Tanh(), layer), X);
    }

    [Fact]
    public void R14_a_trainable_parameter_that_is_never_used_is_an_error()
    {
        var layer = new Forgetful();
        var report = GradientCheck.Of(layer, X);
        Assert.Equal(Verdict.Error, report.Verdict);
        Assert.All(report.Failures, row => Assert.Equal("unused", row.Name));
        Assert.Contains("no gradient reaches it", report.Failures[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void R15_a_backward_in_loops_is_host_code_and_runs_in_float64()
    {
        var report = GradientCheck.Of(new LoopTanh(), X.To(ElementType.Float32));
        var row = Assert.Single(report.Rows);
        Assert.Equal(Independence.HostCode, row.Independence);
        Assert.Equal(Verdict.Agree, row.Verdict);
        Assert.True(row.Bound < 1e-13, $"{row.Bound}");
    }

    [Fact]
    public void R17_a_check_does_not_touch_the_module()
    {
        var layer = new Counting();
        GradientCheck.AssertAgrees(layer, X);
        Assert.Equal(0, layer.Count.Value.Item());
        var linear = new Linear(3, 2, seed: 1);
        GradientCheck.AssertAgrees(linear, X);
        Assert.All(linear.Parameters(), cell => Assert.Null(cell.Grad));
        Assert.All(linear.Parameters(), cell => Assert.Equal(0, cell.Version));
    }

    [Fact]
    public void A_network_of_relus_at_a_tie_is_a_kink_and_no_mistake()
    {
        var x = Tensor.From<double>([1.0, 0.0, -1.0], 1, 3);
        var report = GradientCheck.Of(new ReLU(), x);
        Assert.Equal(Verdict.Kink, report.Verdict);
        Assert.True(report.Succeeded);
    }

    [Fact]
    public void A_cancelled_check_stops()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => GradientCheck.Of(new Tanh(), X, new CheckOptions { Cancellation = source.Token }));
    }
}
