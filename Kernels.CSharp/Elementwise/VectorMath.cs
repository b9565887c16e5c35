using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Exponential, logarithm and their relatives on one register, for Float32 and Float64 alike: the same input gives the same
/// bits in every lane, at every width and at every place in a buffer.
/// </summary>
/// <remarks>
/// <para>Exponential: x = n ln 2 + r with |r| at most ln(2)/2 (two-part ln 2, after Cody and Waite, 1980), e^r as
/// 1 + r + r^2 Q(r), then scaled by 2^n with one rounding, also of subnormal results.</para>
/// <para>Logarithm: x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f), and the series of
/// log((1 + s) / (1 - s)) in s^2 (the scheme of FDLIBM's e_log.c, Sun Microsystems, 1993).</para>
/// <para>All polynomials are minimax fits made for this file with Remez' exchange algorithm in 60-digit arithmetic.</para>
/// <para>Measured bounds against correctly rounded values. Float32 (every one of the 2^32 inputs): exp, log, tanh, sigmoid 1 ULP.
/// Float64 (sweeps, see VectorMathTests): exp, log 2 ULP, sigmoid 2, expm1, log1p 3, tanh 4. The losses of binary cross-entropy: 1 ULP for both.</para>
/// </remarks>
internal static unsafe class VectorMath
{
    private const double Log2E = 1.44269504088896340736;

