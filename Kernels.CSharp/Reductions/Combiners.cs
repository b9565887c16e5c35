using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>How two partial results become one, and the value that changes nothing.</summary>
internal interface ICombiner
{
    static abstract double Identity { get; }

    static abstract V Combine<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged;
}

internal readonly struct SumCombiner : ICombiner
{
    public static double Identity => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Combine<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.Add(a, b);
}

internal readonly struct ProdCombiner : ICombiner
{
    public static double Identity => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Combine<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.Mul(a, b);
}

internal readonly struct MaxCombiner : ICombiner
{
    public static double Identity => double.NegativeInfinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Combine<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => VectorMath.Max<S, V, T>(a, b);
}

internal readonly struct MinCombiner : ICombiner
{
    public static double Identity => double.PositiveInfinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Combine<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => VectorMath.Min<S, V, T>(a, b);
}
