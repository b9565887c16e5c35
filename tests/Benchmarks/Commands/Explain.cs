using System.Diagnostics;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;

namespace Hybrid.Benchmarks.Commands;

/// <summary>The plans of a workload's step in words, every step with its share of the time.</summary>
internal static class Explain
{
    private static readonly TimeSpan Timed = TimeSpan.FromSeconds(2);

    /// <summary>Runs the command.</summary>
    internal static int Run(string name, int threads, string path)
    {
        var workload = WorkloadTable.Named(name);
        var examples = Examples.Load(workload.Data);
        // What is compiled meanwhile would be part of the mean: a second engine times the kernels.
        Within(new EngineOptions { Threads = threads }, Block.Settle);
        var (steps, seconds) = (0, 0.0);
        var engine = Within(
            new EngineOptions { Threads = threads, Measure = true },
            step =>
            {
                var clock = Stopwatch.StartNew();
                for (; clock.Elapsed < Timed; steps++)
                    step();
                seconds = clock.Elapsed.TotalSeconds;
            }
        );
        Report.Line($"{steps} steps, {seconds / steps * 1e6:F1} us a step");
        Report.Line($"{engine.Explain()}");
        return ExitCodes.Done;

        Engine Within(EngineOptions options, Action<Action> run)
        {
            var engine = new Engine(options);
            using var scope = engine.Use();
            run(Workloads.Steps.Create(workload, path, examples));
            return engine;
        }
    }
}
