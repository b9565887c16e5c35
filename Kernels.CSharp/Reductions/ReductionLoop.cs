using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>The sizes and addresses of a reduction, and how it is cut into items.</summary>
internal unsafe struct ReductionJob
{
    public nint X;
    public nint Y;
    public nint Partials;
    public long Outer;
    public long Reduce;
    public long Inner;

    /// <summary>Pieces of the reduced axis; their number depends on the shape alone.</summary>
    public long Chunks;

    /// <summary>Pieces of the inner axis: only a matter of sharing work, for its elements are independent.</summary>
    public long Blocks;
    public int Parts;

    public readonly long Items => Outer * Chunks * Blocks;
}

/// <summary>Reduction of [outer, reduce, inner] over the middle axis, in an order fixed by shape and type.</summary>
internal static unsafe class ReductionLoop<S, V, T, C>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where C : struct, ICombiner
{
    /// <summary>Rows of a chunk where inner is above 1: each element combines its chunk's rows in order, and chunks form a tree.</summary>
    private const long RowChunk = 128;
    private const long InnerBlock = 1024;
    private const long Grain = 32768;

    public static void Run(ReductionJob job, WorkerPool pool)
    {
        bool rows = job.Inner == 1;
        long chunk = rows ? Lanes<S, V, T, C>.Chunk : RowChunk;
        job.Chunks = Math.Max(1, Split.Blocks(job.Reduce, chunk));
        job.Blocks = Split.Blocks(job.Inner, InnerBlock);
        if (job.Items == 0)
        {
            return;
        }

        if (job.Chunks > 1)
        {
            job.Partials = Workspace.Get(Workspace.Purpose.Partials, job.Outer * job.Chunks * job.Inner * sizeof(T));
        }

        int worth = Split.Parts(job.Outer * job.Reduce * job.Inner, Grain, pool);
        job.Parts = (int)Math.Min(worth, job.Items);
        pool.Run(job.Parts, rows ? &RowPart : &ColumnPart, (nint)(&job));
        if (job.Chunks > 1)
        {
            CombineChunks(job);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RowPart(int part, nint context)
    {
        ReductionJob* job = (ReductionJob*)context;
        (long from, long to) = Split.Range(job->Items, part, job->Parts);
        T* target = (T*)(job->Chunks > 1 ? job->Partials : job->Y);
        if (job->Reduce <= Lanes<S, V, T, C>.Short)
        {
            for (long item = from; item < to; item++)
            {
                target[item] = Lanes<S, V, T, C>.OneLane((T*)job->X + (item * job->Reduce), (int)job->Reduce);
            }

            return;
        }

        long chunk = Lanes<S, V, T, C>.Chunk;
        long row = from / job->Chunks;
        long start = from % job->Chunks * chunk;
        for (long item = from; item < to; item++)
        {
            T* x = (T*)job->X + (row * job->Reduce) + start;
            target[item] = Lanes<S, V, T, C>.Run(x, Math.Min(chunk, job->Reduce - start));
            start += chunk;
            if (start >= job->Reduce)
            {
                start = 0;
                row++;
            }
        }
    }

    private static void ColumnPart(int part, nint context)
    {
        ReductionJob* job = (ReductionJob*)context;
        (long from, long to) = Split.Range(job->Items, part, job->Parts);
        T* target = (T*)(job->Chunks > 1 ? job->Partials : job->Y);
        for (long item = from; item < to; item++)
        {
            long column = item % job->Blocks * InnerBlock;
            long row = item / job->Blocks % job->Chunks * RowChunk;
            long outer = item / job->Blocks / job->Chunks;
            T* x = (T*)job->X + (((outer * job->Reduce) + row) * job->Inner) + column;
            T* y = target + (item / job->Blocks * job->Inner) + column;
            Columns(x, y, Math.Min(RowChunk, job->Reduce - row), job->Inner, Math.Min(InnerBlock, job->Inner - column));
        }
    }

    /// <summary>y[j] = x[0, j] combined with x[1, j], ... in order, starting from the identity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Columns(T* x, T* y, long rows, long rowStep, long width)
    {
        long j = 0;
        for (; j <= width - (4 * S.Count); j += 4 * S.Count)
        {
            V s0 = S.Const(C.Identity);
            V s1 = s0;
            V s2 = s0;
            V s3 = s0;
            T* at = x + j;
            for (long row = 0; row < rows; row++)
            {
                s0 = C.Combine<S, V, T>(s0, S.Load(at));
                s1 = C.Combine<S, V, T>(s1, S.Load(at + S.Count));
                s2 = C.Combine<S, V, T>(s2, S.Load(at + (2 * S.Count)));
                s3 = C.Combine<S, V, T>(s3, S.Load(at + (3 * S.Count)));
                at += rowStep;
            }

            S.Store(y + j, s0);
            S.Store(y + j + S.Count, s1);
            S.Store(y + j + (2 * S.Count), s2);
            S.Store(y + j + (3 * S.Count), s3);
        }

        for (; j < width; j += S.Count)
        {
            int lanes = (int)Math.Min(S.Count, width - j);
            V sum = S.Const(C.Identity);
            T* at = x + j;
            for (long row = 0; row < rows; row++)
            {
                sum = C.Combine<S, V, T>(sum, S.LoadPart(at, lanes, S.Zero));
                at += rowStep;
            }

            S.StorePart(y + j, sum, lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CombineChunks(ReductionJob job)
    {
        for (long outer = 0; outer < job.Outer; outer++)
        {
            T* partials = (T*)job.Partials + (outer * job.Chunks * job.Inner);
            if (job.Inner == 1)
            {
                ((T*)job.Y)[outer] = Lanes<S, V, T, C>.Tree(partials, job.Chunks);
                continue;
            }

            for (long step = 1; step < job.Chunks; step *= 2)
            {
                for (long i = 0; i + step < job.Chunks; i += 2 * step)
                {
                    CombineRows(partials + (i * job.Inner), partials + ((i + step) * job.Inner), job.Inner);
                }
            }

            Buffer.MemoryCopy(partials, (T*)job.Y + (outer * job.Inner), job.Inner * sizeof(T), job.Inner * sizeof(T));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CombineRows(T* a, T* b, long count)
    {
        for (long i = 0; i < count; i += S.Count)
        {
            int lanes = (int)Math.Min(S.Count, count - i);
            S.StorePart(a + i, C.Combine<S, V, T>(S.LoadPart(a + i, lanes, S.Zero), S.LoadPart(b + i, lanes, S.Zero)), lanes);
        }
    }
}
