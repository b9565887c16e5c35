namespace Hybrid.Examples.CommandLine;

/// <summary>The command line asks for what cannot be; the message is one line for the user.</summary>
internal sealed class UsageException(string message) : Exception(message);
