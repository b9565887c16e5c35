using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// The inner loop of a product that goes without terms that are zero: a tile of R rows and N vectors, as in <see cref="Tile{S, V, T, R, N, U}"/>, with the values of k that are
/// listed for its rows, and no others.
/// </summary>
/// <remarks>
/// Four rows at most, as a term can be left out only if it is zero in all of them, and so as many vectors as keep the multiply-adds busy. On MNIST four rows of
/// images are left with 0.39 of the terms where eight have 0.47; of the gradient of weights, where rows are pixels, with 0.29 for 0.40.
/// </remarks>
internal static unsafe class ListedTile<S, V, T, R, N>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where R : unmanaged, ISize
    where N : unmanaged, ISize
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TileCall* call)
    {
        First(call, 0, out V c0a, out V c0b, out V c0c, out V c0d, out V c0e, out V c0f);
        First(call, 1, out V c1a, out V c1b, out V c1c, out V c1d, out V c1e, out V c1f);
        First(call, 2, out V c2a, out V c2b, out V c2c, out V c2d, out V c2e, out V c2f);
        First(call, 3, out V c3a, out V c3b, out V c3c, out V c3d, out V c3e, out V c3f);
        nint rowStep = call->RowStepA;
        nint thirdRow = 3 * rowStep;
        nint columnStep = call->ColumnStepA;
        nint rowStepB = call->RowStepB;
        byte* firstA = call->A;
        byte* firstB = call->B;
        ushort* terms = call->Terms;
        for (nint left = call->K; left > 0; left--)
        {
            nint term = *terms;
            terms++;
            byte* a = firstA + (term * columnStep);
            byte* b = firstB + (term * rowStepB);
            V ba = S.Load((T*)b);
            V bb = sizeof(N) > 1 ? S.Load((T*)b + S.Count) : default;
            V bc = sizeof(N) > 2 ? S.Load((T*)b + (2 * S.Count)) : default;
            V bd = sizeof(N) > 3 ? S.Load((T*)b + (3 * S.Count)) : default;
            V be = sizeof(N) > 4 ? S.Load((T*)b + (4 * S.Count)) : default;
            V bf = sizeof(N) > 5 ? S.Load((T*)b + (5 * S.Count)) : default;
            Add(0, a, ba, bb, bc, bd, be, bf, ref c0a, ref c0b, ref c0c, ref c0d, ref c0e, ref c0f);
            Add(1, a + (1 * rowStep), ba, bb, bc, bd, be, bf, ref c1a, ref c1b, ref c1c, ref c1d, ref c1e, ref c1f);
            Add(2, a + (2 * rowStep), ba, bb, bc, bd, be, bf, ref c2a, ref c2b, ref c2c, ref c2d, ref c2e, ref c2f);
            Add(3, a + thirdRow, ba, bb, bc, bd, be, bf, ref c3a, ref c3b, ref c3c, ref c3d, ref c3e, ref c3f);
        }

        // Of all numbers -0 is the least, if their bits are taken for integers.
        V least = c0a;
        Least(0, c0a, c0b, c0c, c0d, c0e, c0f, ref least);
        Least(1, c1a, c1b, c1c, c1d, c1e, c1f, ref least);
        Least(2, c2a, c2b, c2c, c2d, c2e, c2f, ref least);
        Least(3, c3a, c3b, c3c, c3d, c3e, c3f, ref least);
        call->AnyMinusZero = S.MaskBits(S.BitsEqual(least, S.Const(-0.0))) != 0;
        Last(call, 0, c0a, c0b, c0c, c0d, c0e, c0f);
        Last(call, 1, c1a, c1b, c1c, c1d, c1e, c1f);
        Last(call, 2, c2a, c2b, c2c, c2d, c2e, c2f);
        Last(call, 3, c3a, c3b, c3c, c3d, c3e, c3f);
    }

    /// <summary>Adds the products of one value of k to a row of the tile, if it has that row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(int row, byte* element, V ba, V bb, V bc, V bd, V be, V bf, ref V a, ref V b, ref V c, ref V d, ref V e, ref V f)
    {
        if (row >= sizeof(R))
        {
            return;
        }

        V x = S.Broadcast(*(T*)element);
        a = S.Fma(x, ba, a);
        if (sizeof(N) > 1)
        {
            b = S.Fma(x, bb, b);
        }

        if (sizeof(N) > 2)
        {
            c = S.Fma(x, bc, c);
        }

        if (sizeof(N) > 3)
        {
            d = S.Fma(x, bd, d);
        }

        if (sizeof(N) > 4)
        {
            e = S.Fma(x, be, e);
        }

        if (sizeof(N) > 5)
        {
            f = S.Fma(x, bf, f);
        }
    }

    /// <summary>What a row of sums starts from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void First(TileCall* call, int row, out V a, out V b, out V c, out V d, out V e, out V f)
    {
        a = default;
        b = default;
        c = default;
        d = default;
        e = default;
        f = default;
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

        if (sizeof(N) > 3)
        {
            d = S.Load(start + (3 * S.Count));
        }

        if (sizeof(N) > 4)
        {
            e = S.Load(start + (4 * S.Count));
        }

        if (sizeof(N) > 5)
        {
            f = S.Load(start + (5 * S.Count));
        }
    }

    /// <summary>The least integers, lane by lane, of the rows so far and of a row's bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Least(int row, V a, V b, V c, V d, V e, V f, ref V least)
    {
        if (row >= sizeof(R))
        {
            return;
        }

        least = S.BitsMin(least, a);
        if (sizeof(N) > 1)
        {
            least = S.BitsMin(least, b);
        }

        if (sizeof(N) > 2)
        {
            least = S.BitsMin(least, c);
        }

        if (sizeof(N) > 3)
        {
            least = S.BitsMin(least, d);
        }

        if (sizeof(N) > 4)
        {
            least = S.BitsMin(least, e);
        }

        if (sizeof(N) > 5)
        {
            least = S.BitsMin(least, f);
        }
    }

    /// <summary>Writes a row of the tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Last(TileCall* call, int row, V a, V b, V c, V d, V e, V f)
    {
        if (row >= sizeof(R))
        {
            return;
        }

        T* target = (T*)(call->C + (row * call->RowStepC));
        V last = a;
        if (sizeof(N) > 1)
        {
            S.Store(target, last);
            target += S.Count;
            last = b;
        }

        if (sizeof(N) > 2)
        {
            S.Store(target, last);
            target += S.Count;
            last = c;
        }

        if (sizeof(N) > 3)
        {
            S.Store(target, last);
            target += S.Count;
            last = d;
        }

        if (sizeof(N) > 4)
        {
            S.Store(target, last);
            target += S.Count;
            last = e;
        }

        if (sizeof(N) > 5)
        {
            S.Store(target, last);
            target += S.Count;
            last = f;
        }

        // As in other tiles, masked stores of narrow registers are slow on some processors.
        if (sizeof(V) < 64 && call->LastLanes == S.Count)
        {
            S.Store(target, last);
        }
        else
        {
            S.StorePart(target, last, call->LastLanes);
        }
    }
}

/// <summary>The compiled tiles with listed terms for one register width and element type, by rows and vectors.</summary>
internal static unsafe class ListedTiles<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Vectors = 6;

    private static readonly nint[] Tiles = [.. Of<Size1>(), .. Of<Size2>(), .. Of<Size3>(), .. Of<Size4>()];

    /// <summary>The largest tile: as many sums as 32 or 16 registers hold beside the vectors of B and an element of A.</summary>
    public static (int Rows, int Vectors) Shape => sizeof(V) < 64 ? (4, 3) : (4, Vectors);

    /// <summary>The loop for a tile within the shape.</summary>
    public static delegate* <TileCall*, void> Get(int rows, int vectors) => (delegate* <TileCall*, void>)Tiles[((rows - 1) * Vectors) + vectors - 1];

    private static nint[] Of<R>()
        where R : unmanaged, ISize =>
        [
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size1>.Run,
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size2>.Run,
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size3>.Run,
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size4>.Run,
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size5>.Run,
            (nint)(delegate* <TileCall*, void>)&ListedTile<S, V, T, R, Size6>.Run,
        ];
}
