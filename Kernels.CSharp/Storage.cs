using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// A block of memory at a fixed address, aligned to 64 bytes, that lives as long as this object is reachable.
/// There is nothing to dispose: when the object is collected, the memory serves another block.
/// </summary>
/// <remarks>
/// The content is not cleared on creation. Whoever hands <see cref="Pointer"/> to a kernel, or works on <see cref="Span"/>, must keep
/// the storage reachable until that is done (<see cref="GC.KeepAlive"/>), for an address alone keeps nothing alive.
/// </remarks>
public sealed class Storage
{
    /// <summary>Alignment of <see cref="Pointer"/> in bytes: one cache line, and one 512-bit register.</summary>
    public const int Alignment = 64;

    private readonly StoragePool.Block block;
    private readonly int offset;

    /// <summary>Takes a block of the given size.</summary>
    /// <param name="bytes">Size in bytes, from 0 to about 2^31.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is negative, or beyond what one array can hold.</exception>
    public Storage(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, StoragePool.LargestBlock);
        Bytes = bytes;
        (block, offset) = StoragePool.Rent((int)bytes);
        Pointer = block.Start + offset;
    }

    private Storage(StoragePool.Block block, int offset, long bytes)
    {
        (this.block, this.offset) = (block, offset);
        Bytes = bytes;
        Pointer = block.Start + offset;
    }

    /// <summary>Address of the first byte, a multiple of <see cref="Alignment"/> except in a <see cref="Part"/>; it never moves.</summary>
    public nint Pointer { get; }

    /// <summary>Usable size in bytes, as asked for.</summary>
    public long Bytes { get; }

    /// <summary>A part of the same memory, which stays as long as the part is reachable.</summary>
    /// <param name="start">The first byte of the part.</param>
    /// <param name="bytes">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the block.</exception>
    public Storage Part(long start, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + bytes, Bytes);
        return new(block, offset + (int)start, bytes);
    }

    /// <summary>The bytes, for host code to read and write.</summary>
    public unsafe Span<byte> Span => new((void*)Pointer, (int)Bytes);

    /// <summary>Bytes of collected blocks that wait to serve new ones; see <see cref="Trim"/>.</summary>
    public static long IdleBytes => StoragePool.PooledBytes;

    /// <summary>
    /// Bytes that the runtime had to give because no collected block fitted, from the start of the process, on all threads: the difference
    /// over a stretch of work is what it took beyond memory used again.
    /// </summary>
    public static long FreshBytes => StoragePool.FreshBytes;

    /// <summary>Gives the memory of collected blocks back to the runtime instead of keeping it for new ones.</summary>
    public static void Trim() => StoragePool.TrimTo(0);

    /// <summary>Sets every byte to zero.</summary>
    public void Clear()
    {
        Span.Clear();
        GC.KeepAlive(this);
    }
}
