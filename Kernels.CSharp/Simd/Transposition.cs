using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>Transposes small squares of memory in registers.</summary>
internal static unsafe class Transposition<T>
    where T : unmanaged
{
    /// <summary>Side of a square.</summary>
    public static int Side
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Avx.IsSupported && sizeof(T) == 4 ? 8 : 4;
    }

    /// <summary>target[i * targetStep + j] = source[j * sourceStep + i] for all i and j below <see cref="Side"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Square(T* source, long sourceStep, T* target, long targetStep)
    {
        for (int i = 0; i < Side; i += 4)
        {
            if (Avx.IsSupported)
            {
                FourColumns<Simd256<T>, Vector256<T>, T>.Load(source + i, sourceStep).Store(target + (i * targetStep), targetStep);
                continue;
            }

            for (int j = 0; j < Side; j += Vector128<T>.Count)
            {
                FourColumns<Simd128<T>, Vector128<T>, T>
                    .Load(source + (j * sourceStep) + i, sourceStep)
                    .Store(target + (i * targetStep) + j, targetStep);
            }
        }
    }
}

/// <summary>Four columns of a row-major matrix, one in each register: a lane is a row.</summary>
internal readonly unsafe struct FourColumns<S, V, T>(V first, V second, V third, V fourth)
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    public readonly V First = first;
    public readonly V Second = second;
    public readonly V Third = third;
    public readonly V Fourth = fourth;

    /// <summary>The first four columns of <see cref="ISimd{V, T}.Count"/> rows.</summary>
    /// <remarks>Rows that share 16 bytes of the results meet as they are loaded, so nothing has to leave its 16 bytes afterwards.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourColumns<S, V, T> Load(T* source, long step)
    {
        if (sizeof(T) == 4)
        {
            return Interleave(
                S.LoadPieces(source, 4 * step),
                S.LoadPieces(source + step, 4 * step),
                S.LoadPieces(source + (2 * step), 4 * step),
                S.LoadPieces(source + (3 * step), 4 * step)
            );
        }

        V a = S.LoadPieces(source, 2 * step);
        V b = S.LoadPieces(source + step, 2 * step);
        V c = S.LoadPieces(source + 2, 2 * step);
        V d = S.LoadPieces(source + 2 + step, 2 * step);
        return new(S.InterleaveLow(a, b, 8), S.InterleaveHigh(a, b, 8), S.InterleaveLow(c, d, 8), S.InterleaveHigh(c, d, 8));
    }

    /// <summary>The first eight columns of <see cref="ISimd{V, T}.Count"/> rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadEight(T* source, long step, out FourColumns<S, V, T> first, out FourColumns<S, V, T> next)
    {
        if (typeof(V) != typeof(Vector512<float>))
        {
            first = Load(source, step);
            next = Load(source + 4, step);
            return;
        }

        // Pieces of 32 bytes halve the loads; one move more then parts the columns.
        FourColumns<S, V, T> a = LoadHalves(source, step);
        FourColumns<S, V, T> b = LoadHalves(source + (8 * step), step);
        first = new(Even(a.First, b.First), Even(a.Second, b.Second), Even(a.Third, b.Third), Even(a.Fourth, b.Fourth));
        next = new(Odd(a.First, b.First), Odd(a.Second, b.Second), Odd(a.Third, b.Third), Odd(a.Fourth, b.Fourth));
    }

    /// <summary>Writes each column as a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* target, long step)
    {
        S.Store(target, First);
        S.Store(target + step, Second);
        S.Store(target + (2 * step), Third);
        S.Store(target + (3 * step), Fourth);
    }

    /// <summary>Transposes four by four elements of four bytes within each 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static FourColumns<S, V, T> Interleave(V a, V b, V c, V d)
    {
        V abLow = S.InterleaveLow(a, b, 4);
        V abHigh = S.InterleaveHigh(a, b, 4);
        V cdLow = S.InterleaveLow(c, d, 4);
        V cdHigh = S.InterleaveHigh(c, d, 4);
        return new(
            S.InterleaveLow(abLow, cdLow, 8),
            S.InterleaveHigh(abLow, cdLow, 8),
            S.InterleaveLow(abHigh, cdHigh, 8),
            S.InterleaveHigh(abHigh, cdHigh, 8)
        );
    }

    /// <summary>Of eight rows and eight columns: columns 0 to 3 in pieces 0 and 2 of each register, 4 to 7 in pieces 1 and 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static FourColumns<S, V, T> LoadHalves(T* source, long step)
    {
        T* upper = source + (4 * step);
        return Interleave(
            LoadHalves(source, upper),
            LoadHalves(source + step, upper + step),
            LoadHalves(source + (2 * step), upper + (2 * step)),
            LoadHalves(source + (3 * step), upper + (3 * step))
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LoadHalves(T* lower, T* upper) =>
        Unsafe.BitCast<Vector512<float>, V>(
            Avx512DQ.InsertVector256(Vector256.Load((float*)lower).ToVector512Unsafe(), Vector256.Load((float*)upper), 1)
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Even(V a, V b) => Pieces(a, b, 0b_10_00_10_00);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Odd(V a, V b) => Pieces(a, b, 0b_11_01_11_01);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Pieces(V a, V b, [ConstantExpected] byte which) =>
        Unsafe.BitCast<Vector512<float>, V>(
            Avx512F.Shuffle4x128(Unsafe.BitCast<V, Vector512<float>>(a), Unsafe.BitCast<V, Vector512<float>>(b), which)
        );
}
