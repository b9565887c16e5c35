using System.Buffers.Binary;

namespace Hybrid.Layers.Data;

/// <summary>Reads IDX: two zero bytes, element type, rank, the sizes (32 bits, big end first), the elements.</summary>
internal static class IdxReader
{
    private const int MagicLength = 4;
    private const int SizeLength = 4;

    /// <summary>The element types of the format, to call them by name.</summary>
    private static readonly Dictionary<byte, string> TypeNames = new()
    {
        [IdxFile.UnsignedByte] = "unsigned byte",
        [0x09] = "signed byte",
        [0x0B] = "16-bit integer",
        [0x0C] = "32-bit integer",
        [0x0D] = "float32",
        [0x0E] = "float64",
    };

    public static IdxFile Read(Content content)
    {
        var rank = ReadMagic(content);
        var dimensions = ReadDimensions(content, rank);
        var count = (int)IdxFile.CountOf(dimensions);
        CheckLength(content, count);
        var data = content.ReadUpTo(count);
        if (data.Length < count)
            throw CutOff(content, content.Position - data.Length + count, content.Position);
        if (!content.AtEnd())
            throw TooLong(content, content.Position - 1, "more");
        return IdxFile.Adopt(dimensions, data);
    }

    private static int ReadMagic(Content content)
    {
        Span<byte> magic = stackalloc byte[MagicLength];
        var got = content.Read(magic);
        if (got < MagicLength)
            throw Wrong(content, got, "a magic number of 4 bytes", Bytes(got), Advice.CutOff);
        if (magic[0] != 0 || magic[1] != 0)
        {
            const string advice = "This is not an IDX file: check what was fetched.";
            throw Wrong(content, 0, "the magic number of IDX (two zero bytes)", $"0x{magic[0]:X2}{magic[1]:X2}", advice);
        }
        if (magic[2] != IdxFile.UnsignedByte)
        {
            var type = TypeNames.GetValueOrDefault(magic[2], "no type of the format");
            const string advice = "Only files of unsigned bytes are read: convert it.";
            throw Wrong(content, 2, "element type 0x08 (unsigned byte)", $"0x{magic[2]:X2} ({type})", advice);
        }
        if (magic[3] is < 1 or > IdxFile.MaximumRank)
        {
            const string advice = "Only files of one to four dimensions are read: reshape it.";
            throw Wrong(content, 3, "1 to 4 dimensions", $"{magic[3]}", advice);
        }
        return magic[3];
    }

    private static int[] ReadDimensions(Content content, int rank)
    {
        Span<byte> header = stackalloc byte[rank * SizeLength];
        var got = content.Read(header);
        if (got < header.Length)
        {
            var expected = $"a header of {MagicLength + header.Length} bytes for {rank} dimension{(rank == 1 ? "" : "s")}";
            throw Wrong(content, MagicLength + got, expected, Bytes(MagicLength + got), Advice.CutOff);
        }
        var sizes = new uint[rank];
        var product = UInt128.One;
        for (var i = 0; i < rank; i++)
        {
            sizes[i] = BinaryPrimitives.ReadUInt32BigEndian(header[(i * SizeLength)..]);
            product *= sizes[i];
        }
        if (product > (UInt128)Array.MaxLength || sizes.Any(size => size > int.MaxValue))
        {
            var shape = string.Join(" x ", sizes.Select(size => DataPlace.Number(size)));
            var expected = $"sizes that make an array of at most {DataPlace.Number(Array.MaxLength)} bytes";
            const string advice = "The header is damaged, or the file is too large to be read: check where it comes from.";
            throw Wrong(content, MagicLength, expected, $"{shape} = {DataPlace.LargeNumber(product)}", advice);
        }
        return Array.ConvertAll(sizes, size => (int)size);
    }

    /// <summary>Refuses a header that claims more than there can be, before any memory is taken for it.</summary>
    private static void CheckLength(Content content, int count)
    {
        var expected = content.Position + count;
        if (content.Length is { } length)
        {
            if (length < expected)
                throw CutOff(content, expected, length);
            if (length > expected)
                throw TooLong(content, expected, DataPlace.Number(length));
        }
        else if (content.LengthLimit < expected)
        {
            const string advice = "The header is damaged, or the file is cut off: fetch it again.";
            var got = $"no more than {DataPlace.Number(content.LengthLimit)} that its compressed size allows";
            throw Wrong(content, content.Position, ByHeader(expected), got, advice);
        }
    }

    private static DataException CutOff(Content content, long expected, long got) =>
        Wrong(content, got, ByHeader(expected), DataPlace.Number(got), Advice.CutOff);

    private static DataException TooLong(Content content, long expected, string got) =>
        Wrong(content, expected, ByHeader(expected), got, Advice.TooLong);

    private static DataException Wrong(Content content, long offset, string expected, string got, string advice) =>
        new(content.File, content.At(offset), expected, got, advice);

    private static string ByHeader(long bytes) => $"{DataPlace.Number(bytes)} bytes by its header";

    private static string Bytes(int count) => count == 1 ? "1 byte" : $"{count} bytes";
}
