using System.Globalization;
using Hybrid.Benchmarks.Peers;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;

namespace Hybrid.Benchmarks.Commands;

/// <summary>What to compare, and how long.</summary>
/// <param name="Workload">The workload's name.</param>
/// <param name="Threads">Threads on each side; with one, both sides stay on one processor.</param>
/// <param name="Path">One of <see cref="Steps.Paths"/>.</param>
/// <param name="Seconds">Seconds of measured blocks, both sides together.</param>
/// <param name="Rounds">Pairs of blocks.</param>
/// <param name="ByCpu">Whether CPU time of the processes decides, and not the clock.</param>
/// <param name="Python">The Python to use; null for the first in PATH that has PyTorch.</param>
/// <param name="Blas">The folder of the BLAS for the peer; null for Debian's OpenBLAS, if it is there.</param>
internal sealed record CompareSettings(
    string Workload,
    int Threads,
    string Path,
    double Seconds,
    int Rounds,
    bool ByCpu,
    string? Python,
    string? Blas
);

/// <summary>Runs our steps and PyTorch's alternately, in short blocks of the same minutes, and compares each pair of neighbours.</summary>
internal static class Compare
{
    // A reference BLAS makes 2 to 4 GFLOP/s of it on any machine of these years, OpenBLAS 50 and more.
    private const double SlowProduct = 20;
    private const double TrialSeconds = 0.15;
    private const int Trials = 3;

    /// <summary>The longest that OpenMP's threads and ours look for new work before they sleep, and some more.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(30);

    /// <summary>Runs the command.</summary>
    internal static int Run(CompareSettings settings)
    {
        var workload = WorkloadTable.Named(settings.Workload);
        if (settings.ByCpu && settings.Threads > 1)
            throw new BenchmarkException("--clock cpu is for --threads 1: with more, it adds up the threads, those that wait too.", ExitCodes.Usage);
        if (settings.Threads == 1)
            Machine.StayOnOneProcessor();
        var python = PythonSearch.Find(settings.Python);
        var blas = settings.Blas ?? PythonSearch.OpenBlasFolder();
        var digits = workload.Data.Source == DataSource.Digits ? Path.GetTempFileName() : null;
        var peers = new List<TorchPeer>();
        try
        {
            var examples = Examples.Load(workload.Data);
            if (digits is not null)
                WriteDigits(digits, examples);
            var arguments = PeerArguments(workload, settings.Threads, digits);
            foreach (var setting in PeerSetting.All)
                peers.Add(TorchPeer.Start(python, setting, blas, arguments));
            using var engine = new Engine(new EngineOptions { Threads = settings.Threads }).Use();
            var step = Steps.Create(workload, settings.Path, examples);
            foreach (var peer in peers)
                peer.Await();
            Describe(python, blas, peers[0]);
            var (best, variant) = Calibrate(peers, settings.ByCpu);
            foreach (var peer in peers.Where(peer => peer != best))
                peer.Dispose();
            Block.Settle(step);
            Measure(settings, Arithmetic.Operations(workload, examples), step, seconds => best.Run(variant, seconds));
            return ExitCodes.Done;
        }
        finally
        {
            foreach (var peer in peers)
                peer.Dispose();
            if (digits is not null)
                File.Delete(digits);
        }
    }

    private static List<string> PeerArguments(Workload workload, int threads, string? digits)
    {
        List<string> arguments = ["--workload", workload.Name, "--threads", threads.ToString(CultureInfo.InvariantCulture)];
        if (workload.Data.Source is DataSource.Mnist or DataSource.MnistTest)
            arguments.AddRange(["--mnist", Examples.MnistFolder()]);
        if (digits is not null)
            arguments.AddRange(["--digits", digits]);
        return arguments;
    }

    private static void Describe(string python, string? blas, TorchPeer peer)
    {
        Report.Line($"peer: PyTorch {peer.Version} of {python}, BLAS {blas ?? "as installed"}: {peer.ProductRate:F0} GFLOP/s in 512x784x128");
        if (peer.ProductRate < SlowProduct)
        {
            Report.Note(
                "The peer's BLAS is slow, probably the reference BLAS: the ratio says nothing. On Debian: apt-get install libopenblas0-openmp, "
                    + "or unpack that package anywhere and name its folder with --blas."
            );
        }
    }

