using System.Buffers.Binary;
using System.IO.Compression;

namespace Hybrid.Layers.Data;

/// <summary>
/// The content of a gzip file of one member (RFC 1952). .NET's own <see cref="GZipStream"/> takes a file that is cut off
/// for one that ends, and says nothing about bytes that follow; here both are errors.
/// </summary>
internal sealed class GzipContent : Content
{
    /// <summary>What one byte of deflate can become at most: 258 bytes for two bits (zlib's technical details).</summary>
    private const int MostPerByte = 1032;

    /// <summary>A short step, so that damage is found near the offset the error gives.</summary>
    private const int Step = 4096;

    private const int TrailerLength = 8;
    private readonly Stream stream;
    private readonly GzipTail compressed;
    private readonly DeflateStream inflater;
    private uint checksum;
    private bool ended;

    public GzipContent(Stream stream, string file)
        : base(file)
    {
        this.stream = stream;
        GzipHeader.Skip(stream, file);
        compressed = new GzipTail(stream);
        inflater = new DeflateStream(compressed, CompressionMode.Decompress, leaveOpen: true);
    }

    public override long? Length => null;

    public override long LengthLimit => stream.Length > long.MaxValue / MostPerByte ? long.MaxValue : stream.Length * MostPerByte;

    /// <summary>Whether a file that starts with these bytes is gzip.</summary>
    public static bool Starts(ReadOnlySpan<byte> start) => start.StartsWith(GzipHeader.Magic);

    public override DataPlace At(long offset) => DataPlace.UncompressedByte(offset);

    protected override int ReadSome(Span<byte> buffer)
    {
        if (ended || buffer.IsEmpty)
            return 0;
        var part = buffer[..Math.Min(buffer.Length, Step)];
        var got = Inflate(part);
        if (got == 0)
        {
            CheckEnd();
            ended = true;
            return 0;
        }
        checksum = Crc32.Append(checksum, part[..got]);
        Position += got;
        return got;
    }

    private int Inflate(Span<byte> buffer)
    {
        try
        {
            return inflater.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw Wrong("sound gzip data", "data damaged at or soon after this place", Advice.Damaged, e);
        }
    }

    private void CheckEnd()
    {
        if (compressed.Left < TrailerLength)
            throw Wrong("a whole gzip file", $"the end of the file after {DataPlace.Number(stream.Length)} bytes", Advice.CutOff);
        if (compressed.Left > TrailerLength)
        {
            const string advice = "The file has bytes after its data: fetch it again, or compress its content anew in one piece.";
            throw Wrong("the file to end with its gzip data", "more bytes after them", advice);
        }
        Span<byte> trailer = stackalloc byte[TrailerLength];
        stream.ReadExactly(trailer);
        Check("checksum", BinaryPrimitives.ReadUInt32LittleEndian(trailer), checksum, "X8");
        Check("length modulo 2^32", BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]), (uint)Position, "N0");
    }

    private void Check(string what, uint expected, uint got, string format)
    {
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        if (expected != got)
            throw Wrong($"the gzip {what} {expected.ToString(format, culture)}", got.ToString(format, culture), Advice.Damaged);
    }

    private DataException Wrong(string expected, string got, string advice, Exception? inner = null) =>
        new(File, At(Position), expected, got, advice, inner);
}
