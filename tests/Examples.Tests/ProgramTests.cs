using System.Text.Json;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The built program as a process: exit codes, streams, data that is missing or damaged, and Ctrl-C.</summary>
public sealed class ProgramTests
{
    private const string DigitsNote = "Data: digits (train), 1437 images to train on and 360 to test.\n";

    private static readonly string[] MnistFiles =
    [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];

    [Fact]
    public void Results_go_to_standard_output_and_notes_to_standard_error()
    {
        var ran = BuiltProgram.Run(null, "softmax-mnist", "--data", "digits", "--epochs", "2");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal(DigitsNote, ran.Error);
        Assert.Equal(2, ran.OutputLines.Length);
        Assert.All(ran.OutputLines, (line, epoch) => Assert.Matches($@"^epoch {epoch} train \d\d\.\d{{5}} test \d\d\.\d{{5}}$", line));
    }

    [Fact]
    public void Output_is_plain_and_the_same_in_every_culture()
    {
        string[] command = ["crosscheck", "--data", "digits", "--model", "softmax", "--epochs", "1"];

        var german = BuiltProgram.Run(new Dictionary<string, string> { ["LANG"] = "de_DE.UTF-8", ["LC_ALL"] = "de_DE.UTF-8" }, command);
        var colourful = BuiltProgram.Run(new Dictionary<string, string> { ["TERM"] = "xterm-256color", ["COLUMNS"] = "20" }, command);

        Assert.Equal(0, german.ExitCode);
        Assert.Equal(german.Output, colourful.Output);
        Assert.Equal(german.Error, colourful.Error);
        Assert.DoesNotContain('\u001b', colourful.Output + colourful.Error);
        Assert.All(german.OutputLines, line => Assert.Equal(line.TrimEnd(), line));
    }

    [Fact]
    public void A_usage_error_is_2()
    {
        var ran = BuiltProgram.Run(null, "softmax-mnist", "--epochs", "none");

        Assert.Equal(2, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal("--epochs: expected a whole number from 1 to 10000, got 'none'.\nMore: Examples softmax-mnist --help\n", ran.Error);
    }

    [Fact]
    public void The_version_is_printed_as_plain_text()
    {
        var ran = BuiltProgram.Run(null, "--version");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal("", ran.Error);
        Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", ran.Output);
    }

    [Theory]
    [InlineData("softmax-mnist")]
    [InlineData("crosscheck")]
    public void Damaged_data_is_3_with_file_and_place(string command)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in MnistFiles)
            File.WriteAllText(folder.File(file), "not idx");

        var ran = BuiltProgram.Run(new Dictionary<string, string> { [DataEnvironment.DataVariable] = folder.Path }, command);

        Assert.Equal(3, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal(
            $"{folder.File("train-labels-idx1-ubyte")}: expected the magic number of IDX (two zero bytes), got 0x6E6F (offset 0). "
                + "This is not an IDX file: check what was fetched.\n",
            ran.Error
        );
    }

    [Fact]
    public void A_data_folder_that_does_not_exist_is_3()
    {
        using var folder = new TemporaryFolder();
        var missing = folder.File("missing");

        var ran = BuiltProgram.Run(new Dictionary<string, string> { [DataEnvironment.DataVariable] = missing });

        Assert.Equal(3, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal(
            $"HYBRID_DATA: expected a folder that exists, got {missing}. Set it to the folder that holds your data, or unset it.\n",
            ran.Error
        );
    }

    [Fact]
    public void Where_mnist_is_not_found_the_main_job_runs_on_the_digits_and_the_exact_run_is_3()
    {
        using var away = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory))
            File.Copy(file, away.File(Path.GetFileName(file)));
        var cache = away.File("cache");
        var nowhere = new Dictionary<string, string> { [DataEnvironment.DataVariable] = "", [DataEnvironment.CacheVariable] = cache };
        var looked =
            "looked in HYBRID_DATA: not set; development layout: no Hybrid.sln above this program; "
            + $"{cache}/hybrid/mnist: no such folder; /usr/share/datasets/mnist: no such folder";
        if (!OperatingSystem.IsLinux() || Directory.Exists("/usr/share/datasets/mnist"))
            return;

        var crossCheck = BuiltProgram.RunFrom(away.Path, nowhere, "--model", "softmax", "--epochs", "1");
        var exact = BuiltProgram.RunFrom(away.Path, nowhere, "softmax-mnist");

        Assert.Equal(0, crossCheck.ExitCode);
        Assert.Equal(
            $"MNIST was not found ({looked}); set HYBRID_DATA to the folder that holds train-images-idx3-ubyte and train-labels-idx1-ubyte, "
                + $"plain or .gz. The digits that are part of Hybrid take its place; the command 'download mnist' fetches it.\n{DigitsNote}"
                + "softmax: gradients by layer, 15 steps in lockstep, 1 epoch free-running.\n",
            crossCheck.Error
        );
        Assert.Equal("Cross-check on digits: float64, batches of 100, learning rate 0.1, seed 0", crossCheck.OutputLines[0]);
        Assert.Equal(3, exact.ExitCode);
        Assert.Equal("", exact.Output);
        Assert.Equal(
            $"MNIST: expected train-images-idx3-ubyte and train-labels-idx1-ubyte in one folder, got none that has them ({looked}). "
                + "Set HYBRID_DATA to the folder that holds them, plain or .gz.\n",
            exact.Error
        );
    }

    [Fact]
    public void Results_are_written_as_json_too()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");

        var ran = BuiltProgram.Run(null, "digits-mlp", "--epochs", "1", "--json", file);

        Assert.Equal(0, ran.ExitCode);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.Equal(21, json.RootElement.GetProperty("checks").GetArrayLength());
        Assert.Equal([file], Directory.GetFiles(folder.Path));
    }

    [Theory]
    [InlineData("softmax-mnist", "--data", "digits")]
    [InlineData("digits-mlp")]
    [InlineData("crosscheck", "--data", "digits")]
    [InlineData("train", "--data", "digits")]
    public void Ctrl_C_ends_the_run_promptly_with_130_and_leaves_nothing_half_written(params string[] command)
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");
        using var program = BuiltProgram.StartInterruptible(null, [.. command, "--epochs", "10000", "--json", file]);
        program.WaitForNote(DigitsNote.TrimEnd('\n'));
        Thread.Sleep(TimeSpan.FromSeconds(1));

        var ran = program.Interrupt(atMost: TimeSpan.FromSeconds(10));

        Assert.Equal(130, ran.ExitCode);
        Assert.Equal("Interrupted.", ran.ErrorLines[^1]);
        Assert.Empty(Directory.GetFiles(folder.Path));
        Assert.True(ran.Output.Length == 0 || ran.Output.EndsWith('\n'));
    }
}
