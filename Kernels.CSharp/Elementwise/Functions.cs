using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>A function of one register.</summary>
internal interface IUnaryFunction<T>
    where T : unmanaged
{
    static abstract V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged;
}

/// <summary>A function of two registers; a comparison returns a mask.</summary>
internal interface IBinaryFunction<T>
    where T : unmanaged
{
    static abstract V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged;
}

internal readonly struct NegateFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Negate(x);
}

internal readonly struct AbsFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => typeof(T) == typeof(int) ? S.Select(S.Less(x, S.Zero), S.Negate(x), x) : VectorMath.Abs<S, V, T>(x);
}

internal readonly struct SignFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Select(S.Less(S.Zero, x), S.Const(1.0), S.Select(S.Less(x, S.Zero), S.Const(-1.0), x));
}

internal readonly struct ExpFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Exp<S, V, T>(x);
}

internal readonly struct LogFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Log<S, V, T>(x);
}

internal readonly struct Log1pFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Log1p<S, V, T>(x);
}

internal readonly struct Expm1Function<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Expm1<S, V, T>(x);
}

internal readonly struct SqrtFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Sqrt(x);
}

internal readonly struct ReciprocalFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Div(S.Const(1.0), x);
}

internal readonly struct SinFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => LaneMath.Sin<S, V, T>(x);
}

internal readonly struct CosFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => LaneMath.Cos<S, V, T>(x);
}

internal readonly struct TanhFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Tanh<S, V, T>(x);
}

internal readonly struct SigmoidFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Sigmoid<S, V, T>(x);
}

internal readonly struct ReluFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Select(S.LessEqual(x, S.Zero), S.Zero, x);
}

internal readonly struct FlushFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    // By bits, as comparing subnormal numbers is what is slow: those without an exponent are zero or subnormal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
    {
        V exponent = S.And(x, S.ConstBits(typeof(T) == typeof(float) ? 0x7f80_0000 : 0x7ff0_0000_0000_0000));
        return S.Select(S.Equal(exponent, S.Zero), S.Zero, x);
    }
}

internal readonly struct FloorFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Floor(x);
}

internal readonly struct SquareFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Mul(x, x);
}

internal readonly struct NotFunction<T> : IUnaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V x)
        where S : ISimd<V, T>
        where V : unmanaged => S.Xor(x, S.Const(1.0));
}

internal readonly struct AddFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Add(a, b);
}

internal readonly struct SubtractFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Sub(a, b);
}

internal readonly struct MultiplyFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Mul(a, b);
}

internal readonly struct DivideFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Div(a, b);
}

internal readonly struct PowerFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => LaneMath.Power<S, V, T>(a, b);
}

internal readonly struct MaximumFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Max<S, V, T>(a, b);
}

internal readonly struct MinimumFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => VectorMath.Min<S, V, T>(a, b);
}

internal readonly struct AndFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.And(a, b);
}

internal readonly struct OrFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Or(a, b);
}

internal readonly struct EqualFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Equal(a, b);
}

internal readonly struct NotEqualFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Xor(S.Equal(a, b), S.Equal(S.Zero, S.Zero));
}

internal readonly struct LessFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.Less(a, b);
}

internal readonly struct LessEqualFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged => S.LessEqual(a, b);
}

/// <summary>-(t max(log p, -100) + (1 - t) max(log(1 - p), -100)), without cancellation where p is small; NaN where p or t is no probability.</summary>
internal readonly struct BceFunction<T> : IBinaryFunction<T>
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Invoke<S, V>(V p, V t)
        where S : ISimd<V, T>
        where V : unmanaged
    {
        V floor = S.Const(-100.0);
        V one = S.Const(1.0);
        V log = VectorMath.LogOfProbability<S, V, T>(S.Add(S.Zero, p)); // -0 becomes 0.
        V whenTrue = S.Larger(floor, log);
        V rest = S.Sub(one, p);
        V otherwise = S.Sub(one, t);
        V whenFalse = S.Select(S.Equal(p, one), floor, VectorMath.LogOfRest<S, V, T>(p));
        V loss = S.Sub(S.Zero, S.Add(S.Mul(t, whenTrue), S.Mul(otherwise, whenFalse)));

        // A number times what it lacks of 1 is below zero just where the number is outside of [0, 1].
        V chance = S.LessEqual(S.Zero, S.Mul(p, rest));
        V target = S.LessEqual(S.Zero, S.Mul(t, otherwise));
        return S.Select(S.And(chance, target), loss, S.Const(double.NaN));
    }
}
