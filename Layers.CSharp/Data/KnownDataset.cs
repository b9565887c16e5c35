using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>A dataset of IDX files that Hybrid knows by name and content.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Folder">The subfolder it is looked for in.</param>
/// <param name="ClassNames">Its classes.</param>
/// <param name="TrainImages">The images to learn from.</param>
/// <param name="TrainLabels">Their classes.</param>
/// <param name="TestImages">The images to judge by.</param>
/// <param name="TestLabels">Their classes.</param>
public sealed record KnownDataset(
    string Name,
    string Folder,
    ImmutableArray<string> ClassNames,
    DatasetFile TrainImages,
    DatasetFile TrainLabels,
    DatasetFile TestImages,
    DatasetFile TestLabels
)
{
    private const string TrainImagesName = "train-images-idx3-ubyte";
    private const string TrainLabelsName = "train-labels-idx1-ubyte";
    private const string TestImagesName = "t10k-images-idx3-ubyte";
    private const string TestLabelsName = "t10k-labels-idx1-ubyte";

    /// <summary>MNIST: 70,000 handwritten digits of 28x28 (Y. LeCun, C. Cortes, C. Burges).</summary>
    public static KnownDataset Mnist { get; } =
        new(
            "MNIST",
            "mnist",
            DigitsCsv.ClassNames,
            new(TrainImagesName, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            new(TrainLabelsName, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            new(TestImagesName, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            new(TestLabelsName, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")
        );

    /// <summary>Fashion-MNIST: 70,000 pictures of clothes of 28x28 (H. Xiao, K. Rasul, R. Vollgraf, 2017).</summary>
    public static KnownDataset FashionMnist { get; } =
        new(
            "Fashion-MNIST",
            "fashion-mnist",
            ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
            new(TrainImagesName, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            new(TrainLabelsName, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            new(TestImagesName, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            new(TestLabelsName, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34")
        );

    /// <summary>All of them.</summary>
    public static ImmutableArray<KnownDataset> All { get; } = [Mnist, FashionMnist];

    /// <summary>The file of images of a part.</summary>
    /// <param name="part">The part.</param>
    public DatasetFile Images(DatasetPart part) => part == DatasetPart.Train ? TrainImages : TestImages;

    /// <summary>The file of labels of a part.</summary>
    /// <param name="part">The part.</param>
    public DatasetFile Labels(DatasetPart part) => part == DatasetPart.Train ? TrainLabels : TestLabels;

    /// <summary>Says which file of which known dataset has a content, or null.</summary>
    internal static string? Identify(string sha256) =>
        All.SelectMany(set => set.Files().Where(file => file.Sha256 == sha256).Select(file => $"{file.Name} of {set.Name}")).FirstOrDefault();

    /// <summary>Says which other known dataset a content belongs to, or null.</summary>
    internal KnownDataset? OwnerElsewhere(string sha256) => All.FirstOrDefault(set => set != this && set.Files().Any(file => file.Sha256 == sha256));

    private IEnumerable<DatasetFile> Files() => [TrainImages, TrainLabels, TestImages, TestLabels];
}
