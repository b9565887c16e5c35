using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>Downloads a dataset into the user's cache folder. Nothing else here uses the network.</summary>
internal static class Download
{
    /// <summary>Runs the command.</summary>
    internal static int Run(Settings settings, Session session)
    {
        var source = DownloadSource.All.Single(candidate => candidate.Dataset.Folder == settings.Dataset);
        var options = settings.Mirror is { } mirror ? new DownloadOptions { Mirrors = [mirror] } : new();
        return Run(source, DataEnvironment.OfThisProcess(), options, session);
    }

    /// <summary>Downloads from a source of the caller's own.</summary>
    /// <exception cref="DataException">It failed: the message is one line with what was tried and what to do.</exception>
    /// <exception cref="OperationCanceledException">The user interrupted; no file is left that is not whole.</exception>
    internal static int Run(DownloadSource source, DataEnvironment environment, DownloadOptions options, Session session)
    {
        DownloadResult? result = null;
        session.WithDownload(
            source.Files,
            progress =>
                result = Datasets.DownloadAsync(source, environment, options with { Progress = progress }, session.Cancelled).GetAwaiter().GetResult()
        );
        result!.EnsureSuccess();
        session.Result($"{result.Message}.");
        return ExitCodes.Agree;
    }
}
