using Hybrid.Examples.Output;

namespace Hybrid.Examples.CommandLine;

/// <summary>A command.</summary>
/// <param name="Name">How it is written.</param>
/// <param name="Meaning">What it does, for the help.</param>
/// <param name="Options">What it takes.</param>
/// <param name="Run">Does it and returns the exit code.</param>
internal sealed record CommandSpec(string Name, string Meaning, IReadOnlyList<CommandOption> Options, Func<Settings, Session, int> Run)
{
    /// <summary>What must stand after the name; null for nothing.</summary>
    internal OptionSpec? Argument { get; init; }
}
