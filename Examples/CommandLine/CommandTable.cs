using Hybrid.Examples.Runs;

namespace Hybrid.Examples.CommandLine;

/// <summary>The commands, as data.</summary>
internal static class CommandTable
{
    /// <summary>What runs when no command is named.</summary>
    internal const string DefaultCommand = "crosscheck";

    private static CommandOption MirrorOption { get; } = OptionTable.Mirror.Deferred("those that PyTorch's and Zalando's loaders use");

    /// <summary>All of them, in the order of the help.</summary>
    internal static IReadOnlyList<CommandSpec> All { get; } =
    [
        new(
            "crosscheck",
            "Checks every layer's gradient by hand, trains each network by each path, and shows where and by how much they differ. Runs without a command, too.",
            [
                OptionTable.Data.Deferred("mnist, or digits where MNIST is not found"),
                OptionTable.Model.By("all"),
                OptionTable.Path.By("all"),
                OptionTable.Precision.By("float64"),
                OptionTable.Epochs.By("3"),
                OptionTable.Batch.By("100"),
                OptionTable.LearningRate.By("0.1"),
                OptionTable.Threads.By(OptionTable.Processors),
                OptionTable.Seed.By("0"),
                OptionTable.Json.By(null),
            ],
            CrossCheck.Run
        ),
        new(
            "softmax-mnist",
            "Softmax regression from zero, images in file order: the curriculum's reproducible run. A line an epoch; in float64 on MNIST it must match the table.",
            [
                OptionTable.Data.By("mnist"),
                OptionTable.Model.Only("softmax"),
                OptionTable.Path.By("automatic"),
                OptionTable.Precision.By("float64"),
                OptionTable.Epochs.By("20"),
                OptionTable.Batch.By("100"),
                OptionTable.LearningRate.By("0.1"),
                OptionTable.Threads.By(OptionTable.Processors),
                OptionTable.Seed.By("0"),
                OptionTable.Json.By(null),
            ],
            SoftmaxMnist.Run
        ),
        new(
            "digits-mlp",
            "A network of two tanh layers on the digits, its gradient written by hand and checked against autograd bit by bit.",
            [
                OptionTable.Data.Only("digits"),
                OptionTable.Model.Only("mlp"),
                OptionTable.Path.By("manual"),
                OptionTable.Precision.By("float64"),
                OptionTable.Epochs.By("500"),
                OptionTable.Batch.Deferred("all images"),
                OptionTable.LearningRate.By("0.01"),
                OptionTable.Threads.By(OptionTable.Processors),
                OptionTable.Seed.By("0"),
                OptionTable.Json.By(null),
            ],
            DigitsMlp.Run
        ),
        new(
            "train",
            "Trains one network with Adam and tests it after each epoch: the library's Trainer, with bars on a terminal and a line an epoch elsewhere.",
            [
                OptionTable.Data.Deferred("mnist, or digits where MNIST is not found"),
                OptionTable.Model.Only("cnn", "mlp", "softmax"),
                OptionTable.Path.Only("automatic", "manual"),
                OptionTable.Precision.By("float32"),
                OptionTable.Epochs.By("3"),
                OptionTable.Batch.By("100"),
                OptionTable.LearningRate.By("0.001"),
                OptionTable.Threads.By(OptionTable.Processors),
                OptionTable.Seed.By("0"),
                OptionTable.Json.By(null),
            ],
            Training.Run
        ),
        new("download", "Downloads a dataset into the user's cache folder, where the other commands find it.", [MirrorOption], Download.Run)
        {
            Argument = OptionTable.Dataset,
        },
    ];
}
