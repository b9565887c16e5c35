using System.Security.Cryptography;

namespace Hybrid.Layers.Data;

/// <summary>Compares what a file holds, after decompression, with what it must hold, without keeping it in memory.</summary>
internal static class ContentCheck
{
    private const int BlockBytes = 1 << 16;

    /// <summary>What is wrong with the content, or null.</summary>
    public static string? Fault(Stream stream, DownloadFile file)
    {
        if (stream.Length == 0)
            return "sent nothing";
        stream.Position = 0;
        if (IsWebPage(stream))
            return "sent a web page instead of the file";
        stream.Position = 0;
        try
        {
            return HashFault(Content.Open(stream, file.ServedName), file);
        }
        catch (DataException e)
        {
            return $"sent damaged data: expected {e.Expected}, got {e.Got}";
        }
    }

    /// <summary>Whether a file is there and holds what it must.</summary>
    public static bool IsSound(string path, DownloadFile file)
    {
        if (!File.Exists(path))
            return false;
        try
        {
            using var stream = File.OpenRead(path);
            return Fault(stream, file) is null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string? HashFault(Content content, DownloadFile file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[BlockBytes];
        while (true)
        {
            var got = content.Read(block);
            // Short of the end: a small file can hold gigabytes of nothing.
            if (content.Position > file.ContentBytes)
                return $"sent a file that holds more than {DataPlace.Number(file.ContentBytes)} bytes";
            hash.AppendData(block.AsSpan(0, got));
            if (got < block.Length)
                break;
        }
        var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (sha256 == file.File.Sha256)
            return null;
        var known = KnownDataset.Identify(sha256) is { } other ? $" ({other})" : "";
        return $"sent content of SHA-256 {sha256}{known} instead of {file.File.Sha256}";
    }

    private static bool IsWebPage(Stream stream)
    {
        const int enough = 256;
        Span<byte> start = stackalloc byte[enough];
        var got = stream.ReadAtLeast(start, enough, throwOnEndOfStream: false);
        ReadOnlySpan<byte> text = start[..got];
        if (text.StartsWith("\uFEFF"u8))
            text = text["\uFEFF"u8.Length..];
        return text.TrimStart(" \t\r\n"u8).StartsWith("<"u8);
    }
}