    /// <summary>The fastest pair of a setting and a way of writing, each tried several times, all in turn.</summary>
    private static (TorchPeer Peer, string Variant) Calibrate(List<TorchPeer> peers, bool byCpu)
    {
        var tried = peers.SelectMany(peer => peer.Variants.Select(variant => (Peer: peer, Variant: variant))).ToArray();
        var best = tried.ToDictionary(pair => pair, _ => double.MaxValue);
        for (var trial = 0; trial < Trials; trial++)
        {
            foreach (var pair in tried)
                best[pair] = Math.Min(best[pair], Time(pair.Peer.Run(pair.Variant, TrialSeconds)));
        }
        foreach (var (pair, time) in best.OrderBy(entry => entry.Value))
            Report.Line($"  peer {pair.Peer.Setting.Name, -14} {pair.Variant, -15} {time, 9:F4} ms/step");
        return best.MinBy(entry => entry.Value).Key;

        double Time(Block block) => byCpu ? block.CpuMilliseconds : block.WallMilliseconds;
    }

    private static void Measure(CompareSettings settings, double operations, Action ours, Func<double, Block> theirs)
    {
        var seconds = settings.Seconds / settings.Rounds / 2;
        var pairs = new List<(Block Ours, Block Theirs)>();
        var peaks = new List<double>();
        Report.Line($"  round   ours ms (CPU)        peer ms (CPU)       ratio (CPU)   load");
        for (var round = 0; round < settings.Rounds; round++)
        {
            // Who goes first changes, so that a drift of the machine favours neither.
            var (first, second) = (default(Block), default(Block));
            if (round % 2 == 0)
            {
                (first, second) = (Own(), Other());
            }
            else
            {
                second = Other();
                first = Own();
            }
            pairs.Add((first, second));
            Thread.Sleep(Rest);
            peaks.Add(Peak.Brief(settings.Threads));
            Report.Line(
                $"  {round + 1, 5} {first.WallMilliseconds, 9:F4} ({first.CpuMilliseconds, 8:F4}) {second.WallMilliseconds, 9:F4} ({second.CpuMilliseconds, 8:F4}) {Wall(first, second), 7:F2} ({Cpu(first, second):F2})  {Machine.Load()}"
            );
        }
        Report.Line(
            $"by the clock: {Summary(pairs, Wall)}; ours {Median(pairs.Select(p => p.Ours.WallMilliseconds)):F4} ms, peer {Median(pairs.Select(p => p.Theirs.WallMilliseconds)):F4} ms"
        );
        Report.Line(
            $"by CPU time:  {Summary(pairs, Cpu)}; ours {Median(pairs.Select(p => p.Ours.CpuMilliseconds)):F4} ms, peer {Median(pairs.Select(p => p.Theirs.CpuMilliseconds)):F4} ms"
        );
        ReportRates(operations, pairs, settings.ByCpu, Median(peaks));
        var (graph, tensors, _) = Alloc.Measure(ours);
        Report.Line($"a step of ours allocates {graph:N0} bytes of graph and {tensors:N0} of tensors, its batch's indices included");
        Report.Line($"{settings.Workload} t{settings.Threads} {settings.Path} {Summary(pairs, settings.ByCpu ? Cpu : Wall)}");

        Block Own()
        {
            Thread.Sleep(Rest);
            return Block.Run(ours, seconds);
        }

        Block Other()
        {
            Thread.Sleep(Rest);
            return theirs(seconds);
        }
    }

    private static void ReportRates(double operations, List<(Block Ours, Block Theirs)> pairs, bool byCpu, double peak)
    {
        var ours = operations / Median(pairs.Select(p => Time(p.Ours))) / 1e6;
        var theirs = operations / Median(pairs.Select(p => Time(p.Theirs))) / 1e6;
        Report.Line(
            $"{operations / 1e6:F2} million operations a step, zeros included: ours {ours:F1} GFLOP/s, peer {theirs:F1}, of {peak:F1} in registers between the rounds: {ours / peak:P0} and {theirs / peak:P0} of the peak"
        );
        Report.Line($"at the peak, all terms of products and convolutions alone would take {theirs / peak:F2} of the peer's time");

        double Time(Block block) => byCpu ? block.CpuMilliseconds : block.WallMilliseconds;
    }

    private static double Wall(Block ours, Block theirs) => ours.WallMilliseconds / theirs.WallMilliseconds;

    private static double Cpu(Block ours, Block theirs) => ours.CpuMilliseconds / theirs.CpuMilliseconds;

    private static string Summary(List<(Block Ours, Block Theirs)> pairs, Func<Block, Block, double> ratio)
    {
        var ratios = pairs.ConvertAll(pair => ratio(pair.Ours, pair.Theirs));
        return string.Create(CultureInfo.InvariantCulture, $"ratio {Median(ratios):F2} min {ratios.Min():F2} max {ratios.Max():F2}");
    }

    private static double Median(IEnumerable<double> values) => Machine.Median(values);

    private static void WriteDigits(string file, Examples examples)
    {
        using var writer = new BinaryWriter(File.Create(file));
        foreach (var value in examples.Inputs.ToArray<float>().Concat(examples.Targets.ToArray<float>()))
            writer.Write(value);
    }
}
