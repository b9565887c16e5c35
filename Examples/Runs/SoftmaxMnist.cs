using Hybrid.Core;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>
/// Section 2 of the curriculum: softmax regression from zero, batches in the order of the file. Its accuracies are known, epoch by
/// epoch, and must be met exactly in float64.
/// </summary>
internal static class SoftmaxMnist
{
    /// <summary>Runs the command.</summary>
    internal static int Run(Settings settings, Session session)
    {
        var json = JsonFile.At(settings.Json);
        var data = ExampleData.Load(settings, session);
        var paths = GradientPath.Named(settings.Path);
        var runs = new List<SoftmaxRun>();
        session.WithProgress(
            [.. paths.Select(path => (path.Name, settings.Epochs))],
            prints: true,
            report =>
            {
                for (var i = 0; i < paths.Count; i++)
                {
                    if (paths.Count > 1)
                        session.Result($"path {paths[i].Name}");
                    var task = i;
                    runs.Add(Train(data, paths[i], settings, session, () => report.Advance(task)));
                }
            }
        );
        var findings = Judge(settings, runs);
        foreach (var finding in findings)
            session.Note(finding.Text);
        var agrees = findings.All(finding => finding.Good);
        json?.Write(new SoftmaxResults(settings.Written(), runs, [.. findings.Select(finding => finding.Text)], agrees));
        return agrees ? ExitCodes.Agree : ExitCodes.Disagree;
    }

    /// <summary>Trains by one path and prints a line an epoch.</summary>
    private static SoftmaxRun Train(ExampleData data, GradientPath path, Settings settings, Session session, Action advance)
    {
        var type = settings.Precision;
        var net = FromZero(data, type);
        var loss = new CrossEntropyLoss();
        var order = new BatchOrder(data.Train.Count, settings.Batch!.Value).Epoch(0);
        var epochs = new List<SoftmaxEpoch>();
        for (var epoch = 0; epoch < settings.Epochs; epoch++)
        {
            foreach (var indices in order)
            {
                session.Checkpoint();
                path.Step(
                    net,
                    loss,
                    new(ExampleData.Images(data.Train, indices, type), ExampleData.Labels(data.Train, indices)),
                    settings.LearningRate!.Value
                );
            }
            var done = new SoftmaxEpoch(
                epoch,
                Accuracy.Of(net, data.Train, type, session).Percent,
                Accuracy.Of(net, data.Test, type, session).Percent
            );
            session.Result(done.Line);
            epochs.Add(done);
            advance();
        }
        return new(path.Name, epochs, [.. net.Weight.Value.ToDoubles(), .. net.Bias!.Value.ToDoubles()]);
    }

    private static Linear FromZero(ExampleData data, ElementType type)
    {
        var net = new Linear(data.Pixels, data.Train.Classes, seed: 0, type: type);
        net.LoadStateDict(net.StateDict().ToDictionary(entry => entry.Key, entry => Tensor.Zeros(entry.Value.Shape, type)));
        return net;
    }

    /// <summary>Holds what was printed to the curriculum's table, where it applies, and the paths to each other.</summary>
    private static List<(string Text, bool Good)> Judge(Settings settings, List<SoftmaxRun> runs)
    {
        var findings = new List<(string, bool)>();
        if (SoftmaxTable.AppliesTo(settings))
            findings.AddRange(runs.Select(SoftmaxTable.Judge));
        foreach (var run in runs.Skip(1))
            findings.Add(Compare(runs[0], run, settings.Precision));
        return findings;
    }

    private static (string Text, bool Good) Compare(SoftmaxRun first, SoftmaxRun other, ElementType type)
    {
        var largest = first.Parameters.Max(Math.Abs);
        var apart = first.Parameters.Zip(other.Parameters, (a, b) => Math.Abs(a - b)).Max() / largest;
        var bound = type == ElementType.Float64 ? 1e-12 : 1e-3;
        var good = apart <= bound;
        var verdict = good ? "agree" : "DISAGREE";
        return (
            $"Paths {first.Path} and {other.Path} {verdict}: parameters at the end differ by at most {Say.Small(apart)} of the largest (bound {Say.Small(bound)}).",
            good
        );
    }
}

/// <summary>The accuracies after one epoch, in percent.</summary>
internal sealed record SoftmaxEpoch(int Epoch, double Train, double Test)
{
    /// <summary>As it is printed.</summary>
    internal string Line => Say.Line($"epoch {Epoch} train {Train:F5} test {Test:F5}");
}

/// <summary>One path's run.</summary>
/// <param name="Path">The path.</param>
/// <param name="Epochs">Its accuracies.</param>
/// <param name="Parameters">Weight and bias at the end.</param>
internal sealed record SoftmaxRun(string Path, IReadOnlyList<SoftmaxEpoch> Epochs, double[] Parameters);

/// <summary>What <c>--json</c> holds.</summary>
internal sealed record SoftmaxResults(
    IReadOnlyDictionary<string, string> Options,
    IReadOnlyList<SoftmaxRun> Runs,
    IReadOnlyList<string> Findings,
    bool Agrees
);
