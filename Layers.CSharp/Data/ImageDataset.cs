using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Hybrid.Layers.Data;

/// <summary>
/// Images of one size with a class each, as bytes: <c>[count, channels, height, width]</c>. Immutable; what it holds has
/// been checked, so that users need not.
/// </summary>
public sealed class ImageDataset
{
    /// <summary>The most classes there can be: a label is a byte.</summary>
    public const int MaximumClasses = 256;

    /// <summary>Makes a dataset of arrays.</summary>
    /// <param name="name">What people and errors call it.</param>
    /// <param name="images">The pixels, <c>[count, channels, height, width]</c>, the width fastest, 0 to <paramref name="pixelMaximum"/>.</param>
    /// <param name="shape">Channels, height and width of an image, each at least 1.</param>
    /// <param name="labels">The class of each image, <c>[count]</c>, 0 to the number of classes less one.</param>
    /// <param name="classNames">The classes, 1 to 256.</param>
    /// <param name="pixelMaximum">The value of a pixel at full ink; 255 unless told.</param>
    /// <exception cref="ArgumentException">The shape, the class names or the pixel maximum are impossible.</exception>
    /// <exception cref="DataException">
    /// There is no image, the pixels do not make whole images, there are more or fewer labels than images, or a label or
    /// pixel is out of range (the error has its index and value).
    /// </exception>
    public ImageDataset(
        string name,
        ImmutableArray<byte> images,
        ImageShape shape,
        ImmutableArray<byte> labels,
        ImmutableArray<string> classNames,
        byte pixelMaximum = byte.MaxValue
    )
        : this(name, new Source(name, images), new Source(name, labels), shape, classNames, pixelMaximum) { }

    private ImageDataset(string name, Source images, Source labels, ImageShape shape, ImmutableArray<string> classNames, byte pixelMaximum)
    {
        ImageDatasetChecks.Check(images, labels, shape, classNames, pixelMaximum);
        Name = name;
        Images = images.Bytes;
        Shape = shape;
        Labels = labels.Bytes;
        ClassNames = classNames;
        PixelMaximum = pixelMaximum;
    }

    /// <summary>What people and errors call it.</summary>
    public string Name { get; }

    /// <summary>The pixels, <c>[count, channels, height, width]</c>, the width fastest.</summary>
    public ImmutableArray<byte> Images { get; }

    /// <summary>Channels, height and width of an image.</summary>
    public ImageShape Shape { get; }

    /// <summary>How many channels an image has: 1 for grey.</summary>
    public int Channels => Shape.Channels;

    /// <summary>How many rows an image has.</summary>
    public int Height => Shape.Height;

    /// <summary>How many columns an image has.</summary>
    public int Width => Shape.Width;

    /// <summary>The class of each image, <c>[count]</c>.</summary>
    public ImmutableArray<byte> Labels { get; }

    /// <summary>How many classes there are.</summary>
    public int Classes => ClassNames.Length;

    /// <summary>The name of each class, for people.</summary>
    public ImmutableArray<string> ClassNames { get; }

    /// <summary>The value of a pixel at full ink: 255, or 16 for the digits. Divide by it for pixels in [0, 1].</summary>
    public byte PixelMaximum { get; }

    /// <summary>How many images there are.</summary>
    public int Count => Labels.Length;

    /// <summary>Reads a dataset from two IDX files, plain or gzip.</summary>
    /// <param name="name">What people and errors call it.</param>
    /// <param name="imagesFile">A file of 3 dimensions, <c>[count, height, width]</c>, or 4, <c>[count, channels, height, width]</c>.</param>
    /// <param name="labelsFile">A file of 1 dimension, <c>[count]</c>.</param>
    /// <param name="classNames">The classes, 1 to 256.</param>
    /// <exception cref="DataException">
    /// A file cannot be read, see <see cref="IdxFile.Read"/>, has other dimensions, or does not fit the other one.
    /// </exception>
    public static ImageDataset ReadIdx(string name, string imagesFile, string labelsFile, ImmutableArray<string> classNames) =>
        FromIdx(name, imagesFile, IdxFile.Read(imagesFile), labelsFile, IdxFile.Read(labelsFile), classNames);

    /// <summary>The pixels of one image, <c>[channels, height, width]</c>.</summary>
    /// <param name="index">The image, counted from 0.</param>
    public ReadOnlySpan<byte> Image(int index) => Images.AsSpan().Slice(checked(index * Shape.Pixels), Shape.Pixels);

