using System.Diagnostics;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;

namespace Hybrid.Benchmarks.Commands;

/// <summary>
/// Bytes that a step takes from the garbage collector, on the thread that runs it: graph objects, and memory of tensors that the pool of
/// collected values could not give (<see cref="Hybrid.Kernels.StoragePool"/>).
/// </summary>
internal static class Alloc
{
    private const int WarmSteps = 20;
    private const int Steps = 50;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Runs the command.</summary>
    /// <param name="name">A workload, or null for all.</param>
    /// <param name="path">A path, or null for all.</param>
    internal static int Run(string? name, string? path)
    {
        using var engine = new Engine(new EngineOptions { Threads = 1 }).Use();
        var workloads = name is null ? WorkloadTable.All : [WorkloadTable.Named(name)];
        Report.Line($"{"workload", -12} {"path", -10} {"bytes/step", 12} {"collections/1000 steps", 24}");
        foreach (var group in workloads.GroupBy(workload => workload.Data))
        {
            var examples = Examples.Load(group.Key);
            foreach (var workload in group)
            {
                foreach (var each in Workloads.Steps.Paths.Where(candidate => path is null || candidate == path))
                {
                    var (bytes, collections) = Measure(Workloads.Steps.Create(workload, each, examples));
                    Report.Line($"{workload.Name, -12} {each, -10} {bytes, 12:N0} {collections, 24:F1}");
                }
            }
        }
        return ExitCodes.Done;
    }

    private static (double Bytes, double Collections) Measure(Action step)
    {
        Repeat(step, WarmSteps);
        var (bytes, collections) = (GC.GetAllocatedBytesForCurrentThread(), GC.CollectionCount(0));
        var steps = Repeat(step, Steps);
        return ((GC.GetAllocatedBytesForCurrentThread() - bytes) / (double)steps, (GC.CollectionCount(0) - collections) * 1e3 / steps);
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
