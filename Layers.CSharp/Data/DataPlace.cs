using System.Globalization;

namespace Hybrid.Layers.Data;

/// <summary>Where in a data file something is wrong: a byte, a field of a line, or an item.</summary>
public sealed record DataPlace
{
    private DataPlace(string text, long? offset, string? field)
    {
        Text = text;
        Offset = offset;
        Field = field;
    }

    /// <summary>The place in words, as it stands in an error's message.</summary>
    public string Text { get; }

    /// <summary>The byte, counted from 0, where the place is one; otherwise null.</summary>
    public long? Offset { get; }

    /// <summary>The field or item, where the place is one; otherwise null.</summary>
    public string? Field { get; }

    /// <summary>A byte of a file that is not compressed.</summary>
    /// <param name="offset">The byte, counted from 0.</param>
    public static DataPlace Byte(long offset) => new($"offset {Number(offset)}", offset, null);

    /// <summary>A byte of what a compressed file holds, counted after decompression.</summary>
    /// <param name="offset">The byte, counted from 0.</param>
    public static DataPlace UncompressedByte(long offset) => new($"uncompressed offset {Number(offset)}", offset, null);

    /// <summary>A byte of a compressed file as it lies on the disk.</summary>
    /// <param name="offset">The byte, counted from 0.</param>
    public static DataPlace CompressedByte(long offset) => new($"compressed offset {Number(offset)}", offset, null);

    /// <summary>A line of a text file, or one field of that line.</summary>
    /// <param name="line">The line, counted from 1.</param>
    /// <param name="field">The field, counted from 1, or null for the line as a whole.</param>
    public static DataPlace Line(int line, int? field = null)
    {
        var text = field is null ? $"line {Number(line)}" : $"line {Number(line)}, field {Number(field.Value)}";
        return new(text, null, text);
    }

    /// <summary>A named part of a file or dataset, such as <c>dimensions</c>.</summary>
    /// <param name="name">The name.</param>
    public static DataPlace Named(string name) => new(name, null, name);

    /// <summary>One of many items, such as a label.</summary>
    /// <param name="kind">What is counted, in the singular.</param>
    /// <param name="index">The item, counted from 0.</param>
    public static DataPlace Item(string kind, long index)
    {
        var text = $"{kind} at index {Number(index)}";
        return new(text, null, text);
    }

    /// <summary>A whole number as every message of this room writes it: <c>47,040,016</c>.</summary>
    internal static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The same for numbers that a lying header can claim.</summary>
    internal static string LargeNumber(UInt128 value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
