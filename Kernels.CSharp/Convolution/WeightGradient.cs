using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Images and gradients to pack, and where the sums of each group of blocks go; or, in <see cref="ChannelLanes{S, V, T}"/>, channels of images and of
/// weights. Steps are in bytes.
/// </summary>
internal unsafe struct WeightJob
{
    /// <summary>Blocks of images whose sums run on in the same lanes. Part of the order of summation.</summary>
    public const int GroupBlocks = 2;

    public Frame Images;
    public Frame Gradients;

    /// <summary>Taps' distances from a place, in the order of the weights.</summary>
    public long* Offsets;
    public int Taps;
    public long SourceStep;
    public long SourceRowStep;

    /// <summary>Rows and columns of the window whose elements, plane by plane, the taps are, and their distances in the images.</summary>
    public int WindowRows;
    public int WindowColumns;
    public int RowDilation;
    public int ColumnDilation;

    /// <summary>[groups, filters, taps].</summary>
    public nint Partials;
    public int Blocks;
    public int Groups;
    public int Parts;

    /// <summary>How many sums there are.</summary>
    public readonly long Count => (long)Gradients.Planes * Taps;
}

/// <summary>Runs a weight gradient group by group.</summary>
internal static unsafe class WeightGradient<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Bytes of gradient that a tile reads again for each run of taps: they stay in the first-level cache.</summary>
    private const int ChunkBytes = 24 * 1024;

    /// <summary>The sums of each group, for <see cref="Combine"/>.</summary>
    public static void Run(ref WeightJob job, WorkerPool pool)
    {
        job.Blocks = LaneLayout<T>.Blocks(job.Images.Images);
        job.Groups = Split.Blocks(job.Blocks, WeightJob.GroupBlocks);
        job.Partials = Workspace.Get(Workspace.Purpose.WindowPartials, job.Groups * job.Count * sizeof(T));
        job.Parts = CorrelationBlocks<S, V, T>.Parts(job.Groups, job.Gradients.Images * job.Gradients.Size * job.Taps, pool);
        fixed (WeightJob* self = &job)
        {
            pool.Run(job.Parts, &Part, (nint)self);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part(int part, nint context)
    {
        WeightJob* job = (WeightJob*)context;
        (long from, long to) = Split.Range(job->Groups, part, job->Parts);
        long count = job->Count;
        long imageBytes = job->Images.Size * LaneLayout<T>.Bytes;
        nint images = Workspace.Get(Workspace.Purpose.LaneImages, imageBytes);
        nint gradients = Workspace.Get(Workspace.Purpose.LaneResults, job->Gradients.Size * LaneLayout<T>.Bytes);
        nint sums = Workspace.Get(Workspace.Purpose.LaneSums, count * LaneLayout<T>.Bytes);
        if (!job->Images.IsPlain)
        {
            LaneLayout<T>.Clear(images, imageBytes);
        }

        for (long group = from; group < to; group++)
        {
            LaneLayout<T>.Clear(sums, count * LaneLayout<T>.Bytes);
            long end = Math.Min((group + 1) * WeightJob.GroupBlocks, job->Blocks);
            for (long block = group * WeightJob.GroupBlocks; block < end; block++)
            {
                job->Images.Pack<T>(block, images);
                job->Gradients.Pack<T>(block, gradients);
                Block(*job, images, gradients, sums);
            }

            LaneLayout<T>.SumLanes((T*)sums, (T*)job->Partials + (group * count), count);
        }
    }

    /// <summary>
    /// The partial sums [groups, filters, planes, rest] of a job, whose taps are of some planes, group by group into a result [planes, filters, rest].
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Combine(in WeightJob job, T* partials, long groups, int planes, T* result)
    {
        int filters = job.Gradients.Planes;
        int rest = job.Taps / planes;
        for (int filter = 0; filter < filters; filter++)
        {
            for (int plane = 0; plane < planes; plane++)
            {
                Total(partials, groups, job.Count, result + (((plane * (long)filters) + filter) * rest), rest);
                partials += rest;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Total(T* partials, long groups, long step, T* result, int count)
    {
        for (int i = 0; i < count; i += S.Count)
        {
            int lanes = Math.Min(S.Count, count - i);
            V sum = S.LoadPart(partials + i, lanes, S.Zero);
            for (long group = 1; group < groups; group++)
            {
                sum = S.Add(sum, S.LoadPart(partials + (group * step) + i, lanes, S.Zero));
            }

            S.StorePart(result + i, sum, lanes);
        }
    }

    /// <summary>Goes on with the sums over one block.</summary>
    public static void Block(in WeightJob job, nint images, nint gradients, nint sums)
    {
        if (SparseWeights<S, V, T>.TryAdd(job, images, gradients, sums))
        {
            return;
        }

        for (int lanes = 0; lanes < LaneLayout<T>.Bytes; lanes += sizeof(V))
        {
            Lanes(job, images + lanes, gradients + lanes, sums + lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Lanes(in WeightJob job, nint images, nint gradients, nint sums)
    {
        int filters = job.Gradients.Planes;
        int rows = job.Gradients.Rows;
        int columns = job.Gradients.Columns;
        WeightTile call;
        call.GradientPlaneStep = (long)rows * columns * LaneLayout<T>.Bytes;
        call.GradientStep = LaneLayout<T>.Bytes;
        call.SourceStep = job.SourceStep;
        call.SourceRowStep = job.SourceRowStep;
        call.Columns = columns;
        call.SumsRowStep = (long)job.Taps * LaneLayout<T>.Bytes;
        call.SumsStep = LaneLayout<T>.Bytes;
        int tiles = Split.Blocks(filters, WindowTiles<S, V, T>.Filters);
        int runs = Split.Blocks(job.Taps, WindowTiles<S, V, T>.Taps);
        (int few, int longer) = Math.DivRem(job.Taps, runs);
        int chunk = Math.Max(1, ChunkBytes / (WindowTiles<S, V, T>.Filters * columns * LaneLayout<T>.Bytes));
        for (int row = 0; row < rows; row += chunk)
        {
            call.Rows = Math.Min(chunk, rows - row);
            call.Source = images + (nint)(row * job.SourceRowStep);
            for (int tile = 0; tile < tiles; tile++)
            {
                int first = (int)((long)filters * tile / tiles);
                int height = (int)((long)filters * (tile + 1) / tiles) - first;
                call.Gradients = gradients + (nint)((first * call.GradientPlaneStep) + ((long)row * columns * LaneLayout<T>.Bytes));
                nint* loops = WindowTiles<S, V, T>.Weight(height);
                int tap = 0;
                for (int run = 0; run < runs; run++)
                {
                    int count = few + (run < longer ? 1 : 0);
                    call.Offsets = job.Offsets + tap;
                    call.Sums = sums + (nint)((first * call.SumsRowStep) + (tap * call.SumsStep));
                    ((delegate* <WeightTile*, void>)loops[count])(&call);
                    tap += count;
                }
            }
        }
    }
}
