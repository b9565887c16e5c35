using System.Collections.Immutable;

namespace Hybrid.Layers;

/// <summary>Why <see cref="Trainer.Fit"/> came to its end.</summary>
public enum StopReason
{
    /// <summary>All epochs were done.</summary>
    Completed,

    /// <summary>The validation did not improve any more; see <see cref="EarlyStopping"/>.</summary>
    NoImprovement,

    /// <summary>A handler of <see cref="Trainer.EpochEnded"/> asked for it.</summary>
    Requested,

    /// <summary>It has not: it is under way, was cancelled, or failed.</summary>
    Unfinished,
}

/// <summary>Loss and metrics on some data, all of them means over samples.</summary>
/// <param name="Loss">The mean loss.</param>
/// <param name="Metrics">The metrics by name.</param>
/// <param name="Samples">How many samples there were.</param>
public sealed record Evaluation(double Loss, ImmutableDictionary<string, double> Metrics, long Samples);

/// <summary>What one epoch was like.</summary>
/// <param name="Epoch">Its number, counted from 0 over the life of the trainer.</param>
/// <param name="Training">
/// The loss of the steps' own predictions, each before its update, weighed by sample, and, if the options ask for it, metrics of the same.
/// </param>
/// <param name="Validation">Loss and metrics on the validation data after the epoch; null without such data.</param>
/// <param name="Steps">How many steps were made.</param>
/// <param name="Seconds">How long it took, validation included, in seconds.</param>
public sealed record EpochRecord(int Epoch, Evaluation Training, Evaluation? Validation, int Steps, double Seconds);

/// <summary>What <see cref="Trainer.Fit"/> did, epoch by epoch. Immutable.</summary>
/// <param name="Epochs">The epochs that were completed, in order.</param>
/// <param name="Stopped">Why it ended.</param>
/// <param name="BestEpoch">
/// The <see cref="EpochRecord.Epoch"/> of the best validation, as <see cref="EarlyStopping"/> judges it; null without early stopping or
/// before there is one.
/// </param>
public sealed record TrainingHistory(ImmutableArray<EpochRecord> Epochs, StopReason Stopped, int? BestEpoch);
