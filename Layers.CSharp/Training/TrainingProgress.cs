namespace Hybrid.Layers;

/// <summary>What a <see cref="Trainer"/> has just done.</summary>
public enum TrainingPhase
{
    /// <summary>A step on a training batch.</summary>
    Training,

    /// <summary>A validation batch.</summary>
    Validation,

    /// <summary>The last part of an epoch.</summary>
    EpochEnd,
}

/// <summary>Where a training stands.</summary>
/// <param name="Phase">What has just been done.</param>
/// <param name="Epoch">The epoch, counted from 0 over the life of the trainer.</param>
/// <param name="EpochsEnd">The number of the epoch that would be the first one not to be done.</param>
/// <param name="Batches">How many batches of this phase are done in this epoch.</param>
/// <param name="BatchCount">How many there are; null if the data does not say.</param>
/// <param name="Loss">The mean loss over the samples of this phase so far.</param>
/// <param name="Finished">The epoch's record in phase <see cref="TrainingPhase.EpochEnd"/>; null otherwise.</param>
public sealed record TrainingProgress(
    TrainingPhase Phase,
    int Epoch,
    int EpochsEnd,
    int Batches,
    int? BatchCount,
    double Loss,
    EpochRecord? Finished = null
);
