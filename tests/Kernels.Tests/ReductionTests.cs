using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Reductions, bit for bit against a scalar model of the documented order: chunks, lanes of 64 bytes, halves, a tree over chunks.
/// </summary>
public sealed class ReductionTests
{
    private static readonly WorkerPool Serial = WorkerPool.Serial;

    private delegate void Kernel(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool);

    public static TheoryData<int, int, int> Shapes =>
        new()
        {
            { 1, 1, 1 },
            { 3, 7, 1 },
            { 5, 10, 1 },
            { 2, 63, 1 },
            { 2, 64, 1 },
            { 2, 65, 1 },
            { 1, 200, 1 },
            { 3, 4095, 1 },
            { 2, 4097, 1 },
            { 1, 50000, 1 },
            { 7, 12289, 1 },
            { 1, 5, 3 },
            { 2, 127, 10 },
            { 2, 129, 10 },
            { 1, 512, 128 },
            { 3, 700, 65 },
            { 2, 3, 2100 },
            { 2, 260, 1030 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Float32_has_the_documented_order(int outer, int reduce, int inner) => CheckAll<float>(outer, reduce, inner);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Float64_has_the_documented_order(int outer, int reduce, int inner) => CheckAll<double>(outer, reduce, inner);

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Bits_do_not_depend_on_the_number_of_threads(int threads)
    {
        WorkerPool pool = new(threads);
        foreach ((int outer, int reduce, int inner) in new[] { (1, 1_000_003, 1), (40, 5000, 1), (60, 9000, 1), (1, 20000, 33), (9, 300, 1500) })
        {
            float[] x = Values.Random<float>((long)outer * reduce * inner, 3);
            Values.SameBits<float>(Run(Reductions.Sum, x, outer, reduce, inner, Serial), Run(Reductions.Sum, x, outer, reduce, inner, pool));
            Values.SameBits<float>(Run(Reductions.Max, x, outer, reduce, inner, Serial), Run(Reductions.Max, x, outer, reduce, inner, pool));
            Values.SameBits<int>(
                Arg<float>(Reductions.ArgMax, x, outer, reduce, inner, Serial),
                Arg<float>(Reductions.ArgMax, x, outer, reduce, inner, pool)
            );
        }
    }

    /// <summary>A sum of many elements stays close to the exact sum: its error grows with the logarithm of the length.</summary>
    [Fact]
    public void A_long_sum_is_accurate()
    {
        float[] x = Values.Random<float>(1_000_000, 3, 0, 1);
        double exact = x.Sum(value => (double)value);
        Assert.True(Math.Abs(Run(Reductions.Sum, x, 1, x.Length, 1, Serial)[0] - exact) < 1e-6 * exact);
    }

    [Fact]
    public void Empty_reductions_give_the_identity()
    {
        Assert.Equal([0f, 0f], Run<float>(Reductions.Sum, [], 2, 0, 1, Serial));
        Assert.Equal([1f, 1f, 1f], Run<float>(Reductions.Prod, [], 1, 0, 3, Serial));
        Assert.Equal([double.NegativeInfinity], Run<double>(Reductions.Max, [], 1, 0, 1, Serial));
        Assert.Equal([double.PositiveInfinity], Run<double>(Reductions.Min, [], 1, 0, 1, Serial));
        Assert.Empty(Run<float>(Reductions.Sum, [], 0, 5, 1, Serial));
        Assert.Empty(Run<float>(Reductions.Sum, [], 3, 5, 0, Serial));
        Assert.Throws<ArgumentOutOfRangeException>(() => Arg<float>(Reductions.ArgMax, [], 1, 0, 1, Serial));
        Assert.Empty(Arg<float>(Reductions.ArgMax, [], 0, 0, 1, Serial));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(17)]
    public void A_sum_begins_at_zero_so_that_negative_zeros_give_zero(int length)
    {
        Values.SameBits<float>([0f, 0f], Run(Reductions.Sum, Enumerable.Repeat(-0f, 2 * length).ToArray(), 2, length, 1, Serial));
        Values.SameBits<double>([0.0, 0.0], Run(Reductions.Sum, Enumerable.Repeat(-0.0, 2 * length).ToArray(), 2, length, 1, Serial));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    [InlineData(99)]
    public void NaN_wins_everywhere(int position)
    {
        foreach (int inner in new[] { 1, 2 })
        {
            float[] x = Values.Random<float>(100 * inner, 1);
            x[position * inner] = float.NaN;
            x[^inner] = float.PositiveInfinity;
            x[^inner] = position == 99 ? float.NaN : x[^inner];
            Assert.True(float.IsNaN(Run(Reductions.Max, x, 1, 100, inner, Serial)[0]));
            Assert.True(float.IsNaN(Run(Reductions.Min, x, 1, 100, inner, Serial)[0]));
            Assert.Equal(position, Arg<float>(Reductions.ArgMax, x, 1, 100, inner, Serial)[0]);
            Assert.Equal(position, Arg<float>(Reductions.ArgMin, x, 1, 100, inner, Serial)[0]);
        }
    }

    [Fact]
    public void The_first_of_equal_extremes_is_taken()
    {
        float[] x = [1, 5, 5, -2, 5, -2, 0, 0];
        Assert.Equal([1], Arg<float>(Reductions.ArgMax, x, 1, 8, 1, Serial));
        Assert.Equal([3], Arg<float>(Reductions.ArgMin, x, 1, 8, 1, Serial));
        Assert.Equal([1, 0], Arg<float>(Reductions.ArgMax, x, 1, 4, 2, Serial));
        Assert.Equal([1, 0, 0, 1], Arg<double>(Reductions.ArgMax, [.. x.Select(v => (double)v)], 2, 2, 2, Serial));
        Assert.Equal([0], Arg<float>(Reductions.ArgMax, [-0f, 0f], 1, 2, 1, Serial));
    }

    [Fact]
    public void Integers_have_a_sum_and_nothing_else()
    {
        int[] x = Values.Random<int>(6000, 1, -1_000_000, 1_000_000);
        Assert.Equal([x.Aggregate((a, b) => unchecked(a + b))], Run(Reductions.Sum, x, 1, 6000, 1, Serial));
        Assert.Equal("Max does not exist for Int32.", Assert.Throws<NotSupportedException>(() => Run(Reductions.Max, x, 1, 6000, 1, Serial)).Message);
        Assert.Throws<NotSupportedException>(() => Arg<int>(Reductions.ArgMax, x, 1, 6000, 1, Serial));
    }

    private static void CheckAll<T>(int outer, int reduce, int inner)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] x = Values.Random<T>((long)outer * reduce * inner, 5);
        Check(Reductions.Sum, T.Zero, (a, b) => a + b);
        Check(Reductions.Prod, T.One, (a, b) => a * b);
        Check(Reductions.Max, T.NegativeInfinity, (a, b) => a > b ? a : b);
        Check(Reductions.Min, T.PositiveInfinity, (a, b) => a < b ? a : b);
        CheckArg(Reductions.ArgMax, (a, b) => a > b);
        CheckArg(Reductions.ArgMin, (a, b) => a < b);

        void Check(Kernel kernel, T identity, Func<T, T, T> combine)
        {
            T[] expected = new T[outer * inner];
            for (int o = 0; o < outer; o++)
            {
                for (int j = 0; j < inner; j++)
                {
                    T[] column = new T[reduce];
                    for (int r = 0; r < reduce; r++)
                    {
                        column[r] = x[(((o * reduce) + r) * inner) + j];
                    }

                    expected[(o * inner) + j] = inner == 1 ? Model.Row(column, identity, combine) : Model.Column(column, identity, combine);
                }
            }

            Values.SameBits<T>(expected, Run(kernel, x, outer, reduce, inner, Serial), $"{kernel.Method.Name} {outer} {reduce} {inner}");
        }

        void CheckArg(Kernel kernel, Func<T, T, bool> better)
        {
            int[] actual = Arg<T>(kernel, x, outer, reduce, inner, Serial);
            for (int at = 0; at < outer * inner; at++)
            {
                int best = 0;
                for (int r = 1; r < reduce; r++)
                {
                    best = better(Element(r), Element(best)) ? r : best;
                }

                Assert.Equal(best, actual[at]);

                T Element(int r) => x[((((at / inner) * reduce) + r) * inner) + (at % inner)];
            }
        }
    }

    private static T[] Run<T>(Kernel kernel, T[] x, int outer, int reduce, int inner, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> input = new(x, offset: 1);
        using Block<T> y = new(outer * inner, offset: 1);
        kernel(Values.TypeOf<T>(), y.Pointer, input.Pointer, outer, reduce, inner, pool);
        return y.ToArray();
    }

    private static int[] Arg<T>(Kernel kernel, T[] x, int outer, int reduce, int inner, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> input = new(x);
        using Block<int> y = new(outer * inner);
        kernel(Values.TypeOf<T>(), y.Pointer, input.Pointer, outer, reduce, inner, pool);
        return y.ToArray();
    }
}
