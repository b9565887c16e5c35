using System.Diagnostics;
using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;

namespace Hybrid.Layers.Tests.Data;

/// <summary>Damaged files are refused, and cost neither memory nor time.</summary>
public sealed class FuzzTests
{
    private const int Rounds = 4_000;
    private const long MostBytes = 1 << 20;
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(5);

    public static TheoryData<string> Kinds => ["plain", "gzip", "gzip header", "digits", "digits gzip"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Damage_gives_data_or_a_data_error(string kind)
    {
        var random = new Random(20_261_122);
        var (sound, read) = Sample(kind);
        read(sound);
        int refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var damaged = Damage(sound, random, kind == "gzip header" ? 18 : sound.Length);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var start = Stopwatch.GetTimestamp();
            try
            {
                read(damaged);
            }
            catch (DataException e)
            {
                refused++;
                Assert.StartsWith("t: expected ", e.Message, StringComparison.Ordinal);
            }
            var taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(taken < MostBytes, $"round {round} took {taken} bytes");
            Assert.True(Stopwatch.GetElapsedTime(start) < MostTime, $"round {round} hung");
        }
        // Damage to a gzip file is always seen, except in parts of its header that mean nothing; in the plain forms
        // one value may become another.
        Assert.True(refused > Rounds / (kind.Contains("gzip", StringComparison.Ordinal) ? 2 : 3), $"only {refused} were refused");
    }

    [Fact]
    public void A_flipped_bit_of_gzip_is_refused_or_means_nothing()
    {
        var content = Idx(8, 2, [20, 20], Noise(400, 7));
        var sound = Gzip(content);
        var meaningless = 0;
        for (var bit = 10 * 8; bit < sound.Length * 8; bit++)
        {
            var damaged = With(sound, bit / 8, (byte)(sound[bit / 8] ^ (1 << (bit % 8))));
            try
            {
                Assert.Equal(content, IdxFile.Parse(damaged, "t").ToBytes());
                meaningless++;
            }
            catch (DataException) { }
        }
        // What fills up a byte before a stored block and after the last one has no meaning.
        Assert.InRange(meaningless, 0, 14);
    }

    [Fact]
    public void Every_shorter_file_is_refused()
    {
        foreach (var sound in new[] { SmallIdx(), Gzip(SmallIdx()), Gzip(Idx(8, 1, [20_000], Noise(20_000, 3))) })
        {
            for (var length = 0; length < sound.Length; length++)
                Assert.Throws<DataException>(() => IdxFile.Parse(sound[..length], "t"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lying_header_takes_no_memory(bool compressed)
    {
        // Zeros compress a thousandfold, so that the compressed size alone does not give the lie away.
        var lie = Idx(8, 1, [1_000_000_000], new byte[compressed ? 1_100_000 : 1_000]);
        var file = compressed ? Gzip(lie) : lie;
        file = compressed ? [.. file, .. Noise(1_000_000, 5)] : file;
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<DataException>(() => IdxFile.Parse(file, "t"));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 8_000_000);
    }

    private static (byte[] Sound, Action<byte[]> Read) Sample(string kind)
    {
        var idx = Idx(8, 3, [3, 10, 10], Noise(300, 11));
        var digits = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(string.Join(',', Enumerable.Repeat("7", 65)) + "\n", 3)));
        return kind switch
        {
            "plain" => (idx, bytes => IdxFile.Parse(bytes, "t")),
            "digits" => (digits, bytes => DigitsCsv.Parse(bytes, "t")),
            "digits gzip" => (Gzip(digits), bytes => DigitsCsv.Parse(bytes, "t")),
            _ => (Gzip(idx), bytes => IdxFile.Parse(bytes, "t")),
        };
    }

    /// <summary>Changes, removes, inserts or repeats a few bytes of the first ones.</summary>
    private static byte[] Damage(byte[] sound, Random random, int within)
    {
        var bytes = sound.ToList();
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var at = random.Next(Math.Min(within, bytes.Count));
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, random.Next(Math.Min(bytes.Count - at, 20)));
                    break;
                case 3:
                    bytes.InsertRange(at, Noise(random.Next(1, 20), random.Next()));
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
            if (bytes.Count == 0)
                break;
        }
        return [.. bytes];
    }
}
