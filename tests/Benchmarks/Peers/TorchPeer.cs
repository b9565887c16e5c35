using System.Diagnostics;
using System.Globalization;

namespace Hybrid.Benchmarks.Peers;

/// <summary>Settings of a peer's process that may make it faster; which does is tried out.</summary>
/// <param name="Name">What they are called in the report.</param>
/// <param name="Variables">Its environment.</param>
internal sealed record PeerSetting(string Name, IReadOnlyDictionary<string, string> Variables)
{
    // glibc then keeps the memory it was given.
    private static readonly (string, string)[] Memory =
    [
        ("MALLOC_MMAP_THRESHOLD_", "2000000000"),
        ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
        ("MALLOC_TOP_PAD_", "67108864"),
    ];

    /// <summary>The settings, as data.</summary>
    internal static IReadOnlyList<PeerSetting> All { get; } =
    [Of("default"), Of("memory", Memory), Of("avx512+memory", [("ATEN_CPU_CAPABILITY", "avx512"), .. Memory])];

    private static PeerSetting Of(string name, params (string Name, string Value)[] variables) =>
        new(name, variables.ToDictionary(variable => variable.Name, variable => variable.Value));
}

/// <summary>A Python process that runs PyTorch's side in blocks; peers/torch_peer.py says what the two tell each other.</summary>
internal sealed class TorchPeer : IDisposable
{
    private readonly Process process;

    private TorchPeer(PeerSetting setting, Process process) => (Setting, this.process) = (setting, process);

    /// <summary>What it was started with.</summary>
    internal PeerSetting Setting { get; }

    /// <summary>PyTorch's version.</summary>
    internal string Version { get; private set; } = "";

    /// <summary>GFLOP/s of its BLAS in a product of 512 x 784 x 128.</summary>
    internal double ProductRate { get; private set; }

    /// <summary>The ways of writing the workload.</summary>
    internal IReadOnlyList<string> Variants { get; private set; } = [];

    /// <summary>Starts a process. <see cref="Await"/> must follow; between them it loads.</summary>
    internal static TorchPeer Start(string python, PeerSetting setting, string? blas, IEnumerable<string> arguments)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "peers", "torch_peer.py");
        var start = new ProcessStartInfo(python, ["-W", "ignore", script, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in setting.Variables)
            start.Environment[name] = value;
        if (blas is not null)
            start.Environment["LD_LIBRARY_PATH"] = $"{blas}:{Environment.GetEnvironmentVariable("LD_LIBRARY_PATH")}".TrimEnd(':');
        return new(setting, Process.Start(start)!);
    }

    /// <summary>Waits until it has loaded.</summary>
    /// <exception cref="BenchmarkException">It ended instead; what it wrote is on the error stream.</exception>
    internal void Await()
    {
        if (Read().Split(' ') is not ["ready", var version, var rate])
            throw Failed("did not say that it is ready");
        (Version, ProductRate) = (version, Number(rate));
        process.StandardInput.WriteLine("variants");
        Variants = Read().Split(' ');
    }

    /// <summary>Runs steps of a variant for at least so long.</summary>
    internal Block Run(string variant, double seconds)
    {
        process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"run {variant} {seconds:F6}"));
        return Read().Split(' ') is [var count, var wall, var cpu]
            ? new((int)Number(count), Number(wall), Number(cpu))
            : throw Failed($"did not run {variant}");
    }

    /// <summary>Ends the process.</summary>
    public void Dispose()
    {
        try
        {
            process.StandardInput.Close();
            if (!process.WaitForExit(2_000))
                process.Kill();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // It has ended already.
        }
        process.Dispose();
    }

    private string Read() => process.StandardOutput.ReadLine() ?? throw Failed("ended early");

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static BenchmarkException Failed(string what) => new($"The peer {what}; its own message is above.", ExitCodes.Failed);
}
