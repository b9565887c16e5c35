using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;

namespace Hybrid.Examples.Runs;

/// <summary>What a correct training of section 5's network reaches, and how far from it one may be.</summary>
internal static class DigitsTable
{
    /// <summary>Mean loss at some epochs: a fall, a plateau on which one class is predicted for everything, and the escape from it.</summary>
    internal static IReadOnlyList<(int Epoch, double Loss, double Within)> Losses { get; } =
    [
        (0, 0.81, 0.000005),
        (20, 0.765, 0.003),
        (40, 0.744, 0.003),
        (60, 0.729, 0.003),
        (80, 0.729, 0.003),
        (200, 0.56, 0.06),
        (400, 0.27, 0.05),
        (499, 0.20, 0.04),
    ];

    /// <summary>The least accuracies at the end, in percent.</summary>
    internal static (int Epoch, double Train, double Test) Accuracies { get; } = (499, 95, 92);

    /// <summary>Whether the figures are about these options: 500 full batches with the course's step.</summary>
    internal static bool AppliesTo(Settings settings) => settings is { Epochs: 500, Batch: null, LearningRate: 0.01 };

    /// <summary>Compares a run with the figures.</summary>
    internal static IEnumerable<(string Text, bool Good)> Judge(DigitsRun run)
    {
        var wrong = new List<string>();
        foreach (var (epoch, expected, within) in Losses)
        {
            var loss = run.Epochs.Single(done => done.Epoch == epoch).Loss;
            if (!(Math.Abs(loss - expected) <= within))
                wrong.Add(
                    Say.Line(
                        $"Path {run.Path} DISAGREES with the known figures: expected a mean loss of {expected:F5} +- {within:G1} at epoch {epoch}, got {loss:F5}."
                    )
                );
        }
        var last = run.Epochs.Single(done => done.Epoch == Accuracies.Epoch);
        if (last.Train < Accuracies.Train || last.Test < Accuracies.Test)
            wrong.Add(
                Say.Line(
                    $"Path {run.Path} DISAGREES with the known figures: expected accuracies of at least {Accuracies.Train} and {Accuracies.Test} at epoch {last.Epoch}, got {last.Train:F2} and {last.Test:F2}."
                )
            );
        return wrong.Count == 0
            ?
            [
                (
                    $"Path {run.Path} agrees with the known figures: the mean losses at epochs {string.Join(", ", Losses.Select(known => known.Epoch))} and the accuracies at the end.",
                    true
                ),
            ]
            : wrong.Select(text => (text, false));
    }
}
