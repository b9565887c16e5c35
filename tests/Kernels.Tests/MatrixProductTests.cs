using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// The matrix product, bit for bit against the chain of fused multiply-adds that rule R10 prescribes, at sizes on both sides of
/// every blocking constant (tiles of 14, 9 and 6 rows, of 2 and 3 vectors of 2 to 16 elements, blocks of 512 rows, 2048 columns and 1024 terms,
/// terms by one and by two; products of few rows: 5 or 10 rows, 8 terms; remainders of 5, 10 and 12 columns).
/// </summary>
public sealed class MatrixProductTests
{
    private static readonly WorkerPool Three = new(3);

    public static TheoryData<int, int, int> Sizes =>
        new()
        {
            { 1, 1, 1 },
            { 1, 33, 5 },
            { 5, 1, 33 },
            { 14, 32, 10 },
            { 15, 31, 17 },
            { 13, 49, 3 },
            { 29, 65, 130 },
            { 64, 64, 64 },
            { 100, 10, 784 },
            { 784, 10, 100 },
            { 33, 50, 513 },
            { 70, 98, 1030 },
            { 40, 130, 1032 },
            { 530, 130, 1100 },
            { 513, 17, 50 },
            { 1030, 33, 514 },
            { 3, 2049, 20 },
            { 60, 2100, 30 },
            { 64, 33, 8 },
            { 64, 34, 7 },
            { 63, 35, 20 },
            { 200, 19, 70 },
            { 130, 600, 400 },
            { 130, 512, 64 },
            { 1, 2, 9 },
            { 1, 4, 8 },
            { 2, 5, 7 },
            { 2, 8, 13 },
            { 3, 10, 128 },
            { 1, 16, 21 },
            { 3, 17, 9 },
            { 1, 47, 390 },
            { 2, 131, 65 },
            { 3, 70, 2051 },
            { 4, 20, 15 },
            { 4, 17, 8 },
            { 4, 70, 390 },
            { 64, 36, 20 },
            { 32, 20, 9 },
            { 40, 27, 5 },
            { 70, 44, 33 },
            { 31, 45, 6 },
            { 5, 20, 15 },
            { 6, 40, 8 },
            { 7, 33, 9 },
            { 8, 24, 19 },
            { 9, 17, 50 },
            { 10, 70, 31 },
            { 64, 1, 20 },
            { 64, 5, 8 },
            { 70, 6, 9 },
            { 40, 23, 13 },
            { 33, 8, 50 },
            { 40, 25, 30 },
            { 100, 10, 50 },
            { 64, 45, 20 },
            { 2100, 20, 20 },
        };

    [Theory]
    [InlineData(ElementType.Float32, 1, 16, true)]
    [InlineData(ElementType.Float32, 64, 128, true)]
    [InlineData(ElementType.Float32, 65, 128, false)]
    [InlineData(ElementType.Float32, 1, 47, false)]
    [InlineData(ElementType.Float32, 1, 8, false)]
    [InlineData(ElementType.Float64, 1, 8, true)]
    [InlineData(ElementType.Float64, 1, 12, false)]
    [InlineData(ElementType.Float32, 1, 0, false)]
    public void A_transposed_copy_is_for_few_rows_that_fill_registers(ElementType type, int rows, int columns, bool preferred) =>
        Assert.Equal(preferred, MatrixProduct.PrefersTranspose(type, rows, columns));

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_element_is_the_chain_in_float32(int m, int n, int k) => CheckAll<float>(m, n, k);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_element_is_the_chain_in_float64(int m, int n, int k) => CheckAll<double>(m, n, k);

    [Fact]
    public void Every_element_is_the_chain_at_random_sizes()
    {
        Gen<(int, int, int, int)> sizes =
            from m in Gen.Choose(0, 50)
            from n in Gen.Choose(0, 70)
            from k in Gen.Choose(0, 40)
            from bits in Gen.Choose(0, 31)
            select (m, n, k, bits);
        Prop.ForAll(sizes.ToArbitrary(), s => Check<float>(s.Item1, s.Item2, s.Item3, (s.Item4 & 1) != 0, (s.Item4 & 2) != 0, s.Item4 >> 2, Three))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(11UL, 13UL));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Bits_do_not_depend_on_the_number_of_threads(int threads)
    {
        WorkerPool pool = new(threads);
        foreach ((int m, int n, int k) in new[] { (300, 130, 200), (5, 3000, 300), (2000, 9, 500), (1200, 33, 100) })
        {
            for (int transposes = 0; transposes < 4; transposes++)
            {
                bool ta = (transposes & 1) != 0;
                bool tb = (transposes & 2) != 0;
                float[] one = Products.Run(
                    m,
                    n,
                    k,
                    ta,
                    tb,
                    0,
                    Values.Random<float>((long)m * k, 1),
                    Values.Random<float>((long)n * k, 2),
                    WorkerPool.Serial
                );
                float[] many = Products.Run(m, n, k, ta, tb, 0, Values.Random<float>((long)m * k, 1), Values.Random<float>((long)n * k, 2), pool);
                Values.SameBits<float>(one, many, $"{m}x{n}x{k} {ta} {tb}");
            }
        }
    }

