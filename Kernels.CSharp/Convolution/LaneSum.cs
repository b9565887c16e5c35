using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>The sum of a row in each lane, in the order of <see cref="Lanes{S, V, T, C}"/>: what are positions there are registers here.</summary>
internal static unsafe class LaneSum<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Bytes = LaneLayout<T>.Bytes;

    // Levels of the tree over chunks: more than any row of 2^31 elements has.
    private const int Levels = 32;

    /// <summary>y[lane] = the sum of x[0, lane], x[1, lane], ...</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Row(T* y, T* x, long count)
    {
        byte* scratch = (byte*)Workspace.Get(Workspace.Purpose.LaneSums, (4L * Bytes / sizeof(T) * Bytes) + (Levels * Bytes));
        byte* pending = scratch + (4L * Bytes / sizeof(T) * Bytes);
        for (int part = 0; part < Bytes; part += sizeof(V))
        {
            Part((byte*)y + part, (byte*)x + part, count, scratch, pending);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part(byte* y, byte* x, long count, byte* slots, byte* pending)
    {
        // A binary counter, as Lanes.Run has it: its tree is that of Lanes.Tree.
        long chunk = Lanes<S, V, T, SumCombiner>.Chunk;
        long done = 0;
        for (long at = 0; at == 0 || at < count; at += chunk)
        {
            V value = Chunk(x + (at * Bytes), Math.Min(chunk, count - at), slots);
            int level = 0;
            for (long bit = done; (bit & 1) != 0; bit >>= 1)
            {
                value = S.Add(S.Load((T*)(pending + (level++ * Bytes))), value);
            }

            S.Store((T*)(pending + (level * Bytes)), value);
            done++;
        }

        int lowest = System.Numerics.BitOperations.TrailingZeroCount(done);
        V sum = S.Load((T*)(pending + (lowest * Bytes)));
        for (int level = lowest + 1; done >> level != 0; level++)
        {
            if (((done >> level) & 1) != 0)
            {
                sum = S.Add(S.Load((T*)(pending + (level * Bytes))), sum);
            }
        }

        S.Store((T*)y, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static V Chunk(byte* x, long count, byte* slots)
    {
        int lane = Bytes / sizeof(T);
        int all = 4 * lane;
        V zero = S.Zero;
        for (int slot = 0; slot < all; slot++)
        {
            V first = slot < count ? S.Add(zero, S.Load((T*)(x + ((long)slot * Bytes)))) : zero;
            S.Store((T*)(slots + (slot * Bytes)), first);
        }

        for (long start = all; start < count; start += all)
        {
            byte* from = x + (start * Bytes);
            long end = Math.Min(all, count - start) * Bytes;
            for (long at = 0; at < end; at += Bytes)
            {
                S.Store((T*)(slots + at), S.Add(S.Load((T*)(slots + at)), S.Load((T*)(from + at))));
            }
        }

        for (int slot = 0; slot < lane; slot++)
        {
            V low = S.Add(Slot(slots, slot), Slot(slots, lane + slot));
            V high = S.Add(Slot(slots, (2 * lane) + slot), Slot(slots, (3 * lane) + slot));
            S.Store((T*)(slots + (slot * Bytes)), S.Add(low, high));
        }

        for (int half = lane / 2; half > 0; half /= 2)
        {
            for (int slot = 0; slot < half; slot++)
            {
                S.Store((T*)(slots + (slot * Bytes)), S.Add(Slot(slots, slot), Slot(slots, half + slot)));
            }
        }

        return Slot(slots, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Slot(byte* slots, int slot) => S.Load((T*)(slots + (slot * Bytes)));
}
