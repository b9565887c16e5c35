using System.Collections.Immutable;
using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

public sealed class DatasetsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [DatasetFact("MNIST")]
    public void Mnist_has_its_60000_and_10000_digits()
    {
        var train = Datasets.Mnist(DatasetPart.Train);
        Assert.Equal(("MNIST (train)", 60_000, new ImageShape(1, 28, 28), 255), (train.Name, train.Count, train.Shape, train.PixelMaximum));
        Assert.True(train.ClassCounts() is [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        Assert.True(train.Labels.AsSpan()[..5] is [5, 0, 4, 1, 9]);
        var test = Datasets.Mnist(DatasetPart.Test);
        Assert.Equal(("MNIST (test)", 10_000), (test.Name, test.Count));
        Assert.True(test.ClassCounts() is [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
        // The mean that everybody divides by: 0.1307.
        Assert.Equal(0.1307, Math.Round(train.Images.Average(pixel => (double)pixel) / 255, 4));
    }

    [DatasetFact("Fashion-MNIST")]
    public void Fashion_mnist_has_a_tenth_of_each_class()
    {
        Assert.All(Datasets.FashionMnist(DatasetPart.Train).ClassCounts(), count => Assert.Equal(6000, count));
        var test = Datasets.FashionMnist(DatasetPart.Test);
        Assert.All(test.ClassCounts(), count => Assert.Equal(1000, count));
        Assert.Equal("Ankle boot", test.ClassNames[test.Labels[0]]);
    }

    [Fact]
    public void Another_content_is_refused_with_both_hashes()
    {
        folder.Write("mnist/t10k-images-idx3-ubyte", Idx(8, 3, [1, 1, 1], 1));
        var labels = folder.Write("mnist/t10k-labels-idx1-ubyte", Idx(8, 1, [1], 1));
        var error = Assert.Throws<DataException>(() => Datasets.Load(KnownDataset.Mnist, DatasetPart.Test, Here()));
        Assert.Equal(
            $"{labels}: expected content of SHA-256 ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2, "
                + $"got {IdxFile.Read(labels).Sha256()}. This is not t10k-labels-idx1-ubyte of MNIST: fetch it again, "
                + "or read it with ImageDataset.ReadIdx if it is your own.",
            error.Message
        );
    }

    [DatasetFact("MNIST")]
    public void A_known_file_under_a_wrong_name_is_called_by_its_own()
    {
        var train = Datasets.Find(KnownDataset.Mnist, DatasetPart.Train, DataEnvironment.OfThisProcess());
        folder.Write("mnist/t10k-images-idx3-ubyte", Idx(8, 3, [1, 1, 1], 1));
        folder.Write("mnist/t10k-labels-idx1-ubyte", File.ReadAllBytes(train.Files[1]));
        var error = Assert.Throws<DataException>(() => Datasets.Load(KnownDataset.Mnist, DatasetPart.Test, Here()));
        Assert.Equal("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 (train-labels-idx1-ubyte of MNIST)", error.Got);
    }

    [DatasetFact("MNIST")]
    public void A_folder_of_mnist_is_passed_over_in_the_search_for_fashion_mnist()
    {
        var mnist = Datasets.Find(KnownDataset.Mnist, DatasetPart.Test, DataEnvironment.OfThisProcess());
        folder.Write("t10k-images-idx3-ubyte", Idx(8, 3, [1, 1, 1], 1));
        folder.Write("t10k-labels-idx1-ubyte", File.ReadAllBytes(mnist.Files[1]));
        var lookup = Datasets.Find(KnownDataset.FashionMnist, DatasetPart.Test, Here());
        Assert.False(lookup.Found);
        Assert.Equal($"{folder.Path}: holds MNIST", lookup.Looked[1].ToString());
        Assert.True(Datasets.Find(KnownDataset.Mnist, DatasetPart.Test, Here()).Found);
    }

    [Fact]
    public void What_cannot_be_read_is_refused_with_its_reason()
    {
        folder.Write("mnist/t10k-images-idx3-ubyte", 1);
        var labels = folder.Write("mnist/t10k-labels-idx1-ubyte", 1);
        var error = Assert.Throws<DataException>(() => Datasets.Load(KnownDataset.Mnist, DatasetPart.Test, Here()));
        Assert.Equal($"{labels}: expected a magic number of 4 bytes, got 1 byte (offset 1). The file is cut off: fetch it again.", error.Message);
    }

    [Fact]
    public void What_was_not_found_is_an_error_with_every_place()
    {
        var error = Assert.Throws<DataException>(() => Datasets.Load(KnownDataset.FashionMnist, DatasetPart.Train, Here()));
        Assert.Equal(
            "Fashion-MNIST: expected train-images-idx3-ubyte and train-labels-idx1-ubyte in one folder, got none that has them (looked in "
                + $"{Path.Combine(folder.Path, "fashion-mnist")}: no such folder; {folder.Path}: lacks train-images-idx3-ubyte; "
                + "development layout: no Hybrid.sln above this program; cache: this user has none; system: this system has none). "
                + "Set HYBRID_DATA to the folder that holds them, plain or .gz.",
            error.Message
        );
    }

    [Fact]
    public void The_table_has_eight_different_hashes()
    {
        var hashes = KnownDataset
            .All.SelectMany(set => new[] { set.TrainImages, set.TrainLabels, set.TestImages, set.TestLabels })
            .Select(file => file.Sha256);
        Assert.Equal(8, hashes.Distinct().Count(hash => hash.Length == 64));
        Assert.All(KnownDataset.All, set => Assert.Equal(10, set.ClassNames.Distinct().Count()));
    }

    /// <summary>Without data too: a dataset that took itself for another would skip every test that needs it.</summary>
    [Fact]
    public void A_content_belongs_to_its_own_dataset()
    {
        Assert.Null(KnownDataset.Mnist.OwnerElsewhere(KnownDataset.Mnist.TestLabels.Sha256));
        Assert.Same(KnownDataset.Mnist, KnownDataset.FashionMnist.OwnerElsewhere(KnownDataset.Mnist.TestLabels.Sha256));
        Assert.Null(KnownDataset.Mnist.OwnerElsewhere(new string('0', 64)));
    }

    private DataEnvironment Here() =>
        new(ImmutableDictionary<string, string>.Empty.Add("HYBRID_DATA", folder.Path), folder.Path, folder.Path, "", "");
}
