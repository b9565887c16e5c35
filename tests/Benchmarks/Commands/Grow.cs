using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.Commands;

/// <summary>How the cost of a training step grows with batch, width and depth: time, nodes and bytes of the graph, for each unit of work.</summary>
internal static class Grow
{
    /// <summary>One row: how large it is, the network, and how many units of work are in its step.</summary>
    private sealed record Point(int Size, Workload Workload, double Units);

    /// <summary>One table.</summary>
    /// <param name="Name">What grows.</param>
    /// <param name="Unit">What the cost is divided by.</param>
    /// <param name="Points">The rows, smallest first.</param>
    private sealed record Sweep(string Name, string Unit, IReadOnlyList<Point> Points);

    private static readonly CrossEntropyLoss CrossEntropy = new();

    // Depth is measured on layers so small that the graph, and not its arithmetic, is the cost.
    private static readonly Sweep[] Sweeps =
    [
        new("batch", "sample", [.. Powers(1, 4096, 4).Select(batch => new Point(batch, Mlp(batch, 784, 128, 10), batch))]),
        new(
            "width",
            "Mmadd",
            [.. Powers(64, 4096, 2).Select(width => new Point(width, Mlp(64, 64, width, width, 10), Products(64, 64, width, width, 10)))]
        ),
        new(
            "depth",
            "layer",
            [.. new[] { 1, 2, 5, 10, 20, 50, 100 }.Select(depth => new Point(depth, Mlp(4, [.. Enumerable.Repeat(16, depth), 10]), depth))]
        ),
    ];

    /// <summary>What can grow.</summary>
    internal static IReadOnlyList<string> Names { get; } = [.. Sweeps.Select(sweep => sweep.Name)];

    /// <summary>Runs the command.</summary>
    /// <param name="name">What grows; null for all, one after another.</param>
    /// <param name="path">One of <see cref="Steps.Paths"/>.</param>
    /// <param name="threads">Threads that compute.</param>
    /// <param name="seconds">Measured seconds for each row.</param>
    /// <param name="byCpu">Whether CPU time of the process counts, and not the clock.</param>
    internal static int Run(string? name, string path, int threads, double seconds, bool byCpu)
    {
        using var engine = new Engine(new EngineOptions { Threads = threads }).Use();
        Report.Line($"path {path}, threads {threads}, {(byCpu ? "CPU time" : "time by the clock")}, load {Machine.Load()}");
        foreach (var sweep in Sweeps.Where(sweep => name is null || sweep.Name == name))
        {
            Report.Line(
                $"{sweep.Name, 6} {"ms/step", 10} {$"us/{sweep.Unit}", 12} {"nodes/step", 11} {"us/node", 8} {"graph bytes", 12} {$"bytes/{sweep.Unit}", 13}"
            );
            var costs = sweep.Points.Select(point => Print(point, path, seconds, byCpu)).ToArray();
            Report.Line($"{sweep.Name}: the last us/{sweep.Unit} is {costs[^1] / costs[..^1].Min():F2} of the least before it");
        }
        return ExitCodes.Done;
    }

    /// <summary>Measures and prints one row; returns microseconds for a unit.</summary>
    private static double Print(Point point, string path, double seconds, bool byCpu)
    {
        var step = Steps.Create(point.Workload, path, Examples.Load(point.Workload.Data));
        var block = Block.Run(step, seconds);
        var time = 1e3 * (byCpu ? block.CpuMilliseconds : block.WallMilliseconds);
        var bytes = Alloc.Measure(step).Graph;
        var before = Mode.Built;
        step();
        var nodes = Mode.Built - before;
        Report.Line(
            $"{point.Size, 6} {time / 1e3, 10:F3} {time / point.Units, 12:F3} {nodes, 11} {(nodes > 0 ? time / nodes : 0), 8:F2} {bytes, 12:N0} {bytes / point.Units, 13:N0}"
        );
        return time / point.Units;
    }

    private static Workload Mlp(int batch, params int[] widths) =>
        new(
            string.Join('-', widths),
            seed => WorkloadTable.Mlp(seed, widths),
            new(DataSource.Noise, [widths[0]], 2 * batch),
            batch,
            CrossEntropy,
            cells => new SGD(cells, 0.01)
        );

    /// <summary>Millions of multiply-adds in a step: three products for each layer, two for the first, as its input has no gradient.</summary>
    private static double Products(int batch, params int[] widths)
    {
        var weights = Enumerable.Range(1, widths.Length - 1).Select(i => (double)widths[i - 1] * widths[i]).ToArray();
        return batch * ((3 * weights.Sum()) - weights[0]) / 1e6;
    }

    private static IEnumerable<int> Powers(int from, int to, int factor)
    {
        for (var value = from; value <= to; value *= factor)
            yield return value;
    }
}
