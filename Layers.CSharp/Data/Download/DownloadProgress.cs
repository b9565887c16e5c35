using System.Globalization;

namespace Hybrid.Layers.Data;

/// <summary>How far the download of a file is. After a failure the bytes may start again from 0.</summary>
/// <param name="File">The file.</param>
/// <param name="Mirror">The mirror's folder.</param>
/// <param name="Bytes">How many bytes have arrived, with those of an earlier attempt that is being continued.</param>
/// <param name="TotalBytes">How many there will be, if the mirror says so.</param>
public sealed record DownloadProgress(string File, Uri Mirror, long Bytes, long? TotalBytes)
{
    /// <summary>A line for people: <c>a.gz: 512 of 1,024 bytes (50 %) from http://mirror/</c>.</summary>
    public override string ToString()
    {
        var share = TotalBytes is > 0 and { } total
            ? $" of {DataPlace.Number(total)} bytes ({((int)(100.0 * Bytes / total)).ToString(CultureInfo.InvariantCulture)} %)"
            : " bytes";
        return $"{File}: {DataPlace.Number(Bytes)}{share} from {Mirror}";
    }
}
