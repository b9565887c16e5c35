using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>How many parts a job is worth, and where each part lies.</summary>
internal static class Split
{
    /// <summary>
    /// Parts for <paramref name="items"/> independent items: no more than they fill at <paramref name="grain"/> items each, and a
    /// few for each thread, so that a thread that comes late finds less to do. Only for work whose bits do not depend on the parts.
    /// </summary>
    public static int Parts(long items, long grain, WorkerPool pool)
    {
        if (pool.Threads == 1 || items < 2 * grain)
        {
            return 1;
        }

        return (int)Math.Min(items / grain, Math.Min(pool.Threads * 4L, WorkerPool.MaxParts));
    }

    /// <summary>How many blocks of at most so many items hold all of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Blocks(int items, int most) => (items + most - 1) / most;

    /// <inheritdoc cref="Blocks(int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Blocks(long items, long most) => (items + most - 1) / most;

    /// <summary>Bounds of part <paramref name="part"/> of <paramref name="parts"/>, in whole multiples of <paramref name="unit"/>.</summary>
    public static (long Start, long End) Range(long items, int part, int parts, long unit = 1)
    {
        if (parts == 1)
        {
            return (0, items);
        }

        long units = Blocks(items, unit);
        long start = units * part / parts * unit;
        long end = units * (part + 1) / parts * unit;
        return (Math.Min(start, items), Math.Min(end, items));
    }
}
