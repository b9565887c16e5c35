using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Products that go without terms that are zero, bit for bit against the chain over all terms (rule R10), at sizes that are large enough to be
/// looked at, on both sides of the blocks of 64 terms, of the 512 that are packed at once and of the 512 rows whose sums wait (at 512 bits), in A as in B, whichever way they are stored.
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
            { 530, 128, 70 },
            { 128, 530, 520 },
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

        /// <summary>In one of thirty terms.</summary>
        Few,
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
                zeros.Check(Filled<float>(zeros, ofA, pattern), WorkerPool.Serial, what);
                zeros.Check(Filled<double>(zeros, ofA, pattern), WorkerPool.Serial, $"{what} in float64");
                if (zeros.Work >= 3 << 20)
                {
                    zeros.Check(Filled<float>(zeros, ofA, pattern), Three, $"{what} with threads");
                    zeros.Check(Filled<double>(zeros, ofA, pattern), Three, $"{what} in float64 with threads");
                }
            }
        }
    }

    /// <summary>Operands and result end at a page that cannot be read; a kernel that goes beyond ends the process.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Nothing_is_read_beyond_the_operands(int m, int n, int k)
    {
        for (int way = 0; way < 8; way++)
        {
            Case zeros = new(m, n, k, TransposeA: (way & 2) != 0, TransposeB: (way & 4) != 0);
            foreach (Pattern pattern in new[] { Pattern.Terms, Pattern.Few })
            {
                (float[] a, float[] b) = Filled<float>(zeros, (way & 1) != 0, pattern);
                float[] expected = Products.Run(m, n, k, zeros.TransposeA, zeros.TransposeB, 0, a, b, WorkerPool.Serial);
                Values.SameBits<float>(expected, zeros.RunBesideGuards(a, b), $"{pattern}, {zeros}");
            }
        }
    }

    /// <summary>More strips of columns, blocks of rows and blocks of terms at once than others have.</summary>
    [Theory]
    [InlineData(12, 2060, true)]
    [InlineData(2060, 12, false)]
    public void Zeros_are_of_their_block(int m, int n, bool ofA)
    {
        Case zeros = new(m, n, 1030, TransposeA: false, TransposeB: false);
        zeros.Check(Filled<float>(zeros, ofA, Pattern.Terms), WorkerPool.Serial, "terms");
    }

    [Theory]
    [InlineData(64, 128, 140, true, true)]
    [InlineData(64, 128, 140, false, true)]
    [InlineData(20, 30, 140, true, false)]
    [InlineData(20, 30, 140, false, false)]
    [InlineData(270, 256, 30, true, false)]
    [InlineData(270, 256, 30, false, false)]
    public void The_operand_is_found_whose_zeros_pay(int m, int n, int k, bool ofA, bool pays)
    {
        Operand expected =
            !pays ? Operand.None
            : ofA ? Operand.A
            : Operand.B;
        for (int bits = 0; bits < 4; bits++)
        {
            Case zeros = new(m, n, k, TransposeA: (bits & 1) != 0, TransposeB: (bits & 2) != 0);
            (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.Terms);
            Assert.Equal(expected, zeros.Sparse(a, b, hasBias: false));
            Assert.Equal(ofA ? expected : Operand.None, zeros.Sparse(a, b, hasBias: true));
            Assert.Equal(Operand.None, zeros.Sparse(Values.Random<float>(m * k, 1), Values.Random<float>(n * k, 2), hasBias: false));
            (ofA ? b : a)[ofA ? zeros.IndexB(k - 1, n - 1) : zeros.IndexA(m - 1, k - 1)] = float.NaN;
            Assert.Equal(Operand.None, zeros.Sparse(a, b, hasBias: false));
        }
    }

    /// <summary>The operand with more zeros, in one term of thirty not enough of them.</summary>
    [Fact]
    public void The_sparser_operand_is_taken_and_none_with_few_zeros()
    {
        Case zeros = new(64, 128, 144, TransposeA: false, TransposeB: false);
        (float[] a, _) = Filled<float>(zeros, ofA: true, Pattern.Terms);
        (_, float[] b) = Filled<float>(zeros, ofA: false, Pattern.All);
        Assert.Equal(Operand.B, zeros.Sparse(a, b, hasBias: false));
        (a, _) = Filled<float>(zeros, ofA: true, Pattern.All);
        (_, b) = Filled<float>(zeros, ofA: false, Pattern.Terms);
        Assert.Equal(Operand.A, zeros.Sparse(a, b, hasBias: false));
        (a, b) = Filled<float>(zeros, ofA: true, Pattern.Few);
        Assert.Equal(Operand.None, zeros.Sparse(a, b, hasBias: false));
        (a, b) = Filled<float>(zeros, ofA: false, Pattern.Few);
        Assert.Equal(Operand.None, zeros.Sparse(a, b, hasBias: false));
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
    [InlineData(1200, 700)]
    [InlineData(1200, 1199)]
    public void A_sum_that_underflows_has_the_sign_of_the_chain(int k, int term)
    {
        foreach ((bool ofA, int m, int n) in new[] { (true, 64, 128), (false, 64, 128), (true, 64, 125), (false, 61, 140) })
        {
            for (int bits = 0; bits < 4; bits++)
            {
                Case zeros = new(m, n, k, TransposeA: (bits & 1) != 0, TransposeB: (bits & 2) != 0);
                (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.All);
                for (int i = m - 1; i >= 0; i -= 40)
                {
                    a[zeros.IndexA(i, term)] = -1e-30f;
                }

                for (int j = n - 1; j >= 0; j -= 33)
                {
                    b[zeros.IndexB(term, j)] = 1e-30f;
                }

                zeros.Check((a, b), WorkerPool.Serial, $"zeros of {(ofA ? 'A' : 'B')}");
            }
        }
    }

    /// <summary>One sum of the rows that are looked at together, in each of sixteen rows and eight vectors in turn.</summary>
    [Fact]
    public void A_sum_that_underflows_is_found_wherever_it_is()
    {
        Check(-1e-30f, 1e-30f);
        Check(-1e-200, 1e-200);

        void Check<T>(T below, T above)
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            int lanes = 64 / Unsafe.SizeOf<T>();
            const int Groups = 24;
            for (int way = 0; way < 8; way++)
            {
                bool ofA = way < 4;
                (int rows, int columns) = (16 * Groups, 8 * lanes);
                Case zeros = new(ofA ? rows : columns, ofA ? columns : rows, 150, (way & 1) != 0, (way & 2) != 0);
                (T[] a, T[] b) = Filled<T>(zeros, ofA, Pattern.All);
                for (int group = 0; group < Groups; group++)
                {
                    (int row, int column, int term) = ((16 * group) + (group % 16), (lanes * (group % 8)) + (group % lanes), 6 * group);
                    a[zeros.IndexA(ofA ? row : column, term)] = ofA ? below : above;
                    b[zeros.IndexB(term, ofA ? column : row)] = ofA ? above : below;
                }

                zeros.Check((a, b), WorkerPool.Serial, $"zeros of {(ofA ? 'A' : 'B')}");
            }
        }
    }

    /// <summary>A few sums among others that do not, in each strip of columns, also with bias, rectifier and gate.</summary>
    [Theory]
    [InlineData(40, 300, 140, true)]
    [InlineData(300, 40, 140, false)]
    [InlineData(41, 299, 60, true)]
    public void Sums_that_underflow_are_found_in_every_strip(int m, int n, int k, bool ofA)
    {
        for (int bits = 0; bits < 4; bits++)
        {
            Case zeros = new(m, n, k, TransposeA: (bits & 1) != 0, TransposeB: (bits & 2) != 0);
            (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.Terms);
            int row = (ofA ? m : n) - 1;
            for (int term = 0; term < k; term++)
            {
                (ofA ? a : b)[ofA ? zeros.IndexA(row, term) : zeros.IndexB(term, row)] = term == 3 ? -1e-30f : 0;
            }

            for (int column = (ofA ? n : m) - 1; column >= 0; column -= 50)
            {
                (ofA ? b : a)[ofA ? zeros.IndexB(3, column) : zeros.IndexA(column, 3)] = 1e-30f;
            }

            zeros.Check((a, b), WorkerPool.Serial, $"zeros of {(ofA ? 'A' : 'B')}");
            if (zeros.TransposeB)
            {
                Products.CheckEpilogue(m, n, k, zeros.TransposeA, a, b);
            }
        }
    }

    /// <summary>Rows that fill whole vectors only with the padding between them: beyond the last one, whose term is not zero, lies a page that cannot be read.</summary>
    [Theory]
    [InlineData(64, 125, 128, 142, true)]
    [InlineData(125, 64, 128, 142, false)]
    [InlineData(130, 61, 64, 142, true)]
    [InlineData(61, 130, 64, 142, false)]
    public void Nothing_is_read_beyond_rows_with_gaps(int m, int n, int step, int k, bool ofA)
    {
        Case zeros = new(m, n, k, TransposeA: !ofA, TransposeB: !ofA);
        (float[] a, float[] b) = Filled<float>(zeros, ofA, Pattern.Terms);
        float[] other = ofA ? b : a;
        int width = ofA ? n : m;
        float[] padded = new float[(step * (k - 1)) + width];
        for (int term = 0; term < k; term++)
        {
            other.AsSpan(term * width, width).CopyTo(padded.AsSpan(term * step));
        }

        float[] expected = Products.Chain(m, n, k, zeros.TransposeA, zeros.TransposeB, a, b, ofA ? k : m, ofA ? n : k);
        using LastPage pageA = new(ofA ? a : padded);
        using LastPage pageB = new(ofA ? padded : b);
        using LastPage pageC = new(new float[m * n]);
        MatrixProduct.Run(
            ElementType.Float32,
            zeros.TransposeA,
            zeros.TransposeB,
            m,
            n,
            k,
            pageA.Pointer,
            ofA ? k : step,
            pageB.Pointer,
            ofA ? step : k,
            pageC.Pointer,
            n,
            WorkerPool.Serial
        );
        Values.SameBits<float>(expected, pageC.ToArray());
    }

    [Theory]
    [InlineData(130, 100, 170, true)]
    [InlineData(130, 100, 170, false)]
    [InlineData(64, 96, 180, true)]
    [InlineData(64, 128, 140, false)]
    [InlineData(60, 100, 1100, true)]
    public void Bias_rectifier_and_gate_work_on_sums_with_fewer_terms(int m, int n, int k, bool ofA)
    {
        foreach (bool transposeA in new[] { false, true })
        {
            (float[] a, float[] b) = Filled<float>(new(m, n, k, transposeA, TransposeB: true), ofA, Pattern.Terms);
            Products.CheckEpilogue(m, n, k, transposeA, a, b);
        }
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
                    Pattern.Few => term % 30 == 0,
                    _ => true,
                };
                ref T value = ref (ofA ? a : b)[ofA ? sizes.IndexA(row, term) : sizes.IndexB(term, row)];
                if (zero)
                {
                    value = (row + term) % 2 == 0 ? T.Zero : T.NegativeZero;
                }
                else if (term % 9 == 0)
                {
                    // Terms that are hardly more than zero, or whose bits are few.
                    value = term % 2 == 0 ? T.Epsilon : T.CreateTruncating(-2);
                }
            }
        }

        return (a, b);
    }

    /// <summary>A product's sizes and how its operands are stored.</summary>
    private sealed record Case(int M, int N, int K, bool TransposeA, bool TransposeB)
    {
        public long Work => (long)M * N * K;

        public int IndexA(int row, int term) => TransposeA ? (term * M) + row : (row * K) + term;

        public int IndexB(int term, int column) => TransposeB ? (column * K) + term : (term * N) + column;

        public void Check<T>((T[] A, T[] B) operands, WorkerPool pool, string what)
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            T[] expected = Products.Chain(M, N, K, TransposeA, TransposeB, operands.A, operands.B, TransposeA ? M : K, TransposeB ? K : N);
            T[] actual = Products.Run(M, N, K, TransposeA, TransposeB, 0, operands.A, operands.B, pool);
            Values.SameBits<T>(expected, actual, $"{what}, {this}");
        }

        /// <summary>The product of operands in guarded memory.</summary>
        public float[] RunBesideGuards(float[] a, float[] b)
        {
            using LastPage pageA = new(a);
            using LastPage pageB = new(b);
            using LastPage pageC = new(new float[M * N]);
            MatrixProduct.Run(
                ElementType.Float32,
                TransposeA,
                TransposeB,
                M,
                N,
                K,
                pageA.Pointer,
                TransposeA ? M : K,
                pageB.Pointer,
                TransposeB ? K : N,
                pageC.Pointer,
                N,
                WorkerPool.Serial
            );
            return pageC.ToArray();
        }

        /// <summary>The operand whose zeros the widest registers of this machine go without.</summary>
        public unsafe Operand Sparse(float[] a, float[] b, bool hasBias)
        {
            using Block<float> blockA = new(a);
            using Block<float> blockB = new(b);
            using Block<float> blockC = new(M * N);
            Product p = MatrixProduct.Describe(
                TransposeA,
                TransposeB,
                M,
                N,
                K,
                blockA.Pointer,
                TransposeA ? M : K,
                blockB.Pointer,
                TransposeB ? K : N,
                blockC.Pointer,
                N
            ) with
            {
                Bias = hasBias ? blockC.Pointer : 0,
            };
            return CpuFeatures.Has512 ? ProductLoop<Simd512<float>, Vector512<float>, float>.Sparse(p)
                : CpuFeatures.Has256 ? ProductLoop<Simd256<float>, Vector256<float>, float>.Sparse(p)
                : ProductLoop<Simd128<float>, Vector128<float>, float>.Sparse(p);
        }
    }
}
