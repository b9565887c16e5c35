using System.Text.Json.Nodes;
using Hybrid.Core.Checking;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Layers.Checking;

namespace Hybrid.Examples.Runs;

/// <summary>How the cross-check's results are printed and written.</summary>
internal static class CrossCheckText
{
    private const string Agree = "agree";
    private const string Disagree = "DISAGREE";

    /// <summary>Prints what was found out about one network.</summary>
    internal static void Print(ModelFindings found, Session session)
    {
        session.Result();
        session.Result(Say.Line($"{found.Model} ({found.Parameters} parameters)"));
        session.Result("gradients by hand, automatic, and by central differences (float64):");
        Indented(found.Gradients.Table + found.Gradients.Notes, session);
        if (found.Lockstep is { } lockstep)
        {
            session.Result(
                Say.Line(
                    $"training in lockstep, {Say.Count(lockstep.Steps, "step")}: gradients from the same state, against the automatic path, at the worst step:"
                )
            );
            Indented(string.Join('\n', LockstepTable(lockstep).Append(lockstep.Failure)), session);
        }
        session.Result("training free-running: mean loss, test accuracy, and how far the parameters are from the automatic path's:");
        Indented(string.Join('\n', EpochTable(found.Epochs)), session);
    }

    /// <summary>Prints one line for each kind of comparison, and the verdict.</summary>
    internal static void PrintSummary(IReadOnlyList<ModelFindings> findings, Session session)
    {
        var table = new TextTable("network", "comparison", ">worst", ">bound", "where", "");
        var verdicts = new List<bool>();
        foreach (var found in findings)
        foreach (var line in SummaryOf(found))
        {
            table.Add(found.Model, line.What, line.Worst, line.Bound, line.Where, "");
            verdicts.Add(line.Good);
        }
        var lines = table.Lines().ToArray();
        var width = lines.Max(line => line.Length) + 2;
        session.Result();
        session.Result(lines[0].PadRight(width) + "verdict");
        for (var i = 1; i < lines.Length; i++)
            session.Verdict(lines[i].PadRight(width), verdicts[i - 1] ? Agree : Disagree, verdicts[i - 1]);
        var all = findings.All(found => found.Agrees);
        session.Result();
        session.Verdict("Hand-written and automatic gradients ", all ? "agree." : "DISAGREE.", all);
    }

    /// <summary>All of it, for <c>--json</c>.</summary>
    internal static JsonObject ToJson(Settings settings, ExampleData data, IReadOnlyList<ModelFindings> findings, bool agrees) =>
        new()
        {
            ["options"] = JsonFile.Node(settings.Written()),
            ["data"] = data.Name,
            ["agrees"] = agrees,
            ["models"] = new JsonArray([.. findings.Select(ToJson)]),
        };

    private static JsonNode ToJson(ModelFindings found) =>
        new JsonObject
        {
            ["model"] = found.Model,
            ["parameters"] = found.Parameters,
            ["agrees"] = found.Agrees,
            ["gradients"] = JsonNode.Parse(found.Gradients.ToJson()),
            ["lockstep"] = found.Lockstep is null ? null : JsonNode.Parse(found.Lockstep.ToJson()),
            ["freeRunning"] = JsonFile.Node(found.Epochs),
        };

