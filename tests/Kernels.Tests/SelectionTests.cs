using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Gather, scatter and their relatives against plain loops, for every element size.</summary>
public sealed class SelectionTests
{
    public static TheoryData<int, int, int, int> Shapes =>
        new()
        {
            { 1, 1, 1, 1 },
            { 10, 4, 3, 1 },
            { 5, 10, 17, 2 },
            { 7, 5, 16, 1 },
            { 9, 4, 70, 1 },
            { 600, 30, 100, 3 },
            { 400, 7, 16, 1 },
            { 400, 7, 17, 2 },
            { 3, 4, 5000, 1 },
            { 3000, 2, 40, 8 },
            { 0, 5, 3, 2 },
            { 0, 5, 100, 1 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_follow_the_loops(int count, int rows, int inner, int threads)
    {
        CheckRows<float>(count, rows, inner, new WorkerPool(threads));
        CheckRows<double>(count, rows, inner, new WorkerPool(threads));
        CheckRows<int>(count, rows, inner, new WorkerPool(threads));
        CheckGather<byte>(count, rows, inner, new WorkerPool(threads));
    }

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(4, 5, 7, 1)]
    [InlineData(300, 8, 33, 3)]
    [InlineData(9000, 10, 1, 2)]
    public void Elements_along_an_axis_follow_the_loops(int outer, int axis, int inner, int threads)
    {
        CheckAlong<float>(outer, axis, inner, new WorkerPool(threads));
        CheckAlong<double>(outer, axis, inner, new WorkerPool(threads));
        CheckAlong<byte>(outer, axis, inner, new WorkerPool(threads));
    }

    [Fact]
    public void One_hot_rows()
    {
        using Block<int> indices = new([2, 0, 1]);
        using Block<float> floats = new(9);
        using Block<byte> bytes = new(9);
        Assert.Equal(-1, Selection.OneHot(ElementType.Float32, floats.Pointer, indices.Pointer, 3, 3));
        Assert.Equal(-1, Selection.OneHot(ElementType.Bool, bytes.Pointer, indices.Pointer, 3, 3));
        Assert.Equal([0f, 0, 1, 1, 0, 0, 0, 1, 0], floats.ToArray());
        Assert.Equal<byte>([0, 0, 1, 1, 0, 0, 0, 1, 0], bytes.ToArray());
        Assert.Equal(0, Selection.OneHot(ElementType.Float32, floats.Pointer, indices.Pointer, 3, 2));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MinValue)]
    public void A_bad_index_is_reported_and_nothing_written(int bad)
    {
        for (int position = 0; position < 40; position++)
        {
            int[] list = new int[40];
            list[position] = bad;
            list[39] = bad;
            using Block<int> indices = new(list, offset: 1);
            using Block<float> x = new(160);
            using Block<float> y = new([.. Enumerable.Repeat(7f, 160)]);
            Assert.Equal(position, Selection.Gather(ElementType.Float32, y.Pointer, x.Pointer, indices.Pointer, 40, 4, 1, WorkerPool.Serial));
            Assert.Equal(position, Selection.ScatterAdd(ElementType.Float32, y.Pointer, x.Pointer, indices.Pointer, 40, 4, 1, WorkerPool.Serial));
            Assert.Equal(position, Selection.TakeAlong(ElementType.Float32, y.Pointer, x.Pointer, indices.Pointer, 40, 4, 1, WorkerPool.Serial));
            Assert.Equal(position, Selection.PutAlong(ElementType.Float32, y.Pointer, x.Pointer, indices.Pointer, 40, 4, 1, WorkerPool.Serial));
            Assert.Equal(position, Selection.OneHot(ElementType.Float32, y.Pointer, indices.Pointer, 40, 4));
            Assert.False(y.Span.ContainsAnyExcept(7f));
        }
    }

    private static void CheckRows<T>(int count, int rows, int inner, WorkerPool pool)
        where T : unmanaged, INumber<T>
    {
        CheckGather<T>(count, rows, inner, pool);
        T[] updates = Values.Random<T>(count * inner, 1, -100, 100);
        int[] indices = Values.Random<int>(count, 2, 0, rows);
        T[] expected = new T[rows * inner];
        for (int i = 0; i < updates.Length; i++)
        {
            expected[(indices[i / inner] * inner) + (i % inner)] += updates[i];
        }

        using Block<T> source = new(updates, offset: 1);
        using Block<int> index = new(indices);
        using Block<T> y = new(rows * inner);
        Assert.Equal(-1, Selection.ScatterAdd(Values.TypeOf<T>(), y.Pointer, source.Pointer, index.Pointer, count, rows, inner, pool));
        Values.SameBits<T>(expected, y.Span);
    }

    private static void CheckGather<T>(int count, int rows, int inner, WorkerPool pool)
        where T : unmanaged, INumber<T>
    {
        T[] x = Values.Random<T>(rows * inner, 1, -100, 100);
        int[] indices = Values.Random<int>(count, 2, 0, rows);
        using Block<T> source = new(x, offset: 1);
        using Block<int> index = new(indices, offset: 1);
        using Block<T> y = new(count * inner, offset: 3);
        Assert.Equal(-1, Selection.Gather(Values.TypeOf<T>(), y.Pointer, source.Pointer, index.Pointer, count, rows, inner, pool));
        Values.SameBits<T>([.. indices.SelectMany(i => x[(i * inner)..((i + 1) * inner)])], y.Span);
    }

    private static void CheckAlong<T>(int outer, int axis, int inner, WorkerPool pool)
        where T : unmanaged, INumber<T>
    {
        T[] x = Values.Random<T>(outer * axis * inner, 1, 1, 100);
        int[] indices = Values.Random<int>(outer * inner, 2, 0, axis);
        T[] taken = new T[outer * inner];
        T[] put = new T[x.Length];
        for (int at = 0; at < taken.Length; at++)
        {
            int place = (((at / inner * axis) + indices[at]) * inner) + (at % inner);
            taken[at] = x[place];
            put[place] = taken[at];
        }

        using Block<T> source = new(x);
        using Block<int> index = new(indices);
        using Block<T> y = new(taken.Length);
        using Block<T> back = new(x.Length);
        Assert.Equal(-1, Selection.TakeAlong(Values.TypeOf<T>(), y.Pointer, source.Pointer, index.Pointer, outer, axis, inner, pool));
        Values.SameBits<T>(taken, y.Span);
        Assert.Equal(-1, Selection.PutAlong(Values.TypeOf<T>(), back.Pointer, y.Pointer, index.Pointer, outer, axis, inner, pool));
        Values.SameBits<T>(put, back.Span);
    }
}
