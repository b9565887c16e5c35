namespace Hybrid.Layers.Data;

/// <summary>
/// A file while it is downloaded, under a name of its own beside the final one. The process that writes it keeps it open and
/// locked; the system ends the lock with the process, so a part that can be locked belongs to nobody and is removed. Two
/// processes write two parts, and whichever is renamed last wins with the same content.
/// </summary>
internal sealed class PartFile : IDisposable
{
    private const string Ending = ".part";
    private const int NamesToTry = 5;
    private readonly string path;
    private bool placed;

    private PartFile(string path, FileStream stream)
    {
        this.path = path;
        Stream = stream;
    }

    /// <summary>The bytes so far; reading them leaves the position to be set by the next write.</summary>
    public FileStream Stream { get; }

    /// <summary>
    /// Nobody else may open it. Windows needs leave to rename an open file; elsewhere that is always possible, and only
    /// <see cref="FileShare.None"/> is an exclusive lock.
    /// </summary>
    private static FileShare Mine => OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Makes an empty part. A name is given up if another process takes the new file for a leftover before it is locked.</summary>
    public static PartFile Create(string folder, string name)
    {
        for (var left = NamesToTry; ; left--)
        {
            var path = Path.Combine(folder, $"{name}.{Guid.NewGuid():N}{Ending}");
            try
            {
                var stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, Mine, bufferSize: 0);
                if (File.Exists(path) || left == 1)
                    return new(path, stream);
                stream.Dispose();
            }
            catch (IOException) when (left > 1) { }
        }
    }

    /// <summary>Removes the parts of a file that no process has open.</summary>
    public static void RemoveLeftovers(string folder, string name)
    {
        foreach (var path in Directory.GetFiles(folder, $"{name}.*{Ending}").Where(path => IsPart(path, name)))
        {
            try
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, Mine);
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Somebody is writing it, or has just finished.
            }
        }
    }

    /// <summary>Forgets what it holds.</summary>
    public void Restart() => Stream.SetLength(0);

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Stream.Position = Stream.Length;
        Stream.Write(bytes);
    }

    /// <summary>Gives it the final name, all at once and after its bytes are on the disk.</summary>
    public void Place(string final)
    {
        Stream.Flush(flushToDisk: true);
        File.Move(path, final, overwrite: true);
        placed = true;
        // At once: while it is locked, nobody can read it under its new name either.
        Stream.Dispose();
    }

    /// <summary>Closes it, and removes it if it did not get the final name.</summary>
    public void Dispose()
    {
        try
        {
            if (!placed)
                File.Delete(path);
        }
        finally
        {
            Stream.Dispose();
        }
    }

    private static bool IsPart(string path, string name) =>
        Guid.TryParseExact(Path.GetFileName(path).AsSpan()[(name.Length + 1)..^Ending.Length], "N", out _);
}
