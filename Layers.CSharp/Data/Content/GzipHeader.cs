namespace Hybrid.Layers.Data;

/// <summary>The header of a gzip file: RFC 1952, section 2.3.</summary>
internal static class GzipHeader
{
    private const byte Deflate = 8;
    private const int FixedLength = 10;
    private const int HeaderChecksum = 0x02;
    private const int Extra = 0x04;
    private const int Name = 0x08;
    private const int Comment = 0x10;
    private const int Reserved = 0xE0;

    /// <summary>The two bytes every gzip file starts with.</summary>
    public static ReadOnlySpan<byte> Magic => [0x1F, 0x8B];

    /// <summary>Reads over the header and leaves the stream at the first compressed byte.</summary>
    public static void Skip(Stream stream, string file)
    {
        Span<byte> head = stackalloc byte[FixedLength];
        Fill(stream, file, head);
        if (head[2] != Deflate)
        {
            var got = $"method {head[2]}";
            throw new DataException(file, DataPlace.CompressedByte(2), "gzip method 8 (deflate)", got, Advice.Damaged);
        }
        var flags = head[3];
        if ((flags & Reserved) != 0)
        {
            const string expected = "gzip flags with the reserved bits at zero";
            throw new DataException(file, DataPlace.CompressedByte(3), expected, $"0x{flags:X2}", Advice.Damaged);
        }
        if ((flags & Extra) != 0)
        {
            Span<byte> length = stackalloc byte[2];
            Fill(stream, file, length);
            Pass(stream, file, length[0] | (length[1] << 8));
        }
        if ((flags & Name) != 0)
            PassText(stream, file);
        if ((flags & Comment) != 0)
            PassText(stream, file);
        if ((flags & HeaderChecksum) != 0)
            Pass(stream, file, 2);
    }

    private static void Fill(Stream stream, string file, Span<byte> bytes)
    {
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            throw CutOff(stream, file);
    }

    private static void Pass(Stream stream, string file, int count)
    {
        for (var i = 0; i < count; i++)
            NextByte(stream, file);
    }

    private static void PassText(Stream stream, string file)
    {
        while (NextByte(stream, file) != 0) { }
    }

    private static int NextByte(Stream stream, string file)
    {
        var next = stream.ReadByte();
        return next >= 0 ? next : throw CutOff(stream, file);
    }

    private static DataException CutOff(Stream stream, string file) =>
        new(file, DataPlace.CompressedByte(stream.Length), "a whole gzip header", "the end of the file", Advice.CutOff);
}
