using FsCheck;
using FsCheck.Fluent;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Data;

public sealed class BatchOrderTests
{
    private static readonly Arbitrary<(int Count, int BatchSize, ulong? Seed, int Epoch)> Orders = (
        from count in Gen.Choose(1, 200)
        from batchSize in Gen.Choose(1, 250)
        from shuffled in Gen.Elements(true, false)
        from seed in Gen.Choose(0, int.MaxValue)
        from epoch in Gen.Choose(0, 1000)
        select (count, batchSize, shuffled ? (ulong?)seed : null, epoch)
    ).ToArbitrary();

    [Fact]
    public void Every_epoch_visits_every_example_once()
    {
        var property = Prop.ForAll(
            Orders,
            o =>
            {
                var order = new BatchOrder(o.Count, o.BatchSize, o.Seed);
                var batches = order.Epoch(o.Epoch);
                return batches.SelectMany(batch => batch).Order().SequenceEqual(Enumerable.Range(0, o.Count))
                    && batches.Count == order.BatchesPerEpoch
                    && batches.SkipLast(1).All(batch => batch.Length == o.BatchSize)
                    && batches[^1].Length == order.LastBatchSize
                    && order.LastBatchSize >= 1
                    && order.LastBatchSize <= o.BatchSize;
            }
        );
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), property);
    }

    [Fact]
    public void Dropping_the_last_batch_changes_nothing_else()
    {
        var property = Prop.ForAll(
            Orders,
            o =>
            {
                if (o.BatchSize > o.Count)
                    return true;
                var dropped = new BatchOrder(o.Count, o.BatchSize, o.Seed, dropLast: true);
                var whole = new BatchOrder(o.Count, o.BatchSize, o.Seed).Epoch(o.Epoch).Where(batch => batch.Length == o.BatchSize);
                return dropped.Epoch(o.Epoch).SelectMany(batch => batch).SequenceEqual(whole.SelectMany(batch => batch))
                    && dropped.BatchesPerEpoch == o.Count / o.BatchSize
                    && dropped.LastBatchSize == o.BatchSize;
            }
        );
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), property);
    }

    [Fact]
    public void Without_a_seed_examples_come_in_order()
    {
        var batches = new BatchOrder(5, 2).Epoch(3);
        Assert.Equal(
            [
                [0, 1],
                [2, 3],
                [4],
            ],
            batches
        );
    }

    [Fact]
    public void The_curriculum_has_938_batches_and_32_in_the_last()
    {
        var order = new BatchOrder(60_000, 64, shuffleSeed: 1);
        Assert.Equal((938, 32), (order.BatchesPerEpoch, order.LastBatchSize));
    }

    [Fact]
    public void The_largest_sizes_do_not_overflow()
    {
        Assert.Equal(
            (1, int.MaxValue),
            (new BatchOrder(int.MaxValue, int.MaxValue).BatchesPerEpoch, new BatchOrder(int.MaxValue, int.MaxValue).LastBatchSize)
        );
        Assert.Equal(int.MaxValue, new BatchOrder(int.MaxValue, 1).BatchesPerEpoch);
    }

    [Fact]
    public void The_same_seed_and_epoch_give_the_same_order_and_others_give_others()
    {
        var orders =
            from seed in new ulong[] { 0, 1, 2, ulong.MaxValue }
            from epoch in Enumerable.Range(0, 25)
            select string.Join(',', new BatchOrder(30, 30, seed).Epoch(epoch)[0]);
        Assert.Equal(100, orders.Distinct().Count());
        Assert.Equal(new BatchOrder(30, 7, 5).Epoch(9), new BatchOrder(30, 7, 5).Epoch(9));
    }

    [Fact]
    public void A_later_epoch_needs_no_earlier_one()
    {
        var order = new BatchOrder(30, 7, 5);
        var late = order.Epoch(9);
        order.Epoch(0)[0][0] = -1;
        Assert.Equal(late, order.Epoch(9));
    }

    [Theory]
    [InlineData(0, 1, "count", "expected at least 1 example (Parameter 'count')\nActual value was 0.")]
    [InlineData(-3, 1, "count", "expected at least 1 example (Parameter 'count')\nActual value was -3.")]
    [InlineData(1, 0, "batchSize", "expected batches of at least 1 example (Parameter 'batchSize')\nActual value was 0.")]
    [InlineData(
        3,
        4,
        "batchSize",
        "expected at most as many examples in a batch as there are, because short batches are dropped (Parameter 'batchSize')\nActual value was 4."
    )]
    public void Impossible_sizes_are_refused(int count, int batchSize, string parameter, string message)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new BatchOrder(count, batchSize, dropLast: true));
        Assert.Equal(parameter, error.ParamName);
        Assert.Equal(message, error.Message.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void A_negative_epoch_is_refused()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new BatchOrder(3, 1).Epoch(-1));
        Assert.Equal("expected an epoch of at least 0 (Parameter 'epoch')\nActual value was -1.", error.Message.ReplaceLineEndings("\n"));
    }
}
