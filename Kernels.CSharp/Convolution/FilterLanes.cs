using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>A convolution of few images: what its parts share. Offsets are in bytes.</summary>
internal unsafe struct FilterJob
{
    public Frame Frame;

    /// <summary>From a place to each tap's factor in the frame, in order.</summary>
    public long* Taps;
    public int TapCount;

    /// <summary>From the frame to each place of an image of the result, row by row.</summary>
    public long* Places;
    public int PlaceCount;

    /// <summary>From an image to the next where they are read.</summary>
    public long ImageStep;

    /// <summary>[filters, channels, window].</summary>
    public nint Weights;
    public PlaneSteps WeightSteps;

    /// <summary>Weights of a filter that follow one another.</summary>
    public int Window;
    public int Filters;

    /// <summary>[images, filters, places].</summary>
    public nint Result;

    /// <summary>Tiles of places in each image.</summary>
    public int Tiles;
    public int Parts;
}

/// <summary>
/// Convolution with filters in the lanes of a register, where <see cref="CorrelationBlocks{S, V, T}"/> has images: for batches too small to fill
/// registers. That is also how a weight gradient looks when it is written as a convolution whose channels are the batch.
/// </summary>
internal static unsafe class FilterLanes<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    // Nine sums keep both multiply-add units busy and leave registers for the addresses.
    private const int TilePlaces = 9;

    // Weights of a run of taps stay in the first-level cache for all places.
    private const int ChunkTaps = 256;

    private static readonly nint[] Loops =
    [
        0,
        Loop<Size1>(),
        Loop<Size2>(),
        Loop<Size3>(),
        Loop<Size4>(),
        Loop<Size5>(),
        Loop<Size6>(),
        Loop<Size7>(),
        Loop<Size8>(),
        Loop<Size9>(),
    ];

    /// <summary>Computes y = x convolved with w; where their planes lie is told by steps.</summary>
    public static void Forward(ConvolutionShape s, nint y, nint x, PlaneSteps xSteps, nint w, PlaneSteps wSteps, WorkerPool pool)
    {
        int window = s.KernelHeight * s.KernelWidth;
        int taps = s.Channels * window;
        int places = s.OutHeight * s.OutWidth;
        if (s.Batch == 0 || s.Filters == 0 || places == 0)
        {
            return;
        }

        long* offsets = (long*)Workspace.Get(Workspace.Purpose.WindowPlan, ((long)taps + places) * sizeof(long));
        FilterJob job = new()
        {
            Frame = CorrelationPlan<S, V, T>.Images(s, x),
            Taps = offsets,
            TapCount = taps,
            Places = offsets + taps,
            PlaceCount = places,
            Weights = w,
            WeightSteps = wSteps,
            Window = wSteps.Plane == window ? taps : window,
            Filters = s.Filters,
            Result = y,
            Tiles = Split.Blocks(places, TilePlaces),
        };
        job.Frame.Steps = xSteps;
        PlaneSteps read = job.Frame.IsPlain ? xSteps : PlaneSteps.Contiguous(s.Channels, job.Frame.Rows, job.Frame.Columns);
        job.ImageStep = read.Image;
        CorrelationPlan<S, V, T>.ImageOffsets(s, read.Plane, job.Frame.Columns, sizeof(T), job.Taps);
        for (int place = 0; place < places; place++)
        {
            long row = place / s.OutWidth * (long)s.StrideHeight;
            job.Places[place] = ((row * job.Frame.Columns) + (place % s.OutWidth * (long)s.StrideWidth)) * sizeof(T);
        }

        long tiles = (long)s.Batch * job.Tiles;
        long multiplyAdds = (long)s.Batch * places * taps * s.Filters;
        job.Parts = (int)Math.Min(tiles, Split.Parts(multiplyAdds, Convolution.Grain, pool));
        pool.Run(job.Parts, &Part, (nint)(&job));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part(int part, nint context)
    {
        FilterJob* job = (FilterJob*)context;
        (long from, long to) = Split.Range(job->Frame.Images * job->Tiles, part, job->Parts);
        nint frames = Frames(job, from / job->Tiles, (to - 1) / job->Tiles);
        long start = Position(job, from);
        long bytes = (Position(job, to) - start) * LaneLayout<T>.Bytes;
        nint sums = Workspace.Get(Workspace.Purpose.LaneResults, bytes);
        nint weights = Workspace.Get(Workspace.Purpose.WindowWeights, ChunkTaps * LaneLayout<T>.Bytes);
        FilterTile tile = new() { Weights = weights };
        for (int filter = 0; filter < job->Filters; filter += LaneLayout<T>.Lanes)
        {
            int filters = Math.Min(LaneLayout<T>.Lanes, job->Filters - filter);
            LaneLayout<T>.Clear(sums, bytes);
            if (filters < LaneLayout<T>.Lanes)
            {
                // Whatever is left in lanes without a filter would be slow if it were subnormal.
                LaneLayout<T>.Clear(weights, ChunkTaps * LaneLayout<T>.Bytes);
            }

            for (int tap = 0; tap < job->TapCount; tap += ChunkTaps)
            {
                tile.Count = Math.Min(ChunkTaps, job->TapCount - tap);
                tile.Taps = job->Taps + tap;
                PackWeights(job, filter, filters, tap, tile.Count, (T*)weights);
                Chunk(job, from, to, frames, sums, &tile);
            }

            Unpack(job, filter, filters, from, to, sums);
        }
    }

    /// <summary>A run of taps of some filters side by side, from one channel after the other.</summary>
    private static void PackWeights(FilterJob* job, int filter, int filters, int tap, int count, T* target)
    {
        T* weights = (T*)job->Weights + (filter * job->WeightSteps.Image);
        for (int end = tap + count; tap < end; )
        {
            (int channel, int inside) = Math.DivRem(tap, job->Window);
            int run = Math.Min(job->Window - inside, end - tap);
            LaneLayout<T>.PackImages(weights + (channel * job->WeightSteps.Plane) + inside, job->WeightSteps.Image, filters, target, run);
            target += run * LaneLayout<T>.Lanes;
            tap += run;
        }
    }

    /// <summary>A run of taps at all places of some tiles.</summary>
    private static void Chunk(FilterJob* job, long from, long to, nint frames, nint sums, FilterTile* tile)
    {
        long firstImage = from / job->Tiles;
        long start = Position(job, from);
        nint weights = tile->Weights;
        for (long i = from; i < to; i++)
        {
            long image = i / job->Tiles;
            long at = Position(job, i);
            int places = (int)(Position(job, i + 1) - at);
            tile->Source = frames + (nint)((image - firstImage) * job->ImageStep * sizeof(T));
            tile->Places = job->Places + (at - (image * job->PlaceCount));
            for (int lanes = 0; lanes < LaneLayout<T>.Bytes; lanes += sizeof(V))
            {
                tile->Weights = weights + lanes;
                tile->Sums = sums + (nint)((at - start) * LaneLayout<T>.Bytes) + lanes;
                ((delegate* <FilterTile*, void>)Loops[places])(tile);
            }
        }

        tile->Weights = weights;
    }

    /// <summary>Sums with filters side by side, of some tiles, to results [images, filters, places].</summary>
    private static void Unpack(FilterJob* job, int filter, int filters, long from, long to, nint sums)
    {
        long end = Position(job, to);
        T* source = (T*)sums;
        for (long at = Position(job, from); at < end; )
        {
            long image = at / job->PlaceCount;
            long count = Math.Min(end, (image + 1) * job->PlaceCount) - at;
            T* target = (T*)job->Result + (((image * job->Filters) + filter) * job->PlaceCount) + (at - (image * job->PlaceCount));
            LaneLayout<T>.Unpack(source, target, job->PlaceCount, filters, count);
            source += count * LaneLayout<T>.Lanes;
            at += count;
        }
    }

    /// <summary>The frames of some images one after another: the images themselves if there is nothing to cut.</summary>
    private static nint Frames(FilterJob* job, long first, long last)
    {
        ref Frame frame = ref job->Frame;
        nint images = frame.Source + (nint)(first * frame.Steps.Image * sizeof(T));
        return frame.IsPlain ? images : frame.Cut(images, (int)(last - first + 1), sizeof(T), Workspace.Purpose.LaneImages);
    }

    /// <summary>The first place of a tile, counted through all images.</summary>
    private static long Position(FilterJob* job, long tile) =>
        (tile / job->Tiles * job->PlaceCount) + (tile % job->Tiles * job->PlaceCount / job->Tiles);

    private static nint Loop<N>()
        where N : unmanaged, ISize => (nint)(delegate* <FilterTile*, void>)&FilterLoop<S, V, T, N>.Run;
}
