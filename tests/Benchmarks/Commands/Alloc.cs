using System.Diagnostics;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Benchmarks.Commands;

/// <summary>
/// Bytes that a step takes from the garbage collector, on the thread that runs it: memory of tensors that no collected value could give
/// (<see cref="Storage.FreshBytes"/>), and all the rest, which are the objects of the graph.
/// </summary>
internal static class Alloc
{
    private const int Steps = 50;
    private const int StillSteps = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WarmLimit = TimeSpan.FromSeconds(10);

    /// <summary>Runs the command.</summary>
    /// <param name="name">A workload, or null for all.</param>
    /// <param name="path">A path, or null for all.</param>
    internal static int Run(string? name, string? path)
    {
        using var engine = new Engine(new EngineOptions { Threads = 1 }).Use();
        var workloads = name is null ? WorkloadTable.All : [WorkloadTable.Named(name)];
        Report.Line($"{"workload", -12} {"path", -10} {"bytes/step", 12} {"graph", 12} {"tensors", 12} {"collections/1000 steps", 24}");
        foreach (var group in workloads.GroupBy(workload => workload.Data))
        {
            var examples = Examples.Load(group.Key);
            foreach (var workload in group)
            {
                foreach (var each in Workloads.Steps.Paths.Where(candidate => path is null || candidate == path))
                {
                    var step = Workloads.Steps.Create(workload, each, examples);
                    Warm(step);
                    var (graph, tensors, collections) = Measure(step);
                    Report.Line($"{workload.Name, -12} {each, -10} {graph + tensors, 12:N0} {graph, 12:N0} {tensors, 12:N0} {collections, 24:F1}");
                }
            }
        }
        return ExitCodes.Done;
    }

    /// <summary>Bytes of a step's graph, and fresh ones of its tensors, and collections in 1000 steps.</summary>
    internal static (double Graph, double Tensors, double Collections) Measure(Action step)
    {
        var (bytes, tensors, collections) = (GC.GetAllocatedBytesForCurrentThread(), Storage.FreshBytes, GC.CollectionCount(0));
        var steps = (double)Repeat(step, Steps);
        var fresh = Storage.FreshBytes - tensors;
        return ((GC.GetAllocatedBytesForCurrentThread() - bytes - fresh) / steps, fresh / steps, (GC.CollectionCount(0) - collections) * 1e3 / steps);
    }

    // The pool asks for a collection only when it has handed out half of what is alive; until then every block is a new one.
    private static void Warm(Action step)
    {
        var clock = Stopwatch.StartNew();
        long before;
        do
        {
            before = Storage.FreshBytes;
            Repeat(step, StillSteps);
        } while (Storage.FreshBytes - before >= StillSteps * 1024 && clock.Elapsed < WarmLimit);
    }

    private static int Repeat(Action step, int most)
    {
        var clock = Stopwatch.StartNew();
        var steps = 0;
        while (steps < most && (steps < 2 || clock.Elapsed < Limit))
        {
            step();
            steps++;
        }
        return steps;
    }
}
