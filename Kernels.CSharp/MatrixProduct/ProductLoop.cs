using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>The serial matrix product: which way it goes, by blocks, by few rows or transposed, and whether without zeros.</summary>
internal static unsafe class ProductLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Rows from which a product of the remaining columns alone pays.</summary>
    private const int LeastRowsForRemainder = 32;

    /// <summary>Part of a dense product's time from which on going without zeros does not pay, see <see cref="SparseTime"/>.</summary>
    private const double MostTime = 0.9;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Product p)
    {
        if (p.M <= 0 || p.N <= 0)
        {
            return;
        }

        if (p.K <= 0)
        {
            Clear(p);
        }
        else if (FewRows<T>.Fits(p))
        {
            FewRows<T>.Run(p);
        }
        else
        {
            RunBlocks(p);
            return;
        }

        if (p.HasEpilogue)
        {
            Epilogue<S, V, T>.Finish(p, (T*)p.C, p.RowStepC, (T*)p.C, p.M, 0, p.N);
        }
    }

    /// <summary>Columns beyond whole vectors go apart where that is quicker. A sparse B takes A's place in a transposed product.</summary>
    private static void RunBlocks(Product p)
    {
        Operand sparse = Sparse(p);
        if (sparse == Operand.B)
        {
            SparseRows<S, V, T>.Run(p.Transposed(0, sizeof(T)));
            return;
        }

        int rest = Remainder(p);
        if (rest < p.N && sparse == Operand.A)
        {
            SparseRows<S, V, T>.Run(p with { N = p.N - rest });
        }
        else if (rest < p.N)
        {
            ProductBlocks<S, V, T>.Run(p with { N = p.N - rest });
        }

        if (rest > 0)
        {
            RunRemainder(p, rest);
        }
    }

    /// <summary>The operand whose zeros to go without, if that pays.</summary>
    public static Operand Sparse(in Product p) => ZeroTerms<S, V, T>.MayPay(p) ? SparserOperand(p) : Operand.None;

    /// <summary>The operand that saves more, if either saves enough and the other is finite.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Operand SparserOperand(in Product p)
    {
        double time = SparseTime(p, p.N - Remainder(p));
        if (!p.HasEpilogue)
        {
            Product transposed = p.Transposed(0, sizeof(T));
            if (SparseTime(transposed, p.M) < Math.Min(time, MostTime) && ZeroTerms<S, V, T>.IsFinite(transposed))
            {
                return Operand.B;
            }
        }

        return time < MostTime && ZeroTerms<S, V, T>.IsFinite(p) ? Operand.A : Operand.None;
    }

    /// <summary>
    /// What the first columns of a product take without the zeros of A, as part of the dense one's time: 1.2 for each term that is left, and for each row of a strip of at most eight vectors what half a
    /// vector takes, divided by what is used of the last vector. That is 0.90 with 0.7 of the terms at eight vectors (measured at 256 x 512 x 512 and 64 x 784 x 128: 0.86 and 0.94).
    /// </summary>
    private static double SparseTime(in Product p, int columns)
    {
        if (columns == 0)
        {
            return double.PositiveInfinity;
        }

        double vectors = Split.Blocks(columns, S.Count);
        return ((1.2 * ZeroTerms<S, V, T>.Left(p)) + (0.5 / Math.Min(vectors, SparseRows<S, V, T>.MaxVectors))) * vectors * S.Count / columns;
    }

    /// <summary>How many columns beyond whole vectors are so few that rows fill the lanes better: a vector for them would be nearly empty.</summary>
    private static int Remainder(in Product p)
    {
        int rest = p.N % S.Count;

        // Tiles of narrow registers are two vectors wide: where the last one is, a vector less would save nothing.
        if (sizeof(V) < 64 && Split.Blocks(p.N, S.Count) % 2 == 0)
        {
            return 0;
        }

        if (p.RowStepA == 1)
        {
            // A is transposed already, as in the gradient of a layer's weights.
            return p.M >= 2 * S.Count && (p.N < S.Count || rest <= S.Count * 3 / 4) ? rest : 0;
        }

        bool few = rest <= FewRows<T>.MaxRows && p.M >= LeastRowsForRemainder && p.K >= FewRows<T>.Terms;
        return few && p.ColumnStepA == 1 ? rest : 0;
    }

    /// <summary>The last columns as a transposed product, whose long axis fills the lanes, and a transposition.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunRemainder(Product p, int rest)
    {
        int first = p.N - rest;
        T* scratch = (T*)Workspace.Get(Workspace.Purpose.Transposed, (long)p.M * rest * sizeof(T));
        Product transposed = p.Transposed(first, sizeof(T)) with { C = (nint)scratch, RowStepC = p.M, ColumnStepC = 1 };
        if (p.RowStepA == 1)
        {
            ProductBlocks<S, V, T>.Run(transposed);
        }
        else
        {
            FewRows<T>.Run(transposed);
        }

        T* c = (T*)p.C + first;
        if (p.Gate == 0)
        {
            Epilogue<S, V, T>.FinishColumns(p, scratch, first, rest);
            Packing<S, V, T>.Turn(scratch, p.M, c, p.RowStepC, rest, p.M);
        }
        else
        {
            Packing<S, V, T>.Turn(scratch, p.M, c, p.RowStepC, rest, p.M);
            Epilogue<S, V, T>.Finish(p, c, p.RowStepC, c, p.M, first, rest);
        }
    }

    private static void Clear(Product p)
    {
        for (int i = 0; i < p.M; i++)
        {
            new Span<T>((T*)p.C + (i * p.RowStepC), p.N).Clear();
        }
    }
}
