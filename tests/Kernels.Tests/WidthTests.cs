using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Rule R10 across register widths and threads: the suite starts itself with wide instructions switched off, and every kernel must
/// give the same bits. Without AVX2 the runtime also takes fused multiply-add away; the kernels then call the scalar function of the same name.
/// </summary>
public sealed class WidthTests
{
    public static TheoryData<string, int, int> Machines =>
        new()
        {
            { "DOTNET_EnableAVX512=0", 256, 1 },
            { "DOTNET_EnableAVX512=0", 256, 3 },
            { "DOTNET_EnableAVX2=0", 128, 1 },
            { "DOTNET_EnableAVX=0", 128, 2 },
            { "DOTNET_EnableHWIntrinsic=0", 128, 1 },
        };

    [Theory]
    [MemberData(nameof(Machines))]
    public void Every_width_gives_the_same_bits(string setting, int expectedBits, int threads)
    {
        Dictionary<string, string> here = Digest.All(WorkerPool.Serial).ToDictionary(job => job.Name, job => job.Digest);
        Dictionary<string, string> there = RunChild(setting, threads);

        Assert.Equal(Math.Min(expectedBits, CpuFeatures.VectorBits).ToString(), there["bits"]);
        there.Remove("bits");
        Assert.True(here.Count >= 180, $"only {here.Count} jobs");
        Assert.Equal(here.Keys.Order(), there.Keys.Order());
        Assert.Equal([], here.Where(job => there[job.Key] != job.Value).Select(job => job.Key));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(64)]
    public void Every_number_of_threads_gives_the_same_bits(int threads)
    {
        Dictionary<string, string> one = Digest.All(WorkerPool.Serial).ToDictionary(job => job.Name, job => job.Digest);
        Dictionary<string, string> many = Digest.All(new WorkerPool(threads)).ToDictionary(job => job.Name, job => job.Digest);
        Assert.Equal([], one.Where(job => many[job.Key] != job.Value).Select(job => job.Key));
    }

    [Fact]
    public void Digests_tell_results_apart()
    {
        IEnumerable<string> digests = Digest.All(WorkerPool.Serial).Select(job => job.Digest);
        Assert.True(digests.Distinct().Count() > 150);
    }

    private static Dictionary<string, string> RunChild(string setting, int threads)
    {
        ProcessStartInfo start = new(Host()) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(typeof(WidthTests).Assembly.Location);
        start.ArgumentList.Add(threads.ToString());
        string[] parts = setting.Split('=');
        start.Environment[parts[0]] = parts[1];
        using Process child = Process.Start(start)!;
        Task<string> error = child.StandardError.ReadToEndAsync();
        string output = child.StandardOutput.ReadToEnd();
        Assert.True(child.WaitForExit(TimeSpan.FromSeconds(60)), "The child did not end.");
        Assert.True(child.ExitCode == 0, error.Result);
        return output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Trim().Split(' '))
            .ToDictionary(words => words[0], words => words[1]);
    }

    /// <summary>The dotnet command that owns the runtime of this process.</summary>
    private static string Host()
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
    }
}
