namespace Hybrid.Layers.Data;

/// <summary>Random orders by seed. The one place that knows which generator makes them.</summary>
internal static class SeededOrder
{
    /// <summary>The numbers from 0 to a count less one, in a random order (Fisher and Yates, as R. Durstenfeld wrote it in 1964).</summary>
    /// <param name="count">How many numbers.</param>
    /// <param name="seed">Which family of orders.</param>
    /// <param name="stream">Which order of the family: the epoch.</param>
    public static int[] Permutation(int count, ulong seed, ulong stream = 0)
    {
        var order = new int[count];
        for (var i = 0; i < count; i++)
            order[i] = i;
        var random = SplitMix64.ForStream(seed, stream);
        for (var last = count - 1; last > 0; last--)
        {
            var other = (int)random.NextBelow((uint)last + 1);
            (order[last], order[other]) = (order[other], order[last]);
        }
        return order;
    }
}
