using Hybrid.Layers;

namespace Hybrid.Examples.Output;

/// <summary>
/// The progress of a <see cref="Trainer"/> as two tasks over all epochs: training batches, then validation batches, each with its mean loss.
/// </summary>
internal sealed class TrainingSteps(IProgressReport report) : IProgress<TrainingProgress>
{
    /// <summary>The task of the training batches.</summary>
    internal const int Training = 0;

    /// <summary>The task of the validation batches.</summary>
    internal const int Validation = 1;

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        if (value.Phase == TrainingPhase.EpochEnd)
            return;
        // Data that does not know its length counts as one batch an epoch: the bar then moves once the next epoch begins.
        var batches = value.BatchCount ?? 1;
        var done = ((long)value.Epoch * batches) + Math.Min(value.Batches, batches);
        var task = value.Phase == TrainingPhase.Training ? Training : Validation;
        report.Reach(task, done, (long)value.EpochsEnd * batches, Say.Line($"loss {value.Loss:F4}"));
    }
}
