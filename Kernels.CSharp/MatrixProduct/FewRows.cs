using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Products of one to four rows with a transposed B, as a layer has them for single samples. Each element of B is used so few times
/// that packing would cost more than the product: columns are transposed in registers on the way to their sums.
/// </summary>
internal static unsafe class FewRows<T>
    where T : unmanaged
{
    /// <summary>Rows of A; for more, packing pays.</summary>
    public const int MaxRows = 4;

    /// <summary>Terms of a sum that are added at a time.</summary>
    public const int Terms = 8;

    /// <summary>Whether the product is one of these; columns fill the narrowest register at least, and sums have enough terms to be transposed.</summary>
    public static bool Fits(in Product p) => p.M <= MaxRows && p.RowStepB == 1 && p.ColumnStepB != 1 && p.N >= Vector128<T>.Count && p.K >= Terms;

    /// <summary>C = op(A) op(B), in the widest registers that the columns fill.</summary>
    public static void Run(in Product p)
    {
        if (CpuFeatures.Has512 && p.N >= Vector512<T>.Count)
        {
            FewRows<Simd512<T>, Vector512<T>, T>.Run(p);
        }
        else if (CpuFeatures.Has256 && p.N >= Vector256<T>.Count)
        {
            FewRows<Simd256<T>, Vector256<T>, T>.Run(p);
        }
        else
        {
            FewRows<Simd128<T>, Vector128<T>, T>.Run(p);
        }
    }
}

/// <inheritdoc cref="FewRows{T}"/>
internal static unsafe class FewRows<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Terms = FewRows<T>.Terms;

    /// <summary>Two vectors at a time, so that one chain's sums need not wait for themselves; the last ones may overlap those before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Product p)
    {
        int last = p.N - S.Count;
        for (int column = 0; column < p.N; column += 2 * S.Count)
        {
            int first = Math.Min(column, last);
            int second = Math.Min(column + S.Count, last);
            switch (p.M)
            {
                case 1:
                    Tile<Size1>(p, first, second);
                    break;
                case 2:
                    Tile<Size2>(p, first, second);
                    break;
                case 3:
                    Tile<Size3>(p, first, second);
                    break;
                default:
                    Tile<Size4>(p, first, second);
                    break;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<R>(in Product p, int first, int second)
        where R : unmanaged, ISize
    {
        V c0a = S.Zero;
        V c0b = S.Zero;
        V c1a = S.Zero;
        V c1b = S.Zero;
        V c2a = S.Zero;
        V c2b = S.Zero;
        V c3a = S.Zero;
        V c3b = S.Zero;
        long stepA = p.ColumnStepA;
        long stepB = p.ColumnStepB;
        T* a0 = (T*)p.A;
        T* a1 = a0 + p.RowStepA;
        T* a2 = a1 + p.RowStepA;
        T* a3 = a2 + p.RowStepA;
        T* ba = (T*)p.B + (first * stepB);
        T* bb = (T*)p.B + (second * stepB);
        int k = p.K;
        for (; k >= Terms; k -= Terms)
        {
            FourColumns<S, V, T>.LoadEight(ba, stepB, out FourColumns<S, V, T> w, out FourColumns<S, V, T> v);
            c0a = Links(a0, stepA, w, v, c0a, 0);
            c1a = sizeof(R) > 1 ? Links(a1, stepA, w, v, c1a, 0) : c1a;
            c2a = sizeof(R) > 2 ? Links(a2, stepA, w, v, c2a, 0) : c2a;
            c3a = sizeof(R) > 3 ? Links(a3, stepA, w, v, c3a, 0) : c3a;
            FourColumns<S, V, T>.LoadEight(bb, stepB, out w, out v);
            c0b = Links(a0, stepA, w, v, c0b, 0);
            c1b = sizeof(R) > 1 ? Links(a1, stepA, w, v, c1b, 0) : c1b;
            c2b = sizeof(R) > 2 ? Links(a2, stepA, w, v, c2b, 0) : c2b;
            c3b = sizeof(R) > 3 ? Links(a3, stepA, w, v, c3b, 0) : c3b;
            a0 += Terms * stepA;
            a1 += Terms * stepA;
            a2 += Terms * stepA;
            a3 += Terms * stepA;
            ba += Terms;
            bb += Terms;
        }

        if (k > 0)
        {
            // The last eight terms, without those that are in the sums already.
            int skip = Terms - k;
            a0 -= skip * stepA;
            a1 -= skip * stepA;
            a2 -= skip * stepA;
            a3 -= skip * stepA;
            FourColumns<S, V, T>.LoadEight(ba - skip, stepB, out FourColumns<S, V, T> w, out FourColumns<S, V, T> v);
            c0a = Links(a0, stepA, w, v, c0a, skip);
            c1a = sizeof(R) > 1 ? Links(a1, stepA, w, v, c1a, skip) : c1a;
            c2a = sizeof(R) > 2 ? Links(a2, stepA, w, v, c2a, skip) : c2a;
            c3a = sizeof(R) > 3 ? Links(a3, stepA, w, v, c3a, skip) : c3a;
            FourColumns<S, V, T>.LoadEight(bb - skip, stepB, out w, out v);
            c0b = Links(a0, stepA, w, v, c0b, skip);
            c1b = sizeof(R) > 1 ? Links(a1, stepA, w, v, c1b, skip) : c1b;
            c2b = sizeof(R) > 2 ? Links(a2, stepA, w, v, c2b, skip) : c2b;
            c3b = sizeof(R) > 3 ? Links(a3, stepA, w, v, c3b, skip) : c3b;
        }

        T* c = (T*)p.C;
        S.Store(c + first, c0a);
        S.Store(c + second, c0b);
        if (sizeof(R) > 1)
        {
            S.Store(c + p.RowStepC + first, c1a);
            S.Store(c + p.RowStepC + second, c1b);
        }

        if (sizeof(R) > 2)
        {
            S.Store(c + (2 * p.RowStepC) + first, c2a);
            S.Store(c + (2 * p.RowStepC) + second, c2b);
        }

        if (sizeof(R) > 3)
        {
            S.Store(c + (3 * p.RowStepC) + first, c3a);
            S.Store(c + (3 * p.RowStepC) + second, c3b);
        }
    }

    /// <summary>The next eight links of a chain for each lane, but for those that are skipped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Links(T* a, long step, in FourColumns<S, V, T> first, in FourColumns<S, V, T> next, V sum, int skip) =>
        Links(a + (4 * step), step, next, Links(a, step, first, sum, skip), skip - 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Links(T* a, long step, in FourColumns<S, V, T> w, V sum, int skip)
    {
        sum = skip > 0 ? sum : S.Fma(S.Broadcast(*a), w.First, sum);
        sum = skip > 1 ? sum : S.Fma(S.Broadcast(*(a + step)), w.Second, sum);
        sum = skip > 2 ? sum : S.Fma(S.Broadcast(*(a + (2 * step))), w.Third, sum);
        return skip > 3 ? sum : S.Fma(S.Broadcast(*(a + (3 * step))), w.Fourth, sum);
    }
}
