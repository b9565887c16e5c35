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
        int depth = Math.Min(TermsAtALook, p.K);
        int rows = Math.Min(ProductBlocks<S, V, T>.Shape(p).Rows, p.M);
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

    /// <summary>Elements beyond its length that a list needs to be made.</summary>
    public const int Slack = 64;

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

            count += S.StoreNumbers(terms + count, first, S.Xor(IsZero(bits), S.BitsEqual(S.Zero, S.Zero)));
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

    /// <summary>The lists of two tiles whose rows share a register, each as <see cref="List"/> makes it but with its length before it; 0.6 of the time of one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ListTwo(T* a, long columnStep, int rows, int nextRows, int depth, ushort* list, ushort* nextList)
    {
        ulong all = AllLanes;
        ulong own = (1UL << rows) - 1;
        ushort* terms = list + 1;
        ushort* nextTerms = nextList + 1;
        int count = 0;
        int nextCount = 0;
        int lanes = rows + nextRows;
        long ahead = depth <= 128 ? lanes : Ahead * columnStep;
        for (int term = 0; term < depth; term++)
        {
            Prefetch.Line(a + ahead);
            ulong others = Zeros(lanes == S.Count ? S.Load(a) : S.LoadPart(a, lanes, S.Zero)) ^ all;
            terms[count] = (ushort)term;
            nextTerms[nextCount] = (ushort)term;
            count += One(others & own);
            nextCount += One(others >> rows);
            a += columnStep;
        }

        *list = (ushort)count;
        *nextList = (ushort)nextCount;
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
