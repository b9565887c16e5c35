using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Terms that are zero in every row of a tile, as the borders of images and one-hot rows make them. Sums go without them: products are looked at before, and
/// where it pays, tiles get lists of the terms that are left.
/// </summary>
/// <remarks>
/// No bit changes where fma(0, b, sum) is left out, provided that b is finite and the sum not -0. The first is looked up. The second takes a sum that
/// underflows; it then differs from the chain's, which may be +0, only until the next term that is not zero. So to look at the end is enough: tiles that
/// end with a -0 are computed again with all terms.
/// </remarks>
internal static unsafe class ZeroTerms<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Multiply-adds from which the look pays.</summary>
    private const long LeastWork = 1 << 20;

    /// <summary>Terms of a sum from which lists pay.</summary>
    private const int LeastDepth = 32;

    /// <summary>Looks at an operand, evenly over it, and terms at each.</summary>
    private const int Looks = 8;
    private const int TermsAtALook = 16;

    /// <summary>How many terms ahead is asked for: they lie on other pages, where the processor does not look ahead by itself.</summary>
    private const int Ahead = 32;

    /// <summary>Terms of which the nearest cache holds a line each until the rows beside those at hand are looked at.</summary>
    private const int NearTerms = 128;

    private static ulong AllLanes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.MaskBits(S.BitsEqual(S.Zero, S.Zero));
    }

    /// <summary>Whether a product is large enough, and either operand contiguous along rows or columns, as <see cref="List"/> and <see cref="IsFinite"/> take them to be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayPay(in Product p) =>
        (long)p.M * p.N * p.K >= LeastWork && p.K >= LeastDepth && (p.ColumnStepA == 1 || p.RowStepA == 1) && (p.ColumnStepB == 1 || p.RowStepB == 1);

    /// <summary>The part of a product's terms that tiles of rows are left with, from a sample of A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Left(in Product p)
    {
        ushort* terms = stackalloc ushort[TermsAtALook + Slack];
        int depth = TermsAtALook;
        int rows = Math.Min(ListedTiles<S, V, T>.Shape.Rows, p.M);
        int left = 0;
        for (int look = 0; look < Looks; look++)
        {
            long row = (long)(p.M - rows) * look / (Looks - 1);
            long term = (long)(p.K - depth) * look / (Looks - 1);
            left += List((T*)p.A + (row * p.RowStepA) + (term * p.ColumnStepA), p.RowStepA, p.ColumnStepA, rows, depth, terms);
        }

        return (double)left / (Looks * depth);
    }

    /// <summary>Whether zero times any of B is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsFinite(in Product p)
    {
        bool rowByRow = p.ColumnStepB == 1;
        long step = rowByRow ? p.RowStepB : p.ColumnStepB;
        int rows = rowByRow ? p.K : p.N;
        int length = rowByRow ? p.N : p.K;
        T* row = (T*)p.B;
        V zero = S.Zero;
        V next = S.Zero;
        for (int i = 0; i < rows; i++)
        {
            int j = 0;
            for (; j <= length - (2 * S.Count); j += 2 * S.Count)
            {
                zero = S.Fma(S.Load(row + j), S.Zero, zero);
                next = S.Fma(S.Load(row + j + S.Count), S.Zero, next);
            }

            for (; j < length; j += S.Count)
            {
                zero = S.Fma(S.LoadPart(row + j, Math.Min(S.Count, length - j), S.Zero), S.Zero, zero);
            }

            row += step;
        }

        return S.MaskBits(S.Equal(S.Add(zero, next), S.Zero)) == AllLanes;
    }

    /// <summary>Elements beyond its length that a list needs to be made: a register's numbers are written at once.</summary>
    public const int Slack = 16;

    /// <summary>Lists the terms in which not all of some rows of A are zero, and says how many they are; <see cref="Slack"/> more elements may be written.</summary>
    public static int List(T* a, long rowStep, long columnStep, int rows, int depth, ushort* terms) =>
        columnStep == 1 ? ListAlongRows(a, rowStep, rows, depth, terms) : ListAcrossRows(a, columnStep, rows, depth, terms);

    /// <summary>Of rows that are contiguous: a register of terms at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ListAlongRows(T* a, long rowStep, int rows, int depth, ushort* terms)
    {
        int count = 0;
        for (int first = 0; first < depth; first += S.Count)
        {
            int lanes = Math.Min(S.Count, depth - first);
            V bits = S.Zero;
            T* element = a + first;
            for (int row = 0; row < rows; row++)
            {
                bits = S.Or(bits, lanes == S.Count ? S.Load(element) : S.LoadPart(element, lanes, S.Zero));
                element += rowStep;
            }

            count += S.StoreNumbers(terms + count, first, S.Xor(IsZero(bits), IsZero(S.Zero)));
        }

        return count;
    }

    /// <summary>Of rows that lie side by side, a register of them at most for each term.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ListAcrossRows(T* a, long columnStep, int rows, int depth, ushort* terms)
    {
        ulong all = AllLanes;
        int count = 0;
        for (int term = 0; term < depth; term++)
        {
            Prefetch.Line(a + (Ahead * columnStep));
            V bits = S.LoadPart(a, Math.Min(rows, S.Count), S.Zero);
            for (int row = S.Count; row < rows; row += S.Count)
            {
                bits = S.Or(bits, S.LoadPart(a + row, Math.Min(rows - row, S.Count), S.Zero));
            }

            terms[count] = (ushort)term;
            count += One(Zeros(bits) ^ all);
            a += columnStep;
        }

        return count;
    }

    /// <summary>
    /// The lists of several tiles whose rows share a register, one after the other, each with its length before it: first one look at all of them for each term, then a
    /// register of looks at once for each tile.
    /// </summary>
    /// <param name="a">The first tile's rows, side by side, and after them those of the others.</param>
    /// <param name="columnStep">Elements from a term to the next.</param>
    /// <param name="heights">The rows of each tile.</param>
    /// <param name="depth">How many terms there are; a list has one element more.</param>
    /// <param name="lists">Where the lists go, with <see cref="Slack"/> after them.</param>
    /// <param name="looks">Memory for depth elements; some beyond are read.</param>
    public static void ListTogether(T* a, long columnStep, ReadOnlySpan<int> heights, int depth, ushort* lists, ushort* looks)
    {
        int rows = 0;
        foreach (int height in heights)
        {
            rows += height;
        }

        Look(a, columnStep, rows, depth, looks);
        int first = 0;
        foreach (int height in heights)
        {
            *lists = (ushort)TermNumbers.List(looks, ((1 << height) - 1) << first, depth, lists + 1);
            lists += depth + 1;
            first += height;
        }
    }

    /// <summary>A bit for each of some rows that lie side by side, a register of them at most, that is not zero, for each term.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Look(T* a, long columnStep, int rows, int depth, ushort* looks)
    {
        ulong all = AllLanes;
        bool near = depth <= NearTerms;
        for (int term = 0; term < depth; term++)
        {
            // The rows that are looked at next.
            if (near)
            {
                Prefetch.Line(a + rows);
            }
            else
            {
                Prefetch.DistantLine(a + rows);
            }

            looks[term] = (ushort)(Zeros(rows == S.Count ? S.Load(a) : S.LoadPart(a, rows, S.Zero)) ^ all);
            a += columnStep;
        }
    }

    /// <summary>1 if any bit is set, 0 otherwise; without a branch, as nothing could foretell it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int One(ulong bits) => (int)((bits | (0 - bits)) >> 63);

    /// <summary>Mask of the lanes that are 0 or -0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V IsZero(V bits) => S.BitsEqual(S.BitsShiftLeft(bits, 1), S.Zero);

    /// <summary>One bit for each lane that is 0 or -0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Zeros(V bits) => S.MaskBits(IsZero(bits));
}
