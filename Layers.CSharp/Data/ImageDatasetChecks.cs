using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>What must hold of an <see cref="ImageDataset"/>.</summary>
internal static class ImageDatasetChecks
{
    /// <summary>The image sizes of an IDX file of 3 or 4 dimensions.</summary>
    public static ImageShape ShapeOf(string file, IdxFile images)
    {
        var sizes = images.Dimensions;
        if (sizes.Length is not (3 or 4))
        {
            const string expected = "images of 3 dimensions [count, height, width] or 4 [count, channels, height, width]";
            throw WrongRank(file, images, expected, "Name the file of images, and the file of labels after it.");
        }
        if (sizes.Contains(0))
        {
            const string advice = "An empty file is no dataset: check what was fetched.";
            throw new DataException(file, DataPlace.Named("dimensions"), "sizes of at least 1", Sizes(images), advice);
        }
        return sizes.Length == 3 ? new(1, sizes[1], sizes[2]) : new(sizes[1], sizes[2], sizes[3]);
    }

    /// <summary>Labels stand in a row.</summary>
    public static void CheckLabelsRank(string file, IdxFile labels)
    {
        if (labels.Dimensions.Length != 1)
            throw WrongRank(file, labels, "labels of 1 dimension [count]", "Name the file of images first, and then the file of labels.");
    }

    /// <summary>Everything that the constructor promises.</summary>
    public static void Check(
        ImageDataset.Source images,
        ImageDataset.Source labels,
        ImageShape shape,
        ImmutableArray<string> classNames,
        byte pixelMaximum
    )
    {
        if (shape.Channels < 1 || shape.Height < 1 || shape.Width < 1)
            throw new ArgumentException($"expected channels, height and width of at least 1, got {shape}", nameof(shape));
        if ((UInt128)shape.Channels * (UInt128)shape.Height * (UInt128)shape.Width > (UInt128)Array.MaxLength)
            throw new ArgumentException($"expected an image of at most {DataPlace.Number(Array.MaxLength)} pixels, got {shape}", nameof(shape));
        if (images.Bytes.IsDefault || labels.Bytes.IsDefault)
            throw new ArgumentException("expected arrays of images and labels, got none");
        if (classNames.IsDefaultOrEmpty || classNames.Length > ImageDataset.MaximumClasses)
            throw new ArgumentException($"expected 1 to {ImageDataset.MaximumClasses} class names", nameof(classNames));
        if (pixelMaximum == 0)
            throw new ArgumentException("expected a pixel maximum of at least 1", nameof(pixelMaximum));
        CheckCounts(images, labels, shape);
        CheckRange(labels, "label", (byte)(classNames.Length - 1), "The labels are damaged, or there are more classes than names.");
        CheckRange(images, "pixel", pixelMaximum, "The images are damaged, or their maximum is another.");
    }

    private static void CheckCounts(ImageDataset.Source images, ImageDataset.Source labels, ImageShape shape)
    {
        var bytes = images.Bytes.Length;
        if (bytes == 0 || bytes % shape.Pixels != 0)
        {
            var expected = $"pixels of at least one image and of whole images, a multiple of {DataPlace.Number(shape.Pixels)}";
            throw new DataException(images.File, null, expected, DataPlace.Number(bytes), "Check the shape of the images.");
        }
        var count = bytes / shape.Pixels;
        if (labels.Bytes.Length != count)
        {
            var expected = $"{DataPlace.Number(count)} labels, one for each image of {images.File}";
            const string advice = "Take images and labels from the same part of the same dataset.";
            throw new DataException(labels.File, null, expected, DataPlace.Number(labels.Bytes.Length), advice);
        }
    }

    private static void CheckRange(ImageDataset.Source source, string kind, byte maximum, string advice)
    {
        var index = source.Bytes.AsSpan().IndexOfAnyExceptInRange((byte)0, maximum);
        if (index >= 0)
            throw new DataException(source.File, DataPlace.Item(kind, index), $"a {kind} from 0 to {maximum}", $"{source.Bytes[index]}", advice);
    }

    private static DataException WrongRank(string file, IdxFile idx, string expected, string advice) =>
        new(file, DataPlace.Named("dimensions"), expected, $"{idx.Dimensions.Length} {Sizes(idx)}", advice);

    private static string Sizes(IdxFile idx) => $"[{string.Join(", ", idx.Dimensions.Select(size => DataPlace.Number(size)))}]";
}
