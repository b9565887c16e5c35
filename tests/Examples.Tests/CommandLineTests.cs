using Hybrid.Examples.CommandLine;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>What the command line understands, and the whole text of what it answers when it does not.</summary>
public sealed class CommandLineTests
{
    private const string Options =
        "The options of softmax-mnist are --data, --model, --path, --precision, --epochs, --batch, --lr, --threads, --seed, --json.";

    private const string More = "More: Examples softmax-mnist --help";

    public static TheoryData<string[], string[]> Refusals { get; } =
        new()
        {
            { ["--data", "cifar"], ["--data: expected mnist, fashion or digits, got 'cifar'."] },
            { ["--data", "MNIST"], ["--data: expected mnist, fashion or digits, got 'MNIST'."] },
            { ["--model", "cnn"], ["--model: expected softmax, got 'cnn'."] },
            { ["--path", "auto"], ["--path: expected manual, tape-manual, automatic or all, got 'auto'."] },
            { ["--precision", "float16"], ["--precision: expected float32 or float64, got 'float16'."] },
            { ["--epochs", "0"], ["--epochs: expected a whole number from 1 to 10000, got '0'."] },
            { ["--epochs", "10001"], ["--epochs: expected a whole number from 1 to 10000, got '10001'."] },
            { ["--epochs", "-3"], ["--epochs: expected a whole number from 1 to 10000, got '-3'."] },
            { ["--epochs", "1.5"], ["--epochs: expected a whole number from 1 to 10000, got '1.5'."] },
            { ["--epochs", "99999999999"], ["--epochs: expected a whole number from 1 to 10000, got '99999999999'."] },
            { ["--batch", "0"], ["--batch: expected a whole number from 1 to 70000, got '0'."] },
            { ["--batch", "70001"], ["--batch: expected a whole number from 1 to 70000, got '70001'."] },
            { ["--lr", "0"], ["--lr: expected a number above 0 and up to 1000, got '0'."] },
            { ["--lr", "-0.1"], ["--lr: expected a number above 0 and up to 1000, got '-0.1'."] },
            { ["--lr", "0,1"], ["--lr: expected a number above 0 and up to 1000, got '0,1'."] },
            { ["--lr", "NaN"], ["--lr: expected a number above 0 and up to 1000, got 'NaN'."] },
            { ["--lr", "1001"], ["--lr: expected a number above 0 and up to 1000, got '1001'."] },
            { ["--threads", "0"], ["--threads: expected a whole number from 1 to 256, got '0'."] },
            { ["--threads", "257"], ["--threads: expected a whole number from 1 to 256, got '257'."] },
            { ["--seed", "-1"], ["--seed: expected a whole number from 0 to 2147483647, got '-1'."] },
            { ["--seed", "2147483648"], ["--seed: expected a whole number from 0 to 2147483647, got '2147483648'."] },
            { ["--json", ""], ["--json: expected the path of a file, got ''."] },
            {
                ["--lr", "x", "--epochs", "y"],
                ["--epochs: expected a whole number from 1 to 10000, got 'y'.", "--lr: expected a number above 0 and up to 1000, got 'x'."]
            },
            { ["--path"], ["Required argument missing for option: '--path'.", "--path takes manual, tape-manual, automatic or all."] },
            {
                ["--seed", "1", "--seed", "2"],
                ["Option '--seed' expects a single argument but 2 were provided.", "--seed takes a whole number from 0 to 2147483647."]
            },
            { ["--epoch", "3"], ["Unrecognized command or argument '--epoch'.", "Unrecognized command or argument '3'.", Options] },
            { ["extra"], ["Unrecognized command or argument 'extra'.", Options] },
            { ["@file"], ["Unrecognized command or argument '@file'.", Options] },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_wrong_option_is_answered_with_what_is_allowed(string[] arguments, string[] expected)
    {
        var ran = Running.Refused(["softmax-mnist", .. arguments]);

        Assert.Equal(2, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal([.. expected, More], ran.ErrorLines);
    }

    [Fact]
    public void The_cross_check_names_its_networks()
    {
        var ran = Running.Refused("crosscheck", "--model", "lstm");

        Assert.Equal(["--model: expected softmax, mlp, cnn or all, got 'lstm'.", "More: Examples crosscheck --help"], ran.ErrorLines);
    }

    [Fact]
    public void An_unknown_command_is_answered_with_the_commands()
    {
        var ran = Running.Refused("teach");

        Assert.Equal(2, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal(
            [
                "Unrecognized command or argument 'teach'.",
                "The commands are crosscheck, softmax-mnist, digits-mlp, train, download.",
                "More: Examples --help",
            ],
            ran.ErrorLines
        );
    }

    [Theory]
    [InlineData("crosscheck")]
    [InlineData("crosscheck", "--epochs", "7")]
    [InlineData("crosscheck", "crosscheck", "--epochs", "7")]
    [InlineData("softmax-mnist", "softmax-mnist", "--epochs", "7")]
    [InlineData("digits-mlp", "digits-mlp", "--epochs", "7")]
    [InlineData("train", "train", "--epochs", "7")]
    [InlineData("download", "download", "mnist")]
    public void Without_a_command_the_cross_check_runs(string expected, params string[] arguments)
    {
        var (command, settings) = Running.Parsed(arguments);

        Assert.Equal(expected, command);
        Assert.Equal(arguments.Contains("7"), settings.IsGiven(OptionTable.Epochs));
        Assert.True(!settings.IsGiven(OptionTable.Epochs) || settings.Epochs == 7);
    }

    [Fact]
    public void Every_command_that_computes_takes_every_option_by_the_same_words()
    {
        var computing = CommandTable.All.Where(command => command.Name != "download").ToArray();

        Assert.Equal(4, computing.Length);
        Assert.All(computing, command => Assert.Equal(OptionTable.All, command.Options.Select(option => option.Spec)));
    }

    public static TheoryData<string[], string[]> DownloadRefusals { get; } =
        new()
        {
            { [], ["Required argument 'mnist|fashion-mnist' missing for command: 'download'."] },
            { ["cifar"], ["DATASET: expected mnist or fashion-mnist, got 'cifar'."] },
            { ["mnist", "fashion-mnist"], ["Unrecognized command or argument 'fashion-mnist'.", "The options of download are --mirror."] },
            {
                ["mnist", "--seed", "1"],
                ["Unrecognized command or argument '--seed'.", "Unrecognized command or argument '1'.", "The options of download are --mirror."]
            },
            { ["mnist", "--mirror", "ftp://mirror/"], ["--mirror: expected an http or https address that ends with a slash, got 'ftp://mirror/'."] },
            {
                ["mnist", "--mirror", "http://mirror/data"],
                ["--mirror: expected an http or https address that ends with a slash, got 'http://mirror/data'."]
            },
            { ["mnist", "--mirror", "mirror/"], ["--mirror: expected an http or https address that ends with a slash, got 'mirror/'."] },
        };

    [Theory]
    [MemberData(nameof(DownloadRefusals))]
    public void A_wrong_download_is_answered_with_what_is_allowed(string[] arguments, string[] expected)
    {
        var ran = Running.Refused(["download", .. arguments]);

        Assert.Equal(2, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal([.. expected, "More: Examples download --help"], ran.ErrorLines);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("https://mirror/data/")]
    public void A_download_knows_its_dataset_and_mirror_and_computes_nothing(string? mirror)
    {
        var (_, settings) = Running.Parsed(mirror is null ? ["download", "fashion-mnist"] : ["download", "fashion-mnist", "--mirror", mirror]);

        Assert.Equal(("fashion-mnist", mirror), (settings.Dataset, settings.Mirror?.ToString()));
        Assert.Null(settings.Threads);
    }

    [Fact]
    public void A_default_is_a_value_that_the_option_takes()
    {
        var defaults = CommandTable.All.SelectMany(command => command.Options).Where(option => option.Default is not null).ToArray();

        Assert.True(defaults.Length >= 20);
        Assert.All(defaults, option => Assert.True(option.Values.Accepts(option.Default!), option.Spec.Name));
    }

    [Fact]
    public void A_command_narrows_an_option_only_to_words_that_the_table_has()
    {
        foreach (var option in CommandTable.All.SelectMany(command => command.Options).Where(option => option.Values != option.Spec.Values))
            Assert.All(option.Values.Placeholder.Split('|'), word => Assert.True(option.Spec.Values.Accepts(word), word));
    }

    [Fact]
    public void Numbers_are_read_the_same_everywhere()
    {
        var (_, settings) = Running.Parsed("softmax-mnist", "--lr", "1e-3", "--seed", "2147483647", "--threads", "3");

        Assert.Equal(0.001, settings.LearningRate);
        Assert.Equal(int.MaxValue, settings.Seed);
        Assert.Equal(3, settings.Threads);
    }

    [Fact]
    public void Help_names_every_option_with_its_values_and_default()
    {
        var ran = Running.Here("softmax-mnist", "--help");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal("", ran.Error);
        foreach (var option in OptionTable.All)
            Assert.Contains($"{option.Name} <", ran.Output, StringComparison.Ordinal);
        Assert.Contains("--path <manual|tape-manual|automatic|all>", ran.Output, StringComparison.Ordinal);
        Assert.Contains("[default: 0.1]", ran.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_of_the_program_names_the_commands_and_exit_codes()
    {
        var ran = Running.Here("--help");

        Assert.Equal(0, ran.ExitCode);
        Assert.Contains("Exit codes: 0 agree, 1 disagree, 2 usage, 3 data, 130 interrupted.", ran.Output, StringComparison.Ordinal);
        Assert.All(CommandTable.All, command => Assert.Contains($"\n  {command.Name} ", ran.Output, StringComparison.Ordinal));
    }
}
