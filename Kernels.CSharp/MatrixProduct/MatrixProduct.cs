using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>Matrix products of row-major matrices, Float32 and Float64.</summary>
/// <remarks>
/// Rule R10, exactly: every element of C is the chain <c>acc = fma(a[i, p], b[p, j], acc)</c> for p = 0 to K - 1 in order, starting at
/// zero. So its bits depend on its row of op(A) and its column of op(B) alone: not on M, N, transposition, register width, blocking
/// or number of threads. Only the payload of a NaN is not promised. Terms in which an element of one operand is zero may be left out, where that changes none of these
/// bits. Bias, rectifier and gate work on finished sums.
/// </remarks>
public static unsafe class MatrixProduct
{
    /// <summary>Multiply-adds from which a second thread is worth its start.</summary>
    private const long Grain = 1 << 19;

    /// <summary>Rows of C up to which a copy of B that is transposed already pays: 0.55 of the time with one row, 0.8 with 16, 0.93 to 0.97 with 64 (Zen 4, B of 784 x 128).</summary>
    private const int MostRowsForTranspose = 64;

    /// <summary>Rows that a tile has at least, if C has them: enough to fill the registers.</summary>
    private const int LeastRows = 14;

    /// <summary>
    /// Whether a product reads B sooner as [k, n] than as the [n, k] of its transpose: where C has too few rows to pay for transposing B on the way, and its
    /// columns fill whole registers.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    public static bool PrefersTranspose(ElementType type, int m, int n) => m <= MostRowsForTranspose && n > 0 && n * type.Size() % 64 == 0;

