using System.Diagnostics;
using System.Runtime;

namespace Hybrid.Benchmarks;

/// <summary>Steps in one go: how many, and how long they took by the clock and in CPU time of the process.</summary>
/// <param name="Count">How many steps.</param>
/// <param name="Wall">Seconds by the clock.</param>
/// <param name="Cpu">CPU seconds of the process, all threads.</param>
internal readonly record struct Block(int Count, double Wall, double Cpu)
{
    private const double WarmShare = 0.1;

    // The runtime waits 0.1 s for more to do before it compiles for speed what has run often, and 1 s where it was started on one processor.
    private const double Idle = 1.2;
    private const double Longest = 15;

    // What runs once a step is compiled for speed after 30 calls, some of it twice.
    private const int FewestSteps = 60;

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

    /// <summary>Runs steps until the JIT has had nothing to do for a while: quick first versions of methods take several times as long as those that stay.</summary>
    internal static void Settle(Action step)
    {
        var clock = Stopwatch.StartNew();
        var (compiled, changed) = (JitInfo.GetCompiledMethodCount(), 0.0);
        var now = 0.0;
        for (var steps = 0; (steps < FewestSteps || now < changed + Idle) && now < Longest; steps++)
        {
            step();
            now = clock.Elapsed.TotalSeconds;
            if (JitInfo.GetCompiledMethodCount() is var count && count != compiled)
                (compiled, changed) = (count, now);
        }
    }

    private static double CpuSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
