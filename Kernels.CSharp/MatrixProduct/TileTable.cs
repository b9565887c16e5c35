namespace Hybrid.Kernels;

/// <summary>The compiled tiles for one register width, element type and number of values of k in a round, by rows and vectors.</summary>
internal static unsafe class TileTable<S, V, T, U>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where U : unmanaged, ISize
{
    private static readonly nint[] Tiles =
    [
        .. Of<Size1>(),
        .. Of<Size2>(),
        .. Of<Size3>(),
        .. Of<Size4>(),
        .. Of<Size5>(),
        .. Of<Size6>(),
        .. Of<Size7>(),
        .. Of<Size8>(),
        .. Of<Size9>(),
        .. Of<Size10>(),
        .. Of<Size11>(),
        .. Of<Size12>(),
        .. Of<Size13>(),
        .. Of<Size14>(),
    ];

    /// <summary>
    /// The largest tile for a product of so many rows and columns. Of 32 registers, 9 x 3 vectors ask for the fewest loads and instructions;
    /// 14 x 2 are for products that these would not fill, and where four vectors make two strips of two. Of 16 registers there is no choice.
    /// </summary>
    public static (int Rows, int Vectors) Shape(int rows, int columns) =>
        sizeof(V) < 64 ? (6, 2)
        : columns <= 2 * S.Count || (columns > 3 * S.Count && columns <= 4 * S.Count) || (rows > 9 && rows <= 14) ? (14, 2)
        : (9, 3);

    /// <summary>The loop for a tile within one of the shapes.</summary>
    public static delegate* <TileCall*, void> Get(int rows, int vectors) => (delegate* <TileCall*, void>)Tiles[(rows * 3) + vectors - 4];

    private static nint[] Of<R>()
        where R : unmanaged, ISize =>
        [
            (nint)(delegate* <TileCall*, void>)&Tile<S, V, T, R, Size1, U>.Run,
            (nint)(delegate* <TileCall*, void>)&Tile<S, V, T, R, Size2, U>.Run,
            (nint)(delegate* <TileCall*, void>)&Tile<S, V, T, R, Size3, U>.Run,
        ];
}
