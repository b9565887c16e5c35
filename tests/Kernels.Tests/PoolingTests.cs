using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Pooling against plain loops over one window at a time, bit for bit.</summary>
public sealed class PoolingTests
{
    /// <summary>Planes, height, width, kernel, stride, padding (top, left), dilation, out height and width.</summary>
    private static readonly PoolingShape[] Shapes =
    [
        new(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1),
        new(3, 4, 6, 2, 3, 2, 2, 2, 2, 0, 0, 1, 1),
        new(16, 5, 5, 4, 4, 2, 2, 1, 1, 0, 0, 1, 1),
        new(17, 7, 5, 3, 2, 3, 2, 2, 2, 0, 0, 1, 1),
        new(40, 24, 24, 12, 12, 2, 2, 2, 2, 0, 0, 1, 1),
        new(9, 4, 5, 4, 5, 3, 3, 1, 1, 1, 1, 1, 1),
        new(6, 5, 7, 3, 4, 3, 2, 2, 2, 1, 1, 1, 1),
        new(5, 9, 9, 5, 3, 3, 4, 1, 1, 0, 0, 2, 2),
        new(7, 8, 9, 4, 5, 3, 3, 2, 2, 1, 1, 2, 1),
        // The last element of a dilated window lies just beyond the edge.
        new(5, 7, 8, 5, 6, 3, 3, 1, 1, 1, 1, 2, 2),
        new(33, 1, 20, 1, 10, 1, 2, 1, 2, 0, 0, 1, 1),
        new(18, 6, 6, 1, 1, 6, 6, 6, 6, 0, 0, 1, 1),
        new(0, 4, 4, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1),
    ];

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Shapes.Length)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void All_follow_the_loops_bit_for_bit(int shape)
    {
        foreach (WorkerPool pool in new[] { WorkerPool.Serial, new WorkerPool(3) })
        {
            Check<float>(Shapes[shape], pool);
            Check<double>(Shapes[shape], pool);
        }
    }

    [Fact]
    public void The_first_of_equals_wins_and_NaN_before_all()
    {
        float nan = float.NaN;
        float[] x = [1, 2, 2, 1, nan, 9, 0, 0, 3, nan, 0, -0f, float.NegativeInfinity, float.NegativeInfinity, -5, -7, nan, nan];
        PoolingShape shape = new(1, 1, 18, 1, 9, 1, 2, 1, 2, 0, 0, 1, 1);
        Assert.Equal([1, 2, 4, 6, 9, 10, 12, 14, 16], Positions(shape, x, WorkerPool.Serial));
    }

    [Fact]
    public void Padding_never_wins()
    {
        // All negative under a border of padding.
        PoolingShape shape = new(1, 2, 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1);
        Assert.Equal([0, 0, 1, 0, 0, 1, 2, 2, 3], Positions(shape, new float[] { -1, -2, -3, -4 }, WorkerPool.Serial));
    }

    private static void Check<T>(PoolingShape s, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        int size = s.Height * s.Width;
        int count = s.OutHeight * s.OutWidth;
        // Few values, so that many are equal.
        T[] x = [.. Values.Random<T>(s.Planes * size, 1).Select(value => T.Floor(value * T.CreateChecked(3)))];
        T[] g = Values.Random<T>(s.Planes * count, 2);
        int[] positions = new int[g.Length];
        T[] means = new T[g.Length];
        T[] spread = new T[x.Length];
        T[] put = new T[x.Length];
        T window = T.CreateChecked(s.KernelHeight * s.KernelWidth);
        for (int at = 0; at < g.Length; at++)
        {
            (int plane, int row, int column) = (at / count, at % count / s.OutWidth, at % s.OutWidth);
            int best = -1;
            for (int i = 0; i < s.KernelHeight; i++)
            {
                for (int j = 0; j < s.KernelWidth; j++)
                {
                    int h = (row * s.StrideHeight) - s.PadTop + (i * s.DilationHeight);
                    int w = (column * s.StrideWidth) - s.PadLeft + (j * s.DilationWidth);
                    if (h < 0 || h >= s.Height || w < 0 || w >= s.Width)
                    {
                        continue;
                    }

                    int place = (h * s.Width) + w;
                    best = best < 0 || x[(plane * size) + place] > x[(plane * size) + best] ? place : best;
                    means[at] += x[(plane * size) + place];
                    spread[(plane * size) + place] += g[at];
                }
            }

            positions[at] = best;
            means[at] /= window;
            put[(plane * size) + best] += g[at];
        }

        Values.SameBits<int>(positions, Positions(s, x, pool), $"{s} positions");
        Values.SameBits<T>(means, Run<T>(Pooling.Average, s, g.Length, x, pool), $"{s} means");
        T[] back = [.. spread.Select(value => value / window)];
        Values.SameBits<T>(back, Run<T>(Pooling.AverageBackward, s, x.Length, g, pool), $"{s} spread");

        using Block<T> source = new(x);
        using Block<T> gradient = new(g);
        using Block<int> at2 = new(positions);
        using Block<T> taken = new(g.Length);
        using Block<T> placed = new(x.Length);
        Pooling.Take(type, s.Planes, size, count, taken.Pointer, source.Pointer, at2.Pointer, pool);
        Pooling.Put(type, s.Planes, count, size, placed.Pointer, gradient.Pointer, at2.Pointer, pool);
        Values.SameBits<T>([.. positions.Select((p, i) => x[(i / count * size) + p])], taken.Span, $"{s} take");
        Values.SameBits<T>(put, placed.Span, $"{s} put");
    }

    private delegate void Kernel(ElementType type, PoolingShape shape, nint y, nint x, WorkerPool pool);

    private static int[] Positions<T>(PoolingShape shape, T[] x, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> source = new(x, offset: 1);
        using Block<int> y = new(shape.Planes * shape.OutHeight * shape.OutWidth, offset: 1);
        Pooling.MaxPositions(Values.TypeOf<T>(), shape, y.Pointer, source.Pointer, pool);
        return y.ToArray();
    }

    private static T[] Run<T>(Kernel kernel, PoolingShape shape, int count, T[] x, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> source = new(x, offset: 1);
        using Block<T> y = new(count, offset: 2);
        kernel(Values.TypeOf<T>(), shape, y.Pointer, source.Pointer, pool);
        return y.ToArray();
    }
}
