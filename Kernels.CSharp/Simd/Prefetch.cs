using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>
/// Asks for memory before it is wanted, where the processor does not look ahead by itself: rows on other pages, and what is written where nothing was
/// read. Any address will do, also one beyond the end; processors without the instruction go without.
/// </summary>
internal static unsafe class Prefetch
{
    /// <summary>Bytes between what is written and what is asked for.</summary>
    private const int Ahead = 512;
    private const int LineBytes = 64;

    /// <summary>The line of the caches that an address lies in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>The same for the second-level cache only: for what is wanted later, and more of it than the first has requests under way for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DistantLine(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>The lines of some rows of a matrix.</summary>
    /// <param name="start">The first element.</param>
    /// <param name="rowStep">Elements from a row to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="columns">How many elements of each.</param>
    public static void Rows<T>(T* start, long rowStep, int rows, int columns)
        where T : unmanaged
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column += LineBytes / sizeof(T))
            {
                Line(start + (row * rowStep) + column);
            }
        }
    }

    /// <summary>What a loop that writes here in order will write some registers later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void BeyondWrite(void* target) => Line((byte*)target + Ahead);
}
