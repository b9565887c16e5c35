using System.Collections.Immutable;
using System.Globalization;
using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

public sealed class ImageDatasetTests
{
    private static readonly ImmutableArray<string> Two = ["left", "right"];
    private static readonly ImageShape Shape = new(1, 1, 2);

    [Fact]
    public void Reads_images_and_labels_of_two_files()
    {
        using var folder = new TemporaryFolder();
        var images = folder.Write("images", Idx(8, 3, [2, 1, 3], 1, 2, 3, 4, 5, 6));
        var labels = folder.Write("labels.gz", Gzip(Idx(8, 1, [2], 1, 0)));
        var read = ImageDataset.ReadIdx("mine", images, labels, Two);
        Assert.Equal(("mine", 2, 1, 1, 3, 2, 255), (read.Name, read.Count, read.Channels, read.Height, read.Width, read.Classes, read.PixelMaximum));
        Assert.True(read.Labels is [1, 0]);
        Assert.True(read.Image(1) is [4, 5, 6]);
        Assert.True(read.ClassCounts() is [1, 1]);
    }

    [Fact]
    public void Four_dimensions_have_channels()
    {
        using var folder = new TemporaryFolder();
        var images = folder.Write("images", Idx(8, 4, [1, 3, 1, 2], 1, 2, 3, 4, 5, 6));
        var labels = folder.Write("labels", Idx(8, 1, [1], 1));
        Assert.Equal(new ImageShape(3, 1, 2), ImageDataset.ReadIdx("mine", images, labels, Two).Shape);
    }

    public static TheoryData<string, byte[], byte[], string> Refusals =>
        new()
        {
            {
                "counts differ",
                Idx(8, 3, [2, 1, 1], 1, 2),
                Idx(8, 1, [3], 0, 1, 0),
                "L: expected 2 labels, one for each image of I, got 3. Take images and labels from the same part of the same dataset."
            },
            {
                "label out of range",
                Idx(8, 3, [3, 1, 1], 1, 2, 3),
                Idx(8, 1, [3], 0, 1, 2),
                "L: expected a label from 0 to 1, got 2 (label at index 2). The labels are damaged, or there are more classes than names."
            },
            {
                "files swapped",
                Idx(8, 1, [2], 0, 1),
                Idx(8, 3, [2, 1, 1], 1, 2),
                "I: expected images of 3 dimensions [count, height, width] or 4 [count, channels, height, width], got 1 [2] (dimensions). "
                    + "Name the file of images, and the file of labels after it."
            },
            {
                "labels are images",
                Idx(8, 3, [2, 1, 1], 1, 2),
                Idx(8, 3, [2, 1, 1], 1, 2),
                "L: expected labels of 1 dimension [count], got 3 [2, 1, 1] (dimensions). "
                    + "Name the file of images first, and then the file of labels."
            },
            {
                "no images",
                Idx(8, 3, [0, 28, 28]),
                Idx(8, 1, [0]),
                "I: expected sizes of at least 1, got [0, 28, 28] (dimensions). An empty file is no dataset: check what was fetched."
            },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Files_that_do_not_fit_are_refused(string name, byte[] images, byte[] labels, string message)
    {
        using var folder = new TemporaryFolder();
        var (imagesFile, labelsFile) = (folder.Write("images", images), folder.Write("labels", labels));
        var error = Assert.Throws<DataException>(() => ImageDataset.ReadIdx(name, imagesFile, labelsFile, Two));
        Assert.Equal(message.Replace("L:", labelsFile + ":").Replace("I:", imagesFile + ":").Replace(" I,", $" {imagesFile},"), error.Message);
    }

    [Fact]
    public void A_pixel_above_the_maximum_is_refused()
    {
        var error = Assert.Throws<DataException>(() => new ImageDataset("mine", [1, 2, 3, 17], Shape, [0, 1], Two, 16));
        Assert.Equal(
            "mine: expected a pixel from 0 to 16, got 17 (pixel at index 3). The images are damaged, or their maximum is another.",
            error.Message
        );
        Assert.Equal("pixel at index 3", error.Field);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(3, "3")]
    public void Pixels_must_make_whole_images(int count, string got)
    {
        var error = Assert.Throws<DataException>(() => new ImageDataset("mine", [.. new byte[count]], Shape, [0], Two));
        Assert.Equal(
            $"mine: expected pixels of at least one image and of whole images, a multiple of 2, got {got}. Check the shape of the images.",
            error.Message
        );
    }

    [Fact]
    public void Impossible_arguments_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", [1, 2], new ImageShape(1, 0, 2), [0], Two));
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", [1, 2], new ImageShape(65_536, 65_536, 2), [0], Two));
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", [1, 2], Shape, [0], []));
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", [1, 2], Shape, [0], [.. new string[257]]));
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", [1, 2], Shape, [0], Two, 0));
        Assert.Throws<ArgumentException>(() => new ImageDataset("mine", default, Shape, [0], Two));
    }

