using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>256-bit registers.</summary>
internal readonly unsafe struct Simd256<T> : ISimd<Vector256<T>, T>
    where T : unmanaged
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256<T>.Count;
    }

    public static Vector256<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Const(double value) =>
        typeof(T) == typeof(float) ? Vector256.Create((float)value).As<float, T>()
        : typeof(T) == typeof(double) ? Vector256.Create(value).As<double, T>()
        : typeof(T) == typeof(int) ? Vector256.Create((int)value).As<int, T>()
        : Vector256.Create((byte)value).As<byte, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> ConstBits(long bits) =>
        sizeof(T) == 4 ? Vector256.Create((int)bits).As<int, T>() : Vector256.Create(bits).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Broadcast(T value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Load(T* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(T* target, Vector256<T> value) => Vector256.Store(value, target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LoadPart(T* source, int count, Vector256<T> fill)
    {
        if (Avx2.IsSupported && sizeof(T) == 4)
        {
            return Select(FirstLanes(count), Avx.MaskLoad((float*)source, FirstLanes(count).AsSingle()).As<float, T>(), fill);
        }

        if (Avx2.IsSupported && sizeof(T) == 8)
        {
            return Select(FirstLanes(count), Avx.MaskLoad((double*)source, FirstLanes(count).AsDouble()).As<double, T>(), fill);
        }

        Vector256<T> block = fill;
        PartialMemory.Copy(source, (T*)&block, count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePart(T* target, Vector256<T> value, int count)
    {
        if (Avx2.IsSupported && sizeof(T) == 4)
        {
            Avx.MaskStore((float*)target, FirstLanes(count).AsSingle(), value.AsSingle());
            return;
        }

        if (Avx2.IsSupported && sizeof(T) == 8)
        {
            Avx.MaskStore((double*)target, FirstLanes(count).AsDouble(), value.AsDouble());
            return;
        }

        Vector256<T> block = value;
        PartialMemory.Copy((T*)&block, target, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LoadPieces(T* source, long step) => Vector256.Create(Vector128.Load(source), Vector128.Load(source + step));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> InterleaveLow(Vector256<T> a, Vector256<T> b, int bytes)
    {
        if (Avx.IsSupported)
        {
            return bytes == 4 ? Avx.UnpackLow(a.AsSingle(), b.AsSingle()).As<float, T>() : Avx.UnpackLow(a.AsDouble(), b.AsDouble()).As<double, T>();
        }

        return Vector256.Create(
            Simd128<T>.InterleaveLow(a.GetLower(), b.GetLower(), bytes),
            Simd128<T>.InterleaveLow(a.GetUpper(), b.GetUpper(), bytes)
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> InterleaveHigh(Vector256<T> a, Vector256<T> b, int bytes)
    {
        if (Avx.IsSupported)
        {
            return bytes == 4
                ? Avx.UnpackHigh(a.AsSingle(), b.AsSingle()).As<float, T>()
                : Avx.UnpackHigh(a.AsDouble(), b.AsDouble()).As<double, T>();
        }

        return Vector256.Create(
            Simd128<T>.InterleaveHigh(a.GetLower(), b.GetLower(), bytes),
            Simd128<T>.InterleaveHigh(a.GetUpper(), b.GetUpper(), bytes)
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Add(Vector256<T> a, Vector256<T> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Sub(Vector256<T> a, Vector256<T> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Mul(Vector256<T> a, Vector256<T> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Div(Vector256<T> a, Vector256<T> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Fma(Vector256<T> a, Vector256<T> b, Vector256<T> c) =>
        typeof(T) == typeof(float)
            ? Vector256.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
            : Vector256.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Negate(Vector256<T> a) => -a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Scale(Vector256<T> a, Vector256<T> n) => VectorMath.ScaleInSteps<Simd256<T>, Vector256<T>, T>(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Smaller(Vector256<T> a, Vector256<T> b)
    {
        if (Avx.IsSupported && typeof(T) == typeof(float))
        {
            return Avx.Min(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Avx.IsSupported && typeof(T) == typeof(double) ? Avx.Min(a.AsDouble(), b.AsDouble()).As<double, T>() : Select(Less(a, b), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Larger(Vector256<T> a, Vector256<T> b)
    {
        if (Avx.IsSupported && typeof(T) == typeof(float))
        {
            return Avx.Max(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Avx.IsSupported && typeof(T) == typeof(double) ? Avx.Max(a.AsDouble(), b.AsDouble()).As<double, T>() : Select(Less(b, a), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Sqrt(Vector256<T> a) => Vector256.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Floor(Vector256<T> a) =>
        typeof(T) == typeof(float) ? Vector256.Floor(a.AsSingle()).As<float, T>() : Vector256.Floor(a.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> And(Vector256<T> a, Vector256<T> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> AndNot(Vector256<T> a, Vector256<T> b) => Vector256.AndNot(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Or(Vector256<T> a, Vector256<T> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Xor(Vector256<T> a, Vector256<T> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Less(Vector256<T> a, Vector256<T> b) => Vector256.LessThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LessEqual(Vector256<T> a, Vector256<T> b) => Vector256.LessThanOrEqual(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Equal(Vector256<T> a, Vector256<T> b) => Vector256.Equals(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsEqual(Vector256<T> a, Vector256<T> b) =>
        sizeof(T) == 4 ? Vector256.Equals(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector256.Equals(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Select(Vector256<T> mask, Vector256<T> whenTrue, Vector256<T> whenFalse) =>
        Vector256.ConditionalSelect(mask, whenTrue, whenFalse);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MaskBits(Vector256<T> mask) => Vector256.ExtractMostSignificantBits(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsAdd(Vector256<T> a, Vector256<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() + b.AsInt32()).As<int, T>() : (a.AsInt64() + b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsSub(Vector256<T> a, Vector256<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() - b.AsInt32()).As<int, T>() : (a.AsInt64() - b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsMin(Vector256<T> a, Vector256<T> b) =>
        sizeof(T) == 4 ? Vector256.Min(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector256.Min(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsShiftLeft(Vector256<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() << count).As<int, T>() : (a.AsInt64() << count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsShiftRight(Vector256<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() >>> count).As<int, T>() : (a.AsInt64() >>> count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LoadMask(byte* source)
    {
        if (sizeof(T) == 1)
        {
            return ~Vector256.Equals(Vector256.Load(source), Vector256<byte>.Zero).As<byte, T>();
        }

        if (Avx2.IsSupported && sizeof(T) == 4)
        {
            Vector256<int> wide = Avx2.ConvertToVector256Int32(source);
            return (~Vector256.Equals(wide, Vector256<int>.Zero)).As<int, T>();
        }

        if (Avx2.IsSupported && sizeof(T) == 8)
        {
            Vector256<long> wide = Avx2.ConvertToVector256Int64(Vector128.CreateScalarUnsafe(*(uint*)source).AsByte());
            return (~Vector256.Equals(wide, Vector256<long>.Zero)).As<long, T>();
        }

        Vector256<T> block = default;
        PartialMemory.WidenMask(source, (T*)&block, Vector256<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(byte* target, Vector256<T> mask)
    {
        if (sizeof(T) == 1)
        {
            Vector256.Store(mask.AsByte() & Vector256<byte>.One, target);
            return;
        }

        if (sizeof(T) == 4)
        {
            Vector128<short> words = Vector128.Narrow(mask.AsInt32().GetLower(), mask.AsInt32().GetUpper());
            *(ulong*)target = (Vector128.Narrow(words, words).AsByte() & Vector128<byte>.One).AsUInt64().ToScalar();
            return;
        }

        PartialMemory.SpreadMask(MaskBits(mask), target, Vector256<T>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LoadBytes(byte* source)
    {
        if (Avx2.IsSupported && typeof(T) == typeof(float))
        {
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source)).As<float, T>();
        }

        if (Avx2.IsSupported && typeof(T) == typeof(double))
        {
            return Avx.ConvertToVector256Double(Sse41.ConvertToVector128Int32(Vector128.CreateScalarUnsafe(*(uint*)source).AsByte())).As<double, T>();
        }

        Vector256<T> block = default;
        PartialMemory.Convert(source, (T*)&block, Vector256<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> BitsMultiplyLow(Vector256<T> a, Vector256<T> b)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.Multiply(a.AsUInt32(), b.AsUInt32()).As<ulong, T>();
        }

        Vector256<ulong> half = Vector256.Create(0xffffffffUL);
        return ((a.AsUInt64() & half) * (b.AsUInt64() & half)).As<ulong, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<T> FirstLanes(int count) =>
        sizeof(T) == 4
            ? Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).As<int, T>()
            : Vector256.LessThan(Vector256<long>.Indices, Vector256.Create((long)count)).As<long, T>();
}
