using System.Diagnostics;

namespace Hybrid.Benchmarks;

/// <summary>What is known of the machine, and the middle of what was measured on it.</summary>
internal static class Machine
{
    private const string LoadFile = "/proc/loadavg";

    /// <summary>Processes that want a processor, over the last minute; empty where this is not known.</summary>
    internal static string Load() => File.Exists(LoadFile) ? File.ReadAllText(LoadFile).Split(' ')[0] : "";

    /// <summary>
    /// Keeps this thread, and the processes it starts from now on, on one processor. On a shared host each processor has neighbours of its own, so
    /// two processes on two of them differ by up to 1.8 for seconds at a time, whatever they run.
    /// </summary>
    internal static void StayOnOneProcessor()
    {
        if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
        {
            using var process = Process.GetCurrentProcess();
            var allowed = process.ProcessorAffinity;
            if (allowed != 0) // Processors from the 65th on are not in it.
                process.ProcessorAffinity = allowed & -allowed;
        }
    }

    /// <summary>The middle value.</summary>
    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        var middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
