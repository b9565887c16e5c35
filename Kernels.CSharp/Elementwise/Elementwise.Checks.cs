using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <content>Searches for values that must not be there.</content>
public static unsafe partial class Elementwise
{
    /// <summary>Index of the first element that is not in [low, high], or -1. NaN is outside.</summary>
    /// <param name="type">Float32, Float64, Int32 or UInt8 (bounds beyond the range of an integer type are met by every element).</param>
    /// <param name="x">Input, contiguous.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="low">Least allowed value; rounded to the type.</param>
    /// <param name="high">Greatest allowed value; rounded to the type.</param>
    public static long FirstOutside(ElementType type, nint x, long count, double low, double high) =>
        type switch
        {
            ElementType.Float32 => First<float>((float*)x, count, (float)low, (float)high),
            ElementType.Float64 => First<double>((double*)x, count, low, high),
            ElementType.Int32 => First<int>((int*)x, count, int.CreateSaturating(Math.Ceiling(low)), int.CreateSaturating(Math.Floor(high))),
            _ => First<byte>((byte*)x, count, byte.CreateSaturating(Math.Ceiling(low)), byte.CreateSaturating(Math.Floor(high))),
        };

    /// <summary>Index of the first element that is NaN or infinite, or -1; always -1 for types that have neither.</summary>
    /// <param name="type">Element type.</param>
    /// <param name="x">Input, contiguous.</param>
    /// <param name="count">Number of elements.</param>
    public static long FirstNonFinite(ElementType type, nint x, long count) =>
        type switch
        {
            ElementType.Float32 => First<float>((float*)x, count, float.MinValue, float.MaxValue),
            ElementType.Float64 => First<double>((double*)x, count, double.MinValue, double.MaxValue),
            _ => -1,
        };

    private static long First<T>(T* x, long count, T low, T high)
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            return First<Simd512<T>, Vector512<T>, T>(x, count, low, high);
        }

        return CpuFeatures.Has256 ? First<Simd256<T>, Vector256<T>, T>(x, count, low, high) : First<Simd128<T>, Vector128<T>, T>(x, count, low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long First<S, V, T>(T* x, long count, T low, T high)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V least = S.Broadcast(low);
        V greatest = S.Broadcast(high);
        ulong all = S.MaskBits(S.Equal(S.Zero, S.Zero));
        for (long i = 0; i < count; i += S.Count)
        {
            long rest = count - i;
            V value = rest >= S.Count ? S.Load(x + i) : S.LoadPart(x + i, (int)rest, S.Zero);
            ulong inside = S.MaskBits(S.And(S.LessEqual(least, value), S.LessEqual(value, greatest)));
            ulong outside = inside ^ all;
            if (rest < S.Count)
            {
                outside &= (1UL << (int)rest) - 1;
            }

            if (outside != 0)
            {
                return i + System.Numerics.BitOperations.TrailingZeroCount(outside);
            }
        }

        return -1;
    }
}
