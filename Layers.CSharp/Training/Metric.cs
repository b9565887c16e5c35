using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// A measure of predictions that is a mean over samples, such as the accuracy. It gives the <b>sum</b> over the samples of a batch, so that
/// batches of different sizes are weighed by their samples.
/// </summary>
public sealed class Metric
{
    private readonly Func<Tensor, Tensor, double> total;

    /// <summary>Makes a metric.</summary>
    /// <param name="name">Its name in histories; not <c>loss</c>.</param>
    /// <param name="total">From predictions <c>[batch, ...]</c> and targets to the sum over the batch's samples.</param>
    /// <param name="higherIsBetter">Whether a higher number is better; true by default.</param>
    /// <exception cref="ValueException">The name is empty, or <c>loss</c>.</exception>
    public Metric(string name, Func<Tensor, Tensor, double> total, bool higherIsBetter = true)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(total);
        if (name.Length == 0 || name == EarlyStopping.Loss)
            throw new ValueException("Metric", "a name of its own", $"'{name}'", "", "The loss has the name 'loss' already.");
        (Name, this.total, HigherIsBetter) = (name, total, higherIsBetter);
    }

    /// <summary>The fraction of samples whose largest score is at the right class, called <c>accuracy</c>; see <see cref="Layers.Accuracy"/>.</summary>
    public static Metric Accuracy { get; } = new("accuracy", (yhat, y) => Layers.Accuracy.Correct(yhat, y));

    /// <summary>A loss as a metric: the mean over samples of its values per example.</summary>
    /// <param name="name">Its name in histories.</param>
    /// <param name="loss">The loss; its reduction is not used.</param>
    /// <exception cref="ValueException">The name is empty, or <c>loss</c>.</exception>
    public static Metric Of(string name, Loss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return new(name, (yhat, y) => loss.Forward(y, yhat).Sum().Item(), higherIsBetter: false);
    }

    /// <summary>The name in histories.</summary>
    public string Name { get; }

    /// <summary>Whether a higher number is better.</summary>
    public bool HigherIsBetter { get; }

    /// <summary>The sum over the samples of a batch, computed now.</summary>
    /// <param name="yhat">Predictions, <c>[batch, ...]</c>.</param>
    /// <param name="y">Targets.</param>
    public double Total(Tensor yhat, Tensor y)
    {
        using var _ = Mode.NoGrad();
        return total(yhat, y);
    }
}
