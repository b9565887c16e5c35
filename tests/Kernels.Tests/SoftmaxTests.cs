using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Softmax and cross-entropy against double-precision formulas, at every row length around the register widths.</summary>
public sealed class SoftmaxTests
{
    private static readonly WorkerPool Serial = WorkerPool.Serial;

    public static TheoryData<int, int> Shapes =>
        new()
        {
            { 1, 1 },
            { 3, 2 },
            { 5, 10 },
            { 4, 15 },
            { 4, 16 },
            { 4, 17 },
            { 3, 64 },
            { 2, 1000 },
            { 2, 9000 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void All_four_follow_the_formulas(int rows, int columns)
    {
        Check<float>(rows, columns, 3, 1e-6);
        Check<double>(rows, columns, 3, 1e-14);
        Check<float>(rows, columns, 1e4, 1e-6);
        Check<double>(rows, columns, 1e4, 1e-14);
    }

    [Fact]
    public void Gradient_is_the_composition_bit_for_bit()
    {
        const int Rows = 20;
        const int Columns = 13;
        float[] x = Values.Random<float>(Rows * Columns, 1, -5, 5);
        float[] g = Values.Random<float>(Rows, 2);
        int[] labels = Values.Random<int>(Rows, 3, 0, Columns);
        float[] softmax = Run<float>(SoftmaxRows.Run, x, Rows, Columns, Serial);
        float[] gradient = Gradient(x, labels, g, Rows, Columns, Serial);
        for (int i = 0; i < x.Length; i++)
        {
            float hot = labels[i / Columns] == i % Columns ? 1 : 0;
            Assert.Equal((softmax[i] - hot) * g[i / Columns], gradient[i]);
        }
    }

    [Fact]
    public void Rows_of_extremes_are_as_documented()
    {
        float inf = float.PositiveInfinity;
        Assert.Equal([0.5f, 0.5f, 0f, 1f], Run<float>(SoftmaxRows.Run, [1e4f, 1e4f, -1e4f, 1e4f], 2, 2, Serial));
        Assert.Equal([0f, 1f], Run<float>(SoftmaxRows.Run, [-inf, 3f], 1, 2, Serial));
        Assert.All(Run<float>(SoftmaxRows.Run, [-inf, -inf, 1, inf, 1, float.NaN], 3, 2, Serial), value => Assert.True(float.IsNaN(value)));
        Assert.Equal([-2e4f, 0f], Run<float>(SoftmaxRows.LogSoftmax, [-1e4f, 1e4f], 1, 2, Serial));
    }

    [Fact]
    public void Bad_labels_are_found_first()
    {
        float[] x = Values.Random<float>(40, 1);
        foreach ((int label, int row) in new[] { (-1, 0), (4, 3), (int.MaxValue, 9), (int.MinValue, 5) })
        {
            int[] labels = new int[10];
            labels[row] = label;
            labels[9] = label;
            using Block<float> logits = new(x);
            using Block<int> indices = new(labels);
            using Block<float> loss = new([.. Enumerable.Repeat(7f, 10)]);
            using Block<float> g = new(10);
            using Block<float> y = new(40);
            Assert.Equal(row, SoftmaxRows.CrossEntropy(ElementType.Float32, loss.Pointer, logits.Pointer, indices.Pointer, 10, 4, Serial));
            Assert.False(loss.Span.ContainsAnyExcept(7f));
            Assert.Equal(
                row,
                SoftmaxRows.CrossEntropyGradient(ElementType.Float32, y.Pointer, logits.Pointer, indices.Pointer, g.Pointer, 10, 4, Serial)
            );
        }
    }

    [Fact]
    public void In_place_and_threads_change_nothing()
    {
        const int Rows = 900;
        const int Columns = 37;
        float[] x = Values.Random<float>(Rows * Columns, 1, -5, 5);
        float[] g = Values.Random<float>(Rows, 2);
        int[] labels = Values.Random<int>(Rows, 3, 0, Columns);
        foreach (int threads in new[] { 2, 3, 8 })
        {
            WorkerPool pool = new(threads);
            Values.SameBits<float>(Run<float>(SoftmaxRows.Run, x, Rows, Columns, Serial), Run<float>(SoftmaxRows.Run, x, Rows, Columns, pool));
            Values.SameBits<float>(
                Run<float>(SoftmaxRows.LogSoftmax, x, Rows, Columns, Serial),
                Run<float>(SoftmaxRows.LogSoftmax, x, Rows, Columns, pool)
            );
            Values.SameBits<float>(Gradient(x, labels, g, Rows, Columns, Serial), Gradient(x, labels, g, Rows, Columns, pool));
        }

        foreach (RowKernel kernel in new RowKernel[] { SoftmaxRows.Run, SoftmaxRows.LogSoftmax })
        {
            using Block<float> block = new(x);
            kernel(ElementType.Float32, block.Pointer, block.Pointer, Rows, Columns, Serial);
            Values.SameBits<float>(Run<float>(kernel, x, Rows, Columns, Serial), block.Span);
        }

        using Block<float> logits = new(x);
        using Block<int> indices = new(labels);
        using Block<float> weights = new(g);
        using Block<float> losses = new(Rows);
        (nint y, nint loss) = (logits.Pointer, losses.Pointer);
        SoftmaxRows.CrossEntropyGradient(ElementType.Float32, y, y, indices.Pointer, weights.Pointer, Rows, Columns, Serial, loss);
        Values.SameBits<float>(Gradient(x, labels, g, Rows, Columns, Serial), logits.Span);
        Values.SameBits<float>(Loss(x, labels, Rows, Columns), losses.Span);
    }

    private delegate void RowKernel(ElementType type, nint y, nint x, long rows, long cols, WorkerPool pool);

    private static void Check<T>(int rows, int columns, double scale, double tolerance)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] x = Values.Random<T>(rows * columns, 1, -scale, scale);
        T[] g = Values.Random<T>(rows, 2);
        int[] labels = Values.Random<int>(rows, 3, 0, columns);
        T[] softmax = Run<T>(SoftmaxRows.Run, x, rows, columns, Serial);
        T[] log = Run<T>(SoftmaxRows.LogSoftmax, x, rows, columns, Serial);
        T[] loss = Loss(x, labels, rows, columns);
        T[] gradient = Gradient(x, labels, g, rows, columns, Serial);
        for (int r = 0; r < rows; r++)
        {
            double[] row = [.. x.AsSpan(r * columns, columns).ToArray().Select(value => double.CreateTruncating(value))];
            double shift = row.Max();
            double normalizer = Math.Log(row.Sum(value => Math.Exp(value - shift)));
            Near(-(row[labels[r]] - shift - normalizer), loss[r]);
            for (int c = 0; c < columns; c++)
            {
                double p = Math.Exp(row[c] - shift - normalizer);
                Near(row[c] - shift - normalizer, log[(r * columns) + c]);
                Near(p, softmax[(r * columns) + c]);
                Near((p - (labels[r] == c ? 1 : 0)) * double.CreateTruncating(g[r]), gradient[(r * columns) + c]);
            }
        }

        void Near(double expected, T actual) =>
            Assert.True(
                Math.Abs(expected - double.CreateTruncating(actual)) <= tolerance * Math.Max(1, Math.Abs(expected)),
                $"{rows}x{columns}: expected {expected}, got {actual}"
            );
    }