    /// <summary>C = op(A) op(B), with C [m, n], op(A) [m, k] and op(B) [k, n]. C must not overlap A or B.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="transposeA">A is stored as [k, m] and op(A) is its transpose; otherwise A is [m, k].</param>
    /// <param name="transposeB">B is stored as [n, k] and op(B) is its transpose; otherwise B is [k, n].</param>
    /// <param name="m">Rows of C; may be 0.</param>
    /// <param name="n">Columns of C; may be 0.</param>
    /// <param name="k">Length of the sums; 0 gives zeros.</param>
    /// <param name="a">A.</param>
    /// <param name="lda">Elements from a stored row of A to the next.</param>
    /// <param name="b">B.</param>
    /// <param name="ldb">Elements from a stored row of B to the next.</param>
    /// <param name="c">C; every element is written.</param>
    /// <param name="ldc">Elements from a row of C to the next, at least n.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Run(
        ElementType type,
        bool transposeA,
        bool transposeB,
        int m,
        int n,
        int k,
        nint a,
        long lda,
        nint b,
        long ldb,
        nint c,
        long ldc,
        WorkerPool pool
    )
    {
        Job job = new() { Product = Describe(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc), Kernel = Kernel(type) };
        RunProduct(job, type.Size(), pool);
    }

    /// <summary>The same product for each of a batch of matrices.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="transposeA">As in <see cref="Run"/>.</param>
    /// <param name="transposeB">As in <see cref="Run"/>.</param>
    /// <param name="m">Rows of each C.</param>
    /// <param name="n">Columns of each C.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="a">First A.</param>
    /// <param name="lda">Elements from a stored row of A to the next.</param>
    /// <param name="strideA">Elements from one A to the next; 0 uses one A for all.</param>
    /// <param name="b">First B.</param>
    /// <param name="ldb">Elements from a stored row of B to the next.</param>
    /// <param name="strideB">Elements from one B to the next; 0 uses one B for all.</param>
    /// <param name="c">First C.</param>
    /// <param name="ldc">Elements from a row of C to the next.</param>
    /// <param name="strideC">Elements from one C to the next; the matrices must not overlap.</param>
    /// <param name="batch">Number of products; may be 0.</param>
    /// <param name="pool">Threads to use.</param>
    /// <param name="bias">A number for each column, added to every row of each C; none by default.</param>
    /// <param name="rectify">Whether the result then becomes max(result, 0), NaN staying NaN; false by default.</param>
    /// <param name="gate">Numbers that lie as the C do; where one is zero or below, the result is 0 at last. None by default.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void RunBatched(
        ElementType type,
        bool transposeA,
        bool transposeB,
        int m,
        int n,
        int k,
        nint a,
        long lda,
        long strideA,
        nint b,
        long ldb,
        long strideB,
        nint c,
        long ldc,
        long strideC,
        int batch,
        WorkerPool pool,
        nint bias = 0,
        bool rectify = false,
        nint gate = 0
    )
    {
        int size = type.Size();
        Job job = new()
        {
            Product = Describe(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc) with
            {
                Bias = bias,
                Rectify = rectify,
                Gate = gate == 0 ? 0 : gate - c,
            },
            Kernel = Kernel(type),
            Size = size,
            StrideA = strideA,
            StrideB = strideB,
            StrideC = strideC,
            Batch = batch,
        };
        long worth = Worth((long)m * n * k * batch, pool);
        if (batch >= pool.Threads || worth == 1)
        {
            job.Parts = (int)Math.Min(batch, Math.Min(worth * 4, WorkerPool.MaxParts));
            pool.Run(worth == 1 ? Math.Min(batch, 1) : job.Parts, worth == 1 ? &WholeBatch : &BatchPart, (nint)(&job));
            return;
        }

        for (int i = 0; i < batch; i++)
        {
            RunProduct(job with { Product = job.Item(i) }, size, pool);
        }
    }

    internal static Product Describe(bool transposeA, bool transposeB, int m, int n, int k, nint a, long lda, nint b, long ldb, nint c, long ldc) =>
        new()
        {
            A = a,
            RowStepA = transposeA ? 1 : lda,
            ColumnStepA = transposeA ? lda : 1,
            B = b,
            RowStepB = transposeB ? 1 : ldb,
            ColumnStepB = transposeB ? ldb : 1,
            C = c,
            RowStepC = ldc,
            ColumnStepC = 1,
            M = m,
            N = n,
            K = k,
        };

    private static long Worth(long multiplyAdds, WorkerPool pool) => Math.Clamp(multiplyAdds / Grain, 1, pool.Threads);

    /// <summary>
    /// How many runs of rows, and of columns, C is cut into: as many tiles as can be, up to the threads worth using, and of those grids the one
    /// with the fewest columns, as each tile then reads less of A. Elements are on their own, so no bit depends on it.
    /// </summary>
    internal static (int Rows, int Columns) Grid(int m, int n, int k, int size, WorkerPool pool)
    {
        int worth = (int)Worth((long)m * n * k, pool);
        (int Rows, int Columns) best = (1, 1);
        for (int columns = 1; columns <= Math.Clamp(n / ColumnUnit(size), 1, worth) && best.Rows * best.Columns < worth; columns++)
        {
            int rows = Math.Clamp(m / LeastRows, 1, worth / columns);
            if (rows * columns > best.Rows * best.Columns)
            {
                best = (rows, columns);
            }
        }

        return best;
    }

    /// <summary>Where tile <paramref name="part"/> of a grid lies.</summary>
    internal static ((long From, long To) Rows, (long From, long To) Columns) TileOf(int part, int m, int n, int size, (int Rows, int Columns) grid)
    {
        (int column, int row) = Math.DivRem(part, grid.Rows);
        return (
            Split.Range(m, row, grid.Rows, unit: m >= 2 * LeastRows * grid.Rows ? LeastRows / 2 : 1),
            Split.Range(n, column, grid.Columns, unit: ColumnUnit(size))
        );
    }

    /// <summary>Columns that begin on a border of two cache lines.</summary>
    private static int ColumnUnit(int size) => 128 / size;

    private static void RunProduct(Job job, int size, WorkerPool pool)
    {
        Product p = job.Product;
        job.Size = size;
        job.Grid = Grid(p.M, p.N, p.K, size, pool);
        pool.Run(job.Grid.Rows * job.Grid.Columns, &ProductPart, (nint)(&job));
    }

    private static void ProductPart(int part, nint context)
    {
        Job* job = (Job*)context;
        Product p = job->Product;
        ((long From, long To) rows, (long From, long To) columns) = TileOf(part, p.M, p.N, job->Size, job->Grid);
        p.A += (nint)(rows.From * p.RowStepA * job->Size);
        p.B += (nint)(columns.From * p.ColumnStepB * job->Size);
        p.C += (nint)(((rows.From * p.RowStepC) + columns.From) * job->Size);
        p.Bias += p.Bias == 0 ? 0 : (nint)(columns.From * job->Size);
        p.M = (int)(rows.To - rows.From);
        p.N = (int)(columns.To - columns.From);
        job->Kernel(p);
    }

    private static void WholeBatch(int part, nint context)
    {
        Job* job = (Job*)context;
        for (int i = 0; i < job->Batch; i++)
        {
            job->Kernel(job->Item(i));
        }
    }

    private static void BatchPart(int part, nint context)
    {
        Job* job = (Job*)context;
        (long from, long to) = Split.Range(job->Batch, part, job->Parts);
        for (long i = from; i < to; i++)
        {
            job->Kernel(job->Item(i));
        }
    }

    private static delegate* <Product, void> Kernel(ElementType type) =>
        type switch
        {
            ElementType.Float32 => Kernel<float>(),
            ElementType.Float64 => Kernel<double>(),
            _ => throw new NotSupportedException($"The matrix product does not exist for {type}."),
        };

    private static delegate* <Product, void> Kernel<T>()
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            return &ProductLoop<Simd512<T>, Vector512<T>, T>.Run;
        }

        return CpuFeatures.Has256 ? &ProductLoop<Simd256<T>, Vector256<T>, T>.Run : &ProductLoop<Simd128<T>, Vector128<T>, T>.Run;
    }

    private struct Job
    {
        public Product Product;
        public delegate* <Product, void> Kernel;
        public int Size;
        public int Parts;
        public (int Rows, int Columns) Grid;
        public int Batch;
        public long StrideA;
        public long StrideB;
        public long StrideC;

        /// <summary>The product at one place of the batch.</summary>
        public readonly Product Item(long index)
        {
            Product item = Product;
            item.A += (nint)(index * StrideA * Size);
            item.B += (nint)(index * StrideB * Size);
            item.C += (nint)(index * StrideC * Size);
            return item;
        }
    }
}
