using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Examples.Runs;

namespace Hybrid.Examples.Tests;

/// <summary>What a run of the program left behind.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Error">What it wrote to standard error.</param>
internal sealed record Ran(int ExitCode, string Output, string Error)
{
    internal string[] OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    internal string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>The program inside of this process, on streams that remember.</summary>
internal static class Running
{
    /// <summary>Runs it as the command line would, not on a terminal.</summary>
    internal static Ran Here(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var session = new Session(output, error, default, CancellationToken.None);
        var exitCode = CommandLineApp.Run(arguments, output, error, (command, settings) => Program.Run(command, settings, session));
        return new(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Parses a command line that must not lead to a run.</summary>
    internal static Ran Refused(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var exitCode = CommandLineApp.Run(arguments, output, error, (_, _) => throw new InvalidOperationException("The command line was accepted."));
        return new(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the cross-check on networks of the test's own.</summary>
    internal static Ran CrossCheck(ModelSpec model, params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var settings = Parsed(["crosscheck", .. arguments]).Settings;
        var session = new Session(output, error, default, CancellationToken.None);
        var exitCode = Runs.CrossCheck.Run(settings, session, [model]);
        return new(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>The settings that a command line leads to.</summary>
    internal static (string Command, Settings Settings) Parsed(params string[] arguments)
    {
        (string, Settings)? parsed = null;
        var exitCode = CommandLineApp.Run(
            arguments,
            TextWriter.Null,
            TextWriter.Null,
            (command, settings) =>
            {
                parsed = (command.Name, settings);
                return ExitCodes.Agree;
            }
        );
        return parsed ?? throw new InvalidOperationException($"The command line was refused: {exitCode}.");
    }
}
