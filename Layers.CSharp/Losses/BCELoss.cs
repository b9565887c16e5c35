using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The binary cross-entropy <c>-(y log p + (1 - y) log(1 - p))</c> of probabilities p with targets y, both in [0, 1] and of one shape
/// <c>[batch, ...]</c>. As in PyTorch's <c>nn.BCELoss</c>, logarithms are held at -100 or more, and the gradient's divisor p (1 - p) at
/// 1e-12 (as float32) or more. <see cref="Loss.Forward"/> gives the sum of each example's elements, <see cref="Loss.Of"/> by default the mean over
/// all elements.
/// </summary>
/// <remarks>Values outside of [0, 1] are refused when the loss is computed: ValueException, with index and value.</remarks>
/// <param name="reduction">What <see cref="Loss.Of"/> makes of the values per example; the mean over all elements by default.</param>
public sealed class BCELoss(Reduction reduction = Reduction.Mean) : Loss(reduction)
{
    /// <summary>PyTorch's constant: 1e-12 rounded to float32, 9.999999960041972e-13.</summary>
    private const double Epsilon = 1e-12f;

    /// <summary>By hand: (p - y) / max(p (1 - p), epsilon).</summary>
    public override Tensor Backward(Tensor y, Tensor yhat)
    {
        var spread = (yhat * (1.0 - yhat)).Maximum(Tensor.Full(yhat.Shape, Epsilon, yhat.DType));
        return (yhat - y) / spread;
    }

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor y, Tensor yhat)
    {
        RequireSameShape(y, yhat);
        return SumPerExample(yhat.BinaryCrossEntropy(y));
    }

    /// <inheritdoc/>
    protected override double Divisor(Tensor y, Tensor yhat) => yhat.Size;
}
