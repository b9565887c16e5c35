using System.Numerics;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Elementary functions in fixed-point arithmetic with 256 fraction bits, rounded to the nearest double: the reference for Float64.
/// Only for arguments between about 2^-60 and 700 in size.
/// </summary>
internal static class Exact
{
    private const int Bits = 256;
    private static readonly BigInteger One = BigInteger.One << Bits;
    private static readonly BigInteger Log2 = ComputeLog2();

    public static double Exp(double x)
    {
        (BigInteger mantissa, int power) = ExpParts(Fixed(x));
        return Round(mantissa, power - Bits);
    }

    public static double Expm1(double x)
    {
        (BigInteger mantissa, int power) = ExpParts(Fixed(x));
        return Round(Shift(mantissa, power) - One, -Bits);
    }

    public static double Log(double x)
    {
        int power = Math.ILogB(x);
        BigInteger mantissa = Fixed(Math.ScaleB(x, -power));
        return Round(LogOf(mantissa) + (power * Log2), -Bits);
    }

    public static double Log1p(double x) => Round(LogOf(One + Fixed(x)), -Bits);

    public static double Tanh(double x)
    {
        (BigInteger mantissa, int power) = ExpParts(2 * Fixed(x));
        BigInteger e = Shift(mantissa, power);
        return Round(((e - One) << Bits) / (e + One), -Bits);
    }

    public static double Sigmoid(double x)
    {
        (BigInteger mantissa, int power) = ExpParts(-Fixed(x));
        return Round((One << (2 * Bits)) / ((One << Bits) + Shift(mantissa << Bits, power)), -2 * Bits + Bits);
    }

    private static BigInteger LogOf(BigInteger value)
    {
        BigInteger y = Fixed(Math.Log(ToDouble(value, -Bits)));
        for (int i = 0; i < 2; i++)
        {
            (BigInteger mantissa, int power) = ExpParts(y);
            BigInteger e = Shift(mantissa, power);
            y += ((value - e) << (Bits + 1)) / (value + e);
        }

        return y;
    }

    private static (BigInteger Mantissa, int Power) ExpParts(BigInteger x)
    {
        int power = (int)BigInteger.Divide(x, Log2);
        BigInteger r = x - (power * Log2);
        BigInteger sum = One;
        BigInteger term = One;
        for (int i = 1; !term.IsZero; i++)
        {
            term = ((term * r) >> Bits) / i;
            sum += term;
            if (term == BigInteger.MinusOne)
            {
                break;
            }
        }

        return (sum, power);
    }

    private static BigInteger ComputeLog2()
    {
        BigInteger sum = BigInteger.Zero;
        for (int k = 1; k <= Bits; k++)
        {
            sum += (One >> k) / k;
        }

        return sum;
    }

    private static BigInteger Fixed(double x)
    {
        if (x == 0)
        {
            return BigInteger.Zero;
        }

        int power = Math.ILogB(x) - 52;
        return Shift(new BigInteger(Math.ScaleB(x, -power)), power + Bits);
    }

    private static BigInteger Shift(BigInteger value, int power) => power >= 0 ? value << power : value >> -power;

    private static double ToDouble(BigInteger value, int power) => Round(value, power);

    /// <summary>value 2^power as the nearest double (ties do not occur here).</summary>
    private static double Round(BigInteger value, int power)
    {
        int excess = (int)BigInteger.Abs(value).GetBitLength() - 53;
        if (excess <= 0)
        {
            return Math.ScaleB((double)value, power);
        }

        BigInteger rounded = (value + (BigInteger.One << (excess - 1))) >> excess;
        return Math.ScaleB((double)rounded, power + excess);
    }
}
