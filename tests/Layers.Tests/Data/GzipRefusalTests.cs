using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

public sealed class GzipRefusalTests
{
    private const string File = "t.gz";
    private const string Cut = "The file is cut off: fetch it again.";
    private const string Damaged = "The file is damaged: fetch it again.";
    private const string MoreGzip =
        "t.gz: expected the file to end with its gzip data, got more bytes after them (uncompressed offset 18). "
        + "The file has bytes after its data: fetch it again, or compress its content anew in one piece.";

    private static readonly byte[] Small = Gzip(SmallIdx());
    private static readonly byte[] Long = GzipStored(Idx(8, 1, [60_000], Noise(60_000, 1)));

    private static readonly RefusalCase[] Table =
    [
        new("two bytes", Small[..2], $"t.gz: expected a whole gzip header, got the end of the file (compressed offset 2). {Cut}", 2),
        new("header cut off", Small[..9], $"t.gz: expected a whole gzip header, got the end of the file (compressed offset 9). {Cut}", 9),
        new("another method", With(Small, 2, 7), $"t.gz: expected gzip method 8 (deflate), got method 7 (compressed offset 2). {Damaged}", 2),
        new(
            "reserved flags",
            With(Small, 3, 0x80),
            $"t.gz: expected gzip flags with the reserved bits at zero, got 0x80 (compressed offset 3). {Damaged}",
            3
        ),
        new(
            "file name without end",
            [.. With(Small[..10], 3, 0x08), .. "name"u8],
            $"t.gz: expected a whole gzip header, got the end of the file (compressed offset 14). {Cut}",
            14
        ),
        new(
            "extra field longer than the file",
            [.. With(Small[..10], 3, 0x04), 0xFF, 0xFF, 1, 2],
            $"t.gz: expected a whole gzip header, got the end of the file (compressed offset 14). {Cut}",
            14
        ),
        new(
            "nothing after the header",
            Small[..10],
            $"t.gz: expected a whole gzip file, got the end of the file after 10 bytes (uncompressed offset 0). {Cut}",
            0
        ),
        new(
            "last byte missing",
            Small[..^1],
            $"t.gz: expected a whole gzip file, got the end of the file after {Small.Length - 1} bytes (uncompressed offset 18). {Cut}",
            18
        ),
        new(
            "trailer missing",
            Small[..^8],
            $"t.gz: expected a whole gzip file, got the end of the file after {Small.Length - 8} bytes (uncompressed offset 18). {Cut}",
            18
        ),
        new(
            "half a file",
            Long[..50_000],
            $"t.gz: expected a whole gzip file, got the end of the file after 50,000 bytes (uncompressed offset 49,985). {Cut}",
            49_985
        ),
        new(
            "damaged block type",
            With(Small, 10, 0x07),
            $"t.gz: expected sound gzip data, got data damaged at or soon after this place (uncompressed offset 0). {Damaged}",
            0
        ),
        new(
            "checksum",
            [.. Small[..^8], 0xEF, 0xBE, 0xAD, 0xDE, .. Small[^4..]],
            $"t.gz: expected the gzip checksum DEADBEEF, got E53E9448 (uncompressed offset 18). {Damaged}",
            18
        ),
        new("length", With(Small, -4, 19), $"t.gz: expected the gzip length modulo 2^32 19, got 18 (uncompressed offset 18). {Damaged}", 18),
        new("one byte after it", [.. Small, 0], MoreGzip, 18),
        new("eight bytes after it", [.. Small, .. Small[^8..]], MoreGzip, 18),
        new("a page of zeros after it", [.. Small, .. new byte[20_000]], MoreGzip, 18),
        new("itself after it", [.. Small, .. Small], MoreGzip, 18),
        new(
            "a web page inside",
            Gzip("<html>"u8.ToArray()),
            "t.gz: expected the magic number of IDX (two zero bytes), got 0x3C68 (uncompressed offset 0). "
                + "This is not an IDX file: check what was fetched.",
            0
        ),
        new(
            "data cut off before compression",
            Gzip(SmallIdx()[..^1]),
            $"t.gz: expected 18 bytes by its header, got 17 (uncompressed offset 17). {Cut}",
            17
        ),
        new(
            "a byte too many before compression",
            Gzip([.. SmallIdx(), 0]),
            "t.gz: expected 18 bytes by its header, got more (uncompressed offset 18). "
                + "The file has bytes after its data: fetch it again, or correct its header.",
            18
        ),
        new(
            "a header that no content of this size can fulfil",
            GzipStored(Idx(8, 1, [2_000_000_000], 1)),
            "t.gz: expected 2,000,000,008 bytes by its header, got no more than 33,024 that its compressed size allows (uncompressed offset 8). "
                + "The header is damaged, or the file is cut off: fetch it again.",
            8
        ),
    ];

    public static TheoryData<RefusalCase> Cases => [.. Table];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Refuses(RefusalCase refused)
    {
        var error = Assert.Throws<DataException>(() => IdxFile.Parse(refused.Bytes, File));
        Assert.Equal(refused.Message, error.Message);
        Assert.Equal(refused.Offset, error.Offset);
        Assert.Equal(File, error.File);
    }

    [Fact]
    public void There_are_enough_cases() => Assert.True(Table.Length >= 21);
}
