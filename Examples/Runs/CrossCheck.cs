using Hybrid.Core.Checking;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Layers;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>
/// The main job. For each network: every layer's gradient by hand against the automatic one and against central differences; then the
/// network trained by each path from the same state on the same batches, in lockstep and free-running.
/// </summary>
internal static class CrossCheck
{
    private const int ImagesToCheck = 8;
    private const int LockstepSteps = 50;

    /// <summary>Runs the command.</summary>
    internal static int Run(Settings settings, Session session) => Run(settings, session, Models.Named(settings.Model));

    /// <summary>Checks some networks.</summary>
    internal static int Run(Settings settings, Session session, IReadOnlyList<ModelSpec> models)
    {
        var json = JsonFile.At(settings.Json);
        var data = ExampleData.Load(settings, session);
        session.Result(
            Say.Line($"Cross-check on {data.Name}: {settings.PrecisionName}, batches of {settings.Batch}, ")
                + Say.Line($"learning rate {settings.LearningRate}, seed {settings.Seed}")
        );
        var findings = new List<ModelFindings>();
        foreach (var model in models)
        {
            var found = Check(model, data, settings, session);
            CrossCheckText.Print(found, session);
            findings.Add(found);
        }
        CrossCheckText.PrintSummary(findings, session);
        var agrees = findings.All(found => found.Agrees);
        json?.Write(CrossCheckText.ToJson(settings, data, findings, agrees));
        return agrees ? ExitCodes.Agree : ExitCodes.Disagree;
    }

    private static ModelFindings Check(ModelSpec model, ExampleData data, Settings settings, Session session)
    {
        var net = model.Create(data, settings);
        var loss = new CrossEntropyLoss();
        var order = new BatchOrder(data.Train.Count, settings.Batch!.Value, (ulong)settings.Seed);
        var steps = Math.Min(order.BatchesPerEpoch, settings.Model == Models.AllNames ? model.StepsAmongAll : int.MaxValue);
        var free = new FreeRunning(net, loss, data, settings, session, order, steps);
        var first = order.Epoch(0).Take(free.Paths.Count > 1 ? LockstepSteps : 0).ToArray();
        (string, int)[] tasks =
        [
            ($"{model.Name}: gradients", 1),
            ($"{model.Name}: lockstep", first.Length),
            .. free.Paths.Select(path => ($"{model.Name}: {path.Name}", settings.Epochs * steps)),
        ];
        var part =
            steps == order.BatchesPerEpoch ? "" : $", each of {Say.Count(steps, "step")} (of {order.BatchesPerEpoch} with --model {model.Name})";
        session.Note(
            $"{model.Name}: gradients by layer, {Say.Count(first.Length, "step")} in lockstep, {Say.Count(settings.Epochs, "epoch")} free-running{part}."
        );
        ModelFindings? found = null;
        session.WithProgress(
            tasks,
            prints: false,
            report =>
            {
                var gradients = Gradients(net, loss, data, settings, session);
                report.Advance(0);
                var lockstep = first.Length == 0 ? null : Lockstep(net, loss, data, settings, first, session, () => report.Advance(1));
                var epochs = free.Run(way => report.Advance(2 + way));
                found = new(model.Name, net.Parameters().Sum(cell => cell.Shape.Size), gradients, lockstep, epochs);
            }
        );
        return found!;
    }

    private static CheckReport Gradients(Module net, Loss loss, ExampleData data, Settings settings, Session session)
    {
        int[] some = [.. Enumerable.Range(0, Math.Min(ImagesToCheck, data.Train.Count))];
        var options = new CheckOptions { Seed = (ulong)settings.Seed, Cancellation = session.Cancelled };
        var images = ExampleData.Images(data.Train, some, settings.Precision);
        return GradientCheck.Of(net, loss, images, ExampleData.Labels(data.Train, some), options);
    }

    private static TrainingReport Lockstep(
        Module net,
        Loss loss,
        ExampleData data,
        Settings settings,
        IEnumerable<int[]> batches,
        Session session,
        Action advance
    )
    {
        var ways = new ThreeWays(net, loss, settings.LearningRate!.Value);
        var report = ways.Lockstep(
            batches.Select(indices => (ExampleData.Images(data.Train, indices, settings.Precision), ExampleData.Labels(data.Train, indices))),
            new Advancing(advance),
            session.Cancelled
        );
        var chosen = GradientPath.Named(settings.Path);
        return report with { Rows = [.. report.Rows.Where(row => chosen.Any(path => path.Way == row.Way))] };
    }

    private sealed class Advancing(Action advance) : IProgress<TrainingStep>
    {
        public void Report(TrainingStep value) => advance();
    }
}

/// <summary>What was found out about one network.</summary>
/// <param name="Model">The network.</param>
/// <param name="Parameters">How many numbers it learns.</param>
/// <param name="Gradients">Its gradients, layer by layer.</param>
/// <param name="Lockstep">Gradients from the same state, step by step; null if there is one path alone.</param>
/// <param name="Epochs">Its free-running training.</param>
internal sealed record ModelFindings(string Model, long Parameters, CheckReport Gradients, TrainingReport? Lockstep, IReadOnlyList<PathEpoch> Epochs)
{
    /// <summary>Whether all of it agrees.</summary>
    internal bool Agrees => Gradients.Succeeded && Lockstep?.Succeeded != false && Epochs.All(epoch => epoch.Agrees);
}
