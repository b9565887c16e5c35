using System.Runtime.InteropServices;
using Hybrid.Kernels;

namespace Hybrid.Benchmarks.KernelCases;

/// <summary>Memory of float32 numbers between -1 and 1; never small enough to be slow. Lives as long as what holds it.</summary>
internal sealed class Floats
{
    private readonly Storage storage;

    /// <summary>Takes memory and fills it.</summary>
    internal Floats(long count)
    {
        storage = new(4 * count);
        var random = new Random(1);
        foreach (ref var x in MemoryMarshal.Cast<byte, float>(storage.Span))
            x = (random.Next(1, 1000) / 1000f) * (random.Next(2) == 0 ? 1 : -1);
    }

    /// <summary>Where it is.</summary>
    internal nint Pointer => storage.Pointer;
}

/// <summary>Memory of int32 numbers from 0 to below a limit. Lives as long as what holds it.</summary>
internal sealed class Integers
{
    private readonly Storage storage;

    /// <summary>Takes memory and fills it.</summary>
    internal Integers(long count, int limit)
    {
        storage = new(4 * count);
        var random = new Random(2);
        foreach (ref var x in MemoryMarshal.Cast<byte, int>(storage.Span))
            x = random.Next(limit);
    }

    /// <summary>Where it is.</summary>
    internal nint Pointer => storage.Pointer;
}
