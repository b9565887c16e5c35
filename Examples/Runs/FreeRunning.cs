using Hybrid.Core;
using Hybrid.Core.Checking;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>
/// One network trained by several paths, each going on from its own parameters, on the same batches. After each epoch the parameters are
/// compared with those of the automatic path: in float64 the difference is judged; in float32 it is shown beside that of a twin of the
/// automatic path whose parameters began one unit in the last place higher.
/// </summary>
internal sealed class FreeRunning
{
    private readonly Runner[] runners;
    private readonly Module? twin;
    private readonly Loss loss;
    private readonly ExampleData data;
    private readonly Settings settings;
    private readonly Session session;
    private readonly BatchOrder order;
    private readonly int steps;

    /// <summary>Prepares the training.</summary>
    /// <param name="net">The network; each path trains a copy.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="data">The images.</param>
    /// <param name="settings">What the user asked for.</param>
    /// <param name="session">Where the user may interrupt.</param>
    /// <param name="order">The batches.</param>
    /// <param name="steps">With how many batches each epoch begins and ends.</param>
    internal FreeRunning(Module net, Loss loss, ExampleData data, Settings settings, Session session, BatchOrder order, int steps)
    {
        (this.loss, this.data, this.settings, this.session, this.order, this.steps) = (loss, data, settings, session, order, steps);
        // The automatic path comes last: the others are compared with it.
        Paths = [.. GradientPath.All.Where(path => path == GradientPath.Automatic || GradientPath.Named(settings.Path).Contains(path))];
        runners = [.. Paths.Select(path => new Runner(path, net.Clone()))];
        twin = settings.Precision == ElementType.Float32 && Paths.Count > 1 ? OneUlpHigher(net) : null;
    }

    /// <summary>The paths that are trained, the automatic one last.</summary>
    internal IReadOnlyList<GradientPath> Paths { get; }

    /// <summary>Trains, and gives one result for each epoch and path.</summary>
    /// <param name="advance">Is told of each step of a path, by its index.</param>
    internal IReadOnlyList<PathEpoch> Run(Action<int> advance)
    {
        var epochs = new List<PathEpoch>();
        for (var epoch = 0; epoch < settings.Epochs; epoch++)
        {
            var sums = new double[runners.Length];
            var images = 0;
            foreach (var indices in order.Epoch(epoch).Take(steps))
            {
                Step(indices, sums, advance);
                images += indices.Length;
            }
            epochs.AddRange(AfterEpoch(epoch, images, sums));
        }
        return epochs;
    }

    private void Step(int[] indices, double[] sums, Action<int> advance)
    {
        session.Checkpoint();
        var batch = new Batch(ExampleData.Images(data.Train, indices, settings.Precision), ExampleData.Labels(data.Train, indices));
        var rate = settings.LearningRate!.Value;
        for (var i = 0; i < runners.Length; i++)
        {
            sums[i] += runners[i].Path.Step(runners[i].Net, loss, batch, rate).Item() * batch.Count;
            advance(i);
        }
        if (twin is not null)
            GradientPath.Automatic.Step(twin, loss, batch, rate);
    }

    private IEnumerable<PathEpoch> AfterEpoch(int epoch, int images, double[] sums)
    {
        var automatic = runners[^1].Net;
        double? other = twin is null ? null : Apart(automatic, twin).Relative;
        for (var i = 0; i < runners.Length; i++)
        {
            var test = Accuracy.Of(runners[i].Net, data.Test, settings.Precision, session);
            var apart = i == runners.Length - 1 ? null : Apart(automatic, runners[i].Net);
            var bound = apart is null || settings.Precision == ElementType.Float32 ? (double?)null : ThreeWays.DriftBound;
            yield return new(epoch, runners[i].Path.Name, sums[i] / images, test.Percent, apart, bound, other);
        }
    }

    private static Difference Apart(Module automatic, Module other)
    {
        Difference? worst = null;
        foreach (var ((name, a), b) in automatic.NamedParameters().Zip(other.Parameters()))
        {
            var compared = Comparison.Of(a.Value, b.Value);
            if (worst is null || !(compared.MaxRelative <= worst.Relative))
                worst = new(name, compared.WorstIndex, compared.MaxRelative, compared.LeftAtWorst, compared.RightAtWorst);
        }
        return worst!;
    }

    private static Module OneUlpHigher(Module net)
    {
        var twin = net.Clone();
        var cells = twin.Parameters();
        Cell.SetAll(
            cells,
            [.. cells.Select(cell => Tensor.From<float>(Array.ConvertAll(cell.Value.ToArray<float>(), MathF.BitIncrement), cell.Shape))]
        );
        return twin;
    }

    private sealed record Runner(GradientPath Path, Module Net);
}

/// <summary>Where the parameters of two networks are furthest apart.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Index">The element.</param>
/// <param name="Relative">The difference there, divided by the parameter's largest value.</param>
/// <param name="Automatic">The automatic path's value there.</param>
/// <param name="Other">The other path's.</param>
internal sealed record Difference(string Parameter, IReadOnlyList<int> Index, double Relative, double Automatic, double Other);

/// <summary>One path after one epoch.</summary>
/// <param name="Epoch">The epoch, counted from 0.</param>
/// <param name="Path">The path.</param>
/// <param name="Loss">The mean loss over the images of its steps, each before its step.</param>
/// <param name="Test">The test accuracy in percent.</param>
/// <param name="Apart">How far its parameters are from the automatic path's; null for that path itself.</param>
/// <param name="Bound">What that is judged by; null where it is only reported.</param>
/// <param name="Twin">How far the twin's parameters are from the automatic path's; null in float64.</param>
internal sealed record PathEpoch(int Epoch, string Path, double Loss, double Test, Difference? Apart, double? Bound, double? Twin)
{
    /// <summary>Whether it is within its bound, if it has one.</summary>
    internal bool Agrees => double.IsFinite(Loss) && (Bound is null || Apart!.Relative <= Bound);
}
