using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>How often the largest score is at the right class.</summary>
public static class Accuracy
{
    /// <summary>The fraction of rows whose largest element (the first of equal ones) is at the label; computed now, and outside of any tape.</summary>
    /// <param name="scores">Scores or probabilities, <c>[batch, classes]</c>, at least one row.</param>
    /// <param name="labels">Class numbers <c>[batch]</c> of an integer type, or one-hot rows or probabilities <c>[batch, classes]</c>.</param>
    /// <returns>From 0 to 1.</returns>
    /// <exception cref="ShapeException">The shapes do not fit together, or there is no row.</exception>
    public static double Of(Tensor scores, Tensor labels) => (double)Correct(scores, labels) / scores.Shape[0];

    /// <summary>How many rows have their largest element (the first of equal ones) at the label.</summary>
    /// <param name="scores">Scores or probabilities, <c>[batch, classes]</c>, at least one row.</param>
    /// <param name="labels">Class numbers <c>[batch]</c> of an integer type, or one-hot rows or probabilities <c>[batch, classes]</c>.</param>
    /// <exception cref="ShapeException">The shapes do not fit together, or there is no row.</exception>
    public static long Correct(Tensor scores, Tensor labels)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(labels);
        ClassTargets.Require("Accuracy", "scores", labels, scores);
        if (scores.Shape[0] == 0)
            throw new ShapeException("Accuracy", "at least one row", scores.Shape.ToString(), "Accuracy", "The fraction of nothing is not a number.");
        using var _ = Mode.NoGrad();
        var right = labels.Rank == 1 ? labels.To(ElementType.Int32) : labels.ArgMax(-1);
        return (long)scores.ArgMax(-1).EqualTo(right).To(ElementType.Float64).Sum().Item();
    }
}
