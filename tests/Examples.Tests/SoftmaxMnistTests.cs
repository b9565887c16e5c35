using System.Text.Json;
using Hybrid.Examples.Runs;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>Section 2 of the curriculum, on the full MNIST: all 20 epochs must be met exactly.</summary>
public sealed class SoftmaxMnistTests
{
    // The curriculum's table, kept apart from the one that the program judges itself by.
    private const string Expected = """
        epoch 0 train 89.27333 test 90.24000
        epoch 1 train 90.33000 test 90.91000
        epoch 2 train 90.92833 test 91.37000
        epoch 3 train 91.25333 test 91.60000
        epoch 4 train 91.45333 test 91.70000
        epoch 5 train 91.62333 test 91.81000
        epoch 6 train 91.74833 test 91.87000
        epoch 7 train 91.85000 test 91.95000
        epoch 8 train 91.96000 test 92.04000
        epoch 9 train 92.03500 test 92.04000
        epoch 10 train 92.09000 test 92.13000
        epoch 11 train 92.17333 test 92.14000
        epoch 12 train 92.23333 test 92.15000
        epoch 13 train 92.26000 test 92.15000
        epoch 14 train 92.31167 test 92.21000
        epoch 15 train 92.36667 test 92.22000
        epoch 16 train 92.40333 test 92.22000
        epoch 17 train 92.44167 test 92.22000
        epoch 18 train 92.48000 test 92.22000
        epoch 19 train 92.50167 test 92.24000

        """;

    [MnistFact]
    public void Twenty_epochs_by_hand_match_the_table_exactly() => Matches("manual");

    [MnistFact]
    public void Twenty_epochs_by_autograd_match_the_table_exactly() => Matches("automatic");

    [MnistFact]
    public void One_epoch_by_all_paths_agrees_with_the_table_and_each_other()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");

        var ran = Running.Here("softmax-mnist", "--path", "all", "--epochs", "1", "--json", file);

        Assert.Equal(0, ran.ExitCode);
        string[] epoch = ["epoch 0 train 89.27333 test 90.24000"];
        Assert.Equal(["path manual", .. epoch, "path tape-manual", .. epoch, "path automatic", .. epoch], ran.OutputLines);
        Assert.Equal("Data: MNIST (train), 60000 images to train on and 10000 to test.", ran.ErrorLines[0]);
        Assert.Equal("Path automatic agrees with the known figures in the first epoch.", ran.ErrorLines[3]);
        Assert.StartsWith("Paths manual and automatic agree: parameters at the end differ by at most ", ran.ErrorLines[5], StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.True(json.RootElement.GetProperty("agrees").GetBoolean());
        Assert.Equal("all", json.RootElement.GetProperty("options").GetProperty("path").GetString());
        var runs = json.RootElement.GetProperty("runs").EnumerateArray().ToArray();
        Assert.Equal(["manual", "tape-manual", "automatic"], runs.Select(run => run.GetProperty("path").GetString()));
        Assert.All(runs, run => Assert.Equal(90.24, run.GetProperty("epochs")[0].GetProperty("test").GetDouble()));
        Assert.All(runs, run => Assert.Equal(7850, run.GetProperty("parameters").GetArrayLength()));
    }

    [Fact]
    public void A_figure_that_differs_is_a_disagreement_that_names_both()
    {
        var run = new SoftmaxRun("manual", [new(0, 89.27333, 90.24), new(1, 90.33, 90.92)], []);

        var (text, good) = SoftmaxTable.Judge(run);

        Assert.False(good);
        Assert.Equal(
            "Path manual DISAGREES with the known figures: "
                + "expected 'epoch 1 train 90.33000 test 90.91000', got 'epoch 1 train 90.33000 test 90.92000'.",
            text
        );
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("float64")]
    public void The_digits_can_be_learnt_too(string precision)
    {
        var ran = Running.Here("softmax-mnist", "--data", "digits", "--path", "all", "--precision", precision, "--epochs", "3", "--batch", "50");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal(12, ran.OutputLines.Length);
        Assert.Equal(3, ran.ErrorLines.Length);
    }

    private static void Matches(string path)
    {
        var ran = Running.Here("softmax-mnist", "--path", path, "--precision", "float64", "--epochs", "20");

        Assert.Equal(Expected, ran.Output);
        Assert.Equal(0, ran.ExitCode);
    }
}
