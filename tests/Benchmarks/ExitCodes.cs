namespace Hybrid.Benchmarks;

/// <summary>What the process ends with.</summary>
internal static class ExitCodes
{
    /// <summary>It was measured.</summary>
    internal const int Done = 0;

    /// <summary>The peer, or something else, failed.</summary>
    internal const int Failed = 1;

    /// <summary>Bad arguments.</summary>
    internal const int Usage = 2;

    /// <summary>No Python with PyTorch, or no data.</summary>
    internal const int Missing = 3;
}

/// <summary>Ends the program with a message and an exit code.</summary>
/// <param name="message">What was wrong, and what to do.</param>
/// <param name="code">One of <see cref="ExitCodes"/>.</param>
internal sealed class BenchmarkException(string message, int code) : Exception(message)
{
    /// <summary>What the process ends with.</summary>
    internal int Code { get; } = code;
}
