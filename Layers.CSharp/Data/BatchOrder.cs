namespace Hybrid.Layers.Data;

/// <summary>
/// Which examples make the batches of each epoch: the index side of a data loader. The same seed gives the same order on
/// every machine; each epoch has its own. Immutable, so several readers may share one.
/// </summary>
public sealed class BatchOrder
{
    /// <summary>Describes the batches.</summary>
    /// <param name="count">How many examples there are, at least 1.</param>
    /// <param name="batchSize">How many make a batch, at least 1; with more than there are, all are one short batch.</param>
    /// <param name="shuffleSeed">Seed of a fresh random order for each epoch, or null for the order of the examples.</param>
    /// <param name="dropLast">Whether the last batch is left out if it is short.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1, or every batch would be left out.</exception>
    public BatchOrder(int count, int batchSize, ulong? shuffleSeed = null, bool dropLast = false)
    {
        if (count < 1)
            throw new ArgumentOutOfRangeException(nameof(count), count, "expected at least 1 example");
        if (batchSize < 1)
            throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "expected batches of at least 1 example");
        if (dropLast && batchSize > count)
        {
            const string message = "expected at most as many examples in a batch as there are, because short batches are dropped";
            throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, message);
        }
        Count = count;
        BatchSize = batchSize;
        ShuffleSeed = shuffleSeed;
        DropLast = dropLast;
    }

    /// <summary>How many examples there are.</summary>
    public int Count { get; }

    /// <summary>How many make a batch, except perhaps the last.</summary>
    public int BatchSize { get; }

    /// <summary>Seed of the random orders, or null for the order of the examples.</summary>
    public ulong? ShuffleSeed { get; }

    /// <summary>Whether the last batch is left out if it is short.</summary>
    public bool DropLast { get; }

    /// <summary>How many batches an epoch has.</summary>
    public int BatchesPerEpoch => DropLast ? Count / BatchSize : (int)(((long)Count + BatchSize - 1) / BatchSize);

    /// <summary>How many examples the last batch of an epoch has.</summary>
    public int LastBatchSize => DropLast ? BatchSize : Count - ((BatchesPerEpoch - 1) * BatchSize);

    /// <summary>The batches of one epoch: for each the indices of its examples, counted from 0. The arrays are the caller's.</summary>
    /// <param name="epoch">The epoch, counted from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">The epoch is negative.</exception>
    public IReadOnlyList<int[]> Epoch(int epoch)
    {
        if (epoch < 0)
            throw new ArgumentOutOfRangeException(nameof(epoch), epoch, "expected an epoch of at least 0");
        var order = ShuffleSeed is { } seed ? SeededOrder.Permutation(Count, seed, (ulong)epoch) : [.. Enumerable.Range(0, Count)];
        return [.. order.Chunk(BatchSize).Take(BatchesPerEpoch)];
    }
}
