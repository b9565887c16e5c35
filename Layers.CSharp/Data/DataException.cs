namespace Hybrid.Layers.Data;

/// <summary>
/// Data cannot be used as it is: a file is missing, damaged or not what it should be. The message always reads
/// <c>FILE: expected THIS, got THAT (PLACE). ADVICE</c>, in the invariant culture.
/// </summary>
public sealed class DataException : Exception
{
    /// <summary>Makes the error and its message from its parts.</summary>
    /// <param name="file">The file as the caller named it, or the dataset if there is no file.</param>
    /// <param name="place">Where in the file, or null where that says nothing.</param>
    /// <param name="expected">What should be there, to stand after "expected".</param>
    /// <param name="got">What is there, to stand after "got".</param>
    /// <param name="advice">What the user can do: one sentence, with its full stop.</param>
    /// <param name="inner">The error that showed it, if any.</param>
    public DataException(string file, DataPlace? place, string expected, string got, string advice, Exception? inner = null)
        : base($"{file}: expected {expected}, got {got}{(place is null ? "" : $" ({place.Text})")}. {advice}", inner)
    {
        File = file;
        Offset = place?.Offset;
        Field = place?.Field;
        Expected = expected;
        Got = got;
    }

    /// <summary>The file as the caller named it, or the dataset if there is no file.</summary>
    public string File { get; }

    /// <summary>
    /// The byte where the trouble is, counted from 0, or null. The message says whether it is counted before or after
    /// decompression.
    /// </summary>
    public long? Offset { get; }

    /// <summary>The field or item where the trouble is (<c>line 3, field 12</c>, <c>label at index 7</c>), or null.</summary>
    public string? Field { get; }

    /// <summary>What should have been there.</summary>
    public string Expected { get; }

    /// <summary>What was there.</summary>
    public string Got { get; }
}
