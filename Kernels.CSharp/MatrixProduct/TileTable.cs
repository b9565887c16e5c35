namespace Hybrid.Kernels;

/// <summary>The compiled tiles for one register width and element type, by rows and vectors.</summary>
internal static unsafe class TileTable<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Rows of a full tile: 28 accumulators of 32 registers at 512 bits, else 12 of 16.</summary>
    public static readonly int MaxRows = sizeof(V) == 64 ? 14 : 6;

    private static readonly nint[] Tiles = Build();

    /// <summary>The loop for a tile of 1 to <see cref="MaxRows"/> rows and 1 or 2 vectors.</summary>
    public static delegate* <TileCall*, void> Get(int rows, int vectors) => (delegate* <TileCall*, void>)Tiles[(rows * 2) + vectors - 3];

    private static nint[] Build()
    {
        nint[] tiles = new nint[28];
        Add<Size1>(tiles);
        Add<Size2>(tiles);
        Add<Size3>(tiles);
        Add<Size4>(tiles);
        Add<Size5>(tiles);
        Add<Size6>(tiles);
        Add<Size7>(tiles);
        Add<Size8>(tiles);
        Add<Size9>(tiles);
        Add<Size10>(tiles);
        Add<Size11>(tiles);
        Add<Size12>(tiles);
        Add<Size13>(tiles);
        Add<Size14>(tiles);
        return tiles;
    }

    private static void Add<R>(nint[] tiles)
        where R : ISize
    {
        tiles[(R.Value * 2) - 2] = (nint)(delegate* <TileCall*, void>)&Tile<S, V, T, R, Size1>.Run;
        tiles[(R.Value * 2) - 1] = (nint)(delegate* <TileCall*, void>)&Tile<S, V, T, R, Size2>.Run;
    }
}
