using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// A block of memory at a fixed address, aligned to 64 bytes, that lives as long as this object is reachable.
/// There is nothing to dispose: the garbage collector takes it back.
/// </summary>
/// <remarks>
/// The content is not cleared on creation. Whoever hands <see cref="Pointer"/> to a kernel must keep the storage reachable
/// until the kernel returns (<see cref="GC.KeepAlive"/>), for an address alone keeps nothing alive.
/// </remarks>
public sealed class Storage
{
    /// <summary>Alignment of <see cref="Pointer"/> in bytes: one cache line, and one 512-bit register.</summary>
    public const int Alignment = 64;

    private readonly byte[] memory;
    private readonly int offset;

    /// <summary>Takes a block of the given size.</summary>
    /// <param name="bytes">Size in bytes, from 0 to about 2^31.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is negative, or beyond what one array can hold.</exception>
    public unsafe Storage(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Array.MaxLength - Alignment);
        Bytes = bytes;
        memory = GC.AllocateUninitializedArray<byte>((int)bytes + Alignment, pinned: true);
        nint start = (nint)Unsafe.AsPointer(ref memory[0]);
        Pointer = (start + Alignment - 1) & ~(nint)(Alignment - 1);
        offset = (int)(Pointer - start);
    }

    /// <summary>Address of the first byte, a multiple of <see cref="Alignment"/>; it never moves.</summary>
    public nint Pointer { get; }

    /// <summary>Usable size in bytes, as asked for.</summary>
    public long Bytes { get; }

    /// <summary>The bytes, for host code to read and write.</summary>
    public Span<byte> Span => memory.AsSpan(offset, (int)Bytes);

    /// <summary>Sets every byte to zero.</summary>
    public void Clear() => Array.Clear(memory);
}
