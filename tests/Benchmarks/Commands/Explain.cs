using System.Diagnostics;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;

namespace Hybrid.Benchmarks.Commands;

/// <summary>The plans of a workload's step in words, every step with its share of the time.</summary>
internal static class Explain
{
    private static readonly TimeSpan Warm = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Timed = TimeSpan.FromSeconds(2);

    /// <summary>Runs the command.</summary>
    internal static int Run(string name, int threads, string path)
    {
        var workload = WorkloadTable.Named(name);
        var examples = Examples.Load(workload.Data);
        // Kernels compile while they are warmed up, which would be part of the mean: a second engine times them.
        Repeat(new EngineOptions { Threads = threads }, Warm);
        var (engine, steps, seconds) = Repeat(new EngineOptions { Threads = threads, Measure = true }, Timed);
        Report.Line($"{steps} steps, {seconds / steps * 1e6:F1} us a step");
        Report.Line($"{engine.Explain()}");
        return ExitCodes.Done;

        (Engine Engine, int Steps, double Seconds) Repeat(EngineOptions options, TimeSpan time)
        {
            var engine = new Engine(options);
            using var scope = engine.Use();
            var step = Workloads.Steps.Create(workload, path, examples);
            var clock = Stopwatch.StartNew();
            var count = 0;
            for (; clock.Elapsed < time; count++)
                step();
            return (engine, count, clock.Elapsed.TotalSeconds);
        }
    }
}
