using Hybrid.Core;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>How many images of a dataset a network gets right.</summary>
/// <param name="Right">How many.</param>
/// <param name="Count">Of how many.</param>
internal readonly record struct Accuracy(int Right, int Count)
{
    // Large enough to keep the kernels busy, small enough for the cache of a batch.
    private const int BatchSize = 1000;

    /// <summary>The share in percent.</summary>
    internal double Percent => 100.0 * Right / Count;

    /// <summary>Counts; nothing is recorded meanwhile.</summary>
    internal static Accuracy Of(Module net, ImageDataset data, ElementType type, Session session)
    {
        using var recording = Mode.NoGrad();
        using var mode = Mode.Evaluation();
        var right = 0;
        foreach (var indices in new BatchOrder(data.Count, BatchSize).Epoch(0))
        {
            session.Checkpoint();
            var classes = net.Forward(ExampleData.Images(data, indices, type)).ArgMax(-1).ToArray<int>();
            for (var i = 0; i < classes.Length; i++)
                right += classes[i] == data.Labels[indices[i]] ? 1 : 0;
        }
        return new(right, data.Count);
    }
}
