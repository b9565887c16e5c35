namespace Hybrid.Layers;

/// <summary>When <see cref="Trainer.Fit"/> gives up: once a number of epochs in a row have not improved on the best validation so far.</summary>
/// <param name="Patience">How many epochs without improvement end the training, at least 1.</param>
/// <param name="MinDelta">By more than how much an epoch must be better than the best to count as an improvement, at least 0; 0 by default.</param>
/// <param name="RestoreBest">
/// Whether the model ends with the parameters and buffers of the best epoch, also if the epochs ran out first; true by default. The
/// optimiser's state stays that of the last step.
/// </param>
/// <param name="Monitor">What is watched on the validation data: <c>loss</c>, the default, or the name of a metric of the trainer.</param>
public sealed record EarlyStopping(int Patience, double MinDelta = 0, bool RestoreBest = true, string Monitor = EarlyStopping.Loss)
{
    /// <summary>The name of the loss.</summary>
    public const string Loss = "loss";
}
