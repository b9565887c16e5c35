using System.Text.Json;
using Hybrid.Examples.Output;
using Hybrid.Layers;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The command train: what it prints and writes, and how the Trainer's progress reaches bars and lines.</summary>
public sealed class TrainingTests
{
    private static readonly EpochRecord Epoch = new(0, new(0.5, [], 10), new(0.25, [], 5), 4, 1.5);

    [Fact]
    public void It_learns_the_digits_and_prints_a_line_an_epoch()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");

        var ran = Running.Here("train", "--data", "digits", "--epochs", "3", "--lr", "0.01", "--json", file);

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal("net/8:Linear     [batch, 10]               650            640", ran.OutputLines[10]);
        Assert.Equal("total                                    1,898         23,680", ran.OutputLines[11]);
        Assert.Equal("epoch    loss  test loss  test %", ran.OutputLines[12]);
        Assert.Equal(16, ran.OutputLines.Length);
        Assert.All(ran.OutputLines[13..], (line, epoch) => Assert.Matches($@"^{epoch}      \d\.\d{{4}}     \d\.\d{{4}}   \d\d\.\d\d$", line));
        Assert.Equal(4, ran.ErrorLines.Length);
        Assert.All(
            ran.ErrorLines[1..],
            (line, epoch) =>
                Assert.Matches($@"^epoch {epoch + 1}/3 loss \d\.\d{{4}} validation loss \d\.\d{{4}} accuracy 0\.\d{{4}} \(\d+\.\d s\)$", line)
        );
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.Equal("digits", json.RootElement.GetProperty("data").GetString());
        var epochs = json.RootElement.GetProperty("epochs").EnumerateArray().ToArray();
        Assert.Equal([0, 1, 2], epochs.Select(epoch => epoch.GetProperty("epoch").GetInt32()));
        Assert.InRange(epochs[^1].GetProperty("test").GetDouble(), 80, 100);
        Assert.InRange(epochs[^1].GetProperty("testLoss").GetDouble(), 0, epochs[0].GetProperty("testLoss").GetDouble());
    }

    [Theory]
    [InlineData("--path", "manual")]
    [InlineData("--threads", "1")]
    public void Neither_the_path_nor_the_number_of_threads_changes_what_is_printed(params string[] option)
    {
        string[] command = ["train", "--data", "digits", "--model", "mlp", "--precision", "float64", "--epochs", "1"];

        Assert.Equal(Running.Here(command).Output, Running.Here([.. command, .. option]).Output);
    }

    [Fact]
    public void Steps_of_all_epochs_are_one_bar_for_training_and_one_for_validation()
    {
        var reached = new Reached();
        var steps = new TrainingSteps(reached);

        steps.Report(new(TrainingPhase.Training, 0, 3, 1, 4, 0.75));
        steps.Report(new(TrainingPhase.Validation, 0, 3, 2, 2, 0.25));
        steps.Report(new(TrainingPhase.EpochEnd, 0, 3, 4, 4, 0.5, Epoch));
        steps.Report(new(TrainingPhase.Training, 2, 3, 4, 4, 0.125));
        steps.Report(new(TrainingPhase.Training, 1, 3, 9, null, 0.5));

        Assert.Equal([(0, 1, 12, "loss 0.7500"), (1, 2, 6, "loss 0.2500"), (0, 12, 12, "loss 0.1250"), (0, 2, 3, "loss 0.5000")], reached.Calls);
    }

    [Theory]
    [InlineData(false, "epoch 1/1 loss 0.5000 validation loss 0.2500 (1.5 s)\n")]
    [InlineData(true, null)]
    public void A_training_has_bars_on_a_terminal_and_lines_elsewhere(bool terminal, string? expected)
    {
        using var words = new StringWriter { NewLine = "\n" };

        new Session(TextWriter.Null, words, new(terminal, terminal), CancellationToken.None).WithTraining(
            1,
            progress =>
            {
                progress.Report(new(TrainingPhase.Training, 0, 1, 4, 4, 0.5));
                progress.Report(new(TrainingPhase.EpochEnd, 0, 1, 4, 4, 0.5, Epoch));
            }
        );

        if (expected is null)
            Assert.DoesNotContain("epoch 1/1", words.ToString(), StringComparison.Ordinal);
        else
            Assert.Equal(expected, words.ToString());
    }
}
