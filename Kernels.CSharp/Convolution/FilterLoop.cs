using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>One tile of a convolution with filters side by side: a run of taps at up to nine places of one image. Offsets are in bytes.</summary>
internal unsafe struct FilterTile
{
    /// <summary>The image.</summary>
    public nint Source;

    /// <summary>From the image to each place.</summary>
    public long* Places;

    /// <summary>From a place to each tap's factor.</summary>
    public long* Taps;
    public int Count;

    /// <summary>A register of filters' weights for each tap, 64 bytes apart.</summary>
    public nint Weights;

    /// <summary>The sums so far, a register for each place, 64 bytes apart.</summary>
    public nint Sums;
}

/// <summary>
/// Sums of products over taps at <typeparamref name="N"/> places (1 to 9), a register of filters each. Every sum goes on with its chain of fused
/// multiply-adds over the taps in order.
/// </summary>
internal static unsafe class FilterLoop<S, V, T, N>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where N : unmanaged, ISize
{
    private const int Step = LaneLayout<T>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(FilterTile* tile)
    {
        byte* sums = (byte*)tile->Sums;
        V s0 = Sum(sums, 0);
        V s1 = Sum(sums, 1);
        V s2 = Sum(sums, 2);
        V s3 = Sum(sums, 3);
        V s4 = Sum(sums, 4);
        V s5 = Sum(sums, 5);
        V s6 = Sum(sums, 6);
        V s7 = Sum(sums, 7);
        V s8 = Sum(sums, 8);
        byte* x0 = Place(tile, 0);
        byte* x1 = Place(tile, 1);
        byte* x2 = Place(tile, 2);
        byte* x3 = Place(tile, 3);
        byte* x4 = Place(tile, 4);
        byte* x5 = Place(tile, 5);
        byte* x6 = Place(tile, 6);
        byte* x7 = Place(tile, 7);
        byte* x8 = Place(tile, 8);
        byte* weights = (byte*)tile->Weights;
        long* tap = tile->Taps;
        for (long* end = tap + tile->Count; tap < end; tap++)
        {
            nint at = (nint)(*tap);
            V w = S.Load((T*)weights);
            s0 = S.Fma(S.Broadcast(*(T*)(x0 + at)), w, s0);
            s1 = sizeof(N) > 1 ? S.Fma(S.Broadcast(*(T*)(x1 + at)), w, s1) : s1;
            s2 = sizeof(N) > 2 ? S.Fma(S.Broadcast(*(T*)(x2 + at)), w, s2) : s2;
            s3 = sizeof(N) > 3 ? S.Fma(S.Broadcast(*(T*)(x3 + at)), w, s3) : s3;
            s4 = sizeof(N) > 4 ? S.Fma(S.Broadcast(*(T*)(x4 + at)), w, s4) : s4;
            s5 = sizeof(N) > 5 ? S.Fma(S.Broadcast(*(T*)(x5 + at)), w, s5) : s5;
            s6 = sizeof(N) > 6 ? S.Fma(S.Broadcast(*(T*)(x6 + at)), w, s6) : s6;
            s7 = sizeof(N) > 7 ? S.Fma(S.Broadcast(*(T*)(x7 + at)), w, s7) : s7;
            s8 = sizeof(N) > 8 ? S.Fma(S.Broadcast(*(T*)(x8 + at)), w, s8) : s8;
            weights += Step;
        }

        Store(sums, 0, s0);
        Store(sums, 1, s1);
        Store(sums, 2, s2);
        Store(sums, 3, s3);
        Store(sums, 4, s4);
        Store(sums, 5, s5);
        Store(sums, 6, s6);
        Store(sums, 7, s7);
        Store(sums, 8, s8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Place(FilterTile* tile, int place) => (byte*)tile->Source + (nint)tile->Places[place < sizeof(N) ? place : 0];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Sum(byte* sums, int place) => place < sizeof(N) ? S.Load((T*)(sums + (place * Step))) : S.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(byte* sums, int place, V sum)
    {
        if (place < sizeof(N))
        {
            S.Store((T*)(sums + (place * Step)), sum);
        }
    }
}
