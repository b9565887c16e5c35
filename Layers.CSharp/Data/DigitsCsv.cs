using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace Hybrid.Layers.Data;

/// <summary>
/// The 8x8 digits (E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI) as text: a line for each
/// image, 64 integers from 0 to 16 row by row and then the class, with commas between. Plain or gzip.
/// </summary>
public static class DigitsCsv
{
    /// <summary>The largest value of a pixel.</summary>
    public const byte PixelMaximum = 16;

    private const int Side = 8;
    private const int Pixels = Side * Side;
    private const int Fields = Pixels + 1;
    private const int ClassMaximum = 9;
    private const int LongestContent = 1 << 26;
    private const int LongestQuote = 20;

    /// <summary>The classes: the digits themselves.</summary>
    public static ImmutableArray<string> ClassNames { get; } = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">There is no such file, it is damaged, or a line or field is wrong; the error says which.</exception>
    public static ImageDataset Read(string path) => Content.ReadFile(path, Read);

    /// <summary>Reads the bytes of a file.</summary>
    /// <param name="bytes">What the file holds.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="DataException">As for <see cref="Read(string)"/>.</exception>
    public static ImageDataset Parse(byte[] bytes, string name)
    {
        using var stream = new MemoryStream(bytes, writable: false);
        return Read(Content.Open(stream, name));
    }

    private static ImageDataset Read(Content content)
    {
        var bytes = content.ReadUpTo(LongestContent);
        if (bytes.Length == LongestContent)
        {
            var expected = $"fewer than {DataPlace.Number(LongestContent)} bytes of digits";
            throw new DataException(content.File, content.At(LongestContent), expected, "more", "Check what was fetched.");
        }
        return ImageDataset.FromFile("digits", content.File, ReadLines(content.File, bytes), new ImageShape(1, Side, Side), ClassNames);
    }

    private static LabelledPixels ReadLines(string file, ReadOnlySpan<byte> text)
    {
        var pixels = new List<byte>();
        var labels = new List<byte>();
        Span<byte> values = stackalloc byte[Fields];
        for (var line = 1; !text.IsEmpty; line++)
        {
            var end = text.IndexOf((byte)'\n');
            if (end < 0)
                throw Wrong(file, line, null, "a line that ends with a line feed", "the end of the file", Advice.CutOff);
            ReadLine(file, line, text[..end].TrimEnd((byte)'\r'), values);
            pixels.AddRange(values[..Pixels]);
            labels.Add(values[Pixels]);
            text = text[(end + 1)..];
        }
        if (labels.Count == 0)
            throw Wrong(file, 1, null, "at least one line", "an empty file", Advice.CutOff);
        return new(Give(pixels), Give(labels), PixelMaximum);
    }

    private static void ReadLine(string file, int line, ReadOnlySpan<byte> text, Span<byte> values)
    {
        var count = text.Count((byte)',') + 1;
        if (count != Fields)
            throw Wrong(file, line, null, $"{Fields} fields, {Pixels} pixels and the class", DataPlace.Number(count), Advice.Damaged);
        var field = 0;
        foreach (var range in text.Split((byte)','))
        {
            var maximum = field < Pixels ? PixelMaximum : ClassMaximum;
            values[field++] = ParseField(text[range]) is { } value && value <= maximum ? value : throw WrongField(text[range], maximum, field);
        }

        DataException WrongField(ReadOnlySpan<byte> value, int maximum, int number)
        {
            var what = number < Fields ? "a pixel" : "a class";
            return Wrong(file, line, number, $"{what}, an integer from 0 to {maximum}", Quote(value), Advice.Damaged);
        }
    }

    /// <summary>One or two decimal digits, and nothing else.</summary>
    private static byte? ParseField(ReadOnlySpan<byte> text)
    {
        if (text.Length is < 1 or > 2 || text.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return null;
        var value = 0;
        foreach (var digit in text)
            value = (value * 10) + digit - '0';
        return (byte)value;
    }

    /// <summary>A field as an error shows it: short, and without control characters.</summary>
    private static string Quote(ReadOnlySpan<byte> text)
    {
        var shown = Encoding.Latin1.GetString(text[..Math.Min(text.Length, LongestQuote)]);
        var safe = string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
        return $"\"{safe}{(text.Length > LongestQuote ? "..." : "")}\"";
    }

    private static DataException Wrong(string file, int line, int? field, string expected, string got, string advice) =>
        new(file, DataPlace.Line(line, field), expected, got, advice);

    private static ImmutableArray<byte> Give(List<byte> bytes) => ImmutableCollectionsMarshal.AsImmutableArray(bytes.ToArray());
}
