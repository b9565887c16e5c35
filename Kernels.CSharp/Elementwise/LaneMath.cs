using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Functions without a vector form here: each lane by the runtime's double-precision routine, then rounded.</summary>
internal static unsafe class LaneMath
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static V Sin<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        T* lanes = stackalloc T[64 / sizeof(T)];
        S.Store(lanes, x);
        for (int i = 0; i < S.Count; i++)
        {
            lanes[i] = FromDouble<T>(Math.Sin(ToDouble(lanes[i])));
        }

        return S.Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static V Cos<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        T* lanes = stackalloc T[64 / sizeof(T)];
        S.Store(lanes, x);
        for (int i = 0; i < S.Count; i++)
        {
            lanes[i] = FromDouble<T>(Math.Cos(ToDouble(lanes[i])));
        }

        return S.Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static V Power<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        T* bases = stackalloc T[64 / sizeof(T)];
        T* exponents = stackalloc T[64 / sizeof(T)];
        S.Store(bases, a);
        S.Store(exponents, b);
        (long Base, long Exponent) before = default;
        T power = default;
        for (int i = 0; i < S.Count; i++)
        {
            double x = ToDouble(bases[i]);
            double y = ToDouble(exponents[i]);
            (long, long) bits = (BitConverter.DoubleToInt64Bits(x), BitConverter.DoubleToInt64Bits(y));

            // Most lanes of a single number, and of numbers that repeat, ask the same as the lane before.
            if (i == 0 || bits != before)
            {
                power = FromDouble<T>(Math.Pow(x, y));
                before = bits;
            }

            bases[i] = power;
        }

        return S.Load(bases);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double ToDouble<T>(T value)
        where T : unmanaged => typeof(T) == typeof(float) ? *(float*)&value : *(double*)&value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FromDouble<T>(double value)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            float single = (float)value;
            return *(T*)&single;
        }

        return *(T*)&value;
    }
}
