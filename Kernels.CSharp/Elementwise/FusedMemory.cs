using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>How the loops of <see cref="FusedCode"/> read and write memory: numbers and masks, a register or the first lanes of one.</summary>
internal static unsafe class FusedMemory<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(nint x) => S.Load((T*)x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadPart(nint x, int lanes) => S.LoadPart((T*)x, lanes, S.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadMask(nint x) => S.LoadMask((byte*)x);

    public static V LoadMaskPart(nint x, int lanes)
    {
        byte* whole = stackalloc byte[64];
        PartialMemory.Copy((byte*)x, whole, lanes);
        return S.LoadMask(whole);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Repeat(nint x) => S.Broadcast(*(T*)x);

    public static V RepeatMask(nint x) => *(byte*)x == 0 ? S.Zero : S.Equal(S.Zero, S.Zero);

    /// <summary>
    /// Writes a register and asks for the memory that is written some registers later. Results often go where nothing was read, and the processor
    /// looks ahead for loads far better than for stores: an update of weights to other memory took up to twice as long without it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(nint y, V value)
    {
        Prefetch.BeyondWrite((void*)y);
        S.Store((T*)y, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePart(nint y, V value, int lanes) => S.StorePart((T*)y, value, lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(nint y, V mask) => S.StoreMask((byte*)y, mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMaskPart(nint y, V mask, int lanes) => PartialMemory.SpreadMask(S.MaskBits(mask), (byte*)y, lanes);
}
