using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Operands of one tile. Steps are in bytes, so that packed and unpacked, transposed and plain operands look the same.</summary>
internal unsafe struct TileCall
{
    public byte* A;
    public byte* B;
    public byte* C;

    /// <summary>From a row of A to the next.</summary>
    public nint RowStepA;

    /// <summary>From a column of A to the next.</summary>
    public nint ColumnStepA;

    /// <summary>From a row of B to the next.</summary>
    public nint RowStepB;
    public nint RowStepC;
    public nint K;

    /// <summary>Columns of C in the last vector of a row; B can be read beyond them up to the whole vector.</summary>
    public int LastLanes;

    /// <summary>What the sums start from, in whole vectors: zeros, or what C holds.</summary>
    public byte* Start;

    /// <summary>From what a row starts from to the next.</summary>
    public nint RowStepStart;
}

/// <summary>
/// The inner loop of the matrix product: a tile of R rows and N vectors of C stays in registers while k runs.
/// Every element is the chain acc = fma(a, b, acc) in the order of k. U values of k go to a round: one with A at any steps, or two of a packed A,
/// whose R rows lie side by side.
/// </summary>
/// <remarks>
/// The text is long because it must be: each accumulator is a local of its own (an array or a loop over them would put them
/// in memory, four times slower). Rows and vectors beyond R and N are compile-time dead; three vectors go with at most nine rows. Rows of a packed A
/// are constants from one pointer; otherwise a base pointer serves three rows (base, base + step, base + 2 step), to stay within the general
/// registers. So 27 multiply-adds need 41.5 instructions packed and 45 otherwise; a neighbour that shares the core makes these what is short.
/// </remarks>
internal static unsafe class Tile<S, V, T, R, N, U>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where R : unmanaged, ISize
    where N : unmanaged, ISize
    where U : unmanaged, ISize
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TileCall* call)
    {
        First(call, 0, out V c0a, out V c0b, out V c0c);
        First(call, 1, out V c1a, out V c1b, out V c1c);
        First(call, 2, out V c2a, out V c2b, out V c2c);
        First(call, 3, out V c3a, out V c3b, out V c3c);
        First(call, 4, out V c4a, out V c4b, out V c4c);
        First(call, 5, out V c5a, out V c5b, out V c5c);
        First(call, 6, out V c6a, out V c6b, out V c6c);
        First(call, 7, out V c7a, out V c7b, out V c7c);
        First(call, 8, out V c8a, out V c8b, out V c8c);
        First(call, 9, out V c9a, out V c9b, out _);
        First(call, 10, out V c10a, out V c10b, out _);
        First(call, 11, out V c11a, out V c11b, out _);
        First(call, 12, out V c12a, out V c12b, out _);
        First(call, 13, out V c13a, out V c13b, out _);
        nint rowStep = call->RowStepA;
        nint columnStep = call->ColumnStepA;
        nint rowStepB = call->RowStepB;
        byte* b = call->B;
        byte* a0 = call->A;
        byte* a3 = a0 + (3 * rowStep);
        byte* a6 = a3 + (3 * rowStep);
        byte* a9 = a6 + (3 * rowStep);
        byte* a12 = a9 + (3 * rowStep);
        V none = default;
        for (nint k = call->K; k > 0; k -= sizeof(U))
        {
            V ba = S.Load((T*)b);
            V bb = sizeof(N) > 1 ? S.Load((T*)b + S.Count) : default;
            V bc = sizeof(N) > 2 ? S.Load((T*)b + (2 * S.Count)) : default;
            Add(0, a0, a0, rowStep, ba, bb, bc, ref c0a, ref c0b, ref c0c);
            Add(1, a0, a0, rowStep, ba, bb, bc, ref c1a, ref c1b, ref c1c);
            Add(2, a0, a0, rowStep, ba, bb, bc, ref c2a, ref c2b, ref c2c);
            Add(3, a0, a3, rowStep, ba, bb, bc, ref c3a, ref c3b, ref c3c);
            Add(4, a0, a3, rowStep, ba, bb, bc, ref c4a, ref c4b, ref c4c);
            Add(5, a0, a3, rowStep, ba, bb, bc, ref c5a, ref c5b, ref c5c);
            Add(6, a0, a6, rowStep, ba, bb, bc, ref c6a, ref c6b, ref c6c);
            Add(7, a0, a6, rowStep, ba, bb, bc, ref c7a, ref c7b, ref c7c);
            Add(8, a0, a6, rowStep, ba, bb, bc, ref c8a, ref c8b, ref c8c);
            Add(9, a0, a9, rowStep, ba, bb, bc, ref c9a, ref c9b, ref none);
            Add(10, a0, a9, rowStep, ba, bb, bc, ref c10a, ref c10b, ref none);
            Add(11, a0, a9, rowStep, ba, bb, bc, ref c11a, ref c11b, ref none);
            Add(12, a0, a12, rowStep, ba, bb, bc, ref c12a, ref c12b, ref none);
            Add(13, a0, a12, rowStep, ba, bb, bc, ref c13a, ref c13b, ref none);
            b += rowStepB;
            if (sizeof(U) > 1)
            {
                byte* next = a0 + (sizeof(R) * sizeof(T));
                ba = S.Load((T*)b);
                bb = sizeof(N) > 1 ? S.Load((T*)b + S.Count) : default;
                bc = sizeof(N) > 2 ? S.Load((T*)b + (2 * S.Count)) : default;
                Add(0, next, a0, rowStep, ba, bb, bc, ref c0a, ref c0b, ref c0c);
                Add(1, next, a0, rowStep, ba, bb, bc, ref c1a, ref c1b, ref c1c);
                Add(2, next, a0, rowStep, ba, bb, bc, ref c2a, ref c2b, ref c2c);
                Add(3, next, a3, rowStep, ba, bb, bc, ref c3a, ref c3b, ref c3c);
                Add(4, next, a3, rowStep, ba, bb, bc, ref c4a, ref c4b, ref c4c);
                Add(5, next, a3, rowStep, ba, bb, bc, ref c5a, ref c5b, ref c5c);
                Add(6, next, a6, rowStep, ba, bb, bc, ref c6a, ref c6b, ref c6c);
                Add(7, next, a6, rowStep, ba, bb, bc, ref c7a, ref c7b, ref c7c);
                Add(8, next, a6, rowStep, ba, bb, bc, ref c8a, ref c8b, ref c8c);
                Add(9, next, a9, rowStep, ba, bb, bc, ref c9a, ref c9b, ref none);
                Add(10, next, a9, rowStep, ba, bb, bc, ref c10a, ref c10b, ref none);
                Add(11, next, a9, rowStep, ba, bb, bc, ref c11a, ref c11b, ref none);
                Add(12, next, a12, rowStep, ba, bb, bc, ref c12a, ref c12b, ref none);
                Add(13, next, a12, rowStep, ba, bb, bc, ref c13a, ref c13b, ref none);
                b += rowStepB;
                a0 += 2 * sizeof(R) * sizeof(T);
            }
            else
            {
                a0 += columnStep;
                a3 += columnStep;
                a6 += columnStep;
                a9 += columnStep;
                a12 += columnStep;
            }
        }

        Last(call, 0, c0a, c0b, c0c);
        Last(call, 1, c1a, c1b, c1c);
        Last(call, 2, c2a, c2b, c2c);
        Last(call, 3, c3a, c3b, c3c);
        Last(call, 4, c4a, c4b, c4c);
        Last(call, 5, c5a, c5b, c5c);
        Last(call, 6, c6a, c6b, c6c);
        Last(call, 7, c7a, c7b, c7c);
        Last(call, 8, c8a, c8b, c8c);
        Last(call, 9, c9a, c9b, default);
        Last(call, 10, c10a, c10b, default);
        Last(call, 11, c11a, c11b, default);
        Last(call, 12, c12a, c12b, default);
        Last(call, 13, c13a, c13b, default);
    }

    /// <summary>Adds the products of one value of k to a row of the tile, if it has that row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(int row, byte* packed, byte* group, nint rowStep, V ba, V bb, V bc, ref V a, ref V b, ref V c)
    {
        if (row >= sizeof(R))
        {
            return;
        }

        V x = S.Broadcast(sizeof(U) > 1 ? ((T*)packed)[row] : *(T*)(group + (row % 3 * rowStep)));
        a = S.Fma(x, ba, a);
        if (sizeof(N) > 1)
        {
            b = S.Fma(x, bb, b);
        }

        if (sizeof(N) > 2)
        {
            c = S.Fma(x, bc, c);
        }
    }

    /// <summary>What a row of sums starts from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void First(TileCall* call, int row, out V a, out V b, out V c)
    {
        a = default;
        b = default;
        c = default;
        if (row >= sizeof(R))
        {
            return;
        }

        T* start = (T*)(call->Start + (row * call->RowStepStart));
        a = S.Load(start);
        if (sizeof(N) > 1)
        {
            b = S.Load(start + S.Count);
        }

        if (sizeof(N) > 2)
        {
            c = S.Load(start + (2 * S.Count));
        }
    }

    /// <summary>Writes a row of the tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Last(TileCall* call, int row, V first, V second, V third)
    {
        if (row >= sizeof(R))
        {
            return;
        }

        T* c = (T*)(call->C + (row * call->RowStepC));
        V last = first;
        if (sizeof(N) > 1)
        {
            S.Store(c, first);
            c += S.Count;
            last = second;
        }

        if (sizeof(N) > 2)
        {
            S.Store(c, second);
            c += S.Count;
            last = third;
        }

        // Masked stores of narrow registers take tens of cycles on some processors; those of wide ones are as quick as others.
        if (sizeof(V) < 64 && call->LastLanes == S.Count)
        {
            S.Store(c, last);
        }
        else
        {
            S.StorePart(c, last, call->LastLanes);
        }
    }
}
