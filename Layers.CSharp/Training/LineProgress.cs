using System.Globalization;

namespace Hybrid.Layers;

/// <summary>
/// Reports a training as plain lines, one an epoch, such as
/// <c>epoch 1/5 loss 0.4121 validation loss 0.2913 accuracy 0.9167 (1.2 s)</c>; the same in every culture.
/// </summary>
/// <param name="writer">Where lines go, such as <c>Console.Out</c>.</param>
public sealed class LineProgress(TextWriter writer) : IProgress<TrainingProgress>
{
    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Finished is not { } done)
            return;
        var line = $"epoch {Text.Number(done.Epoch + 1)}/{Text.Number(value.EpochsEnd)} {Line(done.Training)}";
        if (done.Validation is { } validation)
            line += $" validation {Line(validation)}";
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{line} ({done.Seconds:F1} s)"));
    }

    private static string Line(Evaluation evaluation) =>
        string.Join(
            " ",
            evaluation
                .Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal)
                .Select(metric => (metric.Key, metric.Value))
                .Prepend((EarlyStopping.Loss, evaluation.Loss))
                .Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Item1} {pair.Item2:F4}"))
        );
}
