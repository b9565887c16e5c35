using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// RMSprop (G. Hinton, "Neural networks for machine learning", lecture 6, 2012) as PyTorch's <c>optim.RMSprop</c> has it: with gradient g,
/// <c>g += weightDecay w</c>; <c>v = alpha v + (1 - alpha) g²</c>; <c>q = g / (sqrt(v) + eps)</c>; <c>w -= lr q</c>, or with momentum
/// <c>b = momentum b + q</c> and <c>w -= lr b</c>.
/// </summary>
public sealed class RMSprop : Optimizer
{
    private readonly double alpha;
    private readonly double eps;
    private readonly double weightDecay;
    private readonly double momentum;
    private readonly Cell[] squares;
    private readonly Cell[]? buffers;

    /// <summary>Makes an optimiser.</summary>
    /// <param name="parameters">What it moves.</param>
    /// <param name="lr">The learning rate, at least 0; 1e-2 by default.</param>
    /// <param name="alpha">How much of the squared gradient's running mean stays, from 0 to 1; 0.99 by default.</param>
    /// <param name="eps">What is added to the divisor, at least 0; 1e-8 by default.</param>
    /// <param name="weightDecay">The weight of the penalty |w|²/2, at least 0; 0 by default.</param>
    /// <param name="momentum">How much of the last direction stays, at least 0; 0, the default, for none.</param>
    /// <exception cref="ValueException">An option is out of range, or there is no parameter.</exception>
    public RMSprop(
        IEnumerable<Cell> parameters,
        double lr = 1e-2,
        double alpha = 0.99,
        double eps = 1e-8,
        double weightDecay = 0,
        double momentum = 0
    )
        : base(parameters, lr)
    {
        Require(alpha is >= 0 and <= 1, "an alpha from 0 to 1", alpha, "It is 0.99 by default.");
        Require(eps >= 0 && double.IsFinite(eps), "an eps of at least 0", eps, "It is 1e-8 by default.");
        Require(weightDecay >= 0 && double.IsFinite(weightDecay), "a weight decay of at least 0", weightDecay, "A usual one is 1e-4.");
        Require(momentum >= 0 && double.IsFinite(momentum), "a momentum of at least 0", momentum, "A usual momentum is 0.9.");
        (this.alpha, this.eps, this.weightDecay, this.momentum) = (alpha, eps, weightDecay, momentum);
        squares = AddState("square_avg");
        buffers = momentum == 0 ? null : AddState("momentum_buffer");
    }

    /// <inheritdoc/>
    protected override bool IsFixed => true;

    /// <inheritdoc/>
    protected override void Update(int index, Tensor gradient, Tensor rate, CellChanges changes)
    {
        var cell = Parameters[index];
        var w = cell.Value;
        if (weightDecay != 0)
            gradient += weightDecay * w;
        var square = (alpha * squares[index].Value) + ((1 - alpha) * gradient.Square());
        var direction = gradient / (square.Sqrt() + eps);
        changes.Set(squares[index], square);
        if (buffers is not null)
        {
            direction = ((momentum * buffers[index].Value) + direction).Flush();
            changes.Set(buffers[index], direction);
        }
        changes.Set(cell, w - (As(rate, cell.DType) * direction));
    }
}
