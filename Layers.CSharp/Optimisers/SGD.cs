using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Stochastic gradient descent, with momentum as PyTorch's <c>optim.SGD</c> has it: with gradient g of parameter w,
/// <c>g += weightDecay w</c>; <c>b = momentum b + (1 - dampening) g</c>, but b = g at the first step; <c>w -= lr b</c>, or with nesterov
/// <c>w -= lr (g + momentum b)</c> (I. Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013).
/// </summary>
public sealed class SGD : Optimizer
{
    private readonly double momentum;
    private readonly double dampening;
    private readonly double weightDecay;
    private readonly bool nesterov;
    private readonly Cell[]? buffers;
    private readonly Cell[]? steps;

    /// <summary>Makes an optimiser.</summary>
    /// <param name="parameters">What it moves.</param>
    /// <param name="lr">The learning rate, at least 0.</param>
    /// <param name="momentum">How much of the last direction stays, at least 0; 0, the default, for none.</param>
    /// <param name="dampening">How much of the gradient is left out of the direction; 0 by default.</param>
    /// <param name="weightDecay">The weight of the penalty |w|²/2, at least 0; 0 by default.</param>
    /// <param name="nesterov">Whether to look ahead; false by default. It needs momentum above 0 and dampening 0.</param>
    /// <exception cref="ValueException">An option is out of range, or there is no parameter.</exception>
    public SGD(IEnumerable<Cell> parameters, double lr, double momentum = 0, double dampening = 0, double weightDecay = 0, bool nesterov = false)
        : base(parameters, lr)
    {
        Require(momentum >= 0 && double.IsFinite(momentum), "a momentum of at least 0", momentum, "A usual momentum is 0.9.");
        Require(double.IsFinite(dampening), "a finite dampening", dampening, "It is 0 by default.");
        Require(weightDecay >= 0 && double.IsFinite(weightDecay), "a weight decay of at least 0", weightDecay, "A usual one is 1e-4.");
        if (nesterov)
        {
            Require(momentum > 0, "a momentum above 0, as nesterov is on", momentum, "A usual momentum is 0.9.");
            Require(dampening == 0, "a dampening of 0, as nesterov is on", dampening, "Leave dampening out.");
        }
        (this.momentum, this.dampening, this.weightDecay, this.nesterov) = (momentum, dampening, weightDecay, nesterov);
        buffers = momentum == 0 ? null : AddState("momentum_buffer");
        // Zero buffers give b = g at the first step by themselves, unless it is dampened.
        steps = momentum == 0 || dampening == 0 ? null : AddStepCounts();
    }

    /// <inheritdoc/>
    protected override bool IsFixed => true;

    /// <inheritdoc/>
    protected override void Update(int index, Tensor gradient, Tensor rate, CellChanges changes)
    {
        var cell = Parameters[index];
        var w = cell.Value;
        var direction = weightDecay == 0 ? gradient : gradient + (weightDecay * w);
        if (buffers is not null)
        {
            var buffer = (momentum * buffers[index].Value) + (dampening == 0 ? direction : (1 - dampening) * direction);
            if (steps is not null)
            {
                var step = steps[index].Value;
                buffer = step.EqualTo(Float64(0)).Where(direction, buffer);
                changes.Set(steps[index], step + 1.0);
            }
            buffer = buffer.Flush();
            changes.Set(buffers[index], buffer);
            direction = nesterov ? direction + (momentum * buffer) : buffer;
        }
        changes.Set(cell, w - (As(rate, cell.DType) * direction));
    }
}
