using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Terms that are zero, as the borders of images, rectifiers and one-hot rows make them. Sums go without them: products are looked at before, and where it
/// pays, <see cref="SparseRows{S, V, T}"/> takes them.
/// </summary>
/// <remarks>
/// No bit changes where fma(0, b, sum) is left out, provided that b is finite and the sum not -0. The first is looked up. The second takes a sum that
/// underflows; it then differs from the chain's, which may be +0, only until the next product that is not zero. So to look at the end is enough: rows that
/// end with a -0 are computed again with all terms.
/// </remarks>
internal static unsafe class ZeroTerms<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Multiply-adds from which the look pays.</summary>
    private const long LeastWork = 1 << 20;

    /// <summary>Terms of a sum from which going without some pays.</summary>
    private const int LeastDepth = 32;

    /// <summary>Looks at an operand, evenly over it, and terms at each.</summary>
    private const int Looks = 8;
    private const int TermsAtALook = 16;

    /// <summary>Bits that a lane of either element type has.</summary>
    private const int LaneBits = 32;

    /// <summary>Terms at a time: a bit for each.</summary>
    public const int MostTerms = 64;

    private static ulong AllLanes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.MaskBits(S.BitsEqual(S.Zero, S.Zero));
    }

    /// <summary>Whether a product is large enough.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayPay(in Product p) => (long)p.M * p.N * p.K >= LeastWork && p.K >= LeastDepth;

    /// <summary>The part of A's elements that are not zero, from a sample.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Left(in Product p)
    {
        ulong* bits = stackalloc ulong[S.Count];
        T* copy = stackalloc T[S.Count * TermsAtALook];
        int rows = Math.Min(S.Count, p.M);
        int left = 0;
        for (int look = 0; look < Looks; look++)
        {
            long row = (long)(p.M - rows) * look / (Looks - 1);
            long term = (long)(p.K - TermsAtALook) * look / (Looks - 1);
            Find((T*)p.A + (row * p.RowStepA) + (term * p.ColumnStepA), p.RowStepA, p.ColumnStepA, rows, TermsAtALook, bits, copy);
            for (int i = 0; i < rows; i++)
            {
                left += BitOperations.PopCount(bits[i]);
            }
        }

        return (double)left / (Looks * TermsAtALook * rows);
    }

    /// <summary>Whether zero times any of B is zero.</summary>
    public static bool IsFinite(in Product p) =>
        p.ColumnStepB == 1 ? IsFinite((T*)p.B, p.RowStepB, p.K, p.N) : IsFinite((T*)p.B, p.ColumnStepB, p.N, p.K);

    /// <summary>Whether zero times any element of some rows is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsFinite(T* row, long step, int rows, long length)
    {
        // Four sums, as one would wait for itself.
        V a = S.Zero;
        V b = S.Zero;
        V c = S.Zero;
        V d = S.Zero;
        for (int i = 0; i < rows; i++)
        {
            long j = 0;
            for (; j <= length - (4 * S.Count); j += 4 * S.Count)
            {
                a = S.Fma(S.Load(row + j), S.Zero, a);
                b = S.Fma(S.Load(row + j + S.Count), S.Zero, b);
                c = S.Fma(S.Load(row + j + (2 * S.Count)), S.Zero, c);
                d = S.Fma(S.Load(row + j + (3 * S.Count)), S.Zero, d);
            }

            for (; j < length; j += S.Count)
            {
                a = S.Fma(S.LoadPart(row + j, (int)Math.Min(S.Count, length - j), S.Zero), S.Zero, a);
            }

            row += step;
        }

        return S.MaskBits(S.Equal(S.Add(S.Add(a, b), S.Add(c, d)), S.Zero)) == AllLanes;
    }

    /// <summary>
    /// Finds the terms in which rows of A are not zero, <see cref="MostTerms"/> at most: a bit for each in each row's number. Elements of rows that lie side by side, whose terms
    /// lie far from each other, are copied.
    /// </summary>
    /// <param name="a">The first element.</param>
    /// <param name="rowStep">Elements from a row to the next.</param>
    /// <param name="columnStep">Elements from a term to the next; this or the other is 1.</param>
    /// <param name="rows">How many rows, at most the lanes of a register. The rows after them are asked for.</param>
    /// <param name="depth">How many terms.</param>
    /// <param name="left">As many numbers as a register has lanes.</param>
    /// <param name="copy">Where the elements of rows that lie side by side go, a register for each term.</param>
    public static void Find(T* a, long rowStep, long columnStep, int rows, int depth, ulong* left, T* copy)
    {
        if (columnStep == 1)
        {
            FindAlongRows(a, rowStep, rows, depth, left);
        }
        else
        {
            FindAcrossRows(a, columnStep, rows, depth, left, copy);
        }
    }

    /// <summary>In rows that are contiguous: a register of terms at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FindAlongRows(T* a, long rowStep, int rows, int depth, ulong* left)
    {
        ulong all = AllLanes;
        for (int row = 0; row < rows; row++)
        {
            ulong bits = 0;
            for (int term = 0; term < depth; term += S.Count)
            {
                Prefetch.DistantLine(a + (S.Count * rowStep) + term);
                int lanes = Math.Min(S.Count, depth - term);
                V elements = lanes == S.Count ? S.Load(a + term) : S.LoadPart(a + term, lanes, S.Zero);
                bits |= (S.MaskBits(IsZero(elements)) ^ all) << term;
            }

            left[row] = bits;
            a += rowStep;
        }
    }

    /// <summary>In rows that lie side by side: all of them at once for each term, whose bit goes to their lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FindAcrossRows(T* a, long columnStep, int rows, int depth, ulong* left, T* copy)
    {
        T* lanes = stackalloc T[S.Count];
        new Span<ulong>(left, S.Count).Clear();
        for (int first = 0; first < depth; first += LaneBits)
        {
            V bits = S.Zero;
            V bit = S.ConstBits(1);
            for (int term = first; term < Math.Min(depth, first + LaneBits); term++)
            {
                Prefetch.DistantLine(a + S.Count);
                V elements = rows == S.Count ? S.Load(a) : S.LoadPart(a, rows, S.Zero);
                S.Store(copy, elements);
                copy += S.Count;
                bits = S.Or(bits, S.AndNot(bit, IsZero(elements)));
                bit = S.BitsShiftLeft(bit, 1);
                a += columnStep;
            }

            S.Store(lanes, bits);
            for (int row = 0; row < rows; row++)
            {
                left[row] |= (ulong)*(uint*)(lanes + row) << first;
            }
        }
    }

    /// <summary>Whether any sum is -0: of all numbers that is the least, if their bits are taken for integers.</summary>
    /// <param name="sums">The sums.</param>
    /// <param name="vectors">How many registers they fill.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AnyMinusZero(T* sums, int vectors)
    {
        V least = S.Zero;
        for (int i = 0; i < vectors; i++)
        {
            least = S.BitsMin(least, S.Load(sums + (i * S.Count)));
        }

        return S.MaskBits(S.BitsEqual(least, S.Const(-0.0))) != 0;
    }

    /// <summary>Mask of the lanes that are 0 or -0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V IsZero(V bits) => S.BitsEqual(S.BitsShiftLeft(bits, 1), S.Zero);
}
