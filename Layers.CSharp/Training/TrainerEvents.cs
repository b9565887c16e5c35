namespace Hybrid.Layers;

/// <summary>A step has been made; the parameters are those after it.</summary>
/// <param name="epoch">The epoch, counted from 0 over the life of the trainer.</param>
/// <param name="batch">The batch of the epoch, counted from 0.</param>
/// <param name="samples">How many samples it had.</param>
/// <param name="loss">The loss of the step, before its update, in the loss's own reduction.</param>
public sealed class BatchEndedEventArgs(int epoch, int batch, int samples, double loss) : EventArgs
{
    /// <summary>The epoch, counted from 0 over the life of the trainer.</summary>
    public int Epoch { get; } = epoch;

    /// <summary>The batch of the epoch, counted from 0.</summary>
    public int Batch { get; } = batch;

    /// <summary>How many samples it had.</summary>
    public int Samples { get; } = samples;

    /// <summary>The loss of the step, before its update, in the loss's own reduction.</summary>
    public double Loss { get; } = loss;
}

/// <summary>An epoch has ended, its validation included.</summary>
/// <param name="record">What it was like.</param>
public sealed class EpochEndedEventArgs(EpochRecord record) : EventArgs
{
    /// <summary>What it was like.</summary>
    public EpochRecord Record { get; } = record;

    /// <summary>Whether the training is to end here; set it to true to ask for that.</summary>
    public bool Stop { get; set; }
}
