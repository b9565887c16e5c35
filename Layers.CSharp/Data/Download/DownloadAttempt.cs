namespace Hybrid.Layers.Data;

/// <summary>One attempt to get one file from one mirror.</summary>
/// <param name="File">The file.</param>
/// <param name="Address">What was asked for.</param>
/// <param name="Outcome"><see cref="Sound"/>, or what went wrong.</param>
public sealed record DownloadAttempt(string File, Uri Address, string Outcome)
{
    /// <summary>The outcome of an attempt that gave the file.</summary>
    public const string Sound = "sound";

    /// <summary>The address and the outcome.</summary>
    public override string ToString() => $"{Address}: {Outcome}";
}
