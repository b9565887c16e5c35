using System.Buffers;
using System.Collections;
using System.Runtime.InteropServices;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Data;

namespace Hybrid.Layers;

/// <summary>
/// Examples in batches: each enumeration is one epoch, <c>foreach (var (x, y) in loader)</c>. Without a seed the examples come in their own
/// order, as in PyTorch; with one, each epoch has a fresh random order, the same on every machine.
/// </summary>
public sealed class DataLoader : IEnumerable<(Tensor X, Tensor Y)>
{
    private readonly BatchOrder order;
    private readonly Func<int[], Tensor> inputs;
    private readonly Func<int[], Tensor> targets;
    private int nextEpoch = -1;

    private delegate void FillRow<T>(int example, Span<T> row);

    /// <summary>
    /// Loads a dataset of images: x is <c>[batch, channels, height, width]</c>, pixels divided by the dataset's maximum, y the classes
    /// <c>[batch]</c> as int32. Images stay bytes until they are gathered into a batch.
    /// </summary>
    /// <param name="dataset">The images.</param>
    /// <param name="batchSize">How many make a batch, at least 1; 1 by default.</param>
    /// <param name="shuffleSeed">Seed of the random orders; null, the default, for the dataset's own order.</param>
    /// <param name="dropLast">Whether the last batch is left out if it is short; false by default.</param>
    /// <param name="type">The type of x: float32, the default, or float64.</param>
    /// <exception cref="ArgumentOutOfRangeException">The batch size is below 1, or every batch would be left out.</exception>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public DataLoader(
        ImageDataset dataset,
        int batchSize = 1,
        ulong? shuffleSeed = null,
        bool dropLast = false,
        ElementType type = ElementType.Float32
    )
    {
        ArgumentNullException.ThrowIfNull(dataset);
        order = new BatchOrder(dataset.Count, batchSize, shuffleSeed, dropLast);
        var images = ImmutableCollectionsMarshal.AsArray(dataset.Images)!;
        var labels = ImmutableCollectionsMarshal.AsArray(dataset.Labels)!;
        inputs = Pixels(images, [dataset.Channels, dataset.Height, dataset.Width], dataset.PixelMaximum, type);
        targets = indices => Tensor.From(Array.ConvertAll(indices, i => (int)labels[i]), indices.Length);
    }

    /// <summary>
    /// Loads tensors whose first axis is the examples. Inputs of bytes are images and are divided by <paramref name="pixelMaximum"/>; integer
    /// targets are labels and become int32; all others keep their type.
    /// </summary>
    /// <param name="inputs">The inputs, <c>[count, ...]</c>: float32, float64 or uint8.</param>
    /// <param name="targets">The targets, <c>[count, ...]</c>: labels <c>[count]</c>, or numbers.</param>
    /// <param name="batchSize">How many make a batch, at least 1; 1 by default.</param>
    /// <param name="shuffleSeed">Seed of the random orders; null, the default, for the examples' own order.</param>
    /// <param name="dropLast">Whether the last batch is left out if it is short; false by default.</param>
    /// <param name="pixelMaximum">What bytes are divided by; 255 by default.</param>
    /// <param name="type">The type that bytes become: float32, the default, or float64.</param>
    /// <param name="classes">How many classes there are, to check labels now; null, the default, leaves that to the loss.</param>
    /// <exception cref="ArgumentOutOfRangeException">The batch size is below 1, or every batch would be left out.</exception>
    /// <exception cref="ShapeException">There are no examples, or not as many targets as inputs.</exception>
    /// <exception cref="ElementTypeException">A type is not one of those.</exception>
    /// <exception cref="ValueException">A label is no class; the error has its index.</exception>
    public DataLoader(
        Tensor inputs,
        Tensor targets,
        int batchSize = 1,
        ulong? shuffleSeed = null,
        bool dropLast = false,
        byte pixelMaximum = byte.MaxValue,
        ElementType type = ElementType.Float32,
        int? classes = null
    )
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfZero(pixelMaximum);
        if (inputs.Rank == 0 || targets.Rank == 0 || inputs.Shape[0] != targets.Shape[0] || inputs.Shape[0] == 0)
        {
            var got = $"{inputs.Shape} and {targets.Shape}";
            throw new ShapeException("DataLoader", "as many targets as inputs, at least one", got, "", "The first axis of both is the examples.");
        }
        order = new BatchOrder(inputs.Shape[0], batchSize, shuffleSeed, dropLast);
        this.inputs = inputs.DType == ElementType.UInt8 ? Pixels(inputs.ToArray<byte>(), Rest(inputs), pixelMaximum, type) : Rows("inputs", inputs);
        var labels = targets.DType == ElementType.UInt8 ? targets.To(ElementType.Int32) : targets;
        if (classes is { } limit)
            CheckLabels(labels, limit);
        this.targets = Rows("targets", labels);
    }

    /// <summary>How many batches an epoch has.</summary>
    public int Count => order.BatchesPerEpoch;

    /// <summary>How many examples there are.</summary>
    public int Examples => order.Count;

    /// <summary>Which examples make the batches of each epoch.</summary>
    public BatchOrder Order => order;

    /// <summary>The batches of the next epoch: the first enumeration is epoch 0. Each batch is gathered when it is asked for.</summary>
    public IEnumerator<(Tensor X, Tensor Y)> GetEnumerator() => Epoch(Interlocked.Increment(ref nextEpoch)).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The batches of one epoch, whatever was enumerated before.</summary>
    /// <param name="epoch">The epoch, counted from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">The epoch is negative.</exception>
    public IEnumerable<(Tensor X, Tensor Y)> Epoch(int epoch) => order.Epoch(epoch).Select(indices => (inputs(indices), targets(indices)));

    private static int[] Rest(Tensor tensor) => tensor.Shape.ToArray()[1..];

    private static Func<int[], Tensor> Rows(string what, Tensor tensor)
    {
        var rest = Rest(tensor);
        return tensor.DType switch
        {
            ElementType.Float32 => Rows(tensor.ToArray<float>(), rest),
            ElementType.Float64 => Rows(tensor.ToArray<double>(), rest),
            ElementType.Int32 when what == "targets" => Rows(tensor.ToArray<int>(), rest),
            var other => throw new ElementTypeException(
                "DataLoader",
                what == "targets" ? "targets of type int32, uint8, float32 or float64" : "inputs of type float32, float64 or uint8",
                Text.Name(other),
                "",
                "Convert them with To."
            ),
        };
    }

    private static Func<int[], Tensor> Rows<T>(T[] source, int[] rest)
        where T : unmanaged => Batches<T>(rest, (example, row) => source.AsSpan(example * row.Length, row.Length).CopyTo(row));

    private static Func<int[], Tensor> Pixels(byte[] source, int[] rest, byte maximum, ElementType type) =>
        type switch
        {
            ElementType.Float32 => Pixels(source, rest, [.. Enumerable.Range(0, 256).Select(pixel => (float)pixel / maximum)]),
            ElementType.Float64 => Pixels(source, rest, [.. Enumerable.Range(0, 256).Select(pixel => (double)pixel / maximum)]),
            _ => throw new ElementTypeException("DataLoader", "images as float32 or float64", Text.Name(type), "", "Leave the type out for float32."),
        };

    private static Func<int[], Tensor> Pixels<T>(byte[] source, int[] rest, T[] scaled)
        where T : unmanaged =>
        Batches<T>(
            rest,
            (example, row) =>
            {
                var pixels = source.AsSpan(example * row.Length, row.Length);
                for (var i = 0; i < row.Length; i++)
                    row[i] = scaled[pixels[i]];
            }
        );

    // Put together in rented memory: a new array for each batch would be 200 MB of garbage in an epoch of MNIST before it is collected.
    private static Func<int[], Tensor> Batches<T>(int[] rest, FillRow<T> fill)
        where T : unmanaged
    {
        var length = rest.Aggregate(1, (product, n) => product * n);
        return indices =>
        {
            var batch = ArrayPool<T>.Shared.Rent(indices.Length * length);
            try
            {
                for (var i = 0; i < indices.Length; i++)
                    fill(indices[i], batch.AsSpan(i * length, length));
                return Tensor.From<T>(batch.AsSpan(0, indices.Length * length), Shape.Of([indices.Length, .. rest]));
            }
            finally
            {
                ArrayPool<T>.Shared.Return(batch);
            }
        };
    }

    private static void CheckLabels(Tensor labels, int classes)
    {
        if (labels.DType != ElementType.Int32 || labels.Rank != 1)
        {
            var got = $"{Text.Name(labels.DType)} of shape {labels.Shape}";
            throw new ElementTypeException(
                "DataLoader",
                "class numbers [count] of type int32 or uint8",
                got,
                "",
                "Leave classes out for other targets."
            );
        }
        var values = labels.ToArray<int>();
        var bad = Array.FindIndex(values, label => label < 0 || label >= classes);
        if (bad >= 0)
        {
            var got = $"{Text.Number(values[bad])} at [{Text.Number(bad)}]";
            throw new ValueException(
                "DataLoader",
                $"labels from 0 to {Text.Number(classes - 1)}",
                got,
                "",
                "Check the labels, or the number of classes."
            );
        }
    }
}
