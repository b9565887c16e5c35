using System.Diagnostics;

namespace Hybrid.Benchmarks;

/// <summary>Steps in one go: how many, and how long they took by the clock and in CPU time of the process.</summary>
/// <param name="Count">How many steps.</param>
/// <param name="Wall">Seconds by the clock.</param>
/// <param name="Cpu">CPU seconds of the process, all threads.</param>
internal readonly record struct Block(int Count, double Wall, double Cpu)
{
    private const double WarmShare = 0.1;

    /// <summary>Milliseconds for a step by the clock.</summary>
    internal double WallMilliseconds => Wall / Count * 1e3;

    /// <summary>CPU milliseconds for a step.</summary>
    internal double CpuMilliseconds => Cpu / Count * 1e3;

    /// <summary>Runs steps for at least so long, after a few that bring their data back into the caches.</summary>
    internal static Block Run(Action step, double seconds)
    {
        var clock = Stopwatch.StartNew();
        for (var warm = 0; warm < 2 || clock.Elapsed.TotalSeconds < WarmShare * seconds; warm++)
            step();
        var before = CpuSeconds();
        clock.Restart();
        for (var count = 1; ; count++)
        {
            step();
            var wall = clock.Elapsed.TotalSeconds;
            if (wall >= seconds)
                return new(count, wall, CpuSeconds() - before);
        }
    }

    private static double CpuSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
