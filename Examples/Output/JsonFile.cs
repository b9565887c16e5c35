using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Hybrid.Examples.CommandLine;

namespace Hybrid.Examples.Output;

/// <summary>
/// The results as JSON in a file: whole or not at all. They are written beside it under another name first, which then
/// replaces what was there.
/// </summary>
internal sealed class JsonFile
{
    /// <summary>Held while a file is written; whoever ends the process must hold it.</summary>
    internal static readonly Lock Gate = new();

    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly string path;
    private readonly string asGiven;

    private JsonFile(string asGiven)
    {
        this.asGiven = asGiven;
        path = Refusing(() => Path.GetFullPath(asGiven));
    }

    /// <summary>Checks that a file can be written, before the work is done whose results it is for.</summary>
    /// <param name="path">The file, or null for none.</param>
    /// <exception cref="UsageException">It cannot.</exception>
    internal static JsonFile? At(string? path)
    {
        if (path is null)
            return null;
        var file = new JsonFile(path);
        file.Refusing(file.Try);
        return file;
    }

    /// <summary>A value as it is written in results.</summary>
    internal static JsonNode? Node<T>(T value) => JsonSerializer.SerializeToNode(value, Format);

    /// <summary>Writes the results.</summary>
    /// <exception cref="UsageException">The file cannot be written.</exception>
    internal void Write<T>(T results)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(results, Format);
        Refusing(() => Replace(text));
    }

    /// <summary>The file itself where the path is a link to it, so that the link stays.</summary>
    private string Target => File.Exists(path) && File.ResolveLinkTarget(path, returnFinalTarget: true) is { } target ? target.FullName : path;

    private string Temporary => $"{Target}.{Environment.ProcessId}.tmp";

    private void CheckPlace()
    {
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(asGiven))
            throw Refusal("it is a folder");
        var folder = Path.GetDirectoryName(Target)!;
        if (!Directory.Exists(folder))
            throw Refusal($"there is no folder {folder}");
        if (
            new[] { "/dev/", "/proc/" }.Any(place => Target.StartsWith(place, StringComparison.Ordinal))
            && !Target.StartsWith("/dev/shm/", StringComparison.Ordinal)
        )
            throw Refusal("it is a device");
        if (File.Exists(Target) && File.GetAttributes(Target).HasFlag(FileAttributes.ReadOnly))
            throw Refusal("it is read-only");
    }

    private bool Try()
    {
        CheckPlace();
        lock (Gate)
        {
            File.WriteAllBytes(Temporary, []);
            File.Delete(Temporary);
        }
        return true;
    }

    private bool Replace(byte[] text)
    {
        lock (Gate)
        {
            try
            {
                using (var stream = new FileStream(Temporary, FileMode.Create, FileAccess.Write))
                {
                    stream.Write(text);
                    stream.WriteByte((byte)'\n');
                    stream.Flush(flushToDisk: true);
                }
                File.Move(Temporary, Target, overwrite: true);
            }
            catch
            {
                File.Delete(Temporary);
                throw;
            }
        }
        return true;
    }

    private T Refusing<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Refusal(e.Message.ReplaceLineEndings(" ").TrimEnd('.'));
        }
    }

    private UsageException Refusal(string reason) => new($"--json: expected a file that can be written, got '{asGiven}' ({reason}).");
}
