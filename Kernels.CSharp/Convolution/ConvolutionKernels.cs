namespace Hybrid.Kernels;

/// <summary>The convolutions for one element type and register width; see <see cref="Convolution"/>.</summary>
internal interface IConvolution
{
    void Forward(ConvolutionShape shape, nint y, nint x, nint w, WorkerPool pool);

    void ForwardPlanes(ConvolutionShape shape, nint y, nint x, PlaneSteps xSteps, nint w, PlaneSteps wSteps, WorkerPool pool);

    void BackwardInput(ConvolutionShape shape, nint dx, nint dy, nint w, WorkerPool pool);

    void BackwardWeight(ConvolutionShape shape, nint dw, nint x, nint dy, WorkerPool pool);

    /// <summary>Forward, or backward by the images, on one block that is laid out already.</summary>
    LaneConvolution OnLanes(ConvolutionShape shape, bool transposed);

    /// <summary>Backward by the weights on blocks that are laid out already.</summary>
    LaneContraction WeightOnLanes(ConvolutionShape shape);

    /// <summary>Forward where channels stand in the lanes, on blocks that are laid out already.</summary>
    LaneContraction ChannelsOnLanes(ConvolutionShape shape);
}

/// <summary>Makes jobs of convolutions and runs them.</summary>
internal sealed unsafe class ConvolutionKernels<S, V, T> : IConvolution
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Lane = LaneLayout<T>.Bytes;

    public void Forward(ConvolutionShape s, nint y, nint x, nint w, WorkerPool pool)
    {
        if (s.TakesPlanes(sizeof(T)))
        {
            PlaneSteps images = PlaneSteps.Contiguous(s.Channels, s.Height, s.Width);
            ForwardPlanes(s, y, x, images, w, PlaneSteps.Contiguous(s.Channels, s.KernelHeight, s.KernelWidth), pool);
        }
        else
        {
            Correlate(s, false, y, x, w, pool);
        }
    }

    public void ForwardPlanes(ConvolutionShape s, nint y, nint x, PlaneSteps xSteps, nint w, PlaneSteps wSteps, WorkerPool pool)
    {
        if (s.FillsWithChannels(sizeof(T)))
        {
            ChannelLanes<S, V, T>.Forward(s, y, x, xSteps, w, wSteps, pool);
        }
        else
        {
            FilterLanes<S, V, T>.Forward(s, y, x, xSteps, w, wSteps, pool);
        }
    }

    public void BackwardInput(ConvolutionShape s, nint dx, nint dy, nint w, WorkerPool pool) => Correlate(s, true, dx, dy, w, pool);

    public void BackwardWeight(ConvolutionShape s, nint dw, nint x, nint dy, WorkerPool pool)
    {
        int taps = s.Channels * s.KernelHeight * s.KernelWidth;
        long count = (long)s.Filters * taps;
        if (count == 0)
        {
            return;
        }

        if (s.Batch == 0 || s.OutHeight == 0 || s.OutWidth == 0)
        {
            LaneLayout<T>.Clear(dw, count * sizeof(T));
            return;
        }

        WeightJob job = Weights(s, Workspace.Get(Workspace.Purpose.WindowPlan, (long)taps * sizeof(long)));
        job.Images.Source = x;
        job.Gradients.Source = dy;
        WeightGradient<S, V, T>.Run(ref job, pool);
        WeightGradient<S, V, T>.Combine(job, (T*)job.Partials, job.Groups, 1, (T*)dw);
    }

    public LaneConvolution OnLanes(ConvolutionShape shape, bool transposed) => new LaneCorrelation(shape, transposed);

    public LaneContraction WeightOnLanes(ConvolutionShape s)
    {
        Storage offsets = new((long)s.Channels * s.KernelHeight * s.KernelWidth * sizeof(long));
        return new LaneProducts(Weights(s, offsets.Pointer), offsets, 1);
    }

    public LaneContraction ChannelsOnLanes(ConvolutionShape s)
    {
        Storage offsets = new(ChannelLanes<S, V, T>.OffsetBytes(s));
        return new LaneProducts(ChannelLanes<S, V, T>.Describe(s, offsets.Pointer), offsets, s.Batch);
    }

    private static void Correlate(ConvolutionShape s, bool transposed, nint result, nint source, nint w, WorkerPool pool)
    {
        nint memory = Workspace.Get(Workspace.Purpose.WindowPlan, CorrelationPlan<S, V, T>.Bytes(s, transposed));
        CorrelationJob job = CorrelationPlan<S, V, T>.Describe(s, transposed, memory);
        if (job.Blocks == 0 || job.ResultSize == 0)
        {
            return;
        }

        job.Frame.Source = source;
        job.Result = result;
        job.Weights = Workspace.Get(Workspace.Purpose.WindowWeights, CorrelationPlan<S, V, T>.WeightBytes(s, transposed));
        CorrelationPlan<S, V, T>.Weights(s, transposed, job, (T*)w, job.Weights);
        job.Parts = CorrelationBlocks<S, V, T>.Parts(job.Blocks, s.Batch * CorrelationPlan<S, V, T>.MultiplyAdds(s, transposed), pool);
        pool.Run(job.Parts, &CorrelationBlocks<S, V, T>.Part, (nint)(&job));
    }

    /// <summary>What depends on the sizes alone; the offsets go to the memory given.</summary>
    internal static WeightJob Weights(ConvolutionShape s, nint offsets)
    {
        Frame images = CorrelationPlan<S, V, T>.Images(s, 0);
        CorrelationPlan<S, V, T>.ImageOffsets(s, (long)images.Rows * images.Columns, images.Columns, Lane, (long*)offsets);
        return new()
        {
            Images = images,
            Gradients = Frame.Plain(0, s.Batch, s.Filters, s.OutHeight, s.OutWidth),
            Offsets = (long*)offsets,
            Taps = s.Channels * s.KernelHeight * s.KernelWidth,
            SourceStep = (long)s.StrideWidth * Lane,
            SourceRowStep = (long)s.StrideHeight * images.Columns * Lane,
            WindowRows = s.KernelHeight,
            WindowColumns = s.KernelWidth,
            RowDilation = s.DilationHeight,
            ColumnDilation = s.DilationWidth,
        };
    }

    private sealed class LaneCorrelation : LaneConvolution
    {
        private readonly ConvolutionShape shape;
        private readonly bool transposed;
        private readonly Storage memory;
        private readonly CorrelationJob job;

        public LaneCorrelation(ConvolutionShape shape, bool transposed)
        {
            this.shape = shape;
            this.transposed = transposed;
            memory = new Storage(CorrelationPlan<S, V, T>.Bytes(shape, transposed));
            job = CorrelationPlan<S, V, T>.Describe(shape, transposed, memory.Pointer);
        }

        public override long WeightBytes => CorrelationPlan<S, V, T>.WeightBytes(shape, transposed);

        public override void PackWeights(nint packed, nint w)
        {
            CorrelationPlan<S, V, T>.Weights(shape, transposed, job, (T*)w, packed);
            GC.KeepAlive(memory);
        }

        public override void Run(nint y, nint x, nint weights, nint bias, bool rectify)
        {
            CorrelationJob run = job;
            run.Bias = bias;
            run.Rectify = rectify;
            CorrelationBlocks<S, V, T>.Block(run, y, run.Frame.Cut<T>(x, Workspace.Purpose.LaneImages), weights);
            GC.KeepAlive(memory);
        }
    }

    /// <summary>Sums over the images of blocks; a plane of gradients has results for each of so many planes of images.</summary>
    private sealed class LaneProducts(WeightJob job, Storage offsets, int planes) : LaneContraction
    {
        public override long Count => job.Count;

        public override void Add(nint sums, nint x, nint dy, int images)
        {
            nint source = job.Images.Cut<T>(x, Workspace.Purpose.LaneImages);
            if (images < LaneLayout<T>.Lanes)
            {
                source = LaneLayout<T>.Mask(source, job.Images.Size, images, Workspace.Purpose.LaneImages);
                dy = LaneLayout<T>.Mask(dy, job.Gradients.Size, images, Workspace.Purpose.LaneResults);
            }

            WeightGradient<S, V, T>.Block(job, source, dy, sums);
            GC.KeepAlive(offsets);
        }

        public override void Close(nint partial, nint sums) => LaneLayout<T>.SumLanes((T*)sums, (T*)partial, Count);

        public override void Combine(nint result, nint partials, int groups) =>
            WeightGradient<S, V, T>.Combine(job, (T*)partials, groups, planes, (T*)result);
    }
}
