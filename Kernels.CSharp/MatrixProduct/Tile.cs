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
/// Every element is the chain acc = fma(a, b, acc) in the order of k.
/// </summary>
/// <remarks>
/// The text is long because it must be: each accumulator is a local of its own (an array or a loop over them would put them
/// in memory, four times slower). Rows and vectors beyond R and N are compile-time dead; three vectors go with at most nine rows. A base
/// pointer serves three rows (base, base + step, base + 2 step), to stay within the general registers.
/// </remarks>
internal static unsafe class Tile<S, V, T, R, N>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where R : unmanaged, ISize
    where N : unmanaged, ISize
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TileCall* call)
    {
        V c0a = First(call, 0, 0);
        V c0b = First(call, 0, 1);
        V c0c = First(call, 0, 2);
        V c1a = First(call, 1, 0);
        V c1b = First(call, 1, 1);
        V c1c = First(call, 1, 2);
        V c2a = First(call, 2, 0);
        V c2b = First(call, 2, 1);
        V c2c = First(call, 2, 2);
        V c3a = First(call, 3, 0);
        V c3b = First(call, 3, 1);
        V c3c = First(call, 3, 2);
        V c4a = First(call, 4, 0);
        V c4b = First(call, 4, 1);
        V c4c = First(call, 4, 2);
        V c5a = First(call, 5, 0);
        V c5b = First(call, 5, 1);
        V c5c = First(call, 5, 2);
        V c6a = First(call, 6, 0);
        V c6b = First(call, 6, 1);
        V c6c = First(call, 6, 2);
        V c7a = First(call, 7, 0);
        V c7b = First(call, 7, 1);
        V c7c = First(call, 7, 2);
        V c8a = First(call, 8, 0);
        V c8b = First(call, 8, 1);
        V c8c = First(call, 8, 2);
        V c9a = First(call, 9, 0);
        V c9b = First(call, 9, 1);
        V c10a = First(call, 10, 0);
        V c10b = First(call, 10, 1);
        V c11a = First(call, 11, 0);
        V c11b = First(call, 11, 1);
        V c12a = First(call, 12, 0);
        V c12b = First(call, 12, 1);
        V c13a = First(call, 13, 0);
        V c13b = First(call, 13, 1);
        nint rowStep = call->RowStepA;
        nint columnStep = call->ColumnStepA;
        nint rowStepB = call->RowStepB;
        byte* b = call->B;
        byte* a0 = call->A;
        byte* a3 = a0 + (3 * rowStep);
        byte* a6 = a3 + (3 * rowStep);
        byte* a9 = a6 + (3 * rowStep);
        byte* a12 = a9 + (3 * rowStep);
        for (nint k = call->K; k > 0; k--)
        {
            V ba = S.Load((T*)b);
            V bb = sizeof(N) > 1 ? S.Load((T*)b + S.Count) : default;
            V bc = sizeof(N) > 2 ? S.Load((T*)b + (2 * S.Count)) : default;
            b += rowStepB;
            V x;
            x = S.Broadcast(*(T*)a0);
            c0a = S.Fma(x, ba, c0a);
            c0b = sizeof(N) > 1 ? S.Fma(x, bb, c0b) : c0b;
            c0c = sizeof(N) > 2 ? S.Fma(x, bc, c0c) : c0c;

            if (sizeof(R) > 1)
            {
                x = S.Broadcast(*(T*)(a0 + rowStep));
                c1a = S.Fma(x, ba, c1a);
                c1b = sizeof(N) > 1 ? S.Fma(x, bb, c1b) : c1b;
                c1c = sizeof(N) > 2 ? S.Fma(x, bc, c1c) : c1c;
            }

            if (sizeof(R) > 2)
            {
                x = S.Broadcast(*(T*)(a0 + (2 * rowStep)));
                c2a = S.Fma(x, ba, c2a);
                c2b = sizeof(N) > 1 ? S.Fma(x, bb, c2b) : c2b;
                c2c = sizeof(N) > 2 ? S.Fma(x, bc, c2c) : c2c;
            }

            if (sizeof(R) > 3)
            {
                x = S.Broadcast(*(T*)a3);
                c3a = S.Fma(x, ba, c3a);
                c3b = sizeof(N) > 1 ? S.Fma(x, bb, c3b) : c3b;
                c3c = sizeof(N) > 2 ? S.Fma(x, bc, c3c) : c3c;
            }

            if (sizeof(R) > 4)
            {
                x = S.Broadcast(*(T*)(a3 + rowStep));
                c4a = S.Fma(x, ba, c4a);
                c4b = sizeof(N) > 1 ? S.Fma(x, bb, c4b) : c4b;
                c4c = sizeof(N) > 2 ? S.Fma(x, bc, c4c) : c4c;
            }

            if (sizeof(R) > 5)
            {
                x = S.Broadcast(*(T*)(a3 + (2 * rowStep)));
                c5a = S.Fma(x, ba, c5a);
                c5b = sizeof(N) > 1 ? S.Fma(x, bb, c5b) : c5b;
                c5c = sizeof(N) > 2 ? S.Fma(x, bc, c5c) : c5c;
            }

            if (sizeof(R) > 6)
            {
                x = S.Broadcast(*(T*)a6);
                c6a = S.Fma(x, ba, c6a);
                c6b = sizeof(N) > 1 ? S.Fma(x, bb, c6b) : c6b;
                c6c = sizeof(N) > 2 ? S.Fma(x, bc, c6c) : c6c;
            }

            if (sizeof(R) > 7)
            {
                x = S.Broadcast(*(T*)(a6 + rowStep));
                c7a = S.Fma(x, ba, c7a);
                c7b = sizeof(N) > 1 ? S.Fma(x, bb, c7b) : c7b;
                c7c = sizeof(N) > 2 ? S.Fma(x, bc, c7c) : c7c;
            }

            if (sizeof(R) > 8)
            {
                x = S.Broadcast(*(T*)(a6 + (2 * rowStep)));
                c8a = S.Fma(x, ba, c8a);
                c8b = sizeof(N) > 1 ? S.Fma(x, bb, c8b) : c8b;
                c8c = sizeof(N) > 2 ? S.Fma(x, bc, c8c) : c8c;
            }

            if (sizeof(R) > 9)
            {
                x = S.Broadcast(*(T*)a9);
                c9a = S.Fma(x, ba, c9a);
                c9b = sizeof(N) > 1 ? S.Fma(x, bb, c9b) : c9b;
            }

            if (sizeof(R) > 10)
            {
                x = S.Broadcast(*(T*)(a9 + rowStep));
                c10a = S.Fma(x, ba, c10a);
                c10b = sizeof(N) > 1 ? S.Fma(x, bb, c10b) : c10b;
            }

            if (sizeof(R) > 11)
            {
                x = S.Broadcast(*(T*)(a9 + (2 * rowStep)));
                c11a = S.Fma(x, ba, c11a);
                c11b = sizeof(N) > 1 ? S.Fma(x, bb, c11b) : c11b;
            }

            if (sizeof(R) > 12)
            {
                x = S.Broadcast(*(T*)a12);
                c12a = S.Fma(x, ba, c12a);
                c12b = sizeof(N) > 1 ? S.Fma(x, bb, c12b) : c12b;
            }

            if (sizeof(R) > 13)
            {
                x = S.Broadcast(*(T*)(a12 + rowStep));
                c13a = S.Fma(x, ba, c13a);
                c13b = sizeof(N) > 1 ? S.Fma(x, bb, c13b) : c13b;
            }

            a0 += columnStep;
            a3 += columnStep;
            a6 += columnStep;
            a9 += columnStep;
            a12 += columnStep;
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

    /// <summary>What a vector of sums starts from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V First(TileCall* call, int row, int vector) =>
        row < sizeof(R) && vector < sizeof(N) ? S.Load((T*)(call->Start + (row * call->RowStepStart)) + (vector * S.Count)) : default;

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

        if (sizeof(V) == 16 && call->LastLanes == S.Count)
        {
            S.Store(c, last);
        }
        else
        {
            S.StorePart(c, last, call->LastLanes);
        }
    }
}
