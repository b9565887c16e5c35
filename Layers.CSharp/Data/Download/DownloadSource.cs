using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>Where a dataset can be downloaded.</summary>
/// <param name="Dataset">The dataset.</param>
/// <param name="Mirrors">The folders that hold its files, first to last; each ends with a slash.</param>
/// <param name="Files">Its files with their sizes.</param>
public sealed record DownloadSource(KnownDataset Dataset, ImmutableArray<Uri> Mirrors, ImmutableArray<DownloadFile> Files)
{
    private const long TrainImagesBytes = 16 + (60_000L * 28 * 28);
    private const long TrainLabelsBytes = 8 + 60_000;
    private const long TestImagesBytes = 16 + (10_000L * 28 * 28);
    private const long TestLabelsBytes = 8 + 10_000;

    /// <summary>
    /// All sources. MNIST: PyTorch's mirror (the one of torchvision's list that still serves; the list's other entry, the
    /// author's own page, refuses programs), then Google's. Fashion-MNIST: the address of Zalando's own loader, which
    /// torchvision uses as well. What is transferred without TLS is guarded by the SHA-256 of <see cref="KnownDataset"/>.
    /// </summary>
    public static ImmutableArray<DownloadSource> All { get; } =
    [
        Idx(KnownDataset.Mnist, "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        Idx(KnownDataset.FashionMnist, "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    ];

    /// <summary>The source of a dataset.</summary>
    /// <param name="dataset">The dataset.</param>
    /// <exception cref="ArgumentException">The dataset has none.</exception>
    public static DownloadSource Of(KnownDataset dataset) =>
        All.FirstOrDefault(source => source.Dataset == dataset)
        ?? throw new ArgumentException(
            $"{dataset.Name} has no known mirrors, only {string.Join(" and ", All.Select(source => source.Dataset.Name))} have. "
                + "Describe yours as a DownloadSource.",
            nameof(dataset)
        );

    private static DownloadSource Idx(KnownDataset dataset, params string[] mirrors) =>
        new(
            dataset,
            [.. mirrors.Select(mirror => new Uri(mirror))],
            [
                new(dataset.TrainImages, TrainImagesBytes),
                new(dataset.TrainLabels, TrainLabelsBytes),
                new(dataset.TestImages, TestImagesBytes),
                new(dataset.TestLabels, TestLabelsBytes),
            ]
        );
}
