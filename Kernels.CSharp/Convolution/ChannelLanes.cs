namespace Hybrid.Kernels;

/// <summary>
/// Convolution with channels in the lanes of a register, where <see cref="CorrelationBlocks{S, V, T}"/> has images and <see cref="FilterLanes{S, V, T}"/>
/// filters: for long sums with few results. That is how a weight gradient looks when it is written as a convolution, whose channels are the batch; images
/// that lie side by side are then taken as they are.
/// </summary>
/// <remarks>Its sums of products over places are those of <see cref="WeightGradient{S, V, T}"/>: the window's elements are the places here, and the result's places the taps.</remarks>
internal static unsafe class ChannelLanes<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Bytes that <see cref="Describe"/> writes.</summary>
    public static long OffsetBytes(ConvolutionShape s) => (long)s.Batch * s.OutHeight * s.OutWidth * sizeof(long);

    /// <summary>The job, but for its operands, whose planes lie as in blocks: those of one channel follow one another.</summary>
    public static WeightJob Describe(ConvolutionShape s, nint offsets)
    {
        Frame frame = CorrelationPlan<S, V, T>.Images(s, 0);
        (frame.Images, frame.Planes) = (s.Channels, s.Batch);
        frame.Steps = PlaneSteps.Contiguous(s.Batch, s.Height, s.Width);
        long* offset = (long*)offsets;
        for (int image = 0; image < s.Batch; image++)
        {
            for (int row = 0; row < s.OutHeight; row++)
            {
                long start = (((long)image * frame.Rows) + ((long)row * s.StrideHeight)) * frame.Columns;
                for (int column = 0; column < s.OutWidth; column++)
                {
                    *offset++ = (start + ((long)column * s.StrideWidth)) * LaneLayout<T>.Bytes;
                }
            }
        }

        return new()
        {
            Images = frame,
            Gradients = Frame.Plain(0, s.Channels, s.Filters, s.KernelHeight, s.KernelWidth),
            Offsets = (long*)offsets,
            Taps = s.Batch * s.OutHeight * s.OutWidth,
            SourceStep = (long)s.DilationWidth * LaneLayout<T>.Bytes,
            SourceRowStep = (long)s.DilationHeight * frame.Columns * LaneLayout<T>.Bytes,
            WindowRows = s.OutHeight,
            WindowColumns = s.OutWidth,
            RowDilation = s.StrideHeight,
            ColumnDilation = s.StrideWidth,
        };
    }

    /// <summary>Computes y = x convolved with w; where their planes lie is told by steps.</summary>
    public static void Forward(ConvolutionShape s, nint y, nint x, PlaneSteps xSteps, nint w, PlaneSteps wSteps, WorkerPool pool)
    {
        WeightJob job = Describe(s, Workspace.Get(Workspace.Purpose.WindowPlan, OffsetBytes(s)));
        if (job.Count == 0)
        {
            return;
        }

        (job.Images.Source, job.Images.Steps) = (x, new(xSteps.Plane, xSteps.Image));
        (job.Gradients.Source, job.Gradients.Steps) = (w, new(wSteps.Plane, wSteps.Image));
        WeightGradient<S, V, T>.Run(ref job, pool);
        WeightGradient<S, V, T>.Combine(job, (T*)job.Partials, job.Groups, s.Batch, (T*)y);
    }
}
