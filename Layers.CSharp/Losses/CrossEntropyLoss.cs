using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// The cross-entropy of softmax(scores) with the target classes, <c>-log softmax(yhat_i)[y_i]</c> for each example i, in the stable
/// log-sum-exp form. Predictions are scores (logits), <c>[batch, classes]</c>, not probabilities. Targets are class numbers, <c>[batch]</c>, of any
/// integer type, or rows of probabilities or one-hot rows, <c>[batch, classes]</c>. The mean is over examples, as PyTorch's.
/// </summary>
/// <remarks>Labels are checked to be classes when the value is computed: ValueException, with index and value.</remarks>
/// <param name="reduction">What <see cref="Loss.Of"/> makes of the values per example; the mean over examples by default.</param>
public sealed class CrossEntropyLoss(Reduction reduction = Reduction.Mean) : Loss(reduction)
{
    /// <summary>
    /// By hand: softmax(yhat) - one-hot(y) for class numbers, softmax(yhat) sum(y) - y for rows y, which is the same for rows that sum to one.
    /// </summary>
    public override Tensor Backward(Tensor y, Tensor yhat)
    {
        var softmax = yhat.Softmax(-1);
        if (y.Rank == 1)
            return softmax - y.OneHot(yhat.Shape[1], yhat.DType);
        var rows = Rows(y, yhat);
        return (softmax * rows.Sum(-1, keepDims: true)) - rows;
    }

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor y, Tensor yhat)
    {
        ClassTargets.Require("CrossEntropyLoss", "scores", y, yhat);
        return y.Rank == 1 ? yhat.CrossEntropy(y) : -(Rows(y, yhat) * yhat.LogSoftmax(-1)).Sum(-1);
    }

    /// <summary>By hand: -log softmax(yhat) for rows of probabilities; class numbers have no gradient.</summary>
    protected override Tensor? BackwardTarget(Tensor y, Tensor yhat) => y.Rank == 1 || y.DType > ElementType.Float64 ? null : -yhat.LogSoftmax(-1);

    private static Tensor Rows(Tensor y, Tensor yhat) => y.DType > ElementType.Float64 ? y.To(yhat.DType) : y;
}
