using System.Globalization;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.CommandLine;

/// <summary>The options, as data: the same words on every command.</summary>
internal static class OptionTable
{
    /// <summary>Which images.</summary>
    internal static readonly OptionSpec Data = new("--data", "Images to learn.", Domain.OneOf("mnist", "fashion", "digits"));

    /// <summary>Which network.</summary>
    internal static readonly OptionSpec Model = new(
        "--model",
        "Network to train; where all are, the cnn takes part of each epoch.",
        Domain.OneOf("softmax", "mlp", "cnn", "all")
    );

    /// <summary>Which way gradients take.</summary>
    internal static readonly OptionSpec Path = new(
        "--path",
        "Where gradients come from: modules by hand, the tape with the layers' own rules, the tape with derived rules.",
        Domain.OneOf("manual", "tape-manual", "automatic", "all")
    );

    /// <summary>Which element type.</summary>
    internal static readonly OptionSpec Precision = new(
        "--precision",
        "Element type of parameters and activations.",
        Domain.OneOf("float32", "float64")
    );

    /// <summary>How often all training images are seen.</summary>
    internal static readonly OptionSpec Epochs = new("--epochs", "Passes over the training images, 1 to 10000.", Domain.WholeNumber(1, 10_000));

    /// <summary>How many images make a step.</summary>
    internal static readonly OptionSpec Batch = new("--batch", "Images in a step, 1 to 70000.", Domain.WholeNumber(1, 70_000));

    /// <summary>How long the steps are.</summary>
    internal static readonly OptionSpec LearningRate = new("--lr", "Learning rate, above 0 and up to 1000.", Domain.PositiveNumber(1_000));

    /// <summary>How many threads work.</summary>
    internal static readonly OptionSpec Threads = new(
        "--threads",
        "Threads that compute, 1 to 256; the results are the same bits with any number.",
        Domain.WholeNumber(1, 256)
    );

    /// <summary>What random numbers start from.</summary>
    internal static readonly OptionSpec Seed = new("--seed", "Start of all that is random, 0 to 2147483647.", Domain.WholeNumber(0, int.MaxValue));

    /// <summary>Where the results go as JSON.</summary>
    internal static readonly OptionSpec Json = new("--json", "Also write the results to this file, whole or not at all.", Domain.FilePath);

    /// <summary>Which dataset to download: what must stand after the command.</summary>
    internal static readonly OptionSpec Dataset = new(
        "DATASET",
        "Dataset to download.",
        Domain.OneOf([.. DownloadSource.All.Select(source => source.Dataset.Folder)])
    );

    /// <summary>Where a dataset is downloaded from.</summary>
    internal static readonly OptionSpec Mirror = new("--mirror", "Folder that has the dataset's files, instead of the known ones.", Domain.WebFolder);

    /// <summary>The default number of threads: one for each processor.</summary>
    internal static string Processors { get; } = Math.Min(Environment.ProcessorCount, 256).ToString(CultureInfo.InvariantCulture);

    /// <summary>Those of every command that computes, in the order of the help.</summary>
    internal static IReadOnlyList<OptionSpec> All { get; } = [Data, Model, Path, Precision, Epochs, Batch, LearningRate, Threads, Seed, Json];
}
