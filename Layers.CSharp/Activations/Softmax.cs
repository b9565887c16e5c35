using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Exponentials divided by their sum along an axis, <c>[.., classes]</c> to the same shape: probabilities from scores. Stable for scores of
/// any size. A classifier that is trained gives scores to <see cref="CrossEntropyLoss"/> instead.
/// </summary>
/// <param name="axis">The axis that sums to one; -1, the last, by default.</param>
public sealed class Softmax(int axis = -1) : Module
{
    /// <summary>The axis that sums to one.</summary>
    public int Axis { get; } = axis;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.Softmax(Axis);

    /// <summary>By hand, with the result y: y delta - y sum(y delta), the product of delta with the Jacobian diag(y) - y y'.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var y = call.Outputs[0];
        var weighted = y * delta;
        return [weighted - (y * weighted.Sum(Axis, keepDims: true))];
    }
}
