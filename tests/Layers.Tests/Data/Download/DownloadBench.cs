using System.Collections.Immutable;
using System.Security.Cryptography;
using Hybrid.Layers.Data;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data.Download;

/// <summary>A dataset of one small file, a cache folder for it, a clock that stands still and waits that take no time.</summary>
internal sealed class DownloadBench : IDisposable
{
    public const string Name = "pixels";
    public const string Served = Name + ".gz";

    /// <summary>What the file holds: 3,000 bytes.</summary>
    public static readonly byte[] Pixels = Noise(3000, seed: 1);

    /// <summary>What mirrors serve: 3,023 bytes.</summary>
    public static readonly byte[] Whole = GzipStored(Pixels);

    public static readonly DownloadFile Described = new(new(Name, Hash(Pixels)), Pixels.Length);

    public static readonly KnownDataset Dataset = new("Sample", "sample", ["0"], Described.File, Described.File, Described.File, Described.File);

    private readonly TemporaryFolder temporary = new();
    private readonly List<TimeSpan> waits = [];

    public DownloadBench()
    {
        Options = new()
        {
            Time = Time,
            Seed = 7,
            Wait = (delay, cancellation) =>
            {
                waits.Add(delay);
                Time.Advance(delay);
                return Task.Delay(0, cancellation);
            },
        };
    }

    public ManualTime Time { get; } = new();

    public DownloadOptions Options { get; set; }

    public IReadOnlyList<TimeSpan> Waits => waits;

    public string Cache => temporary.Path;

    public string Folder => Path.Combine(temporary.Path, "hybrid", "sample");

    public string Final => Path.Combine(Folder, Served);

    public DataEnvironment Environment => new(ImmutableDictionary<string, string>.Empty, Cache, Cache, Cache, "");

    public static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public string Write(string name, params byte[] bytes) => temporary.Write(Path.Combine("hybrid", "sample", name), bytes);

    /// <summary>The names in the folder, in order.</summary>
    public string[] Names() =>
        Directory.Exists(Folder) ? [.. Directory.GetFiles(Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)!] : [];

    public Task<DownloadResult> Run(params Uri[] mirrors) => Run(CancellationToken.None, mirrors);

    public Task<DownloadResult> Run(CancellationToken cancellation, params Uri[] mirrors) =>
        Datasets
            .DownloadAsync(new(Dataset, [.. mirrors], [Described]), Environment, Options, cancellation)
            .WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);

    public void Dispose() => temporary.Dispose();
}

/// <summary>Calls at once, where Progress posts.</summary>
internal sealed class Told(Action<DownloadProgress> report) : IProgress<DownloadProgress>
{
    public void Report(DownloadProgress value) => report(value);
}
