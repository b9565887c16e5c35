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
        long slots = Bytes / sizeof(T) * Bytes;
        byte* scratch = (byte*)Workspace.Get(Workspace.Purpose.LaneSums, slots + (Levels * Bytes));
        byte* pending = scratch + slots;
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

    /// <summary>Two slots of each quarter at a time, whose sums stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static V Chunk(byte* x, long count, byte* slots)
    {
        int lane = Bytes / sizeof(T);
        long quarter = (long)lane * Bytes;
        long rounds = count / (4 * lane);
        for (int slot = 0; slot < lane; slot += 2)
        {
            (V a0, V a1, V a2, V a3) = (S.Zero, S.Zero, S.Zero, S.Zero);
            (V b0, V b1, V b2, V b3) = (S.Zero, S.Zero, S.Zero, S.Zero);
            byte* from = x + (slot * Bytes);
            for (long round = 0; round < rounds; round++)
            {
                a0 = S.Add(a0, S.Load((T*)from));
                b0 = S.Add(b0, S.Load((T*)(from + Bytes)));
                a1 = S.Add(a1, S.Load((T*)(from + quarter)));
                b1 = S.Add(b1, S.Load((T*)(from + quarter + Bytes)));
                a2 = S.Add(a2, S.Load((T*)(from + (2 * quarter))));
                b2 = S.Add(b2, S.Load((T*)(from + (2 * quarter) + Bytes)));
                a3 = S.Add(a3, S.Load((T*)(from + (3 * quarter))));
                b3 = S.Add(b3, S.Load((T*)(from + (3 * quarter) + Bytes)));
                from += 4 * quarter;
            }

            long rest = count - (rounds * 4 * lane) - slot;
            V low = S.Add(Last(a0, from, rest), Last(a1, from + quarter, rest - lane));
            V high = S.Add(Last(a2, from + (2 * quarter), rest - (2 * lane)), Last(a3, from + (3 * quarter), rest - (3 * lane)));
            S.Store((T*)(slots + (slot * Bytes)), S.Add(low, high));
            from += Bytes;
            rest--;
            low = S.Add(Last(b0, from, rest), Last(b1, from + quarter, rest - lane));
            high = S.Add(Last(b2, from + (2 * quarter), rest - (2 * lane)), Last(b3, from + (3 * quarter), rest - (3 * lane)));
            S.Store((T*)(slots + ((slot + 1) * Bytes)), S.Add(low, high));
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

    /// <summary>A slot's sum with its element of the last round, if there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Last(V sum, byte* x, long rest) => rest > 0 ? S.Add(sum, S.Load((T*)x)) : sum;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Slot(byte* slots, int slot) => S.Load((T*)(slots + (slot * Bytes)));
}
