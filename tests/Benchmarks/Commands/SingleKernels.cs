using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Hybrid.Benchmarks.KernelCases;
using Perfolizer.Horology;

namespace Hybrid.Benchmarks.Commands;

/// <summary>Single kernels under BenchmarkDotNet: median time, spread, GFLOP/s and GB/s.</summary>
internal static class SingleKernels
{
    private const int WarmRounds = 2;
    private const int Rounds = 9;

    /// <summary>Runs the command.</summary>
    /// <param name="part">Part of the names of the kernels to run; empty for all.</param>
    /// <param name="threads">Threads that compute.</param>
    /// <param name="seconds">Measured seconds for each kernel.</param>
    /// <exception cref="BenchmarkException">No kernel has such a name, or one failed.</exception>
    internal static int Run(string part, int threads, double seconds)
    {
        var chosen = KernelTable.All.Where(kernel => kernel.Name.Contains(part, StringComparison.OrdinalIgnoreCase)).ToArray();
        if (chosen.Length == 0)
            throw new BenchmarkException($"No kernel's name contains '{part}'; 'matmul' is in some, and without --only all run.", ExitCodes.Usage);
        Report.Note($"{chosen.Length} kernels; the table comes at the end, after about {chosen.Length * ((2 * seconds) + 0.5):F0} seconds.");
        (KernelBenchmark.Chosen, KernelBenchmark.Threads) = (chosen, threads);
        var folder = Directory.CreateTempSubdirectory("hybrid-kernels");
        try
        {
            var reports = BenchmarkRunner
                .Run<KernelBenchmark>(Config(seconds, folder.FullName))
                .Reports.ToDictionary(report => (KernelCase)report.BenchmarkCase.Parameters[nameof(KernelBenchmark.Kernel)]);
            Report.Line($"threads {threads}, load {Machine.Load()}: median, least and most of {Rounds}; rates at the median");
            Report.Line($"{"kernel", -60} {"median us", 11} {"least", 11} {"most", 11} {"GFLOP/s", 8} {"GB/s", 7}");
            foreach (var kernel in chosen)
                Print(kernel, reports.GetValueOrDefault(kernel));
            return ExitCodes.Done;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Print(KernelCase kernel, BenchmarkReport? report)
    {
        if (report?.ResultStatistics is not { } times)
        {
            var why = string.Join(' ', report?.ExecuteResults.SelectMany(result => result.Results) ?? ["It was not started."]);
            throw new BenchmarkException($"{kernel}: no time was measured. {why}", ExitCodes.Failed);
        }
        // BenchmarkDotNet gives nanoseconds, and units per nanosecond are thousand millions per second.
        var operations = kernel.Operations > 0 ? (FormattableString)$"{kernel.Operations / times.Median:F1}" : $"-";
        Report.Line(
            $"{kernel, -60} {times.Median / 1e3, 11:F2} {times.Min / 1e3, 11:F2} {times.Max / 1e3, 11:F2} {FormattableString.Invariant(operations), 8} {kernel.Bytes / times.Median, 7:F1}"
        );
    }

    // In this process: nothing is generated or built, and the settings are those of the benchmark program.
    private static IConfig Config(double seconds, string folder) =>
        ManualConfig
            .CreateEmpty()
            .AddJob(
                Job.Default.WithToolchain(InProcessEmitToolchain.Instance)
                    .WithWarmupCount(WarmRounds)
                    .WithIterationCount(Rounds)
                    .WithIterationTime(TimeInterval.FromSeconds(seconds / Rounds))
            )
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(folder);
}
