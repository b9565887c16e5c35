using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Reduction of a contiguous run in an order fixed by its length and element type (rule R10).
/// </summary>
/// <remarks>
/// <para>The run is cut into chunks of 16 KiB. In a chunk, element i belongs to slot i mod (256 bytes): four logical lanes
/// of 64 bytes. Each slot combines its elements in order, starting from the identity; then the four lanes are combined as
/// (0, 1), (2, 3), and the 64 bytes that remain are folded in halves. A machine with 256 or 128-bit registers walks the chunk
/// twice or four times, a part of each lane at a time, and so gets the same bits. Chunk results are combined as a binary tree
/// over the chunk numbers.</para>
/// </remarks>
internal static unsafe class Lanes<S, V, T, C>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where C : struct, ICombiner
{
    private const int LaneBytes = 64;
    private const int SlotBytes = 4 * LaneBytes;

    /// <summary>Elements of a chunk.</summary>
    public static int Chunk
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 16384 / sizeof(T);
    }

    /// <summary>Elements of one logical lane, for which <see cref="OneLane"/> is enough.</summary>
    public static int Short
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => LaneBytes / sizeof(T);
    }

    /// <summary>Reduces a run of any length on the calling thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T Run(T* x, long count)
    {
        if (count <= Short)
        {
            return OneLane(x, (int)count);
        }

        if (count <= Chunk)
        {
            return OneChunk(x, (int)count);
        }

        // A binary counter: pending[l] holds the result of 2^l chunks where bit l of the number of chunks done is set.
        T* pending = stackalloc T[64];
        long done = 0;
        for (long at = 0; at < count; at += Chunk)
        {
            T value = OneChunk(x + at, (int)Math.Min(Chunk, count - at));
            int level = 0;
            for (long bit = done; (bit & 1) != 0; bit >>= 1)
            {
                value = Combine(pending[level++], value);
            }

            pending[level] = value;
            done++;
        }

        int lowest = System.Numerics.BitOperations.TrailingZeroCount(done);
        T result = pending[lowest];
        for (int level = lowest + 1; done >> level != 0; level++)
        {
            result = ((done >> level) & 1) != 0 ? Combine(pending[level], result) : result;
        }

        return result;
    }

    /// <summary>Combines the results of all chunks as the same binary tree; destroys them.</summary>
    public static T Tree(T* partials, long count)
    {
        for (long step = 1; step < count; step *= 2)
        {
            for (long i = 0; i + step < count; i += 2 * step)
            {
                partials[i] = Combine(partials[i], partials[i + step]);
            }
        }

        return partials[0];
    }

    /// <summary>Combines two single values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Combine(T a, T b)
    {
        Vector128<T> left = Vector128.CreateScalarUnsafe(a);
        return Narrow(left, Vector128.CreateScalarUnsafe(b)).ToScalar();
    }

    /// <summary>Reduces at most <see cref="Chunk"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T OneChunk(T* x, int count)
    {
        byte* slots = stackalloc byte[SlotBytes];
        int lane = LaneBytes / sizeof(T);
        int whole = count / (4 * lane) * (4 * lane);
        for (int part = 0; part < lane; part += S.Count)
        {
            V s0 = S.Const(C.Identity);
            V s1 = s0;
            V s2 = s0;
            V s3 = s0;
            T* at = x + part;
            for (int i = 0; i < whole; i += 4 * lane)
            {
                s0 = C.Combine<S, V, T>(s0, S.Load(at));
                s1 = C.Combine<S, V, T>(s1, S.Load(at + lane));
                s2 = C.Combine<S, V, T>(s2, S.Load(at + (2 * lane)));
                s3 = C.Combine<S, V, T>(s3, S.Load(at + (3 * lane)));
                at += 4 * lane;
            }

            int rest = count - whole - part;
            s0 = rest > 0 ? C.Combine<S, V, T>(s0, LoadPadded(at, rest)) : s0;
            s1 = rest > lane ? C.Combine<S, V, T>(s1, LoadPadded(at + lane, rest - lane)) : s1;
            s2 = rest > 2 * lane ? C.Combine<S, V, T>(s2, LoadPadded(at + (2 * lane), rest - (2 * lane))) : s2;
            s3 = rest > 3 * lane ? C.Combine<S, V, T>(s3, LoadPadded(at + (3 * lane), rest - (3 * lane))) : s3;
            S.Store((T*)slots + part, C.Combine<S, V, T>(C.Combine<S, V, T>(s0, s1), C.Combine<S, V, T>(s2, s3)));
        }

        return Fold((T*)slots);
    }

    /// <summary>
    /// <see cref="Run"/> for no more than <see cref="Short"/> elements: the other lanes would hold the identity, which changes nothing more.
    /// Callers that have many short runs save the call.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T OneLane(T* x, int count)
    {
        if (sizeof(V) == LaneBytes)
        {
            Vector512<T> lane = Unsafe.BitCast<V, Vector512<T>>(C.Combine<S, V, T>(S.Const(C.Identity), LoadPadded(x, count)));
            Vector256<T> half = C.Combine<Simd256<T>, Vector256<T>, T>(lane.GetLower(), lane.GetUpper());
            return Fold(Narrow(half.GetLower(), half.GetUpper()));
        }

        byte* slots = stackalloc byte[LaneBytes];
        for (int part = 0; part < LaneBytes / sizeof(T); part += S.Count)
        {
            V identity = S.Const(C.Identity);
            int rest = count - part;
            S.Store((T*)slots + part, rest > 0 ? C.Combine<S, V, T>(identity, LoadPadded(x + part, rest)) : identity);
        }

        return Fold((T*)slots);
    }

    /// <summary>Combines the elements of one logical lane (64 bytes) in halves: i with i + 8, then i + 4, ...</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Fold(T* lane)
    {
        int quarter = Vector128<T>.Count;
        Vector128<T> even = Narrow(Vector128.Load(lane), Vector128.Load(lane + (2 * quarter)));
        Vector128<T> odd = Narrow(Vector128.Load(lane + quarter), Vector128.Load(lane + (3 * quarter)));
        return Fold(Narrow(even, odd));
    }

    /// <summary>Combines the elements of 16 bytes in halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Fold(Vector128<T> folded)
    {
        if (sizeof(T) == 4)
        {
            folded = Narrow(folded, Vector128.Shuffle(folded.AsInt32(), Vector128.Create(2, 3, 2, 3)).As<int, T>());
            return Narrow(folded, Vector128.Shuffle(folded.AsInt32(), Vector128.Create(1, 1, 1, 1)).As<int, T>()).ToScalar();
        }

        return Narrow(folded, Vector128.Shuffle(folded.AsInt64(), Vector128.Create(1L, 1L)).As<long, T>()).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<T> Narrow(Vector128<T> a, Vector128<T> b) => C.Combine<Simd128<T>, Vector128<T>, T>(a, b);

    /// <summary>Up to one register, missing lanes holding the identity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LoadPadded(T* x, int count) => count >= S.Count ? S.Load(x) : S.LoadPart(x, count, S.Const(C.Identity));
}
