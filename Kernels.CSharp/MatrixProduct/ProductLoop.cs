using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>One product C = op(A) op(B), as addresses and steps in elements; transposition has become a choice of steps.</summary>
internal struct Product
{
    public nint A;

    /// <summary>From op(A)[i, p] to op(A)[i + 1, p].</summary>
    public long RowStepA;

    /// <summary>From op(A)[i, p] to op(A)[i, p + 1].</summary>
    public long ColumnStepA;
    public nint B;
    public long RowStepB;
    public long ColumnStepB;
    public nint C;
    public long RowStepC;
    public int M;
    public int N;
    public int K;
}

/// <summary>The serial matrix product: blocks over N, K and M, packing, and calls of the tiles.</summary>
internal static unsafe class ProductLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Depth of a block of K: a strip of B (two vectors wide) and a tile of A together stay near the first-level cache.</summary>
    private const int BlockK = 384;
    private const int BlockN = 2048;

    /// <summary>Rows of a block of M: with BlockK it fits the second-level cache.</summary>
    private static int BlockM => 448 * 4 / sizeof(T);

    private static int StripWidth => 2 * S.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(Product p)
    {
        if (p.M <= 0 || p.N <= 0)
        {
            return;
        }

        if (p.K <= 0)
        {
            Clear(p);
        }
        else if (FewRows<T>.Fits(p))
        {
            FewRows<T>.Run(p);
        }
        else if (p.RowStepA == 1 && p.N <= TileTable<S, V, T>.MaxRows && p.N < S.Count && p.M >= StripWidth)
        {
            RunTransposed(p);
        }
        else
        {
            RunBlocks(p);
        }
    }

    /// <summary>
    /// For few columns and a transposed A (the weight gradient of a classifier): C^T = op(B)^T op(A)^T, whose long axis fills the
    /// lanes and needs no packing, then a transposition. The products in each chain only swap their factors.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunTransposed(Product p)
    {
        T* scratch = (T*)Workspace.Get(Workspace.Purpose.Transposed, (long)p.M * p.N * sizeof(T));
        RunBlocks(
            new Product
            {
                A = p.B,
                RowStepA = p.ColumnStepB,
                ColumnStepA = p.RowStepB,
                B = p.A,
                RowStepB = p.ColumnStepA,
                ColumnStepB = p.RowStepA,
                C = (nint)scratch,
                RowStepC = p.M,
                M = p.N,
                N = p.M,
                K = p.K,
            }
        );
        T* c = (T*)p.C;
        for (int i = 0; i < p.M; i++)
        {
            T* column = scratch + i;
            for (int j = 0; j < p.N; j++)
            {
                c[j] = *column;
                column += p.M;
            }

            c += p.RowStepC;
        }
    }

    private static void RunBlocks(Product p)
    {
        int maxRows = TileTable<S, V, T>.MaxRows;
        int blocksK = (p.K + BlockK - 1) / BlockK;
        int depth = (p.K + blocksK - 1) / blocksK;
        bool packB = p.ColumnStepB != 1 || (p.M > 4 * maxRows && p.RowStepB * sizeof(T) > 1024);
        bool packA = PacksA(p);
        for (int n = 0; n < p.N; n += BlockN)
        {
            int width = Math.Min(BlockN, p.N - n);
            for (int k = 0; k < p.K; k += depth)
            {
                Block block = new()
                {
                    Product = p,
                    FirstColumn = n,
                    Columns = width,
                    FirstK = k,
                    Depth = Math.Min(depth, p.K - k),
                    PackedA = packA,
                    PackedB = packB,
                    StripByStrip = p.M <= BlockM,
                };
                block.PackB();
                for (int m = 0; m < p.M; m += BlockM)
                {
                    block.FirstRow = m;
                    block.Rows = Math.Min(BlockM, p.M - m);
                    block.Run();
                }
            }
        }
    }

    /// <summary>
    /// Whether rows of A are worth copying: a step of a multiple of 2 KiB maps a tile's rows to the same cache sets, and a
    /// transposed or widely used A is read many times.
    /// </summary>
    private static bool PacksA(Product p)
    {
        if (p.N <= 2 * StripWidth)
        {
            return false;
        }

        return p.ColumnStepA != 1 || p.RowStepA * sizeof(T) % 2048 == 0 || p.N >= 512;
    }

    private static void Clear(Product p)
    {
        for (int i = 0; i < p.M; i++)
        {
            new Span<T>((T*)p.C + (i * p.RowStepC), p.N).Clear();
        }
    }

    /// <summary>A block of the product: some columns, one run of k, and in turn some rows.</summary>
    private struct Block
    {
        public Product Product;
        public int FirstColumn;
        public int Columns;
        public int FirstK;
        public int Depth;
        public int FirstRow;
        public int Rows;
        public bool PackedA;
        public bool PackedB;

        /// <summary>Whether each strip of B is packed when it is needed, into the nearest cache, as no later rows will ask for it.</summary>
        public bool StripByStrip;
        private T* packedB;

        /// <summary>Packs every strip of B, or only the last one where it is not whole vectors.</summary>
        public void PackB()
        {
            bool ragged = Columns % S.Count != 0;
            if (!PackedB && !ragged)
            {
                return;
            }

            int first = PackedB ? 0 : Columns / StripWidth * StripWidth;
            int strips = StripByStrip ? 1 : (Columns + StripWidth - 1) / StripWidth;
            packedB = (T*)Workspace.Get(Workspace.Purpose.PackedB, (long)strips * StripWidth * Depth * sizeof(T));
            for (int column = first; column < Columns && !StripByStrip; column += StripWidth)
            {
                PackStrip(column, packedB + ((long)column * Depth));
            }
        }

        private readonly void PackStrip(int column, T* target)
        {
            int columns = Math.Min(StripWidth, Columns - column);
            Packing<S, V, T>.Strip(SourceB(column), Product.RowStepB, Product.ColumnStepB, target, Depth, columns, Vectors(columns) * S.Count);
        }

        /// <summary>Runs all tiles of the present rows; a strip of B is used for every tile of rows before the next one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run()
        {
            int tiles = (Rows + TileTable<S, V, T>.MaxRows - 1) / TileTable<S, V, T>.MaxRows;
            T* packedA = PackedA ? PackA(tiles) : null;
            TileCall call = new()
            {
                K = Depth,
                RowStepC = (nint)(Product.RowStepC * sizeof(T)),
                Accumulate = FirstK > 0,
            };
            for (int column = 0; column < Columns; column += StripWidth)
            {
                int columns = Math.Min(StripWidth, Columns - column);
                int vectors = Vectors(columns);
                bool packed = PackedB || columns % S.Count != 0;
                call.LastLanes = columns - ((vectors - 1) * S.Count);
                T* strip = StripByStrip ? packedB : packedB + ((long)column * Depth);
                if (packed && StripByStrip)
                {
                    PackStrip(column, strip);
                }

                call.B = (byte*)(packed ? strip : SourceB(column));
                call.RowStepB = packed ? vectors * S.Count * sizeof(T) : (nint)(Product.RowStepB * sizeof(T));
                for (int tile = 0; tile < tiles; tile++)
                {
                    int row = (int)((long)Rows * tile / tiles);
                    int height = (int)((long)Rows * (tile + 1) / tiles) - row;
                    if (PackedA)
                    {
                        call.A = (byte*)(packedA + ((long)row * Depth));
                        call.RowStepA = sizeof(T);
                        call.ColumnStepA = height * sizeof(T);
                    }
                    else
                    {
                        call.A = (byte*)SourceA(row);
                        call.RowStepA = (nint)(Product.RowStepA * sizeof(T));
                        call.ColumnStepA = (nint)(Product.ColumnStepA * sizeof(T));
                    }

                    call.C = (byte*)((T*)Product.C + ((FirstRow + row) * Product.RowStepC) + FirstColumn + column);
                    TileTable<S, V, T>.Get(height, vectors)(&call);
                }
            }
        }

        private readonly T* PackA(int tiles)
        {
            T* packed = (T*)Workspace.Get(Workspace.Purpose.PackedA, (long)Rows * Depth * sizeof(T));
            for (int tile = 0; tile < tiles; tile++)
            {
                int row = (int)((long)Rows * tile / tiles);
                int height = (int)((long)Rows * (tile + 1) / tiles) - row;
                T* target = packed + ((long)row * Depth);
                Packing<S, V, T>.Rows(SourceA(row), Product.RowStepA, Product.ColumnStepA, target, Depth, height);
            }

            return packed;
        }

        private static int Vectors(int columns) => (columns + S.Count - 1) / S.Count;

        private readonly T* SourceA(int row) => (T*)Product.A + ((FirstRow + row) * Product.RowStepA) + (FirstK * Product.ColumnStepA);

        private readonly T* SourceB(int column) => (T*)Product.B + (FirstK * Product.RowStepB) + ((FirstColumn + column) * Product.ColumnStepB);
    }
}
