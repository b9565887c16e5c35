namespace Hybrid.Kernels;

/// <summary>
/// The operations of one vector register, so that every loop is written once and compiled for each width.
/// <typeparamref name="V"/> is the register and <typeparamref name="T"/> its element; lanes are independent, and
/// every operation rounds as IEEE 754 says, so a lane's bits do not depend on the width.
/// </summary>
/// <remarks>
/// Masks are registers whose lanes are all ones or all zeros. The <c>Bits</c> operations treat a lane as an integer of the
/// same size. A partial load or store touches no memory beyond
/// the lanes it is asked for. Never give one a local's address: the JIT of .NET 10.0 takes a masked store for a whole one and drops what the
/// local held before.
/// </remarks>
internal unsafe interface ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    static abstract int Count { get; }
    static abstract V Zero { get; }
    static abstract V Const(double value);
    static abstract V ConstBits(long bits);
    static abstract V Broadcast(T value);
    static abstract V Load(T* source);
    static abstract void Store(T* target, V value);

    /// <summary>The first lanes from memory, the others from <paramref name="fill"/>; nothing beyond the first is read.</summary>
    static abstract V LoadPart(T* source, int count, V fill);
    static abstract void StorePart(T* target, V value, int count);

    /// <summary>Loads 16 bytes from <paramref name="source"/>, 16 from <paramref name="step"/> elements later, and so on.</summary>
    static abstract V LoadPieces(T* source, long step);

    /// <summary>From the lower half of each 16 bytes, parts of the given size (a constant, 4 or 8 bytes) of a and b in turn.</summary>
    static abstract V InterleaveLow(V a, V b, int bytes);

    /// <summary>From the upper half of each 16 bytes, parts of the given size of a and b in turn.</summary>
    static abstract V InterleaveHigh(V a, V b, int bytes);
    static abstract V Add(V a, V b);
    static abstract V Sub(V a, V b);
    static abstract V Mul(V a, V b);
    static abstract V Div(V a, V b);

    /// <summary>a * b + c, rounded once.</summary>
    static abstract V Fma(V a, V b, V c);
    static abstract V Negate(V a);

    /// <summary>
    /// a 2^n, rounded once, for a from 1/2 to 2 and integers n of at most 252 (Float32) or 2044 (Float64) either way; NaN where a is NaN, whatever n is.
    /// </summary>
    static abstract V Scale(V a, V n);

    /// <summary>a where a is less than b, otherwise b, also where either is NaN: the order of the operands matters.</summary>
    static abstract V Smaller(V a, V b);

    /// <summary>a where b is less than a, otherwise b, also where either is NaN: the order of the operands matters.</summary>
    static abstract V Larger(V a, V b);
    static abstract V Sqrt(V a);
    static abstract V Floor(V a);
    static abstract V And(V a, V b);

    /// <summary>a and not b.</summary>
    static abstract V AndNot(V a, V b);
    static abstract V Or(V a, V b);
    static abstract V Xor(V a, V b);
    static abstract V Less(V a, V b);
    static abstract V LessEqual(V a, V b);
    static abstract V Equal(V a, V b);
    static abstract V BitsEqual(V a, V b);
    static abstract V Select(V mask, V whenTrue, V whenFalse);

    /// <summary>One bit for each lane of a mask, lane 0 lowest.</summary>
    static abstract ulong MaskBits(V mask);
    static abstract V BitsAdd(V a, V b);
    static abstract V BitsSub(V a, V b);

    /// <summary>The smaller of two signed integers.</summary>
    static abstract V BitsMin(V a, V b);
    static abstract V BitsShiftLeft(V a, int count);
    static abstract V BitsShiftRight(V a, int count);

    /// <summary>Loads <see cref="Count"/> bytes, each 0 or not, as a mask.</summary>
    static abstract V LoadMask(byte* source);

    /// <summary>Stores a mask as <see cref="Count"/> bytes, 1 where it holds and 0 elsewhere.</summary>
    static abstract void StoreMask(byte* target, V mask);

    /// <summary>Loads <see cref="Count"/> bytes as numbers; T is float or double.</summary>
    static abstract V LoadBytes(byte* source);

    /// <summary>The 64-bit products of the lower halves of 64-bit lanes, unsigned.</summary>
    static abstract V BitsMultiplyLow(V a, V b);
}
