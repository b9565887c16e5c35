using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hybrid.Core;

namespace Hybrid.Layers.Checking;

/// <summary>A way to get the gradients of a training step.</summary>
public enum TrainingWay
{
    /// <summary>Modules alone, by hand: <c>Forward</c>, <c>loss.Backward</c>, <c>BackwardUpdateGradient</c>, <c>UpdateParameters</c>. No tape.</summary>
    Modules = 0,

    /// <summary>The tape, every layer crossed by its backward by hand: <c>BackwardManual</c>.</summary>
    ManualTape = 1,

    /// <summary>The tape, by the operations' own rules: <c>Backward</c>.</summary>
    AutomaticTape = 2,
}

/// <summary>One step of a comparison, for progress displays.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="Losses">The loss before the step, by <see cref="TrainingWay"/>.</param>
/// <param name="Worst">
/// In lockstep: the largest difference of a gradient from the automatic one, divided by its bound (agreement is at most 1). Free-running: the
/// largest relative difference of a parameter from the automatic run's.
/// </param>
/// <param name="Twin">Free-running in float32: the same for the perturbed twin; otherwise null.</param>
public sealed record TrainingStep(int Step, IReadOnlyList<double> Losses, double Worst, double? Twin);

/// <summary>What a comparison says of one parameter and one way, against the automatic tape; the worst over all steps.</summary>
/// <param name="Parameter">The name, such as <c>0.weight</c>.</param>
/// <param name="Shape">The shape.</param>
/// <param name="Way">The way compared with the automatic tape.</param>
/// <param name="Step">The step at which it was worst, from 1.</param>
/// <param name="Absolute">The largest absolute difference at that step.</param>
/// <param name="Relative">That divided by the largest magnitude in the tensor.</param>
/// <param name="Ulp">The largest distance in units in the last place, over elements of at least 1e-3 of the largest.</param>
/// <param name="WorstIndex">Where the absolute difference is largest.</param>
/// <param name="Bound">What the difference is judged by: rounding in lockstep, 1e-12 relative free-running in float64; null where it is only reported.</param>
/// <param name="Ratio">Difference divided by bound; null where there is none.</param>
/// <param name="Twin">The perturbed twin's relative drift in float32; null otherwise.</param>
/// <param name="Agrees">Whether the difference is within the bound, or is only reported.</param>
public sealed record TrainingRow(
    string Parameter,
    string Shape,
    TrainingWay Way,
    int Step,
    double Absolute,
    double Relative,
    long Ulp,
    IReadOnlyList<int> WorstIndex,
    double? Bound,
    double? Ratio,
    double? Twin,
    bool Agrees
);

/// <summary>What a comparison of three ways to train found.</summary>
/// <param name="Title">What was compared, in a line.</param>
/// <param name="Steps">How many steps were run.</param>
/// <param name="Rows">Two rows for each parameter: modules and manual tape, each against the automatic tape.</param>
/// <param name="LossDifference">The largest relative difference of a loss from the automatic tape's.</param>
/// <param name="Failure">The first step and parameter that disagree, in a sentence; empty if none.</param>
public sealed record TrainingReport(string Title, int Steps, IReadOnlyList<TrainingRow> Rows, double LossDifference, string Failure)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>Whether at least one step was run and all rows agree.</summary>
    public bool Succeeded => Steps > 0 && Rows.Count > 0 && Rows.All(row => row.Agrees);

    /// <summary>The report as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>The report as a plain table, the same in every culture.</summary>
    public override string ToString()
    {
        string[] header = ["parameter", "shape", "way", "step", "absolute", "relative", "ulp", "bound", "twin", "verdict"];
        bool[] right = [false, false, false, true, true, true, true, true, true, false];
        List<string[]> lines = [header];
        foreach (var row in Rows)
        {
            lines.Add([
                row.Parameter,
                row.Shape,
                row.Way == TrainingWay.Modules ? "modules" : "manual tape",
                row.Step.ToString(CultureInfo.InvariantCulture),
                Short(row.Absolute),
                Short(row.Relative),
                row.Ulp.ToString(CultureInfo.InvariantCulture),
                Short(row.Bound),
                Short(row.Twin),
                row.Agrees ? (row.Bound is null ? "reported" : "agree") : "DISAGREE",
            ]);
        }
        var widths = header.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Title}: {(Succeeded ? "agree" : "DISAGREE")} after {Steps} steps\n");
        for (var i = 0; i < lines.Count; i++)
        {
            var cells = lines[i].Select((cell, column) => right[column] ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
            if (i == 0)
                text.Append('-', widths.Sum() + (2 * (widths.Length - 1))).Append('\n');
        }
        if (Failure.Length > 0)
            text.Append(Failure).Append('\n');
        return text.ToString();
    }

    internal static string Short(double? number) =>
        number switch
        {
            null => "-",
            0 => "0",
            _ => number.Value.ToString("0.0e+00", CultureInfo.InvariantCulture),
        };
}
