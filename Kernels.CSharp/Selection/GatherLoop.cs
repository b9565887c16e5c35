using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>Copies rows from all over a table one after the other.</summary>
/// <remarks>
/// A batch of samples comes from a data set that is much larger than the caches, so all of the time is waiting for memory. Two rows are
/// copied side by side while the next two are asked for, so that several requests are under way at any time.
/// </remarks>
internal static unsafe class GatherLoop
{
    /// <summary>Bytes of a line of the caches.</summary>
    private const int Line = 64;

    /// <summary>y[i] = x[indices[i]] for positions from (inclusive) to (exclusive), rows of so many bytes.</summary>
    public static void Run(byte* y, byte* x, int* indices, long from, long to, long bytes)
    {
        switch (bytes)
        {
            case >= Line:
                Rows(y, x, indices, from, to, bytes);
                break;
            case sizeof(int):
                Elements((int*)y, (int*)x, indices, from, to);
                break;
            default:
                for (long i = from; i < to; i++)
                {
                    Buffer.MemoryCopy(x + (indices[i] * bytes), y + (i * bytes), bytes, bytes);
                }

                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Elements(int* y, int* x, int* indices, long from, long to)
    {
        for (long i = from; i < to; i++)
        {
            y[i] = x[indices[i]];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows(byte* y, byte* x, int* indices, long from, long to, long bytes)
    {
        long last = to - 1;
        for (long i = from; i < to; i += 2)
        {
            // An odd last row is copied twice.
            long other = Math.Min(i + 1, last);
            byte* source = x + (indices[i] * bytes);
            byte* otherSource = x + (indices[other] * bytes);
            byte* next = x + (indices[Math.Min(i + 2, last)] * bytes);
            byte* afterNext = x + (indices[Math.Min(i + 3, last)] * bytes);
            byte* target = y + (i * bytes);
            byte* otherTarget = y + (other * bytes);
            for (long at = 0; at < bytes; at += Line)
            {
                // The last line overlaps the one before.
                long here = Math.Min(at, bytes - Line);
                Prefetch.Line(next + here);
                Prefetch.Line(afterNext + here);
                Prefetch.BeyondWrite(target + here);
                Prefetch.BeyondWrite(otherTarget + here);
                CopyLine(source + here, target + here);
                CopyLine(otherSource + here, otherTarget + here);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyLine(byte* source, byte* target)
    {
        Vector128<byte> first = Vector128.Load(source);
        Vector128<byte> second = Vector128.Load(source + 16);
        Vector128<byte> third = Vector128.Load(source + 32);
        Vector128<byte> fourth = Vector128.Load(source + 48);
        first.Store(target);
        second.Store(target + 16);
        third.Store(target + 32);
        fourth.Store(target + 48);
    }
}
