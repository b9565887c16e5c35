using System.Collections.Immutable;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>Adds up losses and metrics over batches, weighed by sample.</summary>
internal sealed class Tally(Loss loss, IReadOnlyList<Metric> metrics)
{
    private readonly double[] totals = new double[metrics.Count];
    private double lossTotal;

    /// <summary>How many samples were added.</summary>
    public long Samples { get; private set; }

    /// <summary>The mean loss so far.</summary>
    public double Loss => lossTotal / Samples;

    /// <summary>Adds the loss of a batch, as its reduction gives it.</summary>
    public void AddLoss(double value, int samples)
    {
        lossTotal += loss.Reduction == Reduction.Sum ? value : value * samples;
        Samples += samples;
    }

    /// <summary>Adds the metrics of a batch.</summary>
    public void AddMetrics(Tensor yhat, Tensor y)
    {
        for (var i = 0; i < totals.Length; i++)
            totals[i] += metrics[i].Total(yhat, y);
    }

    /// <summary>The means.</summary>
    public Evaluation Result() =>
        new(
            Loss,
            metrics.Select((metric, i) => KeyValuePair.Create(metric.Name, totals[i] / Samples)).ToImmutableDictionary(StringComparer.Ordinal),
            Samples
        );
}
