using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Hybrid.Layers.Data;

/// <summary>
/// An array of unsigned bytes with one to four dimensions, as an IDX file holds it: the format of MNIST (Y. LeCun,
/// C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats"). Immutable.
/// </summary>
public sealed class IdxFile
{
    /// <summary>The most dimensions a file may have here.</summary>
    public const int MaximumRank = 4;

    /// <summary>The element type of the format that is read: unsigned byte.</summary>
    internal const byte UnsignedByte = 0x08;

    /// <summary>Makes an array.</summary>
    /// <param name="dimensions">One to four sizes, none negative.</param>
    /// <param name="data">The elements, the last dimension fastest: as many as the product of the dimensions.</param>
    /// <exception cref="ArgumentException">The rank, a size or the number of elements is wrong.</exception>
    public IdxFile(ImmutableArray<int> dimensions, ImmutableArray<byte> data)
    {
        if (dimensions.IsDefault || dimensions.Length is < 1 or > MaximumRank)
            throw new ArgumentException("expected 1 to 4 dimensions", nameof(dimensions));
        if (dimensions.Any(size => size < 0))
            throw new ArgumentException("expected no negative dimension", nameof(dimensions));
        if (data.IsDefault || CountOf(dimensions) != (UInt128)data.Length)
            throw new ArgumentException("expected as many elements as the product of the dimensions", nameof(data));
        Dimensions = dimensions;
        Data = data;
    }

    /// <summary>The sizes, one to four.</summary>
    public ImmutableArray<int> Dimensions { get; }

    /// <summary>The elements, the last dimension fastest.</summary>
    public ImmutableArray<byte> Data { get; }

    /// <summary>Reads a file, plain or gzip (its first bytes tell, not its name), and checks all of it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">
    /// There is no such file, or it is not IDX of unsigned bytes, is cut off, too long, damaged, or claims an absurd size.
    /// No memory is taken for what is only claimed.
    /// </exception>
    public static IdxFile Read(string path) => Content.ReadFile(path, IdxReader.Read);

    /// <summary>Reads the bytes of a file, plain or gzip, as <see cref="Read"/> does.</summary>
    /// <param name="bytes">What the file holds.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="DataException">As for <see cref="Read"/>.</exception>
    public static IdxFile Parse(byte[] bytes, string name)
    {
        using var stream = new MemoryStream(bytes, writable: false);
        return IdxReader.Read(Content.Open(stream, name));
    }

    /// <summary>The file, not compressed.</summary>
    public byte[] ToBytes() => [.. Header(), .. Data];

    /// <summary>
    /// SHA-256 of the file before compression, in lower-case hexadecimal. It is the file's own: this reader accepts only
    /// files that <see cref="ToBytes"/> gives back byte by byte.
    /// </summary>
    public string Sha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Header());
        hash.AppendData(Data.AsSpan());
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>How many elements dimensions make; four of 32 bits cannot overflow 128.</summary>
    internal static UInt128 CountOf(IEnumerable<int> dimensions) => dimensions.Aggregate(UInt128.One, (product, size) => product * (UInt128)size);

    /// <summary>Takes arrays as they are; the caller gives them away.</summary>
    internal static IdxFile Adopt(int[] dimensions, byte[] data) =>
        new(ImmutableCollectionsMarshal.AsImmutableArray(dimensions), ImmutableCollectionsMarshal.AsImmutableArray(data));

    private byte[] Header()
    {
        var header = new byte[4 + (4 * Dimensions.Length)];
        header[2] = UnsignedByte;
        header[3] = (byte)Dimensions.Length;
        for (var i = 0; i < Dimensions.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + (4 * i)), Dimensions[i]);
        return header;
    }
}