    [Fact]
    public void Empty_sizes_write_zeros_or_nothing()
    {
        using Block<float> c = new([1, 2, 3, 4, 5, 6]);
        MatrixProduct.Run(ElementType.Float32, false, false, 2, 2, 0, 0, 0, 0, 2, c.Pointer, 3, WorkerPool.Serial);
        Assert.Equal([0, 0, 3, 0, 0, 6], c.ToArray());
        MatrixProduct.Run(ElementType.Float32, false, false, 0, 2, 3, 0, 3, 0, 2, c.Pointer, 2, WorkerPool.Serial);
        MatrixProduct.Run(ElementType.Float32, false, false, 2, 0, 3, 0, 3, 0, 0, c.Pointer, 2, WorkerPool.Serial);
        Assert.Equal([0, 0, 3, 0, 0, 6], c.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(40)]
    public void A_batch_is_that_many_products(int batch)
    {
        const int M = 33;
        const int N = 41;
        const int K = 50;
        float[] a = Values.Random<float>(batch * M * K, 1);
        float[] b = Values.Random<float>(K * N, 2);
        foreach (int threads in new[] { 1, 3 })
        {
            using Block<float> blockA = new(a);
            using Block<float> blockB = new(b);
            using Block<float> blockC = new(batch * M * N);
            MatrixProduct.RunBatched(
                ElementType.Float32,
                false,
                true,
                M,
                N,
                K,
                blockA.Pointer,
                K,
                M * K,
                blockB.Pointer,
                K,
                0,
                blockC.Pointer,
                N,
                M * N,
                batch,
                new WorkerPool(threads)
            );
            for (int i = 0; i < batch; i++)
            {
                float[] expected = Products.Chain<float>(M, N, K, false, true, a[(i * M * K)..((i + 1) * M * K)], b, K, K);
                Values.SameBits<float>(expected, blockC.Span.Slice(i * M * N, M * N), $"item {i}");
            }
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(15, 31, 17)]
    [InlineData(64, 128, 10)]
    [InlineData(33, 50, 513)]
    [InlineData(40, 130, 1032)]
    [InlineData(530, 50, 1100)]
    [InlineData(77, 51, 20)]
    [InlineData(77, 52, 20)]
    [InlineData(77, 10, 20)]
    [InlineData(20, 520, 130)]
    [InlineData(20, 520, 1025)]
    [InlineData(5, 40, 0)]
    public void Bias_rectifier_and_gate_work_on_finished_sums(int m, int n, int k)
    {
        float[] a = Values.Random<float>((long)m * k, 1);
        float[] b = Values.Random<float>((long)n * k, 2);
        Products.CheckEpilogue(m, n, k, transposeA: false, a, b);
        Products.CheckEpilogue(m, n, k, transposeA: true, a, b);
    }

    [Fact]
    public void Infinities_and_NaN_stay_in_their_rows_and_columns()
    {
        const int Size = 35;
        float[] a = Values.Random<float>(Size * Size, 1);
        float[] b = Values.Random<float>(Size * Size, 2);
        a[(3 * Size) + 4] = float.NaN;
        b[(5 * Size) + 34] = float.PositiveInfinity;
        float[] c = Products.Run(Size, Size, Size, false, false, 0, a, b, WorkerPool.Serial);
        for (int i = 0; i < Size; i++)
        {
            for (int j = 0; j < Size; j++)
            {
                Assert.Equal(i != 3 && j != 34, float.IsFinite(c[(i * Size) + j]));
            }
        }
    }

    [Theory]
    [InlineData(ElementType.Int32)]
    [InlineData(ElementType.Bool)]
    public void Other_types_are_refused(ElementType type)
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(() =>
            MatrixProduct.Run(type, false, false, 1, 1, 1, 0, 1, 0, 1, 0, 1, WorkerPool.Serial)
        );
        Assert.Equal($"The matrix product does not exist for {type}.", error.Message);
    }

    private static void CheckAll<T>(int m, int n, int k)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int bits = 0; bits < 8; bits++)
        {
            Check<T>(m, n, k, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) == 0 ? 0 : 3, (bits & 4) == 0 ? WorkerPool.Serial : Three);
        }
    }

    private static void Check<T>(int m, int n, int k, bool transposeA, bool transposeB, int extra, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long lda = (transposeA ? m : k) + extra;
        long ldb = (transposeB ? k : n) + extra;
        T[] a = Values.Random<T>((transposeA ? k : m) * lda, 1);
        T[] b = Values.Random<T>((transposeB ? n : k) * ldb, 2);
        T[] actual = Products.Run(m, n, k, transposeA, transposeB, extra, a, b, pool);
        T[] expected = Products.Chain(m, n, k, transposeA, transposeB, a, b, lda, ldb);
        Values.SameBits<T>(expected, actual, $"{m}x{n}x{k} {transposeA} {transposeB} +{extra}");
    }
}
