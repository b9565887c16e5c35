using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>512-bit registers.</summary>
internal readonly unsafe struct Simd512<T> : ISimd<Vector512<T>, T>
    where T : unmanaged
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512<T>.Count;
    }

    public static Vector512<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Const(double value) =>
        typeof(T) == typeof(float) ? Vector512.Create((float)value).As<float, T>()
        : typeof(T) == typeof(double) ? Vector512.Create(value).As<double, T>()
        : typeof(T) == typeof(int) ? Vector512.Create((int)value).As<int, T>()
        : Vector512.Create((byte)value).As<byte, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> ConstBits(long bits) =>
        sizeof(T) == 4 ? Vector512.Create((int)bits).As<int, T>() : Vector512.Create(bits).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Broadcast(T value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Load(T* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(T* target, Vector512<T> value) => Vector512.Store(value, target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LoadPart(T* source, int count, Vector512<T> fill)
    {
        if (Avx512F.IsSupported && sizeof(T) == 4)
        {
            return Avx512F.MaskLoad((float*)source, FirstLanes(count).AsSingle(), fill.AsSingle()).As<float, T>();
        }

        if (Avx512F.IsSupported && sizeof(T) == 8)
        {
            return Avx512F.MaskLoad((double*)source, FirstLanes(count).AsDouble(), fill.AsDouble()).As<double, T>();
        }

        Vector512<T> block = fill;
        PartialMemory.Copy(source, (T*)&block, count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePart(T* target, Vector512<T> value, int count)
    {
        if (Avx512F.IsSupported && sizeof(T) == 4)
        {
            Avx512F.MaskStore((float*)target, FirstLanes(count).AsSingle(), value.AsSingle());
            return;
        }

        if (Avx512F.IsSupported && sizeof(T) == 8)
        {
            Avx512F.MaskStore((double*)target, FirstLanes(count).AsDouble(), value.AsDouble());
            return;
        }

        Vector512<T> block = value;
        PartialMemory.Copy((T*)&block, target, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LoadPieces(T* source, long step) =>
        Simd256<T>.LoadPieces(source, step).ToVector512Unsafe().WithUpper(Simd256<T>.LoadPieces(source + (2 * step), step));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> InterleaveLow(Vector512<T> a, Vector512<T> b, int bytes)
    {
        if (Avx512F.IsSupported)
        {
            return bytes == 4
                ? Avx512F.UnpackLow(a.AsSingle(), b.AsSingle()).As<float, T>()
                : Avx512F.UnpackLow(a.AsDouble(), b.AsDouble()).As<double, T>();
        }

        return Vector512.Create(
            Simd256<T>.InterleaveLow(a.GetLower(), b.GetLower(), bytes),
            Simd256<T>.InterleaveLow(a.GetUpper(), b.GetUpper(), bytes)
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> InterleaveHigh(Vector512<T> a, Vector512<T> b, int bytes)
    {
        if (Avx512F.IsSupported)
        {
            return bytes == 4
                ? Avx512F.UnpackHigh(a.AsSingle(), b.AsSingle()).As<float, T>()
                : Avx512F.UnpackHigh(a.AsDouble(), b.AsDouble()).As<double, T>();
        }

        return Vector512.Create(
            Simd256<T>.InterleaveHigh(a.GetLower(), b.GetLower(), bytes),
            Simd256<T>.InterleaveHigh(a.GetUpper(), b.GetUpper(), bytes)
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Add(Vector512<T> a, Vector512<T> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sub(Vector512<T> a, Vector512<T> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Mul(Vector512<T> a, Vector512<T> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Div(Vector512<T> a, Vector512<T> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Fma(Vector512<T> a, Vector512<T> b, Vector512<T> c) =>
        typeof(T) == typeof(float)
            ? Vector512.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
            : Vector512.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Negate(Vector512<T> a) => -a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Scale(Vector512<T> a, Vector512<T> n)
    {
        if (!Avx512F.IsSupported)
        {
            return VectorMath.ScaleInSteps<Simd512<T>, Vector512<T>, T>(a, n);
        }

        return typeof(T) == typeof(float)
            ? Avx512F.Scale(a.AsSingle(), n.AsSingle()).As<float, T>()
            : Avx512F.Scale(a.AsDouble(), n.AsDouble()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Smaller(Vector512<T> a, Vector512<T> b)
    {
        if (Avx512F.IsSupported && typeof(T) == typeof(float))
        {
            return Avx512F.Min(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Avx512F.IsSupported && typeof(T) == typeof(double)
            ? Avx512F.Min(a.AsDouble(), b.AsDouble()).As<double, T>()
            : Select(Less(a, b), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Larger(Vector512<T> a, Vector512<T> b)
    {
        if (Avx512F.IsSupported && typeof(T) == typeof(float))
        {
            return Avx512F.Max(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Avx512F.IsSupported && typeof(T) == typeof(double)
            ? Avx512F.Max(a.AsDouble(), b.AsDouble()).As<double, T>()
            : Select(Less(b, a), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sqrt(Vector512<T> a) => Vector512.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Floor(Vector512<T> a) =>
        typeof(T) == typeof(float) ? Vector512.Floor(a.AsSingle()).As<float, T>() : Vector512.Floor(a.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> And(Vector512<T> a, Vector512<T> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> AndNot(Vector512<T> a, Vector512<T> b) => Vector512.AndNot(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Or(Vector512<T> a, Vector512<T> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Xor(Vector512<T> a, Vector512<T> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Less(Vector512<T> a, Vector512<T> b) => Vector512.LessThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LessEqual(Vector512<T> a, Vector512<T> b) => Vector512.LessThanOrEqual(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Equal(Vector512<T> a, Vector512<T> b) => Vector512.Equals(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsEqual(Vector512<T> a, Vector512<T> b) =>
        sizeof(T) == 4 ? Vector512.Equals(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector512.Equals(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Select(Vector512<T> mask, Vector512<T> whenTrue, Vector512<T> whenFalse) =>
        Vector512.ConditionalSelect(mask, whenTrue, whenFalse);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MaskBits(Vector512<T> mask) => Vector512.ExtractMostSignificantBits(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsAdd(Vector512<T> a, Vector512<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() + b.AsInt32()).As<int, T>() : (a.AsInt64() + b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsSub(Vector512<T> a, Vector512<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() - b.AsInt32()).As<int, T>() : (a.AsInt64() - b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsMin(Vector512<T> a, Vector512<T> b) =>
        sizeof(T) == 4 ? Vector512.Min(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector512.Min(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsShiftLeft(Vector512<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() << count).As<int, T>() : (a.AsInt64() << count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsShiftRight(Vector512<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() >>> count).As<int, T>() : (a.AsInt64() >>> count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LoadMask(byte* source)
    {
        if (sizeof(T) == 1)
        {
            return ~Vector512.Equals(Vector512.Load(source), Vector512<byte>.Zero).As<byte, T>();
        }

        if (Avx512F.IsSupported && sizeof(T) == 4)
        {
            Vector512<int> wide = Avx512F.ConvertToVector512Int32(Vector128.Load(source));
            return (~Vector512.Equals(wide, Vector512<int>.Zero)).As<int, T>();
        }

        if (Avx512F.IsSupported && sizeof(T) == 8)
        {
            Vector512<long> wide = Avx512F.ConvertToVector512Int64(Vector128.CreateScalarUnsafe(*(ulong*)source).AsByte());
            return (~Vector512.Equals(wide, Vector512<long>.Zero)).As<long, T>();
        }

        Vector512<T> block = default;
        PartialMemory.WidenMask(source, (T*)&block, Vector512<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(byte* target, Vector512<T> mask)
    {
        if (sizeof(T) == 1)
        {
            Vector512.Store(mask.AsByte() & Vector512<byte>.One, target);
            return;
        }

        if (Avx512F.IsSupported && sizeof(T) == 4)
        {
            Vector128.Store(Avx512F.ConvertToVector128Byte(mask.AsUInt32()) & Vector128<byte>.One, target);
            return;
        }

        if (Avx512F.IsSupported && sizeof(T) == 8)
        {
            *(ulong*)target = (Avx512F.ConvertToVector128Byte(mask.AsUInt64()) & Vector128<byte>.One).AsUInt64().ToScalar();
            return;
        }

        PartialMemory.SpreadMask(MaskBits(mask), target, Vector512<T>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LoadBytes(byte* source)
    {
        if (Avx512F.IsSupported && typeof(T) == typeof(float))
        {
            return Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source))).As<float, T>();
        }

        if (Avx512F.IsSupported && typeof(T) == typeof(double))
        {
            return Avx512F
                .ConvertToVector512Double(Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(*(ulong*)source).AsByte()))
                .As<double, T>();
        }

        Vector512<T> block = default;
        PartialMemory.Convert(source, (T*)&block, Vector512<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> BitsMultiplyLow(Vector512<T> a, Vector512<T> b)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.Multiply(a.AsUInt32(), b.AsUInt32()).As<ulong, T>();
        }

        Vector512<ulong> half = Vector512.Create(0xffffffffUL);
        return ((a.AsUInt64() & half) * (b.AsUInt64() & half)).As<ulong, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<T> FirstLanes(int count) =>
        sizeof(T) == 4
            ? Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).As<int, T>()
            : Vector512.LessThan(Vector512<long>.Indices, Vector512.Create((long)count)).As<long, T>();
}
