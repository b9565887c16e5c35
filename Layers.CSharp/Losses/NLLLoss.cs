using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The negative log-likelihood <c>-yhat_i[y_i]</c> of class numbers y, <c>[batch]</c> of any integer type, under log-probabilities yhat,
/// <c>[batch, classes]</c>, as <see cref="LogSoftmax"/> gives them. The mean is over examples, as PyTorch's.
/// </summary>
/// <param name="reduction">What <see cref="Loss.Of"/> makes of the values per example; the mean over examples by default.</param>
public sealed class NLLLoss(Reduction reduction = Reduction.Mean) : Loss(reduction)
{
    /// <summary>By hand: -1 at each example's class, 0 elsewhere.</summary>
    public override Tensor Backward(Tensor y, Tensor yhat) => -y.OneHot(yhat.Shape[1], yhat.DType);

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor y, Tensor yhat)
    {
        ClassTargets.RequireNumbers("NLLLoss", "log-probabilities", y, yhat);
        return -yhat.TakeAlong(1, y);
    }
}
