using Hybrid.Core;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>Section 4 of the curriculum: a network by the library's own <see cref="Trainer"/>, with Adam, evaluated after each epoch.</summary>
internal static class Training
{
    // Large enough to keep the kernels busy, small enough for the cache of a batch.
    private const int TestBatch = 1000;

    /// <summary>Runs the command.</summary>
    internal static int Run(Settings settings, Session session)
    {
        var json = JsonFile.At(settings.Json);
        var data = ExampleData.Load(settings, session);
        var net = Models.Named(settings.Model).Single().Create(data, settings);
        foreach (var line in ModelSummary.Of(net, data.Pixels).ToString().Split('\n'))
            session.Result(line.TrimEnd());
        session.Result();
        var history = Fit(net, data, settings, session);
        foreach (var line in Table(history))
            session.Result(line);
        json?.Write(new TrainingResults(settings.Written(), data.Name, [.. history.Epochs.Select(TrainedEpoch.Of)]));
        return ExitCodes.Agree;
    }

    private static TrainingHistory Fit(Sequential net, ExampleData data, Settings settings, Session session)
    {
        var options = new TrainerOptions
        {
            Path = settings.Path == GradientPath.Manual.Name ? Layers.GradientPath.Manual : Layers.GradientPath.Automatic,
            Metrics = [Metric.Accuracy],
        };
        var trainer = new Trainer(net, new CrossEntropyLoss(), new Adam(net.Parameters(), settings.LearningRate!.Value), options);
        var train = Rows(data.Train, settings.Batch!.Value, (ulong)settings.Seed, settings.Precision);
        var test = Rows(data.Test, TestBatch, null, settings.Precision);
        session.WithTraining(settings.Epochs, progress => trainer.Fit(train, test, settings.Epochs, progress, session.Cancelled));
        return trainer.History;
    }

    /// <summary>Images as rows of pixels: the networks give them their shape themselves.</summary>
    private static DataLoader Rows(ImageDataset data, int batch, ulong? seed, ElementType type) =>
        new(
            Tensor.From<byte>(data.Images.AsSpan(), Shape.Of(data.Count, data.Shape.Pixels)),
            Tensor.From<byte>(data.Labels.AsSpan(), Shape.Of(data.Count)),
            batch,
            seed,
            pixelMaximum: data.PixelMaximum,
            type: type
        );

    private static IEnumerable<string> Table(TrainingHistory history)
    {
        var table = new TextTable("epoch", ">loss", ">test loss", ">test %");
        foreach (var epoch in history.Epochs.Select(TrainedEpoch.Of))
            table.Add(Say.Line($"{epoch.Epoch}"), Say.Line($"{epoch.Loss:F4}"), Say.Line($"{epoch.TestLoss:F4}"), Say.Line($"{epoch.Test:F2}"));
        return table.Lines();
    }
}

/// <summary>One epoch.</summary>
/// <param name="Epoch">The epoch, counted from 0.</param>
/// <param name="Loss">The mean loss of its steps, each before its update.</param>
/// <param name="TestLoss">The mean loss on the test images after it.</param>
/// <param name="Test">The test accuracy in percent.</param>
internal sealed record TrainedEpoch(int Epoch, double Loss, double TestLoss, double Test)
{
    /// <summary>What the trainer recorded.</summary>
    internal static TrainedEpoch Of(EpochRecord record) =>
        new(record.Epoch, record.Training.Loss, record.Validation!.Loss, 100 * record.Validation.Metrics[Metric.Accuracy.Name]);
}

/// <summary>What <c>--json</c> holds.</summary>
internal sealed record TrainingResults(IReadOnlyDictionary<string, string> Options, string Data, IReadOnlyList<TrainedEpoch> Epochs);