    /// <summary>How many images each class has, <c>[classes]</c>.</summary>
    public ImmutableArray<int> ClassCounts()
    {
        var counts = new int[Classes];
        foreach (var label in Labels)
            counts[label]++;
        return ImmutableCollectionsMarshal.AsImmutableArray(counts);
    }

    /// <summary>The images at some indices, in that order, as a dataset; an index may come twice.</summary>
    /// <param name="name">The name of the new dataset.</param>
    /// <param name="indices">Images of this dataset, counted from 0; at least one.</param>
    /// <exception cref="ArgumentOutOfRangeException">An index is not one of this dataset's, or there is none.</exception>
    public ImageDataset Select(string name, ReadOnlySpan<int> indices)
    {
        ArgumentOutOfRangeException.ThrowIfZero(indices.Length, nameof(indices));
        var images = new byte[checked(indices.Length * Shape.Pixels)];
        var labels = new byte[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(indices[i], nameof(indices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(indices[i], Count, nameof(indices));
            Image(indices[i]).CopyTo(images.AsSpan(i * Shape.Pixels));
            labels[i] = Labels[indices[i]];
        }
        return new(name, Give(images), Shape, Give(labels), ClassNames, PixelMaximum);
    }

    /// <summary>These images and then those of another dataset, which must have the same shape, classes and pixel maximum.</summary>
    /// <param name="name">The name of the new dataset.</param>
    /// <param name="other">What is to follow.</param>
    /// <exception cref="ArgumentException">The two do not go together.</exception>
    public ImageDataset Concat(string name, ImageDataset other)
    {
        if (Shape != other.Shape || PixelMaximum != other.PixelMaximum || !ClassNames.SequenceEqual(other.ClassNames))
            throw new ArgumentException($"expected images and classes as in {Name}, got those of {other.Name}", nameof(other));
        return new(name, [.. Images, .. other.Images], Shape, [.. Labels, .. other.Labels], ClassNames, PixelMaximum);
    }

    /// <summary>The first images for training, the others for testing, in the order of the dataset.</summary>
    /// <param name="trainCount">How many are for training: at least 1, and fewer than there are.</param>
    /// <exception cref="ArgumentOutOfRangeException">One part would be empty.</exception>
    public DatasetSplit SplitInOrder(int trainCount) => Split([.. Enumerable.Range(0, Count)], trainCount);

    /// <summary>Images drawn at random for training, the others for testing; the same for the same seed, everywhere.</summary>
    /// <param name="trainCount">How many are for training: at least 1, and fewer than there are.</param>
    /// <param name="seed">Which of the random orders to take.</param>
    /// <exception cref="ArgumentOutOfRangeException">One part would be empty.</exception>
    public DatasetSplit SplitAtRandom(int trainCount, ulong seed) => Split(SeededOrder.Permutation(Count, seed), trainCount);

    /// <summary>Makes a dataset of two files that have been read.</summary>
    internal static ImageDataset FromIdx(
        string name,
        string imagesFile,
        IdxFile images,
        string labelsFile,
        IdxFile labels,
        ImmutableArray<string> classNames
    )
    {
        var shape = ImageDatasetChecks.ShapeOf(imagesFile, images);
        ImageDatasetChecks.CheckLabelsRank(labelsFile, labels);
        return new(name, new Source(imagesFile, images.Data), new Source(labelsFile, labels.Data), shape, classNames, byte.MaxValue);
    }

    /// <summary>Makes a dataset whose errors name one file.</summary>
    internal static ImageDataset FromFile(string name, string file, LabelledPixels data, ImageShape shape, ImmutableArray<string> classNames) =>
        new(name, new Source(file, data.Pixels), new Source(file, data.Labels), shape, classNames, data.PixelMaximum);

    private static ImmutableArray<byte> Give(byte[] bytes) => ImmutableCollectionsMarshal.AsImmutableArray(bytes);

    private DatasetSplit Split(int[] order, int trainCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(trainCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(trainCount, Count);
        return new(Select($"{Name} (train)", order.AsSpan(0, trainCount)), Select($"{Name} (test)", order.AsSpan(trainCount)));
    }

    /// <summary>Bytes, and the file that errors about them name.</summary>
    internal sealed record Source(string File, ImmutableArray<byte> Bytes);
}
