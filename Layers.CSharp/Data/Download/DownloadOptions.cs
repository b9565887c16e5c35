using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>How to download: limits, whom to tell, and what tests put in the place of the network and the clock.</summary>
public sealed record DownloadOptions
{
    private const int MaximumRedirects = 5;

    /// <summary>Other mirrors than those of the source, such as one of your own network, each ending with a slash; null for the source's.</summary>
    public ImmutableArray<Uri>? Mirrors { get; init; }

    /// <summary>How often each mirror is tried for each file, if it fails in a way that may pass. Default 3.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>The longest wait before the second attempt; it doubles with each further one. Default 1 s.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>No wait is longer than this. Default 30 s.</summary>
    public TimeSpan MaximumDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long everything together may take. Default 30 minutes.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long a mirror may take to connect, to answer, and to send any further byte. Default 30 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The seed of the waits' random part (from half the wait to all of it); null for another one each time.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Told of every block that arrives, from whichever thread; null for nobody.</summary>
    public IProgress<DownloadProgress>? Progress { get; init; }

    /// <summary>Makes what sends the requests, once for each download; the default follows up to 5 redirects.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    /// <summary>The clock of <see cref="TimeLimit"/> and <see cref="StallTimeout"/>.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Waits between two attempts.</summary>
    public Func<TimeSpan, CancellationToken, Task> Wait { get; init; } = Task.Delay;

    internal HttpMessageHandler MakeHandler() =>
        Handler?.Invoke()
        ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = true,
            MaxAutomaticRedirections = MaximumRedirects,
            UseCookies = false,
        };

    /// <summary>Refuses limits that are none.</summary>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Attempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(FirstDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaximumDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(TimeLimit, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(StallTimeout, TimeSpan.Zero);
    }
}
