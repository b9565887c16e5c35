namespace Hybrid.Examples.CommandLine;

/// <summary>What the program says to the shell.</summary>
internal static class ExitCodes
{
    /// <summary>Everything that was compared agrees.</summary>
    internal const int Agree = 0;

    /// <summary>Something differs, or the run could not show that it agrees.</summary>
    internal const int Disagree = 1;

    /// <summary>The command line is wrong.</summary>
    internal const int Usage = 2;

    /// <summary>The data is missing or damaged.</summary>
    internal const int Data = 3;

    /// <summary>Interrupted by the user, as shells count it: 128 and the number of SIGINT.</summary>
    internal const int Interrupted = 130;
}
