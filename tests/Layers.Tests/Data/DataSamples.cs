using System.Buffers.Binary;
using System.IO.Compression;

namespace Hybrid.Layers.Tests.Data;

/// <summary>Small files to read and to break.</summary>
internal static class DataSamples
{
    /// <summary>An IDX file by its parts, which need not fit together.</summary>
    public static byte[] Idx(byte type, byte rank, uint[] sizes, params byte[] data)
    {
        var header = new byte[4 + (4 * sizes.Length)];
        header[2] = type;
        header[3] = rank;
        for (var i = 0; i < sizes.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4 + (4 * i)), sizes[i]);
        return [.. header, .. data];
    }

    /// <summary>A sound file of 2 x 3 bytes, 18 in all.</summary>
    public static byte[] SmallIdx() => Idx(8, 2, [2, 3], 1, 2, 3, 4, 5, 6);

    public static byte[] Gzip(params byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(content);
        return packed.ToArray();
    }

    /// <summary>A gzip file of one stored block, so that its length and every offset in it are known: 23 bytes and the content.</summary>
    public static byte[] GzipStored(params byte[] content)
    {
        var file = new byte[15 + content.Length];
        Gzip(content)[..10].CopyTo(file, 0);
        file[10] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(11), checked((ushort)content.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(13), (ushort)~content.Length);
        content.CopyTo(file, 15);
        return [.. file, .. Gzip(content)[^8..]];
    }

    public static byte[] With(byte[] bytes, int index, byte value)
    {
        var changed = (byte[])bytes.Clone();
        changed[index < 0 ? bytes.Length + index : index] = value;
        return changed;
    }

    /// <summary>Bytes that do not compress well, the same every time.</summary>
    public static byte[] Noise(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
