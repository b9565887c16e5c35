using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>The generator against its published answers, and the distributions against their moments.</summary>
public sealed class RandomBitsTests
{
    /// <summary>Known answers for Philox 4x32-10 from the Random123 library (file kat_vectors).</summary>
    [Theory]
    [InlineData(0x0ul, 0x0ul, 0x0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x85a308d3243f6a88ul, 0x0370734413198a2eul, 0x299f31d0a4093822ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Philox_gives_the_published_answers(ulong low, ulong high, ulong key, uint w0, uint w1, uint w2, uint w3)
    {
        (ulong first, ulong second) = Philox.Block(low, high, key);
        Assert.Equal([w0, w1, w2, w3], [(uint)first, (uint)(first >> 32), (uint)second, (uint)(second >> 32)]);
    }

    [Fact]
    public void Uniform_numbers_are_the_words_of_the_blocks()
    {
        float[] floats = Uniform<float>(11, 5, 9);
        double[] doubles = Uniform<double>(7, 5, 9);
        for (int i = 0; i < floats.Length; i++)
        {
            (ulong low, ulong high) = Philox.Block((ulong)(i / 4), 9, 5);
            uint word = (uint)((i % 4 < 2 ? low : high) >> (32 * (i % 2)));
            Assert.Equal((float)(word >> 8) / (1 << 24), floats[i]);
        }

        for (int i = 0; i < doubles.Length; i++)
        {
            (ulong low, ulong high) = Philox.Block((ulong)(i / 2), 9, 5);
            Assert.Equal((double)((i % 2 == 0 ? low : high) >> 11) / (1L << 53), doubles[i]);
        }

        Assert.Equal(Philox.Block(3, 0, 5).Low, RandomBits.NextBits(5, 3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Bits_depend_on_position_alone(int threads)
    {
        WorkerPool pool = new(threads);
        foreach (int count in new[] { 0, 1, 2, 3, 5, 64, 127, 40003 })
        {
            Values.SameBits<float>(Uniform<float>(50000, 1, 2)[..count], Uniform<float>(count, 1, 2, pool));
            Values.SameBits<double>(Uniform<double>(50000, 1, 2)[..count], Uniform<double>(count, 1, 2, pool));
            Values.SameBits<float>(Normal<float>(50000, 1, 2)[..count], Normal<float>(count, 1, 2, pool));
            Values.SameBits<double>(Normal<double>(50000, 1, 2)[..count], Normal<double>(count, 1, 2, pool));
        }

        Assert.NotEqual(Uniform<float>(50, 1, 2), Uniform<float>(50, 1, 3));
        Assert.NotEqual(Uniform<float>(50, 1, 2), Uniform<float>(50, 2, 2));
    }

    [Fact]
    public void Distributions_have_their_moments()
    {
        double[] uniform = Uniform<double>(200_000, 1, 2);
        double[] normal = Normal<double>(200_000, 1, 2);
        Assert.All(uniform, value => Assert.InRange(value, 0, 1 - double.Epsilon));
        Assert.InRange(uniform.Average(), 0.498, 0.502);
        Assert.InRange(uniform.Average(v => v * v), 0.331, 0.3357);
        Assert.InRange(normal.Average(), -0.01, 0.01);
        Assert.InRange(normal.Average(v => v * v), 0.985, 1.015);
        Assert.InRange(normal.Average(v => v * v * v * v), 2.9, 3.1);
        Assert.InRange(normal.Zip(normal.Skip(1), (a, b) => a * b).Average(), -0.01, 0.01);
        Assert.All(Normal<float>(200_000, 1, 2), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Shuffles_are_permutations_and_every_order_is_as_likely()
    {
        int[] items = [.. Enumerable.Range(0, 1000)];
        RandomBits.Shuffle(items, 7);
        Assert.NotEqual(Enumerable.Range(0, 1000), items);
        Assert.Equal(Enumerable.Range(0, 1000), items.Order());
        int[] again = [.. Enumerable.Range(0, 1000)];
        RandomBits.Shuffle(again, 7);
        Assert.Equal(items, again);

        Dictionary<string, int> seen = [];
        for (ulong key = 0; key < 24000; key++)
        {
            int[] four = [0, 1, 2, 3];
            RandomBits.Shuffle(four, key);
            string order = string.Concat(four);
            seen[order] = seen.GetValueOrDefault(order) + 1;
        }

        Assert.Equal(24, seen.Count);
        double chiSquare = seen.Values.Sum(n => (n - 1000.0) * (n - 1000.0) / 1000);
        Assert.InRange(chiSquare, 5, 55);
    }

    [Fact]
    public void Integers_are_refused()
    {
        Assert.Throws<NotSupportedException>(() => RandomBits.Uniform(ElementType.Int32, 0, 1, 0, 0, WorkerPool.Serial));
        Assert.Throws<NotSupportedException>(() => RandomBits.Normal(ElementType.Bool, 0, 1, 0, 0, WorkerPool.Serial));
    }

    private static T[] Uniform<T>(int count, ulong key, ulong stream, WorkerPool? pool = null)
        where T : unmanaged
    {
        using Block<T> y = new(count, offset: 1);
        RandomBits.Uniform(Values.TypeOf<T>(), y.Pointer, count, key, stream, pool ?? WorkerPool.Serial);
        return y.ToArray();
    }

    private static T[] Normal<T>(int count, ulong key, ulong stream, WorkerPool? pool = null)
        where T : unmanaged
    {
        using Block<T> y = new(count, offset: 1);
        RandomBits.Normal(Values.TypeOf<T>(), y.Pointer, count, key, stream, pool ?? WorkerPool.Serial);
        return y.ToArray();
    }
}
