namespace Hybrid.Kernels.Tests;

/// <summary>The documented order of reductions, element by element, written from the documentation and not from the kernels.</summary>
internal static class Model
{
    /// <summary>A contiguous run: chunks of 16 KiB, 256-byte slots, four lanes of 64 bytes, halves; then a tree over chunks.</summary>
    public static unsafe T Row<T>(ReadOnlySpan<T> x, T identity, Func<T, T, T> combine)
        where T : unmanaged
    {
        int chunk = 16384 / sizeof(T);
        List<T> results = [];
        for (int at = 0; at == 0 || at < x.Length; at += chunk)
        {
            results.Add(Chunk(x[at..Math.Min(x.Length, at + chunk)], identity, combine));
        }

        return Tree(results, combine);
    }

    /// <summary>A strided column: chunks of 128 rows in order, then a tree over chunks.</summary>
    public static T Column<T>(ReadOnlySpan<T> x, T identity, Func<T, T, T> combine)
    {
        List<T> results = [];
        for (int at = 0; at == 0 || at < x.Length; at += 128)
        {
            T sum = identity;
            foreach (T value in x[at..Math.Min(x.Length, at + 128)])
            {
                sum = combine(sum, value);
            }

            results.Add(sum);
        }

        return Tree(results, combine);
    }

    private static unsafe T Chunk<T>(ReadOnlySpan<T> x, T identity, Func<T, T, T> combine)
        where T : unmanaged
    {
        int lane = 64 / sizeof(T);
        T[] slots = new T[4 * lane];
        Array.Fill(slots, identity);
        for (int i = 0; i < x.Length; i++)
        {
            slots[i % slots.Length] = combine(slots[i % slots.Length], x[i]);
        }

        T[] one = new T[lane];
        for (int i = 0; i < lane; i++)
        {
            one[i] = combine(combine(slots[i], slots[i + lane]), combine(slots[i + (2 * lane)], slots[i + (3 * lane)]));
        }

        for (int half = lane / 2; half > 0; half /= 2)
        {
            for (int i = 0; i < half; i++)
            {
                one[i] = combine(one[i], one[i + half]);
            }
        }

        return one[0];
    }

    /// <summary>Neighbours, then neighbours of those: recursively by the largest power of two below the count.</summary>
    private static T Tree<T>(List<T> results, Func<T, T, T> combine)
    {
        if (results.Count == 1)
        {
            return results[0];
        }

        int left = 1;
        while (left * 2 < results.Count)
        {
            left *= 2;
        }

        return combine(Tree(results[..left], combine), Tree(results[left..], combine));
    }
}
