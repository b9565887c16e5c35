using Hybrid.Kernels;

namespace Hybrid.Benchmarks.KernelCases;

/// <summary>One kernel at one size.</summary>
/// <param name="Name">What it computes, and at which size.</param>
/// <param name="Operations">Floating-point operations of a run, a multiply-add being two; 0 where counting them says nothing.</param>
/// <param name="Bytes">Bytes that a run has to read and write at least once.</param>
/// <param name="Prepare">Makes the memory and returns what runs once.</param>
public sealed record KernelCase(string Name, double Operations, double Bytes, Func<WorkerPool, Action> Prepare)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}
