using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>The hyperbolic tangent, element by element; any shape, results in [-1, 1].</summary>
public sealed class Tanh : Module
{
    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.Tanh();

    /// <summary>By hand, with the result y: delta (1 - y²), as delta - delta y y.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var y = call.Outputs[0];
        return [delta - (delta * y * y)];
    }
}
