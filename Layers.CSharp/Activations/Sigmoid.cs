using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>The logistic function 1 / (1 + exp(-x)), element by element; any shape, results in [0, 1].</summary>
public sealed class Sigmoid : Module
{
    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.Sigmoid();

    /// <summary>By hand, with the result y: delta y (1 - y).</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var y = call.Outputs[0];
        return [delta * y * (1.0 - y)];
    }
}
