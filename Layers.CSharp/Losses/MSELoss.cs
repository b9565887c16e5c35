using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Squared errors. <see cref="Loss.Forward"/> gives the squared norm of each example's error, <c>sum_j (yhat_ij - y_ij)²</c>, not divided by
/// anything; <see cref="Loss.Of"/> gives by default the mean over <b>all elements</b>, as PyTorch's <c>nn.MSELoss</c>: for
/// <c>[batch, n]</c> the sum of the former divided by batch times n.
/// </summary>
/// <param name="reduction">What <see cref="Loss.Of"/> makes of the values per example; the mean over all elements by default.</param>
public sealed class MSELoss(Reduction reduction = Reduction.Mean) : Loss(reduction)
{
    /// <summary>By hand: 2 (yhat - y).</summary>
    public override Tensor Backward(Tensor y, Tensor yhat) => 2.0 * (yhat - y);

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor y, Tensor yhat)
    {
        RequireSameShape(y, yhat);
        return SumPerExample((yhat - y).Square());
    }

    /// <summary>By hand: 2 (y - yhat).</summary>
    protected override Tensor? BackwardTarget(Tensor y, Tensor yhat) => 2.0 * (y - yhat);

    /// <inheritdoc/>
    protected override double Divisor(Tensor y, Tensor yhat) => yhat.Size;
}
