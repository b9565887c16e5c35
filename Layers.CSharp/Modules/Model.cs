using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Where a fluent description of a network starts: <c>Model.Input(784).Linear(128).ReLU().Linear(10).Build(seed: 1)</c>.
/// </summary>
public static class Model
{
    /// <summary>Says what one example looks like.</summary>
    /// <param name="shape">The lengths of its axes, without the batch: <c>Input(1, 28, 28)</c> for images <c>[batch, 1, 28, 28]</c>.</param>
    /// <exception cref="ShapeException">There is no axis, or a length is below 1.</exception>
    public static ModelBuilder Input(params int[] shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var example = Shape.Of(shape.Select(length => Math.Max(length, 0)).ToArray());
        if (example.Rank == 0 || shape.Any(length => length < 1))
        {
            const string advice = "Leave the batch out: Input(1, 28, 28).";
            throw new ShapeException("Model", "at least one axis, with lengths of at least 1", Text.Lengths(shape), "Input", advice);
        }
        return new ModelBuilder(example, []);
    }
}
