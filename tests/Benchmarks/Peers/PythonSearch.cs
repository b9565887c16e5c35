using System.Diagnostics;

namespace Hybrid.Benchmarks.Peers;

/// <summary>Finds a Python that has PyTorch, and a fast BLAS for it.</summary>
internal static class PythonSearch
{
    private const string Question = "import sys, importlib.util as u; sys.exit(0 if u.find_spec('torch') and u.find_spec('numpy') else 9)";
    private const string Advice = "Install PyTorch (on Debian: apt-get install python3-torch python3-numpy libopenblas0-openmp)";

    /// <summary>The Python that was named, or the first python3 in PATH that has PyTorch.</summary>
    /// <exception cref="BenchmarkException">There is none.</exception>
    internal static string Find(string? named)
    {
        if (named is not null)
        {
            return HasTorch(named)
                ? named
                : throw new BenchmarkException($"{named} does not run or has no torch. {Advice}, or name another --python.", ExitCodes.Missing);
        }
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var candidates = folders.Select(folder => Path.Combine(folder, "python3")).Where(File.Exists).Distinct().ToArray();
        if (candidates.FirstOrDefault(HasTorch) is { } found)
            return found;
        var tried = candidates is [] ? "there is no python3 in PATH" : $"none of these has torch: {string.Join(", ", candidates)}";
        throw new BenchmarkException($"No peer to compare with: {tried}. {Advice}, or name a Python with --python.", ExitCodes.Missing);
    }

    /// <summary>The folder of Debian's OpenBLAS, the OpenMP build first; null if there is none.</summary>
    internal static string? OpenBlasFolder()
    {
        const string libraries = "/usr/lib";
        if (!OperatingSystem.IsLinux() || !Directory.Exists(libraries))
            return null;
        return new[] { "openblas-openmp", "openblas-pthread" }
            .SelectMany(build => Directory.EnumerateDirectories(libraries).Select(folder => Path.Combine(folder, build)))
            .FirstOrDefault(Directory.Exists);
    }

    private static bool HasTorch(string python)
    {
        try
        {
            var start = new ProcessStartInfo(python, ["-c", Question]) { RedirectStandardError = true, RedirectStandardOutput = true };
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
