namespace Hybrid.Layers.Data;

/// <summary>Why one attempt at one mirror gave nothing.</summary>
internal sealed class DownloadFailure(string outcome, bool mayPass, Exception? inner = null) : Exception(outcome, inner)
{
    /// <summary>Whether the same mirror may do better if it is asked again.</summary>
    public bool MayPass { get; } = mayPass;
}
