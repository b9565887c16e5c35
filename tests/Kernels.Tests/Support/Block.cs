using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Typed memory for a kernel, with a guard zone on both sides: <see cref="Dispose"/> fails if a kernel wrote outside.
/// </summary>
internal sealed unsafe class Block<T> : IDisposable
    where T : unmanaged
{
    private const int Guard = 128;
    private const byte Mark = 0xA5;

    private readonly Storage storage;
    private readonly int before;

    public Block(long count, int offset = 0)
    {
        Count = checked((int)count);
        before = Guard + (offset * sizeof(T));
        storage = new Storage(before + (count * sizeof(T)) + Guard);
        new Span<byte>((void*)storage.Pointer, (int)storage.Bytes).Fill(Mark);
    }

    public Block(ReadOnlySpan<T> values, int offset = 0)
        : this(values.Length, offset) => values.CopyTo(Span);

    public int Count { get; }

    public nint Pointer => storage.Pointer + before;

    public Span<T> Span => new((void*)Pointer, Count);

    public T[] ToArray() => Span.ToArray();

    public void Dispose()
    {
        ReadOnlySpan<byte> all = new((void*)storage.Pointer, (int)storage.Bytes);
        Assert.False(all[..before].ContainsAnyExcept(Mark), "Memory before the block was written.");
        Assert.False(all[(before + (Count * sizeof(T)))..].ContainsAnyExcept(Mark), "Memory behind the block was written.");
        GC.KeepAlive(storage);
    }
}

/// <summary>Facts about element types, random values, and comparison by bits.</summary>
internal static class Values
{
    public static ElementType TypeOf<T>() =>
        default(T) switch
        {
            float => ElementType.Float32,
            double => ElementType.Float64,
            int => ElementType.Int32,
            byte => ElementType.UInt8,
            bool => ElementType.Bool,
            _ => throw new NotSupportedException(),
        };

    /// <summary>Uniform in [low, high).</summary>
    public static T[] Random<T>(long count, int seed, double low = -2, double high = 2)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        System.Random random = new(seed);
        T[] values = new T[count];
        for (long i = 0; i < count; i++)
        {
            values[i] = T.CreateSaturating(low + ((high - low) * random.NextDouble()));
        }

        return values;
    }

    /// <summary>Numbers at which functions change their ways: zeros, subnormals, infinities, NaN, range edges.</summary>
    public static T[] Special<T>()
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        double[] wide =
        [
            0,
            1,
            2,
            3,
            0.5,
            0.25,
            1e-3,
            1e-8,
            1e-20,
            1e-40,
            1e-45,
            5e-324,
            1e-300,
            1e-310,
            0.3465,
            0.3467,
            0.6249999,
            0.625,
            0.62500006,
            0.70710678,
            0.7071068,
            0.99999994,
            1.0000001,
            1.41421356,
            9,
            10,
            17,
            20,
            22,
            37,
            44,
            60,
            87.3,
            88.7,
            88.72284,
            89,
            100,
            103.97,
            104,
            700,
            709.78,
            710,
            745,
            746,
            1e10,
            1e30,
            1e38,
            3.4e38,
            1e100,
            1e308,
            double.PositiveInfinity,
            255,
            256,
            2147483648.0,
        ];
        List<T> values = [T.NaN];
        foreach (double value in wide)
        {
            values.Add(T.CreateTruncating(value));
            values.Add(T.CreateTruncating(-value));
        }

        return [.. values];
    }

    /// <summary>Equal bits, any NaN equal to any other; the message names the first difference.</summary>
    public static void SameBits<T>(ReadOnlySpan<T> expected, ReadOnlySpan<T> actual, string what = "")
        where T : unmanaged
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!Same(expected[i], actual[i]))
            {
                Assert.Fail($"{what} [{i}]: expected {expected[i]}, got {actual[i]}");
            }
        }
    }

    public static bool Same<T>(T a, T b)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float) && float.IsNaN(Unsafe.As<T, float>(ref a)))
        {
            return float.IsNaN(Unsafe.As<T, float>(ref b));
        }

        if (typeof(T) == typeof(double) && double.IsNaN(Unsafe.As<T, double>(ref a)))
        {
            return double.IsNaN(Unsafe.As<T, double>(ref b));
        }

        return MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in a)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in b)));
    }

    /// <summary>Steps between two numbers on the scale of all floating-point numbers; 0 for two NaNs, huge for one.</summary>
    public static long Ulps(float a, float b)
    {
        if (float.IsNaN(a) || float.IsNaN(b))
        {
            return float.IsNaN(a) && float.IsNaN(b) ? 0 : long.MaxValue;
        }

        return Math.Abs(Ordered(BitConverter.SingleToInt32Bits(a)) - Ordered(BitConverter.SingleToInt32Bits(b)));
    }

    /// <inheritdoc cref="Ulps(float, float)"/>
    public static long Ulps(double a, double b)
    {
        if (double.IsNaN(a) || double.IsNaN(b))
        {
            return double.IsNaN(a) && double.IsNaN(b) ? 0 : long.MaxValue;
        }

        if (Math.Sign(a) * Math.Sign(b) < 0)
        {
            return long.MaxValue;
        }

        return Math.Abs(Magnitude(a) - Magnitude(b));
    }

    private static long Ordered(int bits) => bits >= 0 ? bits : -(long)(bits & 0x7fffffff);

    private static long Magnitude(double value) => BitConverter.DoubleToInt64Bits(value) & long.MaxValue;
}
