using Hybrid.Layers.Data;

namespace Hybrid.Examples.Output;

/// <summary>The progress of a download as one task a file, in bytes.</summary>
/// <param name="files">The files, in the order of the tasks.</param>
/// <param name="report">Is told.</param>
internal sealed class DownloadSteps(IReadOnlyList<DownloadFile> files, IProgressReport report) : IProgress<DownloadProgress>
{
    /// <inheritdoc/>
    public void Report(DownloadProgress value)
    {
        var task = files.Select(file => file.ServedName).ToList().IndexOf(value.File);
        report.Reach(task, value.Bytes, value.TotalBytes ?? files[task].MaximumBytes, $"from {value.Mirror.Host}");
    }
}

/// <summary>The progress of a download as notes: one where a file begins to arrive from a mirror.</summary>
/// <param name="session">Where the notes go.</param>
internal sealed class DownloadLines(Session session) : IProgress<DownloadProgress>
{
    private (string File, Uri Mirror)? current;

    /// <inheritdoc/>
    public void Report(DownloadProgress value)
    {
        if (current == (value.File, value.Mirror))
            return;
        current = (value.File, value.Mirror);
        session.Note($"{value.File} from {value.Mirror}");
    }
}
