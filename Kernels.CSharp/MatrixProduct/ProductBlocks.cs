using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>A product in blocks over N, K and M, as the caches hold them: packing, and calls of the tiles.</summary>
internal static unsafe class ProductBlocks<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Depth of a block of K. A strip of B leaves the nearest cache at a sixth of it, but every block reads and writes all of C, which costs more.</summary>
    private const int BlockK = 1024;

    /// <summary>Values of k that tiles of a packed A take in a round; blocks of K are whole rounds where they can be.</summary>
    private const int TermsAtATime = 2;
    private const int BlockN = 2048;

    /// <summary>Rows of a block of M: with 1024 of K it is twice the second-level cache; fewer blocks matter more.</summary>
    private static int BlockM => 512 * 4 / sizeof(T);
    private const int LineBytes = 64;

    /// <summary>Depth from which the sums of a tile take longer than what is asked for meanwhile does to come from memory.</summary>
    private const int DeepEnoughToWait = 64;

    /// <summary>Bytes of an operand from which it is taken to lie beyond the second-level cache.</summary>
    private const int FarBytes = 512 * 1024;

    /// <summary>Rows of a tile whose sums are transposed: as many as packing transposes at once. Tiles that fill a register together are transposed together.</summary>
    private const int MostRowsToTurn = 8;

    /// <summary>The whole product, none of whose sizes is 0.</summary>
    /// <param name="p">The product; without an epilogue where C is stored transposed.</param>
    public static void Run(Product p)
    {
        (int maxRows, int maxVectors) = Shape(p);
        Block block = new()
        {
            Product = p,
            MaxRows = maxRows,
            MaxVectors = maxVectors,
            StripByStrip = p.M <= BlockM,
            PackedA = p.N > 2 * maxVectors * S.Count && (p.ColumnStepA != 1 || p.RowStepA * sizeof(T) % 2048 == 0 || p.N >= 512),
            PackedB = p.ColumnStepB != 1 || (p.M > 4 * maxRows && p.RowStepB * sizeof(T) > 1024),
        };
        int blocksN = Split.Blocks(p.N, BlockN);
        int blocksK = Split.Blocks(p.K, BlockK);
        int blocksM = Split.Blocks(p.M, BlockM);
        for (int n = 0; n < blocksN; n++)
        {
            (block.FirstColumn, block.Columns) = Part(p.N, n, blocksN, S.Count);
            for (int k = 0; k < blocksK; k++)
            {
                (block.FirstK, block.Depth) = Part(p.K, k, blocksK, TermsAtATime);
                block.PackB();
                for (int m = 0; m < blocksM; m++)
                {
                    (block.FirstRow, block.Rows) = Part(p.M, m, blocksM, 1);
                    block.Run();
                }
            }
        }
    }

    /// <summary>The largest tile of a product.</summary>
    private static (int Rows, int Vectors) Shape(in Product p)
    {
        (int rows, int vectors) = TileTable<S, V, T, Size1>.Shape(p.M, p.N);
        return (p.ColumnStepC == 1 ? rows : Math.Min(rows, MostRowsToTurn), vectors);
    }

    /// <summary>Start and length of one of several parts of a length that share its units evenly, so that none is much shorter than the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int Start, int Length) Part(int length, int part, int parts, int unit)
    {
        (int units, int longer) = Math.DivRem(Split.Blocks(length, unit), parts);
        int start = ((part * units) + Math.Min(part, longer)) * unit;
        return (start, Math.Min((units + (part < longer ? 1 : 0)) * unit, length - start));
    }

    /// <summary>A block of the product: some columns, one run of k, and in turn some rows.</summary>
    private struct Block
    {
        public Product Product;
        public int MaxRows;
        public int MaxVectors;
        public int FirstColumn;
        public int Columns;
        public int FirstK;
        public int Depth;
        public int FirstRow;
        public int Rows;
        public bool PackedA;
        public bool PackedB;

        /// <summary>Whether each strip of B is packed when it is needed, into near caches, as no later rows will ask for it.</summary>
        public bool StripByStrip;
        private T* packedA;
        private T* packedB;

        private readonly int Strips => Split.Blocks(Columns, MaxVectors * S.Count);

        /// <summary>Packs every strip of B, or only the last one where it is not whole vectors.</summary>
        public void PackB()
        {
            if (!PackedB && Columns % S.Count == 0)
            {
                return;
            }

            int strips = Strips;
            packedB = (T*)Workspace.Get(Workspace.Purpose.PackedB, (StripByStrip ? 1 : (long)strips) * MaxVectors * S.Count * Depth * sizeof(T));
            for (int strip = PackedB ? 0 : strips - 1; strip < strips && !StripByStrip; strip++)
            {
                (int column, int columns) = Part(Columns, strip, strips, S.Count);
                PackStrip(column, columns, packedB + ((long)column * Depth));
            }
        }

        private readonly void PackStrip(int column, int columns, T* target) =>
            Packing<S, V, T>.Strip(
                SourceB(column),
                Product.RowStepB,
                Product.ColumnStepB,
                target,
                Depth,
                columns,
                Split.Blocks(columns, S.Count) * S.Count
            );

        /// <summary>Runs all tiles of the present rows; a strip of B is used for every tile of rows before the next one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run()
        {
            int tiles = Split.Blocks(Rows, MaxRows);
            int strips = Strips;
            packedA = PackedA ? PackA(tiles) : null;
            int largest = MaxRows * MaxVectors * S.Count;
            T* start = stackalloc T[largest + (Math.Max(MaxRows, S.Count) * MaxVectors * S.Count)];
            new Span<T>(start, largest).Clear();
            TileCall call = new()
            {
                RowStepA = PackedA ? sizeof(T) : (nint)(Product.RowStepA * sizeof(T)),
                ColumnStepA = (nint)(Product.ColumnStepA * sizeof(T)),
                Start = (byte*)start,
            };
            for (int strip = 0; strip < strips; strip++)
            {
                (int column, int columns) = Part(Columns, strip, strips, S.Count);
                int vectors = Split.Blocks(columns, S.Count);
                bool packed = PackedB || columns % S.Count != 0;
                T* copy = StripByStrip ? packedB : packedB + ((long)column * Depth);
                if (packed && StripByStrip)
                {
                    PackStrip(column, columns, copy);
                }

                call.B = (byte*)(packed ? copy : SourceB(column));
                call.RowStepB = packed ? vectors * S.Count * sizeof(T) : (nint)(Product.RowStepB * sizeof(T));
                call.C = (byte*)((T*)Product.C + (FirstRow * Product.RowStepC) + ((FirstColumn + column) * Product.ColumnStepC));
                Source next = StripByStrip && PackedB && strip + 1 < strips ? SourceOfStrip(Part(Columns, strip + 1, strips, S.Count)) : default;
                RunStrip(call, tiles, next, start, start + largest, column, columns);
            }
        }

        /// <summary>Runs the tiles of one strip from the first row on. Where rows do not share out evenly, the first tiles have one more, as <see cref="Part"/> has it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void RunStrip(TileCall call, int tiles, Source next, T* start, T* apart, int column, int columns)
        {
            int vectors = Split.Blocks(columns, S.Count);
            T* c = (T*)call.C;
            bool whole = columns % S.Count == 0;
            bool transposed = Product.ColumnStepC != 1;
            bool pairs = PackedA && Depth % TermsAtATime == 0;
            bool last = Product.HasEpilogue && FirstK + Depth == Product.K;

            // Rows that are not whole vectors are finished outside of C: 0.76 to 0.89 of the time at 1437 x 10 x 50, when that came here, probably as parts of vectors
            // that were just written are slow to read.
            bool aside = transposed || (last && !whole);
            long sumStep = aside ? vectors * S.Count : Product.RowStepC;
            call.RowStepC = (nint)(sumStep * sizeof(T));
            call.LastLanes = aside ? S.Count : columns - ((vectors - 1) * S.Count);
            (int least, int taller) = Math.DivRem(Rows, tiles);
            int tallRows = taller * (least + 1);
            int height = 0;
            delegate* <TileCall*, void> run = null;
            int turning = 0;
            for (int row = 0; row < Rows; row += height)
            {
                if (row == 0 || row == tallRows)
                {
                    height = row < tallRows ? least + 1 : least;
                    run = pairs ? TileTable<S, V, T, Size2>.Get(height, vectors) : TileTable<S, V, T, Size1>.Get(height, vectors);
                    call.ColumnStepA = PackedA ? height * sizeof(T) : call.ColumnStepA;
                }

                call.A = (byte*)(PackedA ? packedA + ((long)row * Depth) : SourceA(row));
                call.C = (byte*)(aside ? apart + (turning * sumStep) : c);
                int nextHeight = Math.Min(Rows - row - height, row + height < tallRows ? least + 1 : least);
                if (FirstK > 0)
                {
                    Continue(&call, c, whole && !transposed ? null : start, height, columns);
                }

                if (Depth >= DeepEnoughToWait)
                {
                    AskAhead(c, next, row, height, columns, again: turning > 0);
                }

                call.K = Depth;
                run(&call);
                if (last)
                {
                    Epilogue<S, V, T>.Finish(Product, (T*)call.C, sumStep, c, height, FirstColumn + column, columns);
                }
                else if (transposed)
                {
                    turning += height;
                    if (nextHeight == 0 || turning + nextHeight > S.Count)
                    {
                        Packing<S, V, T>.Turn(apart, sumStep, c - ((turning - height) * Product.RowStepC), Product.ColumnStepC, turning, columns);
                        turning = 0;
                    }
                }

                c += height * Product.RowStepC;
            }
        }

        /// <summary>Asks for what a tile will write, unless tiles that are transposed with it have asked for most of its lines, for its gates, and for its share of what is packed next.</summary>
        private readonly void AskAhead(T* c, Source next, int row, int height, int columns, bool again)
        {
            bool far = (long)Product.K * Product.N * sizeof(T) >= FarBytes;
            if (far)
            {
                next.AskFor(row, row + height, Rows);
            }

            if (far && FirstK == 0 && !again)
            {
                bool transposed = Product.ColumnStepC != 1;
                Prefetch.Rows(c, transposed ? Product.ColumnStepC : Product.RowStepC, transposed ? columns : height, transposed ? height : columns);
            }

            if (Product.Gate != 0 && FirstK + Depth == Product.K)
            {
                Prefetch.Rows((T*)((byte*)c + Product.Gate), Product.RowStepC, height, columns);
            }
        }

        /// <summary>Starts a tile from the sums that C holds, copied where their rows are not whole vectors or where they may be asked for twice.</summary>
        private readonly void Continue(TileCall* call, T* c, T* copy, int height, int columns)
        {
            long step = copy == null ? Product.RowStepC : Split.Blocks(columns, S.Count) * S.Count;
            call->Start = (byte*)(copy == null ? c : copy);
            call->RowStepStart = (nint)(step * sizeof(T));
            if (copy != null && Product.ColumnStepC != 1)
            {
                Packing<S, V, T>.Turn(c, Product.ColumnStepC, copy, step, columns, height);
                return;
            }

            for (int row = 0; row < height && copy != null; row++)
            {
                long bytes = columns * sizeof(T);
                Buffer.MemoryCopy(c + (row * Product.RowStepC), call->Start + (row * call->RowStepStart), bytes, bytes);
            }
        }

        private readonly T* PackA(int tiles)
        {
            T* packed = (T*)Workspace.Get(Workspace.Purpose.PackedA, (long)Rows * Depth * sizeof(T));
            for (int tile = 0; tile < tiles; tile++)
            {
                (int row, int height) = Part(Rows, tile, tiles, 1);
                T* target = packed + ((long)row * Depth);
                Packing<S, V, T>.Rows(SourceA(row), Product.RowStepA, Product.ColumnStepA, target, Depth, height);
            }

            return packed;
        }

        /// <summary>Where a strip of B lies.</summary>
        private readonly Source SourceOfStrip((int Column, int Columns) strip) =>
            Product.ColumnStepB == 1
                ? new(SourceB(strip.Column), Product.RowStepB, Depth, strip.Columns)
                : new(SourceB(strip.Column), Product.ColumnStepB, strip.Columns, Depth);

        private readonly T* SourceA(int row) => (T*)Product.A + ((FirstRow + row) * Product.RowStepA) + (FirstK * Product.ColumnStepA);

        private readonly T* SourceB(int column) => (T*)Product.B + (FirstK * Product.RowStepB) + ((FirstColumn + column) * Product.ColumnStepB);
    }

    /// <summary>Some runs of elements in memory, of one length and at even distances, that will be packed soon.</summary>
    private readonly struct Source(T* start, long step, int runs, int length)
    {
        /// <summary>Asks for the runs from one share of them (inclusive) to another; they then come to the second-level cache while a tile runs.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void AskFor(long from, long to, long shares)
        {
            for (long run = runs * from / shares; run < runs * to / shares; run++)
            {
                byte* first = (byte*)(start + (run * step));
                for (long at = 0; at < (long)length * sizeof(T); at += LineBytes)
                {
                    Prefetch.DistantLine(first + at);
                }
            }
        }
    }
}
