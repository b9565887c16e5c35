using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Data;

public sealed class SeededOrderTests
{
    [Fact]
    public void The_generator_gives_the_published_numbers()
    {
        // Rosetta Code, "Pseudo-random numbers/Splitmix64", seed 1234567.
        var random = new SplitMix64(1234567);
        ulong[] published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        Assert.Equal(published, published.Select(_ => random.Next()));
    }

    [Fact]
    public void Every_order_of_four_is_equally_likely()
    {
        const int draws = 24_000;
        var counts = Enumerable
            .Range(0, draws)
            .GroupBy(epoch => string.Concat(SeededOrder.Permutation(4, 42, (ulong)epoch)))
            .Select(group => group.Count())
            .ToArray();
        Assert.Equal(24, counts.Length);
        var chiSquare = counts.Sum(count => Math.Pow(count - (draws / 24.0), 2) / (draws / 24.0));
        // 23 degrees of freedom: 49.7 is passed once in a thousand seeds, and this seed is fixed.
        Assert.InRange(chiSquare, 5, 49.7);
    }

    [Fact]
    public void A_bound_that_does_not_divide_the_range_favours_no_number()
    {
        // With plain multiplication numbers of one kind would come twice as often as the others.
        const uint bound = 3u << 30;
        var random = new SplitMix64(9);
        var residues = new int[3];
        for (var i = 0; i < 30_000; i++)
            residues[random.NextBelow(bound) % 3]++;
        Assert.All(residues, count => Assert.InRange(count, 9_700, 10_300));
    }

    [Fact]
    public void The_orders_of_a_seed_never_change() =>
        // Computed by another program from the definition in SplitMix64 and SeededOrder.
        Assert.Equal([6, 9, 5, 1, 8, 2, 7, 0, 4, 3], SeededOrder.Permutation(10, 7, 3));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Short_orders(int count) => Assert.Equal(Enumerable.Range(0, count), SeededOrder.Permutation(count, 1));
}
