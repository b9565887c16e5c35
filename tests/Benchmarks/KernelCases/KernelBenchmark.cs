using BenchmarkDotNet.Attributes;
using Hybrid.Kernels;

namespace Hybrid.Benchmarks.KernelCases;

/// <summary>What BenchmarkDotNet runs: one case after another, in this process.</summary>
public class KernelBenchmark
{
    private Action run = () => { };

    /// <summary>Which cases; the command sets it.</summary>
    internal static IReadOnlyList<KernelCase> Chosen { get; set; } = KernelTable.All;

    /// <summary>Threads that compute; the command sets it.</summary>
    internal static int Threads { get; set; } = 1;

    /// <summary>The cases, for BenchmarkDotNet.</summary>
    public static IEnumerable<KernelCase> Cases => Chosen;

    /// <summary>The case at hand.</summary>
    [ParamsSource(nameof(Cases))]
    public KernelCase Kernel { get; set; } = null!;

    /// <summary>Makes the memory.</summary>
    [GlobalSetup]
    public void Prepare() => run = Kernel.Prepare(new WorkerPool(Threads));

    /// <summary>The kernel, once.</summary>
    [Benchmark]
    public void Run() => run();
}
