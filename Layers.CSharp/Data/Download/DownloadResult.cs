using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>What a download did: the files, or what was tried and what to do.</summary>
public sealed class DownloadResult
{
    private readonly DataException? error;

    internal DownloadResult(
        KnownDataset dataset,
        string? folder,
        ImmutableArray<DownloadedFile> files,
        ImmutableArray<DownloadAttempt> tried,
        DataException? error
    )
    {
        Dataset = dataset;
        Folder = folder;
        Files = files;
        Tried = tried;
        this.error = error;
    }

    /// <summary>The dataset.</summary>
    public KnownDataset Dataset { get; }

    /// <summary>The folder of the files, or null if this user has no cache folder.</summary>
    public string? Folder { get; }

    /// <summary>The files that are in the folder and sound.</summary>
    public ImmutableArray<DownloadedFile> Files { get; }

    /// <summary>Every attempt, first to last.</summary>
    public ImmutableArray<DownloadAttempt> Tried { get; }

    /// <summary>Whether all files are in the folder and sound.</summary>
    public bool Succeeded => error is null;

    /// <summary>One line for people: where the files are, or what was tried and what to do.</summary>
    public string Message
    {
        get
        {
            if (error is not null)
                return error.Message;
            var were = Files.Count(file => file.WasThere);
            return $"{Dataset.Name} is in {Folder} ({Files.Length - were} of {Files.Length} files downloaded, {were} were there)";
        }
    }

    /// <summary>Makes a failure an error.</summary>
    /// <exception cref="DataException">The download failed; the message is <see cref="Message"/>.</exception>
    public void EnsureSuccess()
    {
        if (error is not null)
            throw error;
    }
}
