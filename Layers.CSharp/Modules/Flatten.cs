using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>Each example as one row: <c>[batch, ...]</c> to <c>[batch, rest]</c>, the elements in row-major order.</summary>
public sealed class Flatten : Module
{
    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        if (x.Rank == 0)
            throw new ShapeException("Flatten", "an input of shape [batch, ...]", x.Shape.ToString(), Current.Path, "The first axis is the batch.");
        var rest = 1;
        for (var axis = 1; axis < x.Rank; axis++)
            rest *= x.Shape[axis];
        return x.Reshape(x.Shape[0], rest);
    }

    /// <summary>By hand: the elements of delta in the input's shape.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => [deltas[0]?.Reshape(call.Inputs[0].Shape.ToArray())];
}
