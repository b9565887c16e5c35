using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The logarithm of <see cref="Softmax"/> along an axis, <c>[.., classes]</c> to the same shape, by the log-sum-exp form: stable for scores of
/// any size.
/// </summary>
/// <param name="axis">The axis whose exponentials sum to one; -1, the last, by default.</param>
public sealed class LogSoftmax(int axis = -1) : Module
{
    /// <summary>The axis whose exponentials sum to one.</summary>
    public int Axis { get; } = axis;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.LogSoftmax(Axis);

    /// <summary>By hand: delta - softmax(x) sum(delta).</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        return [delta - (call.Inputs[0].Softmax(Axis) * delta.Sum(Axis, keepDims: true))];
    }
}
