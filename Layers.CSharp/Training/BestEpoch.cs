namespace Hybrid.Layers;

/// <summary>Follows the validation of a training for early stopping, and keeps the state of its best epoch.</summary>
internal sealed class BestEpoch(EarlyStopping options, Module model, bool higherIsBetter)
{
    private double best = double.PositiveInfinity;
    private int without;
    private StateDict? state;

    /// <summary>The number of the best epoch; null if there is none yet.</summary>
    public int? Epoch { get; private set; }

    /// <summary>Takes note of an epoch, and says whether patience has ended. What is not a number improves on nothing.</summary>
    public bool GivesUp(EpochRecord record)
    {
        var validation = record.Validation!;
        var value = options.Monitor == EarlyStopping.Loss ? validation.Loss : validation.Metrics[options.Monitor];
        if (higherIsBetter)
            value = -value;
        if (value < best - options.MinDelta)
        {
            (best, without, Epoch) = (value, 0, record.Epoch);
            if (options.RestoreBest)
                state = model.StateDict();
            return false;
        }
        without++;
        return without >= options.Patience;
    }

    /// <summary>Gives the model the state of the best epoch, if that is wanted and there was one.</summary>
    public void Restore()
    {
        if (state is not null)
            model.LoadStateDict(state);
    }
}
