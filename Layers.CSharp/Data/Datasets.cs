using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>The datasets that Hybrid knows by name. What is found is checked against the authors' files, bit by bit.</summary>
public static class Datasets
{
    /// <summary>How many of the digits are for training by custom: four fifths.</summary>
    public const int DigitsTrainCount = 1437;

    private const string DigitsName = "digits.csv.gz";
    private const string DigitsResource = "Hybrid.Layers.Data.Resources." + DigitsName;

    /// <summary>MNIST: 60,000 or 10,000 handwritten digits, 28x28, pixels 0 to 255.</summary>
    /// <param name="part">Which part.</param>
    /// <exception cref="DataException">It was not found, or what was found is damaged or something else.</exception>
    public static ImageDataset Mnist(DatasetPart part) => Load(KnownDataset.Mnist, part, DataEnvironment.OfThisProcess());

    /// <summary>Fashion-MNIST: 60,000 or 10,000 pictures of clothes, 28x28, pixels 0 to 255.</summary>
    /// <param name="part">Which part.</param>
    /// <exception cref="DataException">It was not found, or what was found is damaged or something else.</exception>
    public static ImageDataset FashionMnist(DatasetPart part) => Load(KnownDataset.FashionMnist, part, DataEnvironment.OfThisProcess());

    /// <summary>
    /// The 1,797 handwritten digits of UCI (E. Alpaydin and C. Kaynak), 8x8, pixels 0 to 16. They are part of this library,
    /// under CC BY 4.0, and always found. For training and testing use <see cref="ImageDataset.SplitInOrder"/> or
    /// <see cref="ImageDataset.SplitAtRandom"/> with <see cref="DigitsTrainCount"/>.
    /// </summary>
    public static ImageDataset Digits()
    {
        using var resource =
            typeof(Datasets).Assembly.GetManifestResourceStream(DigitsResource)
            ?? throw new InvalidOperationException($"this library was built without its resource {DigitsResource}");
        var bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        return DigitsCsv.Parse(bytes, DigitsName);
    }

    /// <summary>Looks for a dataset without reading its images.</summary>
    /// <param name="dataset">Which one.</param>
    /// <param name="part">Which part.</param>
    /// <param name="environment">Where the program runs.</param>
    /// <exception cref="DataException">HYBRID_DATA names a folder that does not exist.</exception>
    public static DataLookup Find(KnownDataset dataset, DatasetPart part, DataEnvironment environment)
    {
        ImmutableArray<string> files = [dataset.Images(part).Name, dataset.Labels(part).Name];
        return DataFolders.Find(dataset.Name, dataset.Folder, files, environment, found => Stranger(dataset, found[1]));
    }

    /// <summary>Finds a dataset, reads it and checks it against the authors' files.</summary>
    /// <param name="dataset">Which one.</param>
    /// <param name="part">Which part.</param>
    /// <param name="environment">Where the program runs.</param>
    /// <exception cref="DataException">It was not found, or what was found is damaged or something else.</exception>
    public static ImageDataset Load(KnownDataset dataset, DatasetPart part, DataEnvironment environment)
    {
        var lookup = Find(dataset, part, environment);
        if (!lookup.Found)
            throw lookup.NotFound();
        var labels = ReadChecked(lookup.Files[1], dataset, dataset.Labels(part));
        var images = ReadChecked(lookup.Files[0], dataset, dataset.Images(part));
        var name = $"{dataset.Name} ({(part == DatasetPart.Train ? "train" : "test")})";
        return ImageDataset.FromIdx(name, lookup.Files[0], images, lookup.Files[1], labels, dataset.ClassNames);
    }

    /// <summary>
    /// Downloads a dataset into the user's cache folder, where the other methods find it; they themselves never use the
    /// network. Files that are there and sound are kept. A file gets its name only when it is whole and the SHA-256 of its
    /// content is the authors'; several processes may download at once.
    /// </summary>
    /// <param name="dataset">Which one.</param>
    /// <param name="options">Limits, mirrors and whom to tell; null for the defaults.</param>
    /// <param name="cancellation">Stops it; what is not whole is removed.</param>
    /// <returns>The files, or what was tried and what to do; a failure is no exception until <see cref="DownloadResult.EnsureSuccess"/>.</returns>
    /// <exception cref="ArgumentException">The dataset has no known mirrors, or an option is senseless.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static DownloadResult Download(KnownDataset dataset, DownloadOptions? options = null, CancellationToken cancellation = default) =>
        Task.Run(() => DownloadAsync(DownloadSource.Of(dataset), DataEnvironment.OfThisProcess(), options, cancellation), CancellationToken.None)
            .GetAwaiter()
            .GetResult();

    /// <summary>As <see cref="Download"/>, without holding the thread and from a source of your own.</summary>
    /// <param name="source">What to download and from where.</param>
    /// <param name="environment">Where the program runs.</param>
    /// <param name="options">Limits, mirrors and whom to tell; null for the defaults.</param>
    /// <param name="cancellation">Stops it; what is not whole is removed.</param>
    /// <exception cref="ArgumentException">An option is senseless.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static Task<DownloadResult> DownloadAsync(
        DownloadSource source,
        DataEnvironment environment,
        DownloadOptions? options = null,
        CancellationToken cancellation = default
    ) => new Downloader(source, environment, options ?? new()).RunAsync(cancellation);

    /// <summary>
    /// MNIST and Fashion-MNIST have the same file names, so a folder of one must not count as the other: it is passed over.
    /// Files that belong to neither, or cannot be read, are left for <see cref="Load"/> to refuse with their reason.
    /// </summary>
    private static string? Stranger(KnownDataset dataset, string labelsFile)
    {
        try
        {
            return dataset.OwnerElsewhere(IdxFile.Read(labelsFile).Sha256()) is { } owner ? $"holds {owner.Name}" : null;
        }
        catch (DataException)
        {
            return null;
        }
    }

    private static IdxFile ReadChecked(string path, KnownDataset dataset, DatasetFile file)
    {
        var read = IdxFile.Read(path);
        var got = read.Sha256();
        if (got != file.Sha256)
        {
            var known = KnownDataset.Identify(got) is { } other ? $"{got} ({other})" : got;
            var advice = $"This is not {file.Name} of {dataset.Name}: fetch it again, or read it with ImageDataset.ReadIdx if it is your own.";
            throw new DataException(path, null, $"content of SHA-256 {file.Sha256}", known, advice);
        }
        return read;
    }
}
