using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// How work is shared out among 2, 8 and 64 threads: into how many parts, none of them empty and none much larger than the others. That the
/// bits do not depend on it is shown by <see cref="WidthTests"/>.
/// </summary>
public sealed class SplitTests
{
    private static readonly int[] Threads = [2, 8, 64];

    /// <summary>Rows and columns of the grid for 2, 8 and 64 threads.</summary>
    public static TheoryData<string, int, int, int, string> Products =>
        new()
        {
            { "W1 forward", 100, 10, 784, "1x1 1x1 1x1" },
            { "W2-64 forward", 64, 128, 784, "2x1 4x2 4x3" },
            { "W2-64 weight gradient", 128, 784, 64, "2x1 8x1 6x2" },
            { "W2-512 forward", 512, 128, 784, "2x1 8x1 32x2" },
            { "W2-512 weight gradient", 128, 784, 512, "2x1 8x1 8x8" },
            { "W7 forward", 256, 512, 784, "2x1 8x1 16x4" },
            { "W9 forward", 512, 2048, 2048, "2x1 8x1 32x2" },
            { "few rows", 10, 4096, 1024, "1x2 1x8 1x64" },
            { "few columns", 4096, 10, 1024, "2x1 8x1 64x1" },
            { "a batch of one", 1, 2048, 2048, "1x2 1x8 1x8" },
            { "nothing", 0, 5, 5, "1x1 1x1 1x1" },
        };

    [Theory]
    [MemberData(nameof(Products))]
    public void A_product_is_cut_into_tiles_for_the_threads_that_it_is_worth(string name, int m, int n, int k, string grids)
    {
        string seen = string.Join(' ', Threads.Select(threads => MatrixProduct.Grid(m, n, k, 4, new(threads))).Select(g => $"{g.Rows}x{g.Columns}"));
        Assert.True(grids == seen, $"{name}: {seen}");
    }

    [Fact]
    public void The_tiles_of_a_product_cover_it_once_and_are_of_one_size()
    {
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), CheckTiles).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(21UL, 23UL));

        static void CheckTiles(int seed)
        {
            Random random = new(seed);
            (int m, int n, int k) = (random.Next(1, 600), random.Next(1, 600), random.Next(1, 3000));
            int size = random.Next(2) == 0 ? 4 : 8;
            (int Rows, int Columns) grid = MatrixProduct.Grid(m, n, k, size, new(Threads[random.Next(Threads.Length)]));
            int[] hits = new int[m * n];
            for (int part = 0; part < grid.Rows * grid.Columns; part++)
            {
                ((long From, long To) rows, (long From, long To) columns) = MatrixProduct.TileOf(part, m, n, size, grid);
                // Shares are of whole units, 7 rows or 128 bytes, and differ by one of them.
                Assert.InRange(rows.To - rows.From, 1, (m / grid.Rows) + 14);
                Assert.InRange(columns.To - columns.From, 1, (n / grid.Columns) + (2 * 128 / size));
                for (long i = rows.From; i < rows.To; i++)
                {
                    for (long j = columns.From; j < columns.To; j++)
                    {
                        hits[(i * n) + j]++;
                    }
                }
            }

            Assert.False(hits.AsSpan().ContainsAnyExcept(1));
        }
    }

    /// <summary>The parts of one job for 2, 8 and 64 threads, at the sizes of the workloads.</summary>
    public static TheoryData<string, string> Kernels =>
        new()
        {
            { "relu of 64x128", "1 1 1" },
            { "relu of 512x2048", "8 32 64" },
            { "sum of rows of 512x2048", "8 32 32" },
            { "sum of columns of 512x2048", "8 8 8" },
            { "cross-entropy of 512x10", "1 1 1" },
            { "softmax of 512x1000", "8 32 125" },
            { "convolution of 64 images", "4 4 4" },
            { "convolution of 512 images", "8 32 32" },
            { "weight gradient of 64 images", "2 2 2" },
            { "weight gradient of 512 images", "8 16 16" },
        };

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_kernel_has_a_few_parts_for_each_thread_as_far_as_its_items_go(string name, string parts)
    {
        using Block<float> x = new(512 * 2048);
        using Block<float> y = new(512 * 2048);
        using Block<float> w = new(16 * 8 * 5 * 5);
        using Block<int> labels = new(512);
        x.Span.Fill(0.5f);
        y.Span.Fill(0.5f);
        w.Span.Fill(0.5f);
        labels.Span.Fill(3);
        string seen = string.Join(' ', Threads.Select(threads => PartsOf(name, new(threads), x.Pointer, y.Pointer, w.Pointer, labels.Pointer)));
        Assert.True(parts == seen, $"{name}: {seen}");
    }

    private static int PartsOf(string name, WorkerPool pool, nint x, nint y, nint w, nint labels)
    {
        const ElementType Float32 = ElementType.Float32;
        Action run = name switch
        {
            "relu of 64x128" => () => Elementwise.Unary(UnaryOp.Relu, Float32, IterationSpace.Contiguous(64 * 128, 2), y, x, pool),
            "relu of 512x2048" => () => Elementwise.Unary(UnaryOp.Relu, Float32, IterationSpace.Contiguous(512 * 2048, 2), y, x, pool),
            "sum of rows of 512x2048" => () => Reductions.Sum(Float32, y, x, 512, 2048, 1, pool),
            "sum of columns of 512x2048" => () => Reductions.Sum(Float32, y, x, 1, 512, 2048, pool),
            "cross-entropy of 512x10" => () => SoftmaxRows.CrossEntropy(Float32, y, x, labels, 512, 10, pool),
            "softmax of 512x1000" => () => SoftmaxRows.Run(Float32, y, x, 512, 1000, pool),
            "convolution of 64 images" => () => Convolution.Forward(Float32, Images(64), y, x, w, pool),
            "convolution of 512 images" => () => Convolution.Forward(Float32, Images(512), y, x, w, pool),
            "weight gradient of 64 images" => () => Convolution.BackwardWeight(Float32, Images(64), w, x, y, pool),
            _ => () => Convolution.BackwardWeight(Float32, Images(512), w, x, y, pool),
        };
        run();
        return Math.Max(pool.Team!.LastParts, 1);
    }

    /// <summary>The second convolution of W3.</summary>
    private static ConvolutionShape Images(int batch) => new(batch, 8, 12, 12, 16, 5, 5, 8, 8, 1, 1, 0, 0, 1, 1);
}
