using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// One sweep of a window over a block: the sums over taps of a packed frame times weights, at a grid of places. Steps are in bytes.
/// </summary>
internal unsafe struct Correlation
{
    /// <summary>The first place in the frame.</summary>
    public long Source;
    public long SourceRowStep;
    public long SourceStep;

    /// <summary>The first place in the result.</summary>
    public long Target;
    public long TargetRowStep;
    public long TargetStep;

    /// <summary>From an output to the next.</summary>
    public long TargetPlaneStep;

    /// <summary>Rows and columns of places.</summary>
    public int Rows;
    public int Columns;
    public int Outputs;
    public int Taps;

    /// <summary>The taps are [planes, rows of the window, columns of the window]; these say which of them places have.</summary>
    public int Planes;
    public Reach WindowRows;
    public Reach WindowColumns;

    /// <summary>Taps' distances from a place, in order.</summary>
    public nint Offsets;

    /// <summary>A row of places, tile by tile.</summary>
    public PlaceRun* Runs;
    public int RunCount;

    /// <summary>From the job's weights to those of this sweep: each tile of outputs, tap by tap.</summary>
    public long Weights;
}

/// <summary>Neighbouring places that one tile has, and the columns of the window that any of them has.</summary>
internal struct PlaceRun
{
    public int First;
    public int Places;
    public int FirstColumn;
    public int Columns;
}

/// <summary>
/// Which elements of a window, along one axis, meet the inside of an image: element m at place p stands at Origin + p * PlaceStep + m * TapStep, and
/// inside is [0, Length). Without a limit all do.
/// </summary>
internal struct Reach
{
    public int Taps;
    public int Origin;
    public int PlaceStep;

    /// <summary>Negative where a convolution is transposed.</summary>
    public int TapStep;

    /// <summary>0 for no limit.</summary>
    public int Length;

    /// <summary>The elements that some place of a run has.</summary>
    public readonly (int First, int Count) Of(int firstPlace, int lastPlace)
    {
        if (Length == 0)
        {
            return (0, Taps);
        }

        // How far the first element stands from the two ends, against the steps' direction and along it.
        int start = Origin + (firstPlace * PlaceStep);
        int last = Origin + (lastPlace * PlaceStep);
        int low = TapStep < 0 ? start - Length + 1 : -last;
        int high = TapStep < 0 ? last : Length - 1 - start;
        int step = Math.Abs(TapStep);
        int first = low <= 0 ? 0 : (low + step - 1) / step;
        int end = high < 0 ? 0 : Math.Min(Taps, (high / step) + 1);
        return (first, Math.Max(0, end - first));
    }
}

/// <summary>Frames to pack, sweeps to run, and where the results go.</summary>
internal unsafe struct CorrelationJob
{
    public Frame Frame;
    public Correlation* Sweeps;
    public int SweepCount;
    public nint Weights;

    /// <summary>A number for each output, added to its sums, or 0 for none.</summary>
    public nint Bias;

    /// <summary>Whether results are rectified.</summary>
    public bool Rectify;
    public nint Result;

    /// <summary>Elements of an image of the result.</summary>
    public long ResultSize;
    public int Blocks;
    public int Parts;
}

/// <summary>Runs sweeps block by block.</summary>
internal static unsafe class CorrelationBlocks<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Tiles that cover a number of outputs evenly.</summary>
    public static int TilesOf(int outputs) => Split.Blocks(outputs, WindowTiles<S, V, T>.Outputs);

    /// <summary>Parts that a number of blocks, or groups of them, is worth.</summary>
    public static int Parts(int blocks, long multiplyAdds, WorkerPool pool) =>
        pool.Threads == 1 || multiplyAdds < 2 * Convolution.Grain ? 1 : (int)Math.Min(blocks, Math.Min(pool.Threads * 4L, WorkerPool.MaxParts));

    /// <summary>Where a tile's outputs begin.</summary>
    public static int TileStart(int outputs, int tile, int tiles) => (int)((long)outputs * tile / tiles);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Part(int part, nint context)
    {
        CorrelationJob* job = (CorrelationJob*)context;
        (long from, long to) = Split.Range(job->Blocks, part, job->Parts);
        long bytes = job->Frame.Size * LaneLayout<T>.Bytes;
        nint source = Workspace.Get(Workspace.Purpose.LaneImages, bytes);
        nint target = Workspace.Get(Workspace.Purpose.LaneResults, job->ResultSize * LaneLayout<T>.Bytes);
        if (!job->Frame.IsPlain)
        {
            LaneLayout<T>.Clear(source, bytes);
        }

        for (long block = from; block < to; block++)
        {
            job->Frame.Pack<T>(block, source);
            Block(*job, target, source, job->Weights);
            T* result = (T*)job->Result + (block * LaneLayout<T>.Lanes * job->ResultSize);
            LaneLayout<T>.Unpack((T*)target, result, job->ResultSize, LaneLayout<T>.Images(job->Frame.Images, block), job->ResultSize);
        }
    }

    /// <summary>All sweeps over one block.</summary>
    public static void Block(in CorrelationJob job, nint target, nint source, nint weights)
    {
        for (int i = 0; i < job.SweepCount; i++)
        {
            Correlation* sweep = job.Sweeps + i;
            for (int lanes = 0; lanes < LaneLayout<T>.Bytes; lanes += sizeof(V))
            {
                Sweep(job, sweep, source + lanes, target + lanes, weights + (nint)sweep->Weights);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sweep(in CorrelationJob job, Correlation* sweep, nint source, nint target, nint weights)
    {
        T* none = stackalloc T[16];
        for (int i = 0; i < 16; i += S.Count)
        {
            S.Store(none + i, S.Const(-0.0));
        }

        CorrelationTile call;
        call.SourceStep = sweep->SourceStep;
        call.TargetStep = sweep->TargetStep;
        call.TargetPlaneStep = sweep->TargetPlaneStep;
        call.Offsets = sweep->Offsets;
        call.Planes = sweep->Planes;
        call.PlaneTaps = sweep->WindowRows.Taps * sweep->WindowColumns.Taps;
        call.RowTaps = sweep->WindowColumns.Taps;
        call.Rectify = job.Rectify;
        int tiles = TilesOf(sweep->Outputs);
        PlaceRun* end = sweep->Runs + sweep->RunCount;
        for (int row = 0; row < sweep->Rows; row++)
        {
            (call.FirstRow, call.Rows) = sweep->WindowRows.Of(row, row);
            nint from = source + (nint)(sweep->Source + (row * sweep->SourceRowStep));
            nint to = target + (nint)(sweep->Target + (row * sweep->TargetRowStep));
            for (int tile = 0; tile < tiles; tile++)
            {
                int first = TileStart(sweep->Outputs, tile, tiles);
                int outputs = TileStart(sweep->Outputs, tile + 1, tiles) - first;
                call.Weights = weights + (nint)((long)first * sweep->Taps * sizeof(T));
                call.Bias = job.Bias == 0 ? (nint)none : job.Bias + (first * sizeof(T));
                nint* loops = WindowTiles<S, V, T>.Correlation(outputs);
                nint tileTarget = to + (nint)(first * sweep->TargetPlaneStep);
                for (PlaceRun* run = sweep->Runs; run < end; run++)
                {
                    call.Source = from + (nint)(run->First * call.SourceStep);
                    call.Target = tileTarget + (nint)(run->First * call.TargetStep);
                    (call.FirstColumn, call.Columns) = (run->FirstColumn, run->Columns);
                    ((delegate* <CorrelationTile*, void>)loops[run->Places])(&call);
                }
            }
        }
    }
}
