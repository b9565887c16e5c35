using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Adam with decoupled weight decay (I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019) as PyTorch's
/// <c>optim.AdamW</c> has it: <c>w *= 1 - lr weightDecay</c>, and then <see cref="Adam"/> without decay.
/// </summary>
public sealed class AdamW : Adam
{
    /// <summary>Makes an optimiser.</summary>
    /// <param name="parameters">What it moves.</param>
    /// <param name="lr">The learning rate, at least 0; 1e-3 by default.</param>
    /// <param name="beta1">How much of the gradient's running mean stays, from 0 to below 1; 0.9 by default.</param>
    /// <param name="beta2">How much of the squared gradient's running mean stays, from 0 to below 1; 0.999 by default.</param>
    /// <param name="eps">What is added to the divisor, at least 0; 1e-8 by default.</param>
    /// <param name="weightDecay">The part of each weight that a step of rate 1 takes away, at least 0; 1e-2 by default.</param>
    /// <exception cref="ValueException">An option is out of range, or there is no parameter.</exception>
    public AdamW(
        IEnumerable<Cell> parameters,
        double lr = 1e-3,
        double beta1 = 0.9,
        double beta2 = 0.999,
        double eps = 1e-8,
        double weightDecay = 1e-2
    )
        : base(parameters, lr, beta1, beta2, eps, weightDecay, decoupled: true) { }
}
