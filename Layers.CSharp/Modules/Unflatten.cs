using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Axis 1 as several axes: <c>[batch, n, ...]</c> to <c>[batch, sizes, ...]</c>, the elements in row-major order, as PyTorch's
/// <c>nn.Unflatten(1, sizes)</c>. It gives flat images their shape, and undoes <see cref="Flatten"/>.
/// </summary>
public sealed class Unflatten : Module
{
    private readonly Shape sizes;

    /// <summary>Makes a layer.</summary>
    /// <param name="sizes">The lengths of the axes, without the batch, each at least 1: <c>new Unflatten(1, 28, 28)</c>.</param>
    /// <exception cref="ShapeException">There is no length, or one is below 1.</exception>
    public Unflatten(params int[] sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        if (sizes.Length == 0 || sizes.Any(size => size < 1))
        {
            const string advice = "Leave the batch out: Unflatten(1, 28, 28).";
            throw new ShapeException("Unflatten", "at least one axis, with lengths of at least 1", Text.Lengths(sizes), "", advice);
        }
        this.sizes = Shape.Of(sizes);
    }

    /// <summary>The lengths that axis 1 gets.</summary>
    public Shape Sizes => sizes;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        if (x.Rank < 2 || x.Shape[1] != sizes.Size)
        {
            var expected = $"an input of shape [batch, {Text.Number(sizes.Size)}, ...]";
            var advice = $"The layer divides axis 1 into {sizes}.";
            throw new ShapeException("Unflatten", expected, x.Shape.ToString(), Current.Path, advice);
        }
        return x.Reshape([x.Shape[0], .. sizes.ToArray(), .. x.Shape.ToArray()[2..]]);
    }

    /// <summary>By hand: the elements of delta in the input's shape.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => [deltas[0]?.Reshape(call.Inputs[0].Shape.ToArray())];
}
