using Hybrid.Core;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>Images to train on and images to judge by.</summary>
/// <param name="Name">The word for it on the command line.</param>
/// <param name="Train">The images to train on.</param>
/// <param name="Test">The images to judge by.</param>
internal sealed record ExampleData(string Name, ImageDataset Train, ImageDataset Test)
{
    /// <summary>The word for the digits, which are always there.</summary>
    internal const string DigitsName = "digits";

    /// <summary>How many pixels an image has.</summary>
    internal int Pixels => Train.Shape.Pixels;

    /// <summary>Loads the data that the user asked for. Left to the command, it is MNIST, or the digits where MNIST is not found.</summary>
    /// <exception cref="DataException">It is not found, or damaged.</exception>
    internal static ExampleData Load(Settings settings, Session session)
    {
        var name = settings.Data ?? (MissingMnist() is { } missing ? Fallback(missing, session) : "mnist");
        var data = name switch
        {
            "mnist" => new ExampleData(name, Datasets.Mnist(DatasetPart.Train), Datasets.Mnist(DatasetPart.Test)),
            "fashion" => new ExampleData(name, Datasets.FashionMnist(DatasetPart.Train), Datasets.FashionMnist(DatasetPart.Test)),
            _ => Digits(settings.Seed),
        };
        session.Note(Say.Line($"Data: {data.Train.Name}, {data.Train.Count} images to train on and {data.Test.Count} to test."));
        session.Checkpoint();
        return data;
    }

    /// <summary>The 1,797 digits: four fifths, drawn by the seed, to train on, the others to test.</summary>
    internal static ExampleData Digits(int seed)
    {
        var (train, test) = Datasets.Digits().SplitAtRandom(Datasets.DigitsTrainCount, (ulong)seed);
        return new(DigitsName, train, test);
    }

    /// <summary>Images in [0, 1], <c>[count, pixels]</c>.</summary>
    /// <param name="data">Where they come from.</param>
    /// <param name="indices">Which, in order.</param>
    /// <param name="type">Float32 or float64.</param>
    internal static Tensor Images(ImageDataset data, ReadOnlySpan<int> indices, ElementType type)
    {
        var pixels = data.Shape.Pixels;
        var bytes = new byte[indices.Length * pixels];
        for (var i = 0; i < indices.Length; i++)
            data.Image(indices[i]).CopyTo(bytes.AsSpan(i * pixels));
        return Tensor.From<byte>(bytes, Shape.Of(indices.Length, pixels)).To(type) / data.PixelMaximum;
    }

    /// <summary>The classes of images, int32 <c>[count]</c>.</summary>
    internal static Tensor Labels(ImageDataset data, ReadOnlySpan<int> indices)
    {
        var labels = new int[indices.Length];
        for (var i = 0; i < labels.Length; i++)
            labels[i] = data.Labels[indices[i]];
        return Tensor.From<int>(labels, Shape.Of(labels.Length));
    }

    private static DataLookup? MissingMnist() =>
        Enum.GetValues<DatasetPart>()
            .Select(part => Datasets.Find(KnownDataset.Mnist, part, DataEnvironment.OfThisProcess()))
            .FirstOrDefault(lookup => !lookup.Found);

    private static string Fallback(DataLookup missing, Session session)
    {
        session.Note($"{missing.Message}. The digits that are part of Hybrid take its place; the command 'download mnist' fetches it.");
        return DigitsName;
    }
}
