namespace Hybrid.Layers.Data;

/// <summary>
/// The waits between attempts: they double up to a limit, and a random half of each keeps programs that failed together
/// from coming back together.
/// </summary>
internal sealed class BackOff(DownloadOptions options)
{
    private SplitMix64 random = SplitMix64.ForStream(options.Seed ?? (ulong)Random.Shared.NextInt64(), 0);

    /// <summary>The wait after an attempt, counted from 1.</summary>
    public TimeSpan After(int attempt)
    {
        var longest = Math.Min(options.MaximumDelay.TotalSeconds, options.FirstDelay.TotalSeconds * Math.Pow(2, attempt - 1));
        var share = (random.Next() >> 11) * Math.Pow(2, -53);
        return TimeSpan.FromSeconds(longest * (1 + share) / 2);
    }
}
