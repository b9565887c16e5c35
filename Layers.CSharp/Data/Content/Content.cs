namespace Hybrid.Layers.Data;

/// <summary>
/// What a file holds, read forward once, after decompression if it is gzip. The end of the content is only reported after
/// everything that can be checked there (length, checksum, nothing after it) has been.
/// </summary>
internal abstract class Content(string file)
{
    /// <summary>The file as the caller named it.</summary>
    public string File { get; } = file;

    /// <summary>How many bytes have been read.</summary>
    public long Position { get; private protected set; }

    /// <summary>The exact number of bytes, where that is known without reading them.</summary>
    public abstract long? Length { get; }

    /// <summary>No more bytes than this can come, whatever the file claims.</summary>
    public abstract long LengthLimit { get; }

    /// <summary>Says where a byte of the content is.</summary>
    public abstract DataPlace At(long offset);

    /// <summary>Reads at least one byte, unless the content ends here or no byte is asked for.</summary>
    protected abstract int ReadSome(Span<byte> buffer);

    /// <summary>Opens a stream as plain or gzip content, whichever its first bytes say.</summary>
    public static Content Open(Stream stream, string file)
    {
        Span<byte> start = stackalloc byte[2];
        var got = stream.ReadAtLeast(start, 2, throwOnEndOfStream: false);
        stream.Position = 0;
        return GzipContent.Starts(start[..got]) ? new GzipContent(stream, file) : new PlainContent(stream, file);
    }

    /// <summary>
    /// Opens a file, gives its content to a reader and closes it; whatever the system says against it becomes a
    /// <see cref="DataException"/>.
    /// </summary>
    public static T ReadFile<T>(string path, Func<Content, T> read)
    {
        if (Directory.Exists(path))
            throw new DataException(path, null, "a file", "a folder", "Name the file in it.");
        if (!System.IO.File.Exists(path))
            throw new DataException(path, null, "a file", "nothing at this path", "Check the path.");
        try
        {
            using var stream = System.IO.File.OpenRead(path);
            return read(Open(stream, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            const string advice = "Check the file's permissions and its disk.";
            throw new DataException(path, null, "a readable file", $"an error when reading it: {e.Message}", advice, e);
        }
    }

    /// <summary>Fills the buffer, or as much of it as there is content for.</summary>
    public int Read(Span<byte> buffer)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var got = ReadSome(buffer[filled..]);
            if (got == 0)
                break;
            filled += got;
        }
        return filled;
    }

    /// <summary>
    /// Reads a number of bytes, or fewer if the content ends. Memory grows with what really comes, so that a length which
    /// is only claimed costs nothing.
    /// </summary>
    public byte[] ReadUpTo(int count)
    {
        const int first = 1 << 16;
        var bytes = new byte[Math.Min(count, Length is { } length ? length - Position : first)];
        var filled = 0;
        while (true)
        {
            var got = Read(bytes.AsSpan(filled));
            filled += got;
            if (filled == count)
                return bytes;
            if (filled < bytes.Length)
                return bytes[..filled];
            Array.Resize(ref bytes, (int)Math.Min(count, Math.Max(first, 2L * bytes.Length)));
        }
    }

    /// <summary>Says whether the content ends here, and checks what can be checked at the end.</summary>
    public bool AtEnd()
    {
        Span<byte> one = stackalloc byte[1];
        return ReadSome(one) == 0;
    }
}
