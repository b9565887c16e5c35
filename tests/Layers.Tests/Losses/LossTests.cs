using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Losses;

public sealed class LossTests
{
    public static IEnumerable<object[]> Cases() => LossCase.Names();

    [Fact]
    public void No_loss_is_left_out() => Assert.True(LossCase.All().Count() >= 12);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Values_are_the_formulas_for_each_example(string name)
    {
        var loss = LossCase.Called(name);
        var (y, yhat) = (loss.Y.ToDoubles(), loss.Yhat.ToDoubles());
        var batch = loss.Yhat.Shape[0];
        var expected = Enumerable.Range(0, batch).Select(i => loss.Example(y, yhat, i)).ToArray();
        var values = loss.Make().Forward(loss.Y, loss.Yhat);
        Assert.Equal(Shape.Of(batch), values.Shape);
        Numbers.AssertClose(expected, values.ToDoubles(), 1e-13, name);
        var perElement = loss.Loss == typeof(MSELoss) || loss.Loss == typeof(BCELoss);
        var count = perElement ? loss.Yhat.Size : batch;
        Assert.Equal(expected.Sum() / count, loss.Make().Of(input: loss.Yhat, target: loss.Y).Item(), 1e-12);
        Assert.Equal(expected.Sum(), loss.Make(Reduction.Sum).Of(input: loss.Yhat, target: loss.Y).Item(), 1e-12);
        Numbers.AssertClose(expected, loss.Make(Reduction.None).Of(input: loss.Yhat, target: loss.Y).ToDoubles(), 1e-13, name);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_by_hand_is_the_gradient_of_the_sum(string name)
    {
        var loss = LossCase.Called(name);
        Assert.True(loss.Make().HasManualBackward);
        var yhat = new Cell("yhat", loss.Yhat);
        var hand = loss.Make().Backward(loss.Y, yhat.Value);
        Assert.Equal(loss.Yhat.Shape, hand.Shape);
        loss.Make().Forward(loss.Y, yhat.Value).Sum().Backward();
        Numbers.AssertClose(yhat.Grad.ToDoubles(), hand.ToDoubles(), 1e-13, $"{name}, by hand against automatic");
        var differences = GradientWays.Differences(yhat, () => loss.Make().Forward(loss.Y, yhat.Value.Detach()).Sum().Item(), 1e-6);
        Numbers.AssertClose(differences, hand.ToDoubles(), 1e-8, $"{name}, by hand against differences");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_sweeps_agree_for_every_cotangent_and_for_the_targets(string name)
    {
        var loss = LossCase.Called(name);
        var weights = Numbers.Normal(7, loss.Yhat.Shape[0]);
        var gradients = new List<(double[] Yhat, double[]? Y)>();
        foreach (var manual in new[] { false, true })
        {
            var yhat = new Cell("yhat", loss.Yhat);
            var y = loss.Y.DType == ElementType.Float64 ? new Cell("y", loss.Y) : null;
            var total = (loss.Make().Forward(y?.Value ?? loss.Y, yhat.Value) * weights).Sum();
            if (manual)
                total.BackwardManual();
            else
                total.Backward();
            gradients.Add((yhat.Grad.ToDoubles(), y?.Grad?.ToDoubles()));
        }
        Numbers.AssertClose(gradients[0].Yhat, gradients[1].Yhat, 1e-13, $"{name}, predictions");
        Assert.Equal(gradients[0].Y is null, gradients[1].Y is null);
        Assert.Equal(loss.Y.DType != ElementType.Float64 || loss.Loss == typeof(BCELoss), gradients[0].Y is null);
        if (gradients[0].Y is { } automatic)
            Numbers.AssertClose(automatic, gradients[1].Y!, 1e-13, $"{name}, targets");
    }

    /// <summary>PyTorch's own values and gradients, by both sweeps.</summary>
    [Fact]
    public void They_are_PyTorchs()
    {
        (string File, Func<Reduction, Loss> Make)[] files =
        [
            ("mse", r => new MSELoss(r)),
            ("bce", r => new BCELoss(r)),
            ("cross_entropy", r => new CrossEntropyLoss(r)),
            ("nll_loss", r => new NLLLoss(r)),
        ];
        var ran = 0;
        foreach (var (file, make) in files)
        {
            foreach (var stored in Conformance.Read(file).GetProperty("cases").EnumerateArray())
            {
                var arguments = stored.GetProperty("arguments");
                var inputs = stored.GetProperty("inputs").EnumerateArray().Select(Conformance.AsTensor).ToArray();
                var expected = Conformance.AsTensor(stored.GetProperty("output"));
                var rank = inputs[0].Rank;
                var reduction = Enum.Parse<Reduction>(arguments.GetProperty("reduction").GetString()!, ignoreCase: true);
                var ignores = arguments.TryGetProperty("ignore_index", out var ignore) && ignore.ValueKind != System.Text.Json.JsonValueKind.Null;
                var classes = file is "cross_entropy" or "nll_loss";
                var elementwise = reduction == Reduction.None && expected.Rank != 1;
                if (rank == 0 || (classes && rank != 2) || ignores || elementwise)
                    continue; // Scalars, images of classes, ignored classes and losses by element are left out of Hybrid's losses.
                foreach (var manual in new[] { false, true })
                {
                    var what = $"{file}, {stored.GetProperty("name").GetString()}, {(manual ? "manual" : "automatic")}";
                    var yhat = new Cell("yhat", inputs[0]);
                    var value = make(reduction).Of(input: yhat.Value, target: inputs[1]);
                    Assert.Equal(expected.Shape, value.Shape);
                    Numbers.AssertClose(expected.ToDoubles(), value.ToDoubles(), 1e-13, what);
                    var total = (value * Conformance.AsTensor(stored.GetProperty("cotangent"))).Sum();
                    if (manual)
                        total.BackwardManual();
                    else
                        total.Backward();
                    var gradient = Conformance.AsTensor(stored.GetProperty("gradients")[0]).ToDoubles();
                    Numbers.AssertClose(gradient, yhat.Grad.ToDoubles(), 1e-13, what);
                    ran++;
                }
            }
        }
        Assert.True(ran >= 100, $"only {ran} cases ran");
    }

    [Fact]
    public void Cross_entropy_is_stable_for_large_scores()
    {
        foreach (var type in new[] { ElementType.Float32, ElementType.Float64 })
        {
            var scores = new Cell("s", Tensor.From(new double[] { 1e4, -1e4, 0, -1e4, 1e4, 1e4 }, 2, 3).To(type));
            foreach (var y in new[] { Tensor.From(new[] { 0, 0 }), Tensor.From(new[] { 0, 0 }).OneHot(3, type) })
            {
                var values = new CrossEntropyLoss().Forward(y, scores.Value);
                Numbers.AssertClose([0, 2e4 + Math.Log(2)], values.ToDoubles(), 1e-6, "values");
                Numbers.AssertClose([0, 0, 0, -1, 0.5, 0.5], new CrossEntropyLoss().Backward(y, scores.Value).ToDoubles(), 1e-6, "by hand");
            }
        }
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.Float64)]
    public void Binary_cross_entropy_at_the_ends_is_PyTorchs(ElementType type)
    {
        var p = Tensor.From(new double[] { 0, 0, 1, 1 }).To(type);
        var y = Tensor.From(new double[] { 0, 1, 0, 1 }).To(type);
        var loss = new BCELoss(Reduction.None);
        Assert.Equal([0, 100, 100, 0], loss.Forward(y, p).ToDoubles());
        var steepest = type == ElementType.Float32 ? (double)(1 / 1e-12f) : 1 / (double)1e-12f;
        Assert.Equal([0, -steepest, steepest, 0], loss.Backward(y, p).ToDoubles());
        var small = Tensor.From(new[] { type == ElementType.Float32 ? 1e-45 : double.Epsilon }).To(type);
        Assert.Equal(100, loss.Forward(Tensor.Ones(Shape.Of(1), type), small).Item());
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        var matrix = Numbers.Normal(1, 4, 3);
        (Action Act, string Message)[] cases =
        [
            (
                () => new MSELoss().Forward(Numbers.Normal(2, 4), matrix),
                "MSELoss: expected targets and predictions of one shape [batch, ..], got [4] and [4, 3] (in MSELoss). "
                    + "Reshape one of them; losses never broadcast."
            ),
            (
                () => new BCELoss().Forward(Numbers.Normal(2, 4, 1), matrix),
                "BCELoss: expected targets and predictions of one shape [batch, ..], got [4, 1] and [4, 3] (in BCELoss). "
                    + "Reshape one of them; losses never broadcast."
            ),
            (
                () => new CrossEntropyLoss().Forward(Tensor.From(new[] { 0, 1 }), matrix),
                "CrossEntropyLoss: expected a class number for each row of scores [4, 3], got [2] (in CrossEntropyLoss). "
                    + "The first axis of both is the batch."
            ),
            (
                () => new CrossEntropyLoss().Forward(Numbers.Normal(3, 4, 2), matrix),
                "CrossEntropyLoss: expected class numbers [4] or rows [4, 3], as the scores are, got [4, 2] (in CrossEntropyLoss). "
                    + "The first axis of both is the batch."
            ),
            (
                () => new CrossEntropyLoss().Forward(Numbers.Normal(3, 4), matrix),
                "CrossEntropyLoss: expected class numbers of type int32 or uint8, got float64 (in CrossEntropyLoss). "
                    + "Convert them with To(int32), or give one row of probabilities for each example where the loss takes them."
            ),
            (
                () => new NLLLoss().Forward(Tensor.From(new[] { 0 }), Numbers.Normal(1, 3)),
                "NLLLoss: expected log-probabilities of shape [batch, classes], got [3] (in NLLLoss). Reshape them: one row for each example."
            ),
            (
                () => new CrossEntropyLoss().Forward(Tensor.From(new[] { 0, 1, 3, 2 }), matrix).Eval(),
                "crossEntropy: expected labels from 0 to 2, got 3 at [2] (in CrossEntropyLoss). "
                    + "Labels are positions among the classes: check them, or the size of the last layer."
            ),
            (
                () => new Unsummed().Forward(matrix, matrix),
                "Unsummed: expected one value for each example of predictions [4, 3], [batch], got [4, 3] (in Unsummed). "
                    + "Sum each example's elements in Compute."
            ),
            (
                () => new Unsummed().Backward(matrix, matrix),
                "manual backward: expected a loss with a backward by hand, got Unsummed, which has none (in Unsummed). Override Backward."
            ),
        ];
        foreach (var (act, message) in cases)
            Assert.Equal(message, Assert.ThrowsAny<HybridException>(act).Message);
    }

    private sealed class Unsummed : Loss
    {
        protected override Tensor Compute(Tensor y, Tensor yhat) => yhat - y;
    }
}
