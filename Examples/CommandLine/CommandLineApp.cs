using System.CommandLine;
using System.CommandLine.Parsing;
using Hybrid.Examples.Output;

namespace Hybrid.Examples.CommandLine;

/// <summary>The command line: builds the commands from their tables, parses, and answers what is wrong with what is allowed.</summary>
internal static class CommandLineApp
{
    private const string Description = """
        Hybrid: automatic differentiation for .NET whose hand-written and automatic gradients check each other.

        Without a command, crosscheck runs. Exit codes: 0 agree, 1 disagree, 2 usage, 3 data, 130 interrupted.
        Data is looked for in the folder that HYBRID_DATA names, beside the repository, and in the cache and system folders.
        """;

    private static readonly ParserConfiguration Parsing = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    /// <summary>Runs the command that the arguments name and returns its exit code.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="output">Where the help goes.</param>
    /// <param name="error">Where errors go.</param>
    /// <param name="run">Runs a command.</param>
    internal static int Run(string[] arguments, TextWriter output, TextWriter error, Func<CommandSpec, Settings, int> run)
    {
        var root = Root(run);
        var result = root.Parse(WithDefaultCommand(arguments), Parsing);
        if (result.Action?.ClearsParseErrors != true && result.Errors.Count > 0)
            return Refuse(result, error);
        return result.Invoke(
            new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
            }
        );
    }

    /// <summary>Arguments without a command, or with options alone, are those of the default command.</summary>
    private static string[] WithDefaultCommand(string[] arguments) =>
        arguments is [] || (arguments[0].StartsWith('-') && arguments[0] is not ("-h" or "-?" or "--help" or "--version"))
            ? [CommandTable.DefaultCommand, .. arguments]
            : arguments;

    private static RootCommand Root(Func<CommandSpec, Settings, int> run)
    {
        var root = new RootCommand(Description);
        root.Directives.Clear();
        foreach (var spec in CommandTable.All)
            root.Add(CommandOf(spec, run));
        root.SetAction(_ => ExitCodes.Usage);
        return root;
    }

    private static Command CommandOf(CommandSpec spec, Func<CommandSpec, Settings, int> run)
    {
        var command = new Command(spec.Name, spec.Meaning);
        if (spec.Argument is not null)
            command.Add(ArgumentOf(spec.Argument));
        foreach (var option in spec.Options)
            command.Add(OptionOf(option));
        command.SetAction(result => run(spec, SettingsOf(spec, result)));
        return command;
    }

    private static Argument<string> ArgumentOf(OptionSpec argument)
    {
        var parsed = new Argument<string>(argument.Name) { Description = argument.Meaning, HelpName = argument.Values.Placeholder };
        parsed.Validators.Add(given => Validate(given, argument.Name, argument.Values));
        return parsed;
    }

    private static Option<string?> OptionOf(CommandOption option)
    {
        var meaning = option.DefaultInWords is null ? option.Spec.Meaning : $"{option.Spec.Meaning} [default: {option.DefaultInWords}]";
        var parsed = new Option<string?>(option.Spec.Name) { Description = meaning, HelpName = option.Values.Placeholder };
        parsed.Validators.Add(given => Validate(given, option.Spec.Name, option.Values));
        return parsed;
    }

    private static void Validate(SymbolResult given, string name, Domain values)
    {
        if (given.Tokens is [{ Value: var text }] && !values.Accepts(text))
            given.AddError(OptionSpec.Refusal(name, values, text));
    }

    private static Settings SettingsOf(CommandSpec spec, ParseResult result)
    {
        var values = new Dictionary<string, string>();
        var given = new HashSet<string>();
        if (spec.Argument is { Name: var argument })
            values[argument] = result.GetValue<string>(argument)!;
        foreach (var option in spec.Options)
        {
            var text = result.GetValue<string?>(option.Spec.Name);
            if (text is not null)
                given.Add(option.Spec.Name);
            if ((text ?? option.Default) is { } value)
                values[option.Spec.Name] = value;
        }
        return new(spec.Name, values, given);
    }

    /// <summary>What is wrong, a line each, then what is allowed.</summary>
    private static int Refuse(ParseResult result, TextWriter error)
    {
        foreach (var line in result.Errors.Select(wrong => wrong.Message).Distinct())
            error.WriteLine(line);
        var spec = CommandTable.All.FirstOrDefault(candidate => candidate.Name == result.CommandResult.Command.Name);
        foreach (var option in spec?.Options ?? [])
        {
            if (result.Errors.Any(wrong => IsAbout(wrong, option) && !wrong.Message.StartsWith(option.Spec.Name + ":", StringComparison.Ordinal)))
                error.WriteLine($"{option.Spec.Name} takes {option.Values.InWords}.");
        }
        if (result.UnmatchedTokens.Count > 0)
        {
            var allowed = spec is null
                ? $"The commands are {string.Join(", ", CommandTable.All.Select(command => command.Name))}."
                : $"The options of {spec.Name} are {string.Join(", ", spec.Options.Select(option => option.Spec.Name))}.";
            error.WriteLine(allowed);
        }
        error.WriteLine(spec is null ? "More: Examples --help" : $"More: Examples {spec.Name} --help");
        return ExitCodes.Usage;
    }

    private static bool IsAbout(ParseError wrong, CommandOption option) =>
        wrong.SymbolResult is OptionResult { Option.Name: var name } && name == option.Spec.Name;
}
