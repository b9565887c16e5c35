using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>One download of a dataset into the user's cache folder: file by file, mirror by mirror, attempt by attempt.</summary>
internal sealed class Downloader
{
    private readonly DownloadSource source;
    private readonly ImmutableArray<Uri> mirrors;
    private readonly string? folder;
    private readonly DownloadOptions options;
    private readonly BackOff backOff;
    private readonly ImmutableArray<DownloadedFile>.Builder files = ImmutableArray.CreateBuilder<DownloadedFile>();
    private readonly ImmutableArray<DownloadAttempt>.Builder tried = ImmutableArray.CreateBuilder<DownloadAttempt>();

    public Downloader(DownloadSource source, DataEnvironment environment, DownloadOptions options)
    {
        options.Check();
        this.source = source;
        this.options = options;
        mirrors = options.Mirrors ?? source.Mirrors;
        folder = DataFolders.CacheFolderOf(environment) is { } cache ? Path.Combine(cache, source.Dataset.Folder) : null;
        backOff = new(options);
        if (mirrors.FirstOrDefault(mirror => !IsFolder(mirror)) is { } wrong)
            throw new ArgumentException($"A mirror is an http or https address that ends with a slash, got '{wrong}'.", nameof(options));
    }

    public async Task<DownloadResult> RunAsync(CancellationToken cancellation)
    {
        if (folder is null)
            return Failed(
                source.Dataset.Name,
                "a cache folder to download into",
                "none on this system",
                $"Set {DataEnvironment.CacheVariable} to one."
            );
        using var client = new HttpClient(options.MakeHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        using var limit = new CancellationTokenSource(options.TimeLimit, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        foreach (var file in source.Files)
        {
            try
            {
                if (!await GetAsync(client, file, folder, either.Token).ConfigureAwait(false))
                    return NoMirror(file, "nothing sound");
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
            {
                return NoMirror(file, $"no whole file within the time limit of {MirrorTransfer.Seconds(options.TimeLimit)} for all files");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Failed(folder, "a folder to write into", $"an error: {e.Message}", "Check its permissions and its disk.", e);
            }
        }
        return new(source.Dataset, folder, files.ToImmutable(), tried.ToImmutable(), null);
    }

    private static bool IsFolder(Uri mirror) => mirror is { IsAbsoluteUri: true, Scheme: "http" or "https" } && mirror.AbsolutePath.EndsWith('/');

    private async Task<bool> GetAsync(HttpClient client, DownloadFile file, string folder, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        Directory.CreateDirectory(folder);
        PartFile.RemoveLeftovers(folder, file.ServedName);
        var plain = Path.Combine(folder, file.File.Name);
        var compressed = Path.Combine(folder, file.ServedName);
        // The search takes the plain file first: one that is damaged must not stand before a sound one.
        var there = File.Exists(plain) ? plain : compressed;
        if (ContentCheck.IsSound(there, file))
        {
            files.Add(new(there, WasThere: true));
            return true;
        }
        using var part = PartFile.Create(folder, file.ServedName);
        foreach (var mirror in mirrors)
        {
            if (!await TryMirrorAsync(new(client, mirror, file, part, options), file, cancellation).ConfigureAwait(false))
                continue;
            part.Place(compressed);
            if (!ContentCheck.IsSound(plain, file))
                File.Delete(plain);
            files.Add(new(compressed, WasThere: false));
            return true;
        }
        return false;
    }

    private async Task<bool> TryMirrorAsync(MirrorTransfer transfer, DownloadFile file, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await transfer.AttemptAsync(cancellation).ConfigureAwait(false);
                tried.Add(new(file.ServedName, transfer.Address, DownloadAttempt.Sound));
                return true;
            }
            catch (DownloadFailure failure)
            {
                tried.Add(new(file.ServedName, transfer.Address, failure.Message));
                if (!failure.MayPass || attempt == options.Attempts)
                    return false;
            }
            await options.Wait(backOff.After(attempt), cancellation).ConfigureAwait(false);
        }
    }

    private DownloadResult NoMirror(DownloadFile file, string got) =>
        Failed(
            source.Dataset.Name,
            $"{file.ServedName} from {(mirrors.Length == 1 ? "its mirror" : $"one of {mirrors.Length} mirrors")}",
            $"{got} ({Tried(file)})",
            "Check the network and try again (files that are whole are kept), or fetch the files by other means and set "
                + $"{DataEnvironment.DataVariable} to the folder that holds them, plain or .gz."
        );

    /// <summary>The attempts at a file in one line; the same outcome several times running is said once.</summary>
    private string Tried(DownloadFile file)
    {
        var attempts = tried.Where(attempt => attempt.File == file.ServedName).ToArray();
        if (attempts.Length == 0)
            return "no attempt ended";
        return string.Join("; ", attempts.GroupBy(attempt => attempt.Address).Select(at => $"{at.Key}: {string.Join(", then ", Outcomes(at))}"));
    }

    private static IEnumerable<string> Outcomes(IEnumerable<DownloadAttempt> attempts)
    {
        var runs = new List<(string Outcome, int Times)>();
        foreach (var attempt in attempts)
        {
            if (runs.Count > 0 && runs[^1].Outcome == attempt.Outcome)
                runs[^1] = (attempt.Outcome, runs[^1].Times + 1);
            else
                runs.Add((attempt.Outcome, 1));
        }
        return runs.Select(run => run.Times == 1 ? run.Outcome : $"{run.Outcome} ({run.Times} times)");
    }

    private DownloadResult Failed(string subject, string expected, string got, string advice, Exception? inner = null) =>
        new(source.Dataset, folder, files.ToImmutable(), tried.ToImmutable(), new DataException(subject, null, expected, got, advice, inner));
}
