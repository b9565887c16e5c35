using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

public sealed class IdxRefusalTests
{
    private const string File = "t.idx";
    private const byte UnsignedByte = 8;

    private static readonly RefusalCase[] Table =
    [
        new("empty file", [], "t.idx: expected a magic number of 4 bytes, got 0 bytes (offset 0). The file is cut off: fetch it again.", 0),
        new("one byte", [0], "t.idx: expected a magic number of 4 bytes, got 1 byte (offset 1). The file is cut off: fetch it again.", 1),
        new("three bytes", [0, 0, 8], "t.idx: expected a magic number of 4 bytes, got 3 bytes (offset 3). The file is cut off: fetch it again.", 3),
        new(
            "a web page",
            "<!DOCTYPE html>"u8.ToArray(),
            "t.idx: expected the magic number of IDX (two zero bytes), got 0x3C21 (offset 0). This is not an IDX file: check what was fetched.",
            0
        ),
        new(
            "second byte not zero",
            [0, 1, 8, 1],
            "t.idx: expected the magic number of IDX (two zero bytes), got 0x0001 (offset 0). This is not an IDX file: check what was fetched.",
            0
        ),
        new(
            "floats",
            Idx(0x0D, 1, [1], 0, 0, 0, 0),
            "t.idx: expected element type 0x08 (unsigned byte), got 0x0D (float32) (offset 2). Only files of unsigned bytes are read: convert it.",
            2
        ),
        new(
            "unknown type",
            Idx(0x0A, 1, [1], 0),
            "t.idx: expected element type 0x08 (unsigned byte), got 0x0A (no type of the format) (offset 2). "
                + "Only files of unsigned bytes are read: convert it.",
            2
        ),
        new(
            "rank 0",
            Idx(UnsignedByte, 0, [], 7),
            "t.idx: expected 1 to 4 dimensions, got 0 (offset 3). Only files of one to four dimensions are read: reshape it.",
            3
        ),
        new(
            "rank 5",
            Idx(UnsignedByte, 5, [1, 1, 1, 1, 1], 7),
            "t.idx: expected 1 to 4 dimensions, got 5 (offset 3). Only files of one to four dimensions are read: reshape it.",
            3
        ),
        new(
            "header cut off",
            Idx(UnsignedByte, 3, [2, 3])[..10],
            "t.idx: expected a header of 16 bytes for 3 dimensions, got 10 bytes (offset 10). The file is cut off: fetch it again.",
            10
        ),
        new(
            "header of one dimension cut off",
            Idx(UnsignedByte, 1, []),
            "t.idx: expected a header of 8 bytes for 1 dimension, got 4 bytes (offset 4). The file is cut off: fetch it again.",
            4
        ),
        new("data cut off", SmallIdx()[..^1], "t.idx: expected 18 bytes by its header, got 17 (offset 17). The file is cut off: fetch it again.", 17),
        new(
            "no data",
            Idx(UnsignedByte, 3, [60_000, 28, 28]),
            "t.idx: expected 47,040,016 bytes by its header, got 16 (offset 16). The file is cut off: fetch it again.",
            16
        ),
        new(
            "a byte too many",
            [.. SmallIdx(), 0],
            "t.idx: expected 18 bytes by its header, got 19 (offset 18). The file has bytes after its data: fetch it again, or correct its header.",
            18
        ),
        new(
            "data after an empty array",
            Idx(UnsignedByte, 1, [0], 9),
            "t.idx: expected 8 bytes by its header, got 9 (offset 8). The file has bytes after its data: fetch it again, or correct its header.",
            8
        ),
        new(
            "just below the largest array, not there",
            Idx(UnsignedByte, 1, [0x7FFFFFC7], 9),
            "t.idx: expected 2,147,483,599 bytes by its header, got 9 (offset 9). The file is cut off: fetch it again.",
            9
        ),
        new(
            "just above the largest array",
            Idx(UnsignedByte, 1, [0x7FFFFFC8], 9),
            "t.idx: expected sizes that make an array of at most 2,147,483,591 bytes, got 2,147,483,592 = 2,147,483,592 (offset 4). "
                + "The header is damaged, or the file is too large to be read: check where it comes from.",
            4
        ),
        new(
            "product overflows 32 bits to a small number",
            Idx(UnsignedByte, 2, [65_536, 65_537], 9),
            "t.idx: expected sizes that make an array of at most 2,147,483,591 bytes, got 65,536 x 65,537 = 4,295,032,832 (offset 4). "
                + "The header is damaged, or the file is too large to be read: check where it comes from.",
            4
        ),
        new(
            "product overflows 64 bits to zero",
            Idx(UnsignedByte, 4, [65_536, 65_536, 65_536, 65_536]),
            "t.idx: expected sizes that make an array of at most 2,147,483,591 bytes, got 65,536 x 65,536 x 65,536 x 65,536 = "
                + "18,446,744,073,709,551,616 (offset 4). The header is damaged, or the file is too large to be read: check where it comes from.",
            4
        ),
        new(
            "largest sizes there can be",
            Idx(UnsignedByte, 4, [uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue]),
            "t.idx: expected sizes that make an array of at most 2,147,483,591 bytes, got 4,294,967,295 x 4,294,967,295 x 4,294,967,295 x "
                + "4,294,967,295 = 340,282,366,604,025,813,516,997,721,482,669,850,625 (offset 4). The header is damaged, or the file is too large "
                + "to be read: check where it comes from.",
            4
        ),
        new(
            "a size above 31 bits hidden by a zero",
            Idx(UnsignedByte, 2, [0, 0x80000000]),
            "t.idx: expected sizes that make an array of at most 2,147,483,591 bytes, got 0 x 2,147,483,648 = 0 (offset 4). "
                + "The header is damaged, or the file is too large to be read: check where it comes from.",
            4
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
        Assert.Null(error.Field);
    }

    [Fact]
    public void There_are_enough_cases() => Assert.True(Table.Length >= 21);

    [Fact]
    public void The_parts_of_the_message_are_properties()
    {
        var error = Assert.Throws<DataException>(() => IdxFile.Parse(SmallIdx()[..^1], File));
        Assert.Equal("18 bytes by its header", error.Expected);
        Assert.Equal("17", error.Got);
    }
}
