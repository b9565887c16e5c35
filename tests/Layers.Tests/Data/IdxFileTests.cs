using System.Collections.Immutable;
using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

public sealed class IdxFileTests
{
    [Fact]
    public void Reads_sizes_big_end_first_and_the_elements_in_order()
    {
        var read = IdxFile.Parse([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255], "t.idx");
        Assert.True(read.Dimensions is [2, 3]);
        Assert.True(read.Data is [1, 2, 3, 4, 5, 255]);
    }

    [Fact]
    public void Reads_an_empty_array()
    {
        var read = IdxFile.Parse(Idx(8, 3, [0, 28, 28]), "t.idx");
        Assert.True(read.Dimensions is [0, 28, 28]);
        Assert.Empty(read.Data);
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x01)]
    [InlineData(0x02)]
    [InlineData(0x04)]
    [InlineData(0x08)]
    [InlineData(0x10)]
    [InlineData(0x1F)]
    public void Reads_every_optional_part_of_a_gzip_header(byte flags)
    {
        var plain = Gzip(SmallIdx());
        byte[] extra = (flags & 0x04) != 0 ? [0x2C, 1, .. new byte[300]] : [];
        byte[] name = (flags & 0x08) != 0 ? [.. "name"u8, 0] : [];
        byte[] comment = (flags & 0x10) != 0 ? [0] : [];
        byte[] headerChecksum = (flags & 0x02) != 0 ? [1, 2] : [];
        byte[] file = [.. With(plain[..10], 3, flags), .. extra, .. name, .. comment, .. headerChecksum, .. plain[10..]];
        Assert.Equal(SmallIdx(), IdxFile.Parse(file, "t.gz").ToBytes());
    }

    [Fact]
    public void What_was_written_is_read_again_plain_and_compressed()
    {
        var files =
            from rank in Gen.Choose(1, IdxFile.MaximumRank)
            from sizes in Gen.Choose(0, 12).ArrayOf(rank)
            from seed in Gen.Choose(0, int.MaxValue)
            select new IdxFile([.. sizes], [.. Noise(sizes.Aggregate(1, (product, size) => product * size), seed)]);
        var property = Prop.ForAll(
            files.ToArbitrary(),
            file =>
            {
                var bytes = file.ToBytes();
                return new[] { bytes, Gzip(bytes) }.All(written =>
                {
                    var read = IdxFile.Parse(written, "t.idx");
                    return read.Dimensions.SequenceEqual(file.Dimensions) && read.Data.SequenceEqual(file.Data);
                });
            }
        );
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), property);
    }

    [Theory]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(1_000_003)]
    public void Reads_more_than_one_step_of_memory(int count)
    {
        byte[] bytes = Idx(8, 1, [(uint)count], Noise(count, count));
        Assert.Equal(bytes, IdxFile.Parse(Gzip(bytes), "t.gz").ToBytes());
        Assert.Equal(bytes, IdxFile.Parse(bytes, "t.idx").ToBytes());
    }

    [Fact]
    public void Reads_what_compresses_as_well_as_anything_can()
    {
        var bytes = Idx(8, 1, [20_000_000], new byte[20_000_000]);
        var packed = Gzip(bytes);
        Assert.InRange(bytes.Length / (double)packed.Length, 1000, 1032);
        Assert.Equal(20_000_000, Assert.Single(IdxFile.Parse(packed, "t.gz").Dimensions));
    }

    [Fact]
    public void The_hash_is_that_of_the_file_before_compression()
    {
        var expected = Convert.ToHexStringLower(SHA256.HashData(SmallIdx()));
        Assert.Equal(expected, IdxFile.Parse(Gzip(SmallIdx()), "t.gz").Sha256());
    }

    [Fact]
    public void Compression_is_seen_by_content_not_by_name()
    {
        using var folder = new TemporaryFolder();
        Assert.True(IdxFile.Read(folder.Write("plain.gz", SmallIdx())).Dimensions is [2, 3]);
        Assert.True(IdxFile.Read(folder.Write("packed", Gzip(SmallIdx()))).Dimensions is [2, 3]);
    }

    [Fact]
    public void Refuses_a_file_that_is_not_there()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "none");
        var error = Assert.Throws<DataException>(() => IdxFile.Read(path));
        Assert.Equal($"{path}: expected a file, got nothing at this path. Check the path.", error.Message);
    }

    [Fact]
    public void Refuses_a_folder()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<DataException>(() => IdxFile.Read(folder.Path));
        Assert.Equal($"{folder.Path}: expected a file, got a folder. Name the file in it.", error.Message);
    }

    [Fact]
    public void Leaves_no_file_open()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.idx", SmallIdx()[..^1]);
        Assert.Throws<DataException>(() => IdxFile.Read(path));
        using var alone = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal(17, alone.Length);
    }

    [Theory]
    [InlineData(new int[0], 0)]
    [InlineData(new[] { 1, 1, 1, 1, 1 }, 1)]
    [InlineData(new[] { -1 }, 0)]
    [InlineData(new[] { 2, 3 }, 5)]
    [InlineData(new[] { 65_536, 65_536 }, 0)]
    public void An_array_must_fit_its_dimensions(int[] dimensions, int count)
    {
        Assert.Throws<ArgumentException>(() => new IdxFile([.. dimensions], [.. new byte[count]]));
        Assert.Throws<ArgumentException>(() => new IdxFile(default, ImmutableArray<byte>.Empty));
    }
}
