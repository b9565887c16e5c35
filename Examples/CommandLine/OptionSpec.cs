namespace Hybrid.Examples.CommandLine;

/// <summary>An option, the same on every command that takes it.</summary>
/// <param name="Name">How it is written, such as <c>--epochs</c>.</param>
/// <param name="Meaning">What it says, for the help.</param>
/// <param name="Values">What it takes.</param>
internal sealed record OptionSpec(string Name, string Meaning, Domain Values)
{
    /// <summary>This option as a command takes it.</summary>
    /// <param name="value">Its value where the user gives none; null where it then has none.</param>
    internal CommandOption By(string? value) => new(this, Values, value, value);

    /// <summary>This option with a default that is found out when the command runs.</summary>
    /// <param name="inWords">The default as the help puts it.</param>
    internal CommandOption Deferred(string inWords) => new(this, Values, null, inWords);

    /// <summary>This option as a command takes it that knows only some of its words; the first is the default.</summary>
    internal CommandOption Only(params string[] words) => new(this, Domain.OneOf(words), words[0], words[0]);

    /// <summary>Says why a value is refused: the whole line.</summary>
    internal static string Refusal(string name, Domain values, string got) => $"{name}: expected {values.InWords}, got '{got}'.";
}

/// <summary>An option as one command takes it.</summary>
/// <param name="Spec">The option.</param>
/// <param name="Values">What it takes here.</param>
/// <param name="Default">Its value where the user gives none; null for none.</param>
/// <param name="DefaultInWords">The default for the help; null for none.</param>
internal sealed record CommandOption(OptionSpec Spec, Domain Values, string? Default, string? DefaultInWords);
