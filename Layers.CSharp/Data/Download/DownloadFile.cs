namespace Hybrid.Layers.Data;

/// <summary>A file of a known dataset as mirrors serve it: compressed with gzip, under its name and <c>.gz</c>.</summary>
/// <param name="File">Its name and what it must hold.</param>
/// <param name="ContentBytes">How many bytes it holds before compression: exactly, as the format fixes it.</param>
public sealed record DownloadFile(DatasetFile File, long ContentBytes)
{
    /// <summary>The ending of the served files.</summary>
    internal const string CompressedEnding = ".gz";

    /// <summary>The name under which mirrors serve it.</summary>
    public string ServedName => File.Name + CompressedEnding;

    /// <summary>
    /// No more bytes than this are ever written: what gzip makes of a content that does not compress at all (RFC 1951: 5 bytes
    /// for each stored block of up to 65,535), and room for a header with names.
    /// </summary>
    public long MaximumBytes => ContentBytes + (ContentBytes / 1024) + 1024;
}