    private static IEnumerable<SummaryLine> SummaryOf(ModelFindings found)
    {
        var rows = found.Gradients.Rows;
        var compared = rows.Where(row => row.Comparison is not null).ToArray();
        var worst = compared.MaxBy(row => row.BoundRatio);
        yield return new(
            Say.Line($"gradients of {compared.Length} tensors"),
            worst is null ? "-" : Say.Small(worst.Comparison.MaxAbsolute),
            worst is null ? "-" : Say.Small(worst.Bound),
            worst is null or { BoundRatio: 0 } ? "-" : $"{worst.Path} {worst.Name}",
            found.Gradients.Succeeded
        );
        var differences = rows.Where(row => row.Difference is not null).ToArray();
        var furthest = differences.MaxBy(row => row.Difference.MaxAbsolute / row.Difference.Bound);
        if (furthest is not null)
            yield return new(
                Say.Line($"central differences of {differences.Length} tensors"),
                Say.Small(furthest.Difference.MaxAbsolute),
                Say.Small(furthest.Difference.Bound),
                $"{furthest.Path} {furthest.Name}",
                differences.All(row => row.Difference.Agrees)
            );
        if (found.Lockstep is { } lockstep && lockstep.Rows.MaxBy(row => row.Ratio) is { } step)
            yield return new(
                $"lockstep, {Say.Count(lockstep.Steps, "step")}",
                Say.Small(step.Absolute),
                step.Bound is { } bound ? Say.Small(bound) : "-",
                Say.Line($"{step.Parameter}, {Word(step.Way)}, step {step.Step}"),
                lockstep.Succeeded
            );
        if (found.Epochs.Where(epoch => epoch.Apart is not null).MaxBy(epoch => epoch.Apart!.Relative) is { } apart)
            yield return new(
                $"free-running, {Say.Count(found.Epochs[^1].Epoch + 1, "epoch")}",
                Say.Small(apart.Apart!.Relative),
                apart.Bound is { } drift ? Say.Small(drift)
                    : apart.Twin is { } twin ? $"twin {Say.Small(twin)}"
                    : "-",
                Say.Line($"{apart.Apart.Parameter}, {apart.Path}, epoch {apart.Epoch}"),
                found.Epochs.All(epoch => epoch.Agrees)
            );
    }

    private static IEnumerable<string> LockstepTable(TrainingReport report)
    {
        var table = new TextTable("parameter", "shape", "path", ">step", ">absolute", ">relative", ">ulp", ">bound", "verdict");
        foreach (var row in report.Rows)
            table.Add(
                row.Parameter,
                row.Shape,
                Word(row.Way),
                Say.Line($"{row.Step}"),
                Say.Small(row.Absolute),
                Say.Small(row.Relative),
                Say.Line($"{row.Ulp}"),
                row.Bound is { } bound ? Say.Small(bound) : "-",
                row.Agrees ? Agree : Disagree
            );
        return table.Lines();
    }

    private static IEnumerable<string> EpochTable(IReadOnlyList<PathEpoch> epochs)
    {
        var table = new TextTable("epoch", "path", ">loss", ">test %", ">apart", ">bound", "worst at", "verdict");
        foreach (var epoch in epochs)
            table.Add(
                Say.Line($"{epoch.Epoch}"),
                epoch.Path,
                Say.Line($"{epoch.Loss:F6}"),
                Say.Line($"{epoch.Test:F2}"),
                epoch.Apart is null ? "-" : Say.Small(epoch.Apart.Relative),
                epoch.Bound is { } bound ? Say.Small(bound)
                    : epoch is { Apart: not null, Twin: { } twin } ? $"twin {Say.Small(twin)}"
                    : "-",
                epoch.Apart is null or { Relative: 0 }
                    ? "-"
                    : $"{epoch.Apart.Parameter}[{string.Join(", ", epoch.Apart.Index.Select(i => Say.Line($"{i}")))}]",
                !double.IsFinite(epoch.Loss) ? "DIVERGED"
                    : !epoch.Agrees ? Disagree
                    : epoch.Apart is null ? "reference"
                    : epoch.Bound is null ? "reported"
                    : Agree
            );
        return table.Lines();
    }

    private static string Word(TrainingWay way) => GradientPath.All.Single(path => path.Way == way).Name;

    private static void Indented(string text, Session session)
    {
        foreach (var line in text.Split('\n').Where(line => line.Length > 0))
            session.Result("  " + line);
    }

    private sealed record SummaryLine(string What, string Worst, string Bound, string Where, bool Good);
}