    private static T[] Run<T>(RowKernel kernel, T[] x, int rows, int columns, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> input = new(x, offset: 1);
        using Block<T> y = new(x.Length, offset: 2);
        kernel(Values.TypeOf<T>(), y.Pointer, input.Pointer, rows, columns, pool);
        return y.ToArray();
    }

    private static T[] Loss<T>(T[] x, int[] labels, int rows, int columns)
        where T : unmanaged
    {
        using Block<T> logits = new(x);
        using Block<int> indices = new(labels);
        using Block<T> loss = new(rows);
        Assert.Equal(-1, SoftmaxRows.CrossEntropy(Values.TypeOf<T>(), loss.Pointer, logits.Pointer, indices.Pointer, rows, columns, Serial));
        return loss.ToArray();
    }

    private static T[] Gradient<T>(T[] x, int[] labels, T[] g, int rows, int columns, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> logits = new(x);
        using Block<int> indices = new(labels);
        using Block<T> weights = new(g);
        using Block<T> y = new(x.Length);
        using Block<T> losses = new(rows);
        ElementType type = Values.TypeOf<T>();
        Assert.Equal(-1, SoftmaxRows.CrossEntropyGradient(type, y.Pointer, logits.Pointer, indices.Pointer, weights.Pointer, rows, columns, pool));
        T[] alone = y.ToArray();
        SoftmaxRows.CrossEntropyGradient(type, y.Pointer, logits.Pointer, indices.Pointer, weights.Pointer, rows, columns, pool, losses.Pointer);
        Values.SameBits<T>(alone, y.Span, "with losses");
        Values.SameBits<T>(Loss(x, labels, rows, columns), losses.Span, "losses alongside");
        return alone;
    }
}
