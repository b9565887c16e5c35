using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Products that go without terms that are zero, bit for bit against the chain over all terms (rule R10), at sizes that are large enough to be
/// looked at, on both sides of the blocks of 1024 terms and 512 rows, in A as in B, whichever way they are stored.
/// </summary>
public sealed class ZeroTermsTests
{
    private static readonly WorkerPool Three = new(3);

    public static TheoryData<int, int, int> Sizes =>
        new()
        {
            { 64, 128, 130 },
            { 33, 70, 600 },
            { 130, 90, 100 },
            { 12, 130, 1100 },
            { 530, 50, 60 },
            { 50, 530, 60 },
            { 128, 784, 32 },
            { 40, 100, 2100 },
            { 1040, 40, 33 },
            { 530, 20, 500 },
        };

    /// <summary>Where zeros lie in op(A), and in op(B) with rows and columns exchanged.</summary>
    public enum Pattern
    {
        /// <summary>In two of three terms, for all rows.</summary>
        Terms,

        /// <summary>In runs of terms, other ones for each sixteen rows.</summary>
        Runs,

        /// <summary>Everywhere.</summary>
        All,

        /// <summary>In all terms of the first half of the rows, and in none of the second.</summary>
        Half,
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_element_is_the_chain_over_all_terms(int m, int n, int k)
    {
        for (int way = 0; way < 8; way++)
        {
            (bool ofA, bool transposeA, bool transposeB) = ((way & 1) != 0, (way & 2) != 0, (way & 4) != 0);
            foreach (Pattern pattern in Enum.GetValues<Pattern>())
            {
                Case zeros = new(m, n, k, transposeA, transposeB);
                string what = $"{pattern} of {(ofA ? 'A' : 'B')}";
                zeros.Check(Filled<float>(zeros, ofA, pattern), way == (int)pattern ? Three : WorkerPool.Serial, what);
                zeros.Check(Filled<double>(zeros, ofA, pattern), WorkerPool.Serial, $"{what} in float64");
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_is_multiplied_by_zero_all_the_same(float value)
    {
        foreach (bool ofA in new[] { true, false })
        {
            for (int bits = 0; bits < 4; bits++)
            {
                Case zeros = new(64, 128, 131, TransposeA: (bits & 1) != 0, TransposeB: (bits & 2) != 0);
                (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.Terms);
                foreach (int term in new[] { 1, 130 })
                {
                    (float[] first, float[] second) = ([.. a], [.. b]);
                    (ofA ? second : first)[ofA ? zeros.IndexB(term, 127) : zeros.IndexA(63, term)] = value;
                    zeros.Check((first, second), WorkerPool.Serial, $"{value} beside zeros of {(ofA ? 'A' : 'B')}, term {term}");
                    (first, second) = ([.. a], [.. b]);
                    (ofA ? first : second)[ofA ? zeros.IndexA(63, term) : zeros.IndexB(term, 127)] = value;
                    zeros.Check((first, second), WorkerPool.Serial, $"{value} among zeros of {(ofA ? 'A' : 'B')}, term {term}");
                }
            }
        }
    }

    /// <summary>A sum that underflows to -0 keeps its sign only until the next term that is +0, which is one of those that are left out.</summary>
    [Theory]
    [InlineData(140, 0)]
    [InlineData(140, 70)]
    [InlineData(140, 139)]
    [InlineData(1200, 0)]
    [InlineData(1200, 1199)]
    public void A_sum_that_underflows_has_the_sign_of_the_chain(int k, int term)
    {
        foreach (bool ofA in new[] { true, false })
        {
            for (int bits = 0; bits < 4; bits++)
            {
                Case zeros = new(64, 128, k, TransposeA: (bits & 1) != 0, TransposeB: (bits & 2) != 0);
                (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.All);
                for (int i = 0; i < 64; i += 3)
                {
                    a[zeros.IndexA(i, term)] = -1e-30f;
                }

                for (int j = 0; j < 128; j += 5)
                {
                    b[zeros.IndexB(term, j)] = 1e-30f;
                }

                zeros.Check((a, b), WorkerPool.Serial, $"zeros of {(ofA ? 'A' : 'B')}");
            }
        }
    }

    [Fact]
    public void Bias_and_rectifier_work_on_sums_with_fewer_terms()
    {
        Case zeros = new(64, 100, 170, TransposeA: false, TransposeB: true);
        (float[] a, float[] b) = Filled<float>(zeros, ofA: true, Pattern.Runs);
        float[] bias = Values.Random<float>(100, 3);
        float[] sums = Products.Chain(64, 100, 170, false, true, a, b, 170, 170);
        using Block<float> blockA = new(a);
        using Block<float> blockB = new(b);
        using Block<float> blockC = new(64 * 100);
        using Block<float> added = new(bias);
        MatrixProduct.RunBatched(
            ElementType.Float32,
            false,
            true,
            64,
            100,
            170,
            blockA.Pointer,
            170,
            0,
            blockB.Pointer,
            170,
            0,
            blockC.Pointer,
            100,
            0,
            1,
            Three,
            added.Pointer,
            rectify: true
        );
        Values.SameBits<float>([.. sums.Select((sum, i) => Math.Max(sum + bias[i % 100], 0))], blockC.Span);
    }

    private static (T[] A, T[] B) Filled<T>(Case sizes, bool ofA, Pattern pattern)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] a = Values.Random<T>(sizes.M * sizes.K, 1);
        T[] b = Values.Random<T>(sizes.N * sizes.K, 2);
        int rows = ofA ? sizes.M : sizes.N;
        for (int row = 0; row < rows; row++)
        {
            for (int term = 0; term < sizes.K; term++)
            {
                bool zero = pattern switch
                {
                    Pattern.Terms => term % 3 != 0,
                    Pattern.Runs => (term + (row / 16 * 7)) % 31 < 20,
                    Pattern.Half => row < rows / 2,
                    _ => true,
                };
                if (zero)
                {
                    (ofA ? a : b)[ofA ? sizes.IndexA(row, term) : sizes.IndexB(term, row)] = (row + term) % 2 == 0 ? T.Zero : T.NegativeZero;
                }
            }
        }

        return (a, b);
    }

    /// <summary>A product's sizes and how its operands are stored.</summary>
    private sealed record Case(int M, int N, int K, bool TransposeA, bool TransposeB)
    {
        public int IndexA(int row, int term) => TransposeA ? (term * M) + row : (row * K) + term;

        public int IndexB(int term, int column) => TransposeB ? (column * K) + term : (term * N) + column;

        public void Check<T>((T[] A, T[] B) operands, WorkerPool pool, string what)
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            T[] expected = Products.Chain(M, N, K, TransposeA, TransposeB, operands.A, operands.B, TransposeA ? M : K, TransposeB ? K : N);
            T[] actual = Products.Run(M, N, K, TransposeA, TransposeB, 0, operands.A, operands.B, pool);
            Values.SameBits<T>(expected, actual, $"{what}, {this}");
        }
    }
}
