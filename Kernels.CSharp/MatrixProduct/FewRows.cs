using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Products of one to ten rows with a transposed B, as a layer has them for few samples, and turned round a layer of few outputs for many. Each element
/// of B is used so few times that packing would cost more than the product: columns are transposed in registers on the way to their sums.
/// </summary>
internal static unsafe class FewRows<T>
    where T : unmanaged
{
    /// <summary>Rows of A; for more, which 16 registers reach sooner than 32, packing pays.</summary>
    public static int MaxRows => CpuFeatures.Has512 ? 10 : 5;

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Product p)
    {
        T* terms = stackalloc T[Terms * S.Count];
        T* a = (T*)p.A;
        if (p.M > 1 || p.ColumnStepA != 1)
        {
            a = (T*)Workspace.Get(Workspace.Purpose.PackedA, (long)p.M * p.K * sizeof(T));
            Packing<S, V, T>.Rows((T*)p.A, p.RowStepA, p.ColumnStepA, a, p.K, p.M);
        }

        int last = p.N - S.Count;
        int vectors = p.M == 1 ? 2 : 1;
        for (int column = 0; column < p.N; column += vectors * S.Count)
        {
            // The last ones may overlap those before.
            int first = Math.Min(column, last);
            switch (p.M)
            {
                case 1:
                    OneRow(p, a, terms, first, Math.Min(column + S.Count, last));
                    break;
                case 2:
                    Rows<Size2>(p, a, terms, first);
                    break;
                case 3:
                    Rows<Size3>(p, a, terms, first);
                    break;
                case 4:
                    Rows<Size4>(p, a, terms, first);
                    break;
                case 5:
                    Rows<Size5>(p, a, terms, first);
                    break;
                case 6:
                    Rows<Size6>(p, a, terms, first);
                    break;
                case 7:
                    Rows<Size7>(p, a, terms, first);
                    break;
                case 8:
                    Rows<Size8>(p, a, terms, first);
                    break;
                case 9:
                    Rows<Size9>(p, a, terms, first);
                    break;
                default:
                    Rows<Size10>(p, a, terms, first);
                    break;
            }
        }
    }

    /// <summary>Two vectors of columns side by side, as the sums of one would wait for themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow(in Product p, T* a, T* terms, int first, int second)
    {
        V sum = S.Zero;
        V other = S.Zero;
        T* b = (T*)p.B + (first * p.ColumnStepB);
        T* next = (T*)p.B + (second * p.ColumnStepB);
        int k = p.K;
        for (; k >= Terms; k -= Terms)
        {
            FourColumns<S, V, T>.LoadEight(b, p.ColumnStepB, out FourColumns<S, V, T> w, out FourColumns<S, V, T> v);
            sum = Links<Size1>(a, w, v, sum);
            FourColumns<S, V, T>.LoadEight(next, p.ColumnStepB, out w, out v);
            other = Links<Size1>(a, w, v, other);
            a += Terms;
            b += Terms;
            next += Terms;
        }

        S.Store((T*)p.C + first, LastLinks(a, b, p.ColumnStepB, k, terms, sum));
        S.Store((T*)p.C + second, LastLinks(a, next, p.ColumnStepB, k, terms, other));
    }

    /// <summary>The last links of one row, fewer than eight.</summary>
    private static V LastLinks(T* a, T* b, long stepB, int k, T* terms, V sum)
    {
        if (k > 0)
        {
            LoadLast(b, stepB, k, terms);
            for (int term = 0; term < k; term++)
            {
                sum = S.Fma(S.Broadcast(a[term]), S.Load(terms + ((Terms - k + term) * S.Count)), sum);
            }
        }

        return sum;
    }

    /// <summary>Writes the last eight terms; the first of them are in the sums already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadLast(T* b, long stepB, int k, T* terms)
    {
        FourColumns<S, V, T>.LoadEight(b - Terms + k, stepB, out FourColumns<S, V, T> w, out FourColumns<S, V, T> v);
        w.Store(terms, S.Count);
        v.Store(terms + (4 * S.Count), S.Count);
    }

    /// <summary>One vector of columns, and A packed: its rows side by side for each term.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows<R>(in Product p, T* a, T* terms, int column)
        where R : unmanaged, ISize
    {
        V c0 = S.Zero;
        V c1 = S.Zero;
        V c2 = S.Zero;
        V c3 = S.Zero;
        V c4 = S.Zero;
        V c5 = S.Zero;
        V c6 = S.Zero;
        V c7 = S.Zero;
        V c8 = S.Zero;
        V c9 = S.Zero;
        T* b = (T*)p.B + (column * p.ColumnStepB);
        int k = p.K;
        for (; k >= Terms; k -= Terms)
        {
            FourColumns<S, V, T>.LoadEight(b, p.ColumnStepB, out FourColumns<S, V, T> w, out FourColumns<S, V, T> v);
            c0 = Links<R>(a, w, v, c0);
            c1 = Links<R>(a + 1, w, v, c1);
            c2 = sizeof(R) > 2 ? Links<R>(a + 2, w, v, c2) : c2;
            c3 = sizeof(R) > 3 ? Links<R>(a + 3, w, v, c3) : c3;
            c4 = sizeof(R) > 4 ? Links<R>(a + 4, w, v, c4) : c4;
            c5 = sizeof(R) > 5 ? Links<R>(a + 5, w, v, c5) : c5;
            c6 = sizeof(R) > 6 ? Links<R>(a + 6, w, v, c6) : c6;
            c7 = sizeof(R) > 7 ? Links<R>(a + 7, w, v, c7) : c7;
            c8 = sizeof(R) > 8 ? Links<R>(a + 8, w, v, c8) : c8;
            c9 = sizeof(R) > 9 ? Links<R>(a + 9, w, v, c9) : c9;
            a += Terms * sizeof(R);
            b += Terms;
        }

        if (k > 0)
        {
            LoadLast(b, p.ColumnStepB, k, terms);
            for (int term = Terms - k; term < Terms; term++)
            {
                V x = S.Load(terms + (term * S.Count));
                c0 = S.Fma(S.Broadcast(a[0]), x, c0);
                c1 = S.Fma(S.Broadcast(a[1]), x, c1);
                c2 = sizeof(R) > 2 ? S.Fma(S.Broadcast(a[2]), x, c2) : c2;
                c3 = sizeof(R) > 3 ? S.Fma(S.Broadcast(a[3]), x, c3) : c3;
                c4 = sizeof(R) > 4 ? S.Fma(S.Broadcast(a[4]), x, c4) : c4;
                c5 = sizeof(R) > 5 ? S.Fma(S.Broadcast(a[5]), x, c5) : c5;
                c6 = sizeof(R) > 6 ? S.Fma(S.Broadcast(a[6]), x, c6) : c6;
                c7 = sizeof(R) > 7 ? S.Fma(S.Broadcast(a[7]), x, c7) : c7;
                c8 = sizeof(R) > 8 ? S.Fma(S.Broadcast(a[8]), x, c8) : c8;
                c9 = sizeof(R) > 9 ? S.Fma(S.Broadcast(a[9]), x, c9) : c9;
                a += sizeof(R);
            }
        }

        T* c = (T*)p.C + column;
        Store<R>(p, c, 0, c0);
        Store<R>(p, c, 1, c1);
        Store<R>(p, c, 2, c2);
        Store<R>(p, c, 3, c3);
        Store<R>(p, c, 4, c4);
        Store<R>(p, c, 5, c5);
        Store<R>(p, c, 6, c6);
        Store<R>(p, c, 7, c7);
        Store<R>(p, c, 8, c8);
        Store<R>(p, c, 9, c9);
    }

    /// <summary>The next eight links of a chain for each lane, of a packed A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Links<R>(T* a, in FourColumns<S, V, T> w, in FourColumns<S, V, T> v, V sum)
        where R : unmanaged, ISize
    {
        sum = S.Fma(S.Broadcast(*a), w.First, sum);
        sum = S.Fma(S.Broadcast(a[sizeof(R)]), w.Second, sum);
        sum = S.Fma(S.Broadcast(a[2 * sizeof(R)]), w.Third, sum);
        sum = S.Fma(S.Broadcast(a[3 * sizeof(R)]), w.Fourth, sum);
        sum = S.Fma(S.Broadcast(a[4 * sizeof(R)]), v.First, sum);
        sum = S.Fma(S.Broadcast(a[5 * sizeof(R)]), v.Second, sum);
        sum = S.Fma(S.Broadcast(a[6 * sizeof(R)]), v.Third, sum);
        return S.Fma(S.Broadcast(a[7 * sizeof(R)]), v.Fourth, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<R>(in Product p, T* c, int row, V sum)
        where R : unmanaged, ISize
    {
        if (row < sizeof(R))
        {
            S.Store(c + (row * p.RowStepC), sum);
        }
    }
}
