using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Hybrid.Kernels;

/// <summary>128-bit registers.</summary>
internal readonly unsafe struct Simd128<T> : ISimd<Vector128<T>, T>
    where T : unmanaged
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128<T>.Count;
    }

    public static Vector128<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Const(double value) =>
        typeof(T) == typeof(float) ? Vector128.Create((float)value).As<float, T>()
        : typeof(T) == typeof(double) ? Vector128.Create(value).As<double, T>()
        : typeof(T) == typeof(int) ? Vector128.Create((int)value).As<int, T>()
        : Vector128.Create((byte)value).As<byte, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> ConstBits(long bits) =>
        sizeof(T) == 4 ? Vector128.Create((int)bits).As<int, T>() : Vector128.Create(bits).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Broadcast(T value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Load(T* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(T* target, Vector128<T> value) => Vector128.Store(value, target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LoadPart(T* source, int count, Vector128<T> fill)
    {
        if (Avx.IsSupported && sizeof(T) == 4)
        {
            return Select(FirstLanes(count), Avx.MaskLoad((float*)source, FirstLanes(count).AsSingle()).As<float, T>(), fill);
        }

        if (Avx.IsSupported && sizeof(T) == 8)
        {
            return Select(FirstLanes(count), Avx.MaskLoad((double*)source, FirstLanes(count).AsDouble()).As<double, T>(), fill);
        }

        Vector128<T> block = fill;
        PartialMemory.Copy(source, (T*)&block, count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePart(T* target, Vector128<T> value, int count)
    {
        if (Avx.IsSupported && sizeof(T) == 4)
        {
            Avx.MaskStore((float*)target, FirstLanes(count).AsSingle(), value.AsSingle());
            return;
        }

        if (Avx.IsSupported && sizeof(T) == 8)
        {
            Avx.MaskStore((double*)target, FirstLanes(count).AsDouble(), value.AsDouble());
            return;
        }

        Vector128<T> block = value;
        PartialMemory.Copy((T*)&block, target, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LoadPieces(T* source, long step) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> InterleaveLow(Vector128<T> a, Vector128<T> b, int bytes)
    {
        if (bytes == 4)
        {
            Vector128<float> low =
                Sse.IsSupported ? Sse.UnpackLow(a.AsSingle(), b.AsSingle())
                : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a.AsSingle(), b.AsSingle())
                : Vector128.Create(a.AsSingle()[0], b.AsSingle()[0], a.AsSingle()[1], b.AsSingle()[1]);
            return low.As<float, T>();
        }

        return Vector128.Create(a.AsDouble().GetLower(), b.AsDouble().GetLower()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> InterleaveHigh(Vector128<T> a, Vector128<T> b, int bytes)
    {
        if (bytes == 4)
        {
            Vector128<float> high =
                Sse.IsSupported ? Sse.UnpackHigh(a.AsSingle(), b.AsSingle())
                : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a.AsSingle(), b.AsSingle())
                : Vector128.Create(a.AsSingle()[2], b.AsSingle()[2], a.AsSingle()[3], b.AsSingle()[3]);
            return high.As<float, T>();
        }

        return Vector128.Create(a.AsDouble().GetUpper(), b.AsDouble().GetUpper()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Add(Vector128<T> a, Vector128<T> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Sub(Vector128<T> a, Vector128<T> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Mul(Vector128<T> a, Vector128<T> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Div(Vector128<T> a, Vector128<T> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Fma(Vector128<T> a, Vector128<T> b, Vector128<T> c) =>
        typeof(T) == typeof(float)
            ? Vector128.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
            : Vector128.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Negate(Vector128<T> a) => -a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Scale(Vector128<T> a, Vector128<T> n) => VectorMath.ScaleInSteps<Simd128<T>, Vector128<T>, T>(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Smaller(Vector128<T> a, Vector128<T> b)
    {
        if (Sse2.IsSupported && typeof(T) == typeof(float))
        {
            return Sse.Min(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Sse2.IsSupported && typeof(T) == typeof(double) ? Sse2.Min(a.AsDouble(), b.AsDouble()).As<double, T>() : Select(Less(a, b), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Larger(Vector128<T> a, Vector128<T> b)
    {
        if (Sse2.IsSupported && typeof(T) == typeof(float))
        {
            return Sse.Max(a.AsSingle(), b.AsSingle()).As<float, T>();
        }

        return Sse2.IsSupported && typeof(T) == typeof(double) ? Sse2.Max(a.AsDouble(), b.AsDouble()).As<double, T>() : Select(Less(b, a), a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Sqrt(Vector128<T> a) => Vector128.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Floor(Vector128<T> a) =>
        typeof(T) == typeof(float) ? Vector128.Floor(a.AsSingle()).As<float, T>() : Vector128.Floor(a.AsDouble()).As<double, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> And(Vector128<T> a, Vector128<T> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> AndNot(Vector128<T> a, Vector128<T> b) => Vector128.AndNot(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Or(Vector128<T> a, Vector128<T> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Xor(Vector128<T> a, Vector128<T> b) => a ^ b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Less(Vector128<T> a, Vector128<T> b) => Vector128.LessThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LessEqual(Vector128<T> a, Vector128<T> b) => Vector128.LessThanOrEqual(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Equal(Vector128<T> a, Vector128<T> b) => Vector128.Equals(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsEqual(Vector128<T> a, Vector128<T> b) =>
        sizeof(T) == 4 ? Vector128.Equals(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector128.Equals(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Select(Vector128<T> mask, Vector128<T> whenTrue, Vector128<T> whenFalse) =>
        Vector128.ConditionalSelect(mask, whenTrue, whenFalse);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MaskBits(Vector128<T> mask) => Vector128.ExtractMostSignificantBits(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsAdd(Vector128<T> a, Vector128<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() + b.AsInt32()).As<int, T>() : (a.AsInt64() + b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsSub(Vector128<T> a, Vector128<T> b) =>
        sizeof(T) == 4 ? (a.AsInt32() - b.AsInt32()).As<int, T>() : (a.AsInt64() - b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsMin(Vector128<T> a, Vector128<T> b) =>
        sizeof(T) == 4 ? Vector128.Min(a.AsInt32(), b.AsInt32()).As<int, T>() : Vector128.Min(a.AsInt64(), b.AsInt64()).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsShiftLeft(Vector128<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() << count).As<int, T>() : (a.AsInt64() << count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsShiftRight(Vector128<T> a, int count) =>
        sizeof(T) == 4 ? (a.AsInt32() >>> count).As<int, T>() : (a.AsInt64() >>> count).As<long, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LoadMask(byte* source)
    {
        if (sizeof(T) == 1)
        {
            return ~Vector128.Equals(Vector128.Load(source), Vector128<byte>.Zero).As<byte, T>();
        }

        if (Sse41.IsSupported && sizeof(T) == 4)
        {
            Vector128<int> wide = Sse41.ConvertToVector128Int32(source);
            return (~Vector128.Equals(wide, Vector128<int>.Zero)).As<int, T>();
        }

        if (Sse41.IsSupported && sizeof(T) == 8)
        {
            Vector128<long> wide = Sse41.ConvertToVector128Int64(Vector128.CreateScalarUnsafe(*(ushort*)source).AsByte());
            return (~Vector128.Equals(wide, Vector128<long>.Zero)).As<long, T>();
        }

        Vector128<T> block = default;
        PartialMemory.WidenMask(source, (T*)&block, Vector128<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(byte* target, Vector128<T> mask)
    {
        if (sizeof(T) == 1)
        {
            Vector128.Store(mask.AsByte() & Vector128<byte>.One, target);
            return;
        }

        if (sizeof(T) == 4)
        {
            Vector128<short> words = Vector128.Narrow(mask.AsInt32(), mask.AsInt32());
            *(uint*)target = (Vector128.Narrow(words, words).AsByte() & Vector128<byte>.One).AsUInt32().ToScalar();
            return;
        }

        PartialMemory.SpreadMask(MaskBits(mask), target, Vector128<T>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LoadBytes(byte* source)
    {
        if (Sse41.IsSupported && typeof(T) == typeof(float))
        {
            return Vector128.ConvertToSingle(Sse41.ConvertToVector128Int32(Vector128.CreateScalarUnsafe(*(uint*)source).AsByte())).As<float, T>();
        }

        if (Sse41.IsSupported && typeof(T) == typeof(double))
        {
            return Sse2.ConvertToVector128Double(Sse41.ConvertToVector128Int32(Vector128.CreateScalarUnsafe(*(ushort*)source).AsByte()))
                .As<double, T>();
        }

        Vector128<T> block = default;
        PartialMemory.Convert(source, (T*)&block, Vector128<T>.Count);
        return block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> BitsMultiplyLow(Vector128<T> a, Vector128<T> b)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.Multiply(a.AsUInt32(), b.AsUInt32()).As<ulong, T>();
        }

        Vector128<ulong> half = Vector128.Create(0xffffffffUL);
        return ((a.AsUInt64() & half) * (b.AsUInt64() & half)).As<ulong, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> FirstLanes(int count) =>
        sizeof(T) == 4
            ? Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).As<int, T>()
            : Vector128.LessThan(Vector128<long>.Indices, Vector128.Create((long)count)).As<long, T>();
}