    [Fact]
    public void A_label_may_be_the_last_of_256_classes()
    {
        var names = Enumerable.Range(0, 256).Select(i => i.ToString(CultureInfo.InvariantCulture)).ToImmutableArray();
        Assert.Equal(256, new ImageDataset("mine", [1, 2], Shape, [255], names).Classes);
    }

    [Fact]
    public void Select_takes_images_with_their_labels()
    {
        var some = Three().Select("some", [2, 0, 2]);
        Assert.True(some.Images is [5, 6, 1, 2, 5, 6]);
        Assert.True(some.Labels is [1, 0, 1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Three().Select("some", [3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Three().Select("some", [-1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Three().Select("some", []));
    }

    [Fact]
    public void Concat_puts_one_after_the_other()
    {
        var both = Three().Concat("both", Three().Select("last", [2]));
        Assert.Equal("both", both.Name);
        Assert.True(both.Images is [1, 2, 3, 4, 5, 6, 5, 6]);
        Assert.True(both.Labels is [0, 1, 1, 1]);
    }

    public static TheoryData<string, ImageDataset> OtherKinds =>
        new()
        {
            { "shape", new("other", [1, 2], new ImageShape(1, 2, 1), [0], Two) },
            { "classes", new("other", [1, 2], Shape, [0], ["left", "wrong"]) },
            { "pixel maximum", new("other", [1, 2], Shape, [0], Two, 16) },
        };

    [Theory]
    [MemberData(nameof(OtherKinds))]
    public void Concat_refuses_another_kind_of_images(string what, ImageDataset other)
    {
        var error = Assert.Throws<ArgumentException>(() => Three().Concat(what, other));
        Assert.Equal("expected images and classes as in three, got those of other (Parameter 'other')", error.Message);
    }

    [Fact]
    public void The_digits_split_in_order()
    {
        var digits = Datasets.Digits();
        var (train, test) = digits.SplitInOrder(Datasets.DigitsTrainCount);
        Assert.Equal((1437, 360), (train.Count, test.Count));
        Assert.Equal(("digits (train)", "digits (test)"), (train.Name, test.Name));
        Assert.Equal<byte>(digits.Images, [.. train.Images, .. test.Images]);
        Assert.Equal<byte>(digits.Labels, [.. train.Labels, .. test.Labels]);
    }

    [Fact]
    public void The_digits_split_at_random_by_seed()
    {
        var digits = Datasets.Digits();
        var (train, test) = digits.SplitAtRandom(Datasets.DigitsTrainCount, seed: 3);
        Assert.Equal((1437, 360), (train.Count, test.Count));
        Assert.Equal(Rows(digits), Rows(train).Concat(Rows(test)).Order(StringComparer.Ordinal));
        Assert.Equal<byte>(train.Images, digits.SplitAtRandom(1437, 3).Train.Images);
        Assert.NotEqual<byte>(train.Images, digits.SplitAtRandom(1437, 4).Train.Images);
        Assert.NotEqual<byte>(train.Images, digits.SplitInOrder(1437).Train.Images);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void No_part_of_a_split_is_empty(int trainCount)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Three().SplitInOrder(trainCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => Three().SplitAtRandom(trainCount, 1));
    }

    [Fact]
    public void Messages_do_not_depend_on_the_culture()
    {
        var before = CultureInfo.CurrentCulture;
        var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (other.NumberFormat.NumberGroupSeparator, other.NumberFormat.NegativeSign) = ("'", "~");
        try
        {
            CultureInfo.CurrentCulture = other;
            var error = Assert.Throws<DataException>(() => IdxFile.Parse(Idx(8, 3, [60_000, 28, 28]), "t"));
            Assert.Equal("t: expected 47,040,016 bytes by its header, got 16 (offset 16). The file is cut off: fetch it again.", error.Message);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static ImageDataset Three() => new("three", [1, 2, 3, 4, 5, 6], Shape, [0, 1, 1], Two);

    private static IEnumerable<string> Rows(ImageDataset set) =>
        Enumerable.Range(0, set.Count).Select(i => $"{Convert.ToHexString(set.Image(i))} {set.Labels[i]}").Order(StringComparer.Ordinal);
}
