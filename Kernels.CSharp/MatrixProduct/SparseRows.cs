using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Operands of some rows of a product whose A is sparse, with one block of B. Steps are in bytes.</summary>
internal unsafe struct RowsCall
{
    public byte* A;

    /// <summary>From a row of A to the next.</summary>
    public nint RowStepA;

    /// <summary>From a column of A to the next.</summary>
    public nint ColumnStepA;

    /// <summary>Whole vectors, row after row.</summary>
    public byte* B;

    /// <summary>For each row a bit for each of its terms that is not zero.</summary>
    public ulong* Left;
    public int Rows;

    /// <summary>The sums, whole vectors, row after row.</summary>
    public byte* Sums;

    /// <summary>What the first row of sums starts from.</summary>
    public byte* Start;

    /// <summary>From what a row starts from to the next; 0 if all start alike.</summary>
    public nint RowStepStart;
}

/// <summary>
/// A product that goes without the zeros of A: every row of C has the terms of its own that are not zero, and no others, see <see cref="ZeroTerms{S, V, T}"/>.
/// </summary>
/// <remarks>
/// The sums of one row are as many vectors as keep the multiply-adds busy, and each of these reads its part of B from memory. So B is taken in blocks that stay in the
/// nearest cache while rows go by: with 512 bits nine loads for eight multiply-adds are what limits it, to 1.2 of a dense tile's time for a term.
/// </remarks>
internal static unsafe class SparseRows<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Vectors of a row of sums.</summary>
    public const int MaxVectors = 8;

    /// <summary>Blocks of B that are packed at once, as short pieces of its rows come slowly.</summary>
    private const int BlocksAtOnce = 8;

    /// <summary>Bytes of sums that wait in the second-level cache for the next block of B.</summary>
    private const int SumBytes = 256 * 1024;

    private static readonly nint[] Loops =
    [
        (nint)(delegate* <RowsCall*, void>)&Add<Size1>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size2>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size3>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size4>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size5>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size6>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size7>,
        (nint)(delegate* <RowsCall*, void>)&Add<Size8>,
    ];

    /// <summary>The whole product, none of whose sizes is 0.</summary>
    /// <param name="p">The product, whose B is finite; without an epilogue where C is stored transposed.</param>
    public static void Run(in Product p)
    {
        int vectors = Split.Blocks(p.N, S.Count);
        int strips = Split.Blocks(vectors, MaxVectors);
        for (int strip = 0; strip < strips; strip++)
        {
            (long first, long end) = Split.Range(vectors, strip, strips);
            new Strip(p, (int)first, (int)(end - first)).Run();
        }
    }

    /// <summary>Some columns of C.</summary>
    private readonly struct Strip(Product product, int firstVector, int vectors)
    {
        private readonly int column = firstVector * S.Count;
        private readonly int columns = Math.Min(vectors * S.Count, product.N - (firstVector * S.Count));

        /// <summary>Elements of a row of sums, and of one of a block of B.</summary>
        private int Width => vectors * S.Count;

        public void Run()
        {
            int blocks = Split.Blocks(product.M, SumBytes / (Width * sizeof(T)));
            for (int block = 0; block < blocks; block++)
            {
                (long first, long end) = Split.Range(product.M, block, blocks, unit: S.Count);
                RunRows((int)first, (int)end);
            }
        }

        /// <summary>Runs rows from one (inclusive) to another with one block of B after the other.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void RunRows(int firstRow, int endRow)
        {
            int parts = Split.Blocks(product.K, ZeroTerms<S, V, T>.MostTerms);
            int keptRows = parts == 1 ? S.Count : endRow - firstRow;
            T* sums = (T*)Workspace.Get(Workspace.Purpose.SparseSums, (long)keptRows * Width * sizeof(T));
            T* copyOfA = (T*)Workspace.Get(Workspace.Purpose.SparseA, (long)ZeroTerms<S, V, T>.MostTerms * S.Count * sizeof(T));
            T* zeros = stackalloc T[Width];
            new Span<T>(zeros, Width).Clear();
            ulong* left = stackalloc ulong[S.Count];
            bool across = product.ColumnStepA != 1;
            RowsCall call = new()
            {
                RowStepA = (nint)(product.RowStepA * sizeof(T)),
                ColumnStepA = (across ? S.Count : 1) * sizeof(T),
                Left = left,
            };
            delegate* <RowsCall*, void> add = (delegate* <RowsCall*, void>)Loops[vectors - 1];
            for (int part = 0; part < parts; part++)
            {
                (long from, long to) = Block(part, parts);
                call.B = (byte*)BlockOfB(part, parts);
                for (int row = firstRow; row < endRow; row += S.Count)
                {
                    T* a = (T*)product.A + (row * product.RowStepA) + (from * product.ColumnStepA);
                    T* target = parts == 1 ? sums : sums + ((long)(row - firstRow) * Width);
                    call.A = (byte*)(across ? copyOfA : a);
                    call.Rows = Math.Min(S.Count, endRow - row);
                    call.Sums = (byte*)target;
                    call.Start = (byte*)(part == 0 ? zeros : target);
                    call.RowStepStart = part == 0 ? 0 : Width * sizeof(T);
                    ZeroTerms<S, V, T>.Find(a, product.RowStepA, product.ColumnStepA, call.Rows, (int)(to - from), left, copyOfA);
                    AskFor(row, call.Rows, last: part == parts - 1);
                    add(&call);
                    if (part == parts - 1)
                    {
                        Finish(target, row, call.Rows);
                    }
                }
            }
        }

        /// <summary>Where a block of K lies.</summary>
        private (long From, long To) Block(int part, int parts) => Split.Range(product.K, part, parts, unit: S.Count);

        /// <summary>A block of B in whole vectors, row after row: where it lies, if its rows are whole vectors without gaps, or a copy of it and of some after it, made with the first of them.</summary>
        private T* BlockOfB(int part, int parts)
        {
            (long from, _) = Block(part, parts);
            if (product.ColumnStepB == 1 && product.RowStepB == Width && columns == Width)
            {
                return SourceB(from);
            }

            T* copy = (T*)Workspace.Get(Workspace.Purpose.SparseB, (long)BlocksAtOnce * ZeroTerms<S, V, T>.MostTerms * Width * sizeof(T));
            (long first, _) = Block(part / BlocksAtOnce * BlocksAtOnce, parts);
            if (from == first)
            {
                (_, long end) = Block(Math.Min(part + BlocksAtOnce, parts) - 1, parts);
                Packing<S, V, T>.Strip(SourceB(from), product.RowStepB, product.ColumnStepB, copy, (int)(end - from), columns, Width);
            }

            return copy + ((from - first) * Width);
        }

        /// <summary>Asks for what finished rows will be written to where C is stored transposed: each of its rows is on another page.</summary>
        private void AskFor(int row, int rows, bool last)
        {
            if (last && product.ColumnStepC != 1)
            {
                Prefetch.Rows(TargetC(row), product.ColumnStepC, columns, rows);
            }
        }

        private T* SourceB(long term) => (T*)product.B + (term * product.RowStepB) + (column * product.ColumnStepB);

        private T* TargetC(int row) => (T*)product.C + (row * product.RowStepC) + (column * product.ColumnStepC);

        /// <summary>Writes finished rows to C, or computes them with all terms if their sums may not be the same without the others.</summary>
        private void Finish(T* sums, int row, int rows)
        {
            T* c = TargetC(row);
            if (ZeroTerms<S, V, T>.AnyMinusZero(sums, rows * vectors))
            {
                ProductBlocks<S, V, T>.Run(
                    product with
                    {
                        A = product.A + (nint)(row * product.RowStepA * sizeof(T)),
                        B = product.B + (nint)(column * product.ColumnStepB * sizeof(T)),
                        C = (nint)c,
                        M = rows,
                        N = columns,
                        Bias = product.Bias == 0 ? 0 : product.Bias + (column * sizeof(T)),
                    }
                );
            }
            else if (product.ColumnStepC == 1)
            {
                Epilogue<S, V, T>.Finish(product, sums, Width, c, rows, column, columns);
            }
            else
            {
                Packing<S, V, T>.Turn(sums, Width, c, product.ColumnStepC, rows, columns);
            }
        }
    }

    /// <summary>Adds the terms of a block to some rows, each in the order of k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<N>(RowsCall* call)
        where N : unmanaged, ISize
    {
        nint columnStep = call->ColumnStepA;
        byte* a = call->A;
        byte* b = call->B;
        T* start = (T*)call->Start;
        T* sums = (T*)call->Sums;
        for (int row = 0; row < call->Rows; row++)
        {
            if (call->Left[row] == 0 && start == sums)
            {
                a += call->RowStepA;
                start += sizeof(N) * S.Count;
                sums += sizeof(N) * S.Count;
                continue;
            }

            V c0 = S.Load(start);
            V c1 = sizeof(N) > 1 ? S.Load(start + S.Count) : default;
            V c2 = sizeof(N) > 2 ? S.Load(start + (2 * S.Count)) : default;
            V c3 = sizeof(N) > 3 ? S.Load(start + (3 * S.Count)) : default;
            V c4 = sizeof(N) > 4 ? S.Load(start + (4 * S.Count)) : default;
            V c5 = sizeof(N) > 5 ? S.Load(start + (5 * S.Count)) : default;
            V c6 = sizeof(N) > 6 ? S.Load(start + (6 * S.Count)) : default;
            V c7 = sizeof(N) > 7 ? S.Load(start + (7 * S.Count)) : default;
            for (ulong left = call->Left[row]; left != 0; left &= left - 1)
            {
                nint term = BitOperations.TrailingZeroCount(left);
                V x = S.Broadcast(*(T*)(a + (term * columnStep)));
                T* w = (T*)(b + (term * sizeof(N) * sizeof(V)));
                c0 = S.Fma(x, S.Load(w), c0);
                c1 = sizeof(N) > 1 ? S.Fma(x, S.Load(w + S.Count), c1) : c1;
                c2 = sizeof(N) > 2 ? S.Fma(x, S.Load(w + (2 * S.Count)), c2) : c2;
                c3 = sizeof(N) > 3 ? S.Fma(x, S.Load(w + (3 * S.Count)), c3) : c3;
                c4 = sizeof(N) > 4 ? S.Fma(x, S.Load(w + (4 * S.Count)), c4) : c4;
                c5 = sizeof(N) > 5 ? S.Fma(x, S.Load(w + (5 * S.Count)), c5) : c5;
                c6 = sizeof(N) > 6 ? S.Fma(x, S.Load(w + (6 * S.Count)), c6) : c6;
                c7 = sizeof(N) > 7 ? S.Fma(x, S.Load(w + (7 * S.Count)), c7) : c7;
            }

            Store<N>(sums, 0, c0);
            Store<N>(sums, 1, c1);
            Store<N>(sums, 2, c2);
            Store<N>(sums, 3, c3);
            Store<N>(sums, 4, c4);
            Store<N>(sums, 5, c5);
            Store<N>(sums, 6, c6);
            Store<N>(sums, 7, c7);
            a += call->RowStepA;
            start = (T*)((byte*)start + call->RowStepStart);
            sums += sizeof(N) * S.Count;
        }
    }

    /// <summary>Stores one vector of a row of sums, if the row has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<N>(T* sums, int vector, V sum)
        where N : unmanaged, ISize
    {
        if (vector < sizeof(N))
        {
            S.Store(sums + (vector * S.Count), sum);
        }
    }
}
