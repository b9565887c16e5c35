using Hybrid.Examples.CommandLine;
using Hybrid.Kernels;

namespace Hybrid.Examples.Runs;

/// <summary>The known accuracies of softmax regression on MNIST, in percent with five decimals.</summary>
internal static class SoftmaxTable
{
    /// <summary>Train and test after each of 20 epochs.</summary>
    internal static IReadOnlyList<(string Train, string Test)> Epochs { get; } =
    [
        ("89.27333", "90.24000"),
        ("90.33000", "90.91000"),
        ("90.92833", "91.37000"),
        ("91.25333", "91.60000"),
        ("91.45333", "91.70000"),
        ("91.62333", "91.81000"),
        ("91.74833", "91.87000"),
        ("91.85000", "91.95000"),
        ("91.96000", "92.04000"),
        ("92.03500", "92.04000"),
        ("92.09000", "92.13000"),
        ("92.17333", "92.14000"),
        ("92.23333", "92.15000"),
        ("92.26000", "92.15000"),
        ("92.31167", "92.21000"),
        ("92.36667", "92.22000"),
        ("92.40333", "92.22000"),
        ("92.44167", "92.22000"),
        ("92.48000", "92.22000"),
        ("92.50167", "92.24000"),
    ];

    /// <summary>Whether the table is about these options: MNIST, float64, batches of 100, learning rate 0.1.</summary>
    internal static bool AppliesTo(Settings settings) => settings is { Data: "mnist", Precision: ElementType.Float64, Batch: 100, LearningRate: 0.1 };

    /// <summary>Compares a run with the table, as far as both go.</summary>
    internal static (string Text, bool Good) Judge(SoftmaxRun run)
    {
        var count = Math.Min(run.Epochs.Count, Epochs.Count);
        for (var i = 0; i < count; i++)
        {
            var expected = $"epoch {i} train {Epochs[i].Train} test {Epochs[i].Test}";
            if (run.Epochs[i].Line != expected)
                return ($"Path {run.Path} DISAGREES with the known figures: expected '{expected}', got '{run.Epochs[i].Line}'.", false);
        }
        var epochs = count == 1 ? "epoch" : $"{count} epochs";
        return ($"Path {run.Path} agrees with the known figures in the first {epochs}.", true);
    }
}
