using System.Text;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Data;

public sealed class DigitsTests
{
    private const string File = "d.csv";
    private const string Damaged = "The file is damaged: fetch it again.";
    private static readonly string Sound = Line("0", 64, "5");

    private static readonly RefusalCase[] Table =
    [
        Case("empty file", "", "expected at least one line, got an empty file (line 1). The file is cut off: fetch it again.", "line 1"),
        Case(
            "no line feed at the end",
            Sound + Sound[..^1],
            "expected a line that ends with a line feed, got the end of the file (line 2). The file is cut off: fetch it again.",
            "line 2"
        ),
        Case("an empty line", Sound + "\n" + Sound, $"expected 65 fields, 64 pixels and the class, got 1 (line 2). {Damaged}", "line 2"),
        Case("a field less", Line("0", 63, "5"), $"expected 65 fields, 64 pixels and the class, got 64 (line 1). {Damaged}", "line 1"),
        Case("a field more", Line("0", 65, "5"), $"expected 65 fields, 64 pixels and the class, got 66 (line 1). {Damaged}", "line 1"),
        Case(
            "pixel too large",
            Sound + Sound + Line("0", 11, "17," + Line("0", 52, "5")),
            $"expected a pixel, an integer from 0 to 16, got \"17\" (line 3, field 12). {Damaged}",
            "line 3, field 12"
        ),
        Case(
            "class too large",
            Line("0", 64, "10"),
            $"expected a class, an integer from 0 to 9, got \"10\" (line 1, field 65). {Damaged}",
            "line 1, field 65"
        ),
        Case("nothing", FirstPixel(""), Pixel("\"\""), "line 1, field 1"),
        Case("negative", FirstPixel("-1"), Pixel("\"-1\""), "line 1, field 1"),
        Case("fraction", FirstPixel("1.0"), Pixel("\"1.0\""), "line 1, field 1"),
        Case("space", FirstPixel(" 1"), Pixel("\" 1\""), "line 1, field 1"),
        Case("leading zeros", FirstPixel("001"), Pixel("\"001\""), "line 1, field 1"),
        Case("word", FirstPixel("x"), Pixel("\"x\""), "line 1, field 1"),
        Case("carriage return inside", FirstPixel("1\r"), Pixel("\"1?\""), "line 1, field 1"),
        Case("long field", FirstPixel(new string('1', 99)), Pixel("\"11111111111111111111...\""), "line 1, field 1"),
    ];

    public static TheoryData<RefusalCase> Cases => [.. Table];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Refuses(RefusalCase refused)
    {
        var error = Assert.Throws<DataException>(() => DigitsCsv.Parse(refused.Bytes, File));
        Assert.Equal(refused.Message, error.Message);
        Assert.Equal(refused.Field, error.Field);
        Assert.Null(error.Offset);
    }

    [Fact]
    public void There_are_enough_cases() => Assert.True(Table.Length >= 15);

    [Fact]
    public void Refuses_to_read_without_end()
    {
        var error = Assert.Throws<DataException>(() => DigitsCsv.Parse(DataSamples.Gzip(new byte[1 << 26]), File));
        Assert.Equal(
            $"{File}: expected fewer than 67,108,864 bytes of digits, got more (uncompressed offset 67,108,864). Check what was fetched.",
            error.Message
        );
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void Reads_pixels_and_then_the_class(string lineEnd)
    {
        var text = string.Join(',', Enumerable.Range(0, 64).Select(i => i % 17)) + ",9" + lineEnd;
        var read = DigitsCsv.Parse(Encoding.ASCII.GetBytes(text), File);
        Assert.Equal(Enumerable.Range(0, 64).Select(i => (byte)(i % 17)), read.Images);
        Assert.Equal(9, Assert.Single(read.Labels));
    }

    [Fact]
    public void The_embedded_digits_are_the_1797_of_UCI()
    {
        var digits = Datasets.Digits();
        Assert.Equal(1797, digits.Count);
        Assert.Equal(new ImageShape(1, 8, 8), digits.Shape);
        Assert.Equal(16, digits.PixelMaximum);
        Assert.True(digits.ClassCounts() is [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        Assert.True(digits.Labels.AsSpan()[..4] is [0, 1, 2, 3]);
        Assert.True(digits.Image(0)[..8] is [0, 0, 5, 13, 9, 1, 0, 0]);
        Assert.True(digits.Image(1796)[^8..] is [0, 1, 8, 12, 14, 12, 1, 0]);
        // Summed by another program (awk) over the file.
        Assert.Equal(561_718, digits.Images.Sum(pixel => pixel));
    }

    private static RefusalCase Case(string name, string text, string rest, string field) =>
        new(name, Encoding.Latin1.GetBytes(text), $"{File}: {rest}", null, field);

    private static string Line(string pixel, int pixels, string last) =>
        string.Concat(Enumerable.Repeat(pixel + ",", pixels)) + last.TrimEnd('\n') + "\n";

    private static string FirstPixel(string value) => $"{value},{Line("0", 63, "5")}";

    private static string Pixel(string got) => $"expected a pixel, an integer from 0 to 16, got {got} (line 1, field 1). {Damaged}";
}
