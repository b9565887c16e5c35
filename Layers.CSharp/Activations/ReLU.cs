using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>The rectifier max(x, 0), element by element; any shape. Its derivative at 0 is 0, as PyTorch's.</summary>
public sealed class ReLU : Module
{
    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.Relu();

    /// <summary>By hand: delta where the result is above 0, and 0 elsewhere, also at NaN, where the derivative passes it on, as PyTorch's.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var y = call.Outputs[0];
        var zero = Tensor.Zeros(y.Shape, y.DType);
        return [y.Greater(zero).Where(delta, zero)];
    }
}
