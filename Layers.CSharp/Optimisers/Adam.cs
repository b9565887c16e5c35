using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Adam (D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015) as PyTorch's <c>optim.Adam</c> has it: with gradient g,
/// <c>g += weightDecay w</c>; <c>m = beta1 m + (1 - beta1) g</c>; <c>v = beta2 v + (1 - beta2) g²</c>;
/// <c>w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)</c>, t counting the parameter's steps from 1.
/// </summary>
public class Adam : Optimizer
{
    private readonly double beta1;
    private readonly double beta2;
    private readonly double eps;
    private readonly double weightDecay;
    private readonly bool decoupled;
    private readonly Cell[] steps;
    private readonly Cell[] means;
    private readonly Cell[] squares;

    /// <summary>Makes an optimiser.</summary>
    /// <param name="parameters">What it moves.</param>
    /// <param name="lr">The learning rate, at least 0; 1e-3 by default.</param>
    /// <param name="beta1">How much of the gradient's running mean stays, from 0 to below 1; 0.9 by default.</param>
    /// <param name="beta2">How much of the squared gradient's running mean stays, from 0 to below 1; 0.999 by default.</param>
    /// <param name="eps">What is added to the divisor, at least 0; 1e-8 by default.</param>
    /// <param name="weightDecay">The weight of the penalty |w|²/2, at least 0; 0 by default.</param>
    /// <exception cref="ValueException">An option is out of range, or there is no parameter.</exception>
    public Adam(IEnumerable<Cell> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weightDecay = 0)
        : this(parameters, lr, beta1, beta2, eps, weightDecay, decoupled: false) { }

    private protected Adam(IEnumerable<Cell> parameters, double lr, double beta1, double beta2, double eps, double weightDecay, bool decoupled)
        : base(parameters, lr)
    {
        Require(beta1 is >= 0 and < 1, "a beta1 from 0 to below 1", beta1, "It is 0.9 by default.");
        Require(beta2 is >= 0 and < 1, "a beta2 from 0 to below 1", beta2, "It is 0.999 by default.");
        Require(eps >= 0 && double.IsFinite(eps), "an eps of at least 0", eps, "It is 1e-8 by default.");
        Require(weightDecay >= 0 && double.IsFinite(weightDecay), "a weight decay of at least 0", weightDecay, "A usual one is 1e-2.");
        (this.beta1, this.beta2, this.eps, this.weightDecay, this.decoupled) = (beta1, beta2, eps, weightDecay, decoupled);
        steps = AddStepCounts();
        means = AddState("exp_avg");
        squares = AddState("exp_avg_sq");
    }

    /// <inheritdoc/>
    protected override bool IsFixed => true;

    /// <inheritdoc/>
    protected sealed override void Update(int index, Tensor gradient, Tensor rate, CellChanges changes)
    {
        var cell = Parameters[index];
        var w = cell.Value;
        if (weightDecay != 0 && decoupled)
            w *= As(1.0 - (rate * weightDecay), cell.DType);
        else if (weightDecay != 0)
            gradient += weightDecay * w;

        var step = steps[index].Value + 1.0;
        var mean = ((beta1 * means[index].Value) + ((1 - beta1) * gradient)).Flush();
        var square = (beta2 * squares[index].Value) + ((1 - beta2) * gradient.Square());

        // Powers of numbers near 1 lose their digits in float32, so the corrections are float64 for every parameter. Divisions are what an update's time goes
        // to, so the root is divided by its correction once for all elements.
        var size = As(rate / (1.0 - Tensor.Pow(Float64(beta1), step)), cell.DType);
        var scale = As(1.0 / (1.0 - Tensor.Pow(Float64(beta2), step)).Sqrt(), cell.DType);
        changes.Set(steps[index], step);
        changes.Set(means[index], mean);
        changes.Set(squares[index], square);
        changes.Set(cell, w - (size * (mean / ((square.Sqrt() * scale) + eps))));
    }
}
