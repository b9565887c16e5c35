namespace Hybrid.Layers.Data;

/// <summary>
/// The checksum of gzip (RFC 1952, section 8), eight bytes at a time (M. Kounavis and F. Berry, "A Systematic Approach to
/// Building High Performance Software-Based CRC Generators", 2005).
/// </summary>
internal static class Crc32
{
    private const uint Polynomial = 0xEDB88320;
    private const int Slices = 8;
    private static readonly uint[] Table = MakeTable();

    /// <summary>Continues a checksum, which starts at 0.</summary>
    public static uint Append(uint checksum, ReadOnlySpan<byte> bytes)
    {
        var table = Table.AsSpan(0, Slices * 256);
        var crc = ~checksum;
        while (bytes.Length >= Slices)
        {
            var low = crc ^ System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            var high = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc =
                table[(7 * 256) + (int)(low & 0xFF)]
                ^ table[(6 * 256) + (int)((low >> 8) & 0xFF)]
                ^ table[(5 * 256) + (int)((low >> 16) & 0xFF)]
                ^ table[(4 * 256) + (int)(low >> 24)]
                ^ table[(3 * 256) + (int)(high & 0xFF)]
                ^ table[(2 * 256) + (int)((high >> 8) & 0xFF)]
                ^ table[256 + (int)((high >> 16) & 0xFF)]
                ^ table[(int)(high >> 24)];
            bytes = bytes[Slices..];
        }
        foreach (var b in bytes)
            crc = table[(int)((crc ^ b) & 0xFF)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[Slices * 256];
        for (var i = 0; i < 256; i++)
        {
            var crc = (uint)i;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? (crc >> 1) ^ Polynomial : crc >> 1;
            table[i] = crc;
        }
        for (var i = 256; i < table.Length; i++)
            table[i] = table[(int)(table[i - 256] & 0xFF)] ^ (table[i - 256] >> 8);
        return table;
    }
}