    /// <summary>e^x; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        x = Clamp<S, V, T>(x, Single<T>() ? -104.0 : -746.0, Single<T>() ? 89.0 : 710.0);
        V n = RoundToPower<S, V, T>(x, out V r);
        V p = S.Add(S.Fma(S.Mul(r, r), ExpSeries<S, V, T>(r), r), S.Const(1.0));
        return S.Scale(p, n);
    }

    /// <summary>e^x of Float32 for x from 0 to 44, with the bits of <see cref="Exp"/> from one power of two; beyond it e^44, where tanh has long been 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ModerateExp<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V n = RoundToPower<S, V, T>(S.Smaller(S.Const(44.0), x), out V r);
        V p = S.Add(S.Fma(S.Mul(r, r), ExpSeries<S, V, T>(r), r), S.Const(1.0));
        // One power of two is enough for these n, where there is no instruction.
        return sizeof(V) == 64 ? S.Scale(p, n) : S.Mul(p, S.BitsAdd(S.BitsShiftLeft(S.Add(n, S.Const(Magic<T>())), 23), S.Const(1.0)));
    }

    /// <summary>e^x - 1 without cancellation near zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Expm1<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V clamped = Clamp<S, V, T>(x, Single<T>() ? -40.0 : -60.0, Single<T>() ? 89.0 : 710.0);
        V n = RoundToPower<S, V, T>(clamped, out V r);
        V p = S.Fma(S.Mul(r, r), ExpSeries<S, V, T>(r), r);
        V scale = S.Scale(S.Const(1.0), n);
        V small = S.Fma(scale, p, S.Sub(scale, S.Const(1.0)));
        V large = S.Scale(S.Add(p, S.Const(1.0)), n);
        V y = S.Select(S.Less(S.Const(60.0), n), large, small);
        return S.Select(S.Less(Abs<S, V, T>(x), S.Const(Single<T>() ? 1e-20 : 1e-160)), x, y);
    }

    /// <summary>Natural logarithm: -inf at zero, NaN below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V tiny = S.Less(x, S.ConstBits(1L << MantissaBits<T>()));
        V normal = S.Select(tiny, S.Mul(x, S.Const(Single<T>() ? 8388608.0 : 4503599627370496.0)), x);
        V m = Mantissa<S, V, T>(normal, out V k);
        V y = LogOfParts<S, V, T>(S.Select(tiny, S.Sub(k, S.Const(MantissaBits<T>())), k), S.Sub(m, S.Const(1.0)));
        V infinity = S.Const(double.PositiveInfinity);
        V special = S.Select(S.Equal(x, S.Zero), S.Const(double.NegativeInfinity), S.Select(S.Equal(x, infinity), x, S.Const(double.NaN)));
        return S.Select(S.And(S.Less(S.Zero, x), S.Less(x, infinity)), y, special);
    }

    /// <summary>Natural logarithm of p from above 0 to 1, with the bits of <see cref="Log"/>; zero gives less than the logarithm of the smallest positive number, others some number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LogOfProbability<S, V, T>(V p)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        // All are scaled up, which loses nothing, so that none is subnormal.
        V m = Mantissa<S, V, T>(S.Mul(p, S.Const(Single<T>() ? 8388608.0 : 4503599627370496.0)), out V k);
        return LogOfParts<S, V, T>(S.Sub(k, S.Const(MantissaBits<T>())), S.Sub(m, S.Const(1.0)));
    }

    /// <summary>log(1 - p) for p from 0 to below 1, without cancellation near 0; others give some number.</summary>
    /// <remarks>What 1 - p loses to rounding, which is nothing where p is above 1/2, is added to its mantissa.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LogOfRest<S, V, T>(V p)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V one = S.Const(1.0);
        V u = S.Sub(one, p);
        V lost = S.Sub(S.Sub(one, u), p);
        V m = Mantissa<S, V, T>(u, out V k);

        // 2^-k for k = 0 and -1, beyond which nothing is lost.
        return LogOfParts<S, V, T>(k, S.Fma(lost, S.Sub(one, k), S.Sub(m, one)));
    }

    /// <summary>log(1 + x) without cancellation near zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log1p<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V u = S.Add(x, S.Const(1.0));
        V lost = S.Div(S.Sub(x, S.Sub(u, S.Const(1.0))), u);
        V log = Log<S, V, T>(u);
        V y = S.Select(S.And(S.Less(S.Zero, u), S.Less(u, S.Const(1e30))), S.Add(log, lost), log);
        return S.Select(S.Less(Abs<S, V, T>(x), S.Const(Single<T>() ? 1e-10 : 1e-20)), x, y);
    }

    /// <summary>Hyperbolic tangent; odd, so tanh(-0) is -0, and exact for subnormal inputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V sign = S.And(x, S.Const(-0.0));
        V a = S.Xor(x, sign);
        V twice = S.Add(a, a);
        V y;
        if (Single<T>())
        {
            V square = S.Mul(a, a);
            V q = S.Const(-0.00571704791922812622);
            q = S.Fma(q, square, S.Const(0.0206505915528723638));
            q = S.Fma(q, square, S.Const(-0.0537434997114227618));
            q = S.Fma(q, square, S.Const(0.133314913023099814));
            q = S.Fma(q, square, S.Const(-0.333332839248723278));
            V near = S.Fma(S.Mul(a, square), q, a);
            V far = S.Sub(S.Const(1.0), S.Div(S.Const(2.0), S.Add(ModerateExp<S, V, T>(twice), S.Const(1.0))));
            y = S.Select(S.Less(a, S.Const(0.625)), near, far);
        }
        else
        {
            V t = Expm1<S, V, T>(S.Smaller(S.Const(44.0), twice));
            y = S.Div(t, S.Add(t, S.Const(2.0)));
        }

        return S.Or(y, sign);
    }

    /// <summary>1 / (1 + e^-x), by e^-|x| so that neither tail overflows, with the division's rounding corrected.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V one = S.Const(1.0);
        V z = Exp<S, V, T>(S.Or(x, S.Const(-0.0)));
        V sum = S.Add(one, z);
        V lost = S.Sub(z, S.Sub(sum, one));
        V top = S.Select(S.Less(x, S.Zero), z, one);
        V inverse = S.Div(one, sum);
        V q = S.Mul(top, inverse);
        V remainder = S.Sub(S.Fma(S.Negate(q), sum, top), S.Mul(q, lost));
        return S.Fma(remainder, inverse, q);
    }

    /// <summary>|x|: clears the sign bit, also of NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Abs<S, V, T>(V x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.AndNot(x, S.Const(-0.0));

    /// <summary>The larger of two, NaN if either is; b where they are equal (so also for zeros of both signs).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Max<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.Select(S.Or(S.Less(b, a), NotNumber<S, V, T>(a)), a, b);

    /// <summary>The smaller of two, NaN if either is; b where they are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Min<S, V, T>(V a, V b)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.Select(S.Or(S.Less(a, b), NotNumber<S, V, T>(a)), a, b);

    /// <summary>Mask of the lanes that hold NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V NotNumber<S, V, T>(V a)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged => S.Xor(S.Equal(a, a), S.Equal(S.Zero, S.Zero));

    /// <summary>m, from sqrt(1/2) to sqrt(2), and k of x = 2^k m, for normal numbers; zero has k below all of them, and m = 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Mantissa<S, V, T>(V x, out V k)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        int mantissa = MantissaBits<T>();
        V bits = S.BitsAdd(x, S.ConstBits(Single<T>() ? 0x3f800000 - 0x3f3504f3 : 0x3ff0000000000000 - 0x3fe6a09e667f3bcd));
        V exponent = S.Or(S.BitsShiftRight(bits, mantissa), S.ConstBits(Single<T>() ? 0x4b000000 : 0x4330000000000000));
        k = S.Sub(exponent, S.Const(Single<T>() ? 8388608.0 + 127 : 4503599627370496.0 + 1023));
        return S.BitsAdd(S.And(bits, S.ConstBits((1L << mantissa) - 1)), S.ConstBits(Single<T>() ? 0x3f3504f3 : 0x3fe6a09e667f3bcd));
    }

    /// <summary>Stored bits of a mantissa.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int MantissaBits<T>() => Single<T>() ? 23 : 52;

    /// <summary>Whether T is Float32; a constant when compiled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Single<T>() => typeof(T) == typeof(float);

    /// <summary>Limits x to [low, high]; NaN passes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Clamp<S, V, T>(V x, double low, double high)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        return S.Smaller(S.Const(high), S.Larger(S.Const(low), x));
    }

    /// <summary>Splits x into n ln 2 + r, n an integer; returns n.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V RoundToPower<S, V, T>(V x, out V r)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V magic = S.Const(Magic<T>());
        V n = S.Sub(S.Fma(x, S.Const(Log2E), magic), magic);
        r = S.Fma(n, S.Const(Single<T>() ? -0.693145751953125 : -0.693147180369123816490173339844), x);
        r = S.Fma(n, S.Const(Single<T>() ? -1.42860682031e-6 : -1.908214929270587816144e-10), r);
        return n;
    }

    /// <summary>1.5 times two to the number of stored mantissa bits: adding it rounds to an integer, held in the low bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Magic<T>() => Single<T>() ? 12582912.0 : 6755399441055744.0;

    /// <summary>
    /// x 2^n for registers that have no instruction for it: by two powers of two, so that a subnormal result is rounded once, if x is from 1/2 to 2. |n| is at most 252
    /// (Float32) or 2044 (Float64).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ScaleInSteps<S, V, T>(V x, V n)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        int mantissa = MantissaBits<T>();
        V magic = S.Const(Magic<T>());
        V one = S.Const(1.0);
        V half = S.Fma(n, S.Const(0.5), magic);
        V rest = S.Add(S.Sub(n, S.Sub(half, magic)), magic);
        V low = S.BitsAdd(S.BitsShiftLeft(half, mantissa), one);
        V high = S.BitsAdd(S.BitsShiftLeft(rest, mantissa), one);
        return S.Mul(S.Mul(x, low), high);
    }

    /// <summary>Q(r) of e^r = 1 + r + r^2 Q(r), for |r| at most ln(2)/2; relative error of e^r 2^-28 or 2^-57.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ExpSeries<S, V, T>(V r)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V q;
        if (Single<T>())
        {
            q = S.Const(0.00138145688772686446);
            q = S.Fma(q, r, S.Const(0.00836874496213927488));
            q = S.Fma(q, r, S.Const(0.04166839031709421));
            q = S.Fma(q, r, S.Const(0.166665204019339481));
            return S.Fma(q, r, S.Const(0.499999934337189085));
        }

        q = S.Const(2.50000419267135524e-8);
        q = S.Fma(q, r, S.Const(2.76303066680510056e-7));
        q = S.Fma(q, r, S.Const(2.75575867199231307e-6));
        q = S.Fma(q, r, S.Const(0.0000248014929485512483));
        q = S.Fma(q, r, S.Const(0.000198412695058853132));
        q = S.Fma(q, r, S.Const(0.0013888888943760944));
        q = S.Fma(q, r, S.Const(0.00833333333349491388));
        q = S.Fma(q, r, S.Const(0.0416666666665297248));
        q = S.Fma(q, r, S.Const(0.166666666666664116));
        return S.Fma(q, r, S.Const(0.500000000000001067));
    }

    /// <summary>k ln 2 + log(1 + f), the small terms first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LogOfParts<S, V, T>(V k, V f)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        V s = S.Div(f, S.Add(f, S.Const(2.0)));
        V z = S.Mul(s, s);
        V q;
        if (Single<T>())
        {
            q = S.Const(0.235835469976665513);
            q = S.Fma(q, z, S.Const(0.285372394933960122));
            q = S.Fma(q, z, S.Const(0.400003362015384954));
            q = S.Fma(q, z, S.Const(0.66666665641363756));
        }
        else
        {
            q = S.Const(0.147975082175551862);
            q = S.Fma(q, z, S.Const(0.153139033094950167));
            q = S.Fma(q, z, S.Const(0.181835697325522452));
            q = S.Fma(q, z, S.Const(0.222221984762246127));
            q = S.Fma(q, z, S.Const(0.285714287432592994));
            q = S.Fma(q, z, S.Const(0.399999999994111135));
            q = S.Fma(q, z, S.Const(0.666666666666673489));
        }

        // log(1 + f) = f - f^2/2 + s (f^2/2 + z q)
        V halfSquare = S.Mul(S.Mul(f, f), S.Const(0.5));
        V tail = S.Fma(k, S.Const(Single<T>() ? 1.42860682031e-6 : 1.908214929270587816144e-10), S.Mul(s, S.Fma(z, q, halfSquare)));
        V body = S.Sub(f, S.Sub(halfSquare, tail));
        return S.Fma(k, S.Const(Single<T>() ? 0.693145751953125 : 0.693147180369123816490173339844), body);
    }
}
