namespace Hybrid.Kernels;

/// <summary>The three convolutions for one element type and register width; see <see cref="Convolution"/>.</summary>
internal interface IConvolution
{
    void Forward(ConvolutionShape shape, nint y, nint x, nint w, WorkerPool pool);

    void BackwardInput(ConvolutionShape shape, nint dx, nint dy, nint w, WorkerPool pool);

    void BackwardWeight(ConvolutionShape shape, nint dw, nint x, nint dy, WorkerPool pool);
}

/// <summary>Describes each convolution as frames, sweeps and tiles, and packs the weights for them.</summary>
internal sealed unsafe class ConvolutionKernels<S, V, T> : IConvolution
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Lane = LaneLayout<T>.Bytes;

    public void Forward(ConvolutionShape s, nint y, nint x, nint w, WorkerPool pool)
    {
        Frame frame = Images(s, x);
        int taps = s.Channels * s.KernelHeight * s.KernelWidth;
        CorrelationJob job = Job(frame, y, (long)s.Filters * s.OutHeight * s.OutWidth, 1, taps, s.Filters, out nint memory);
        Correlation* sweep = job.Sweeps;
        *sweep = new Correlation
        {
            SourceRowStep = (long)s.StrideHeight * frame.Columns * Lane,
            SourceStep = (long)s.StrideWidth * Lane,
            TargetRowStep = (long)s.OutWidth * Lane,
            TargetStep = Lane,
            TargetPlaneStep = (long)s.OutHeight * s.OutWidth * Lane,
            Rows = s.OutHeight,
            Columns = s.OutWidth,
            Outputs = s.Filters,
            Taps = taps,
        };
        Place(sweep, ref memory);
        ImageOffsets(s, frame, (long*)sweep->Offsets);
        Tiles tiles = new(sweep);
        for (int filter = 0; filter < s.Filters; filter++)
        {
            T* from = (T*)w + ((long)filter * taps);
            T* to = tiles.Weights(filter, out int step);
            for (int tap = 0; tap < taps; tap++)
            {
                to[(long)tap * step] = from[tap];
            }
        }

        Run(job, (long)s.Batch * job.ResultSize * taps, pool);
    }

    public void BackwardInput(ConvolutionShape s, nint dx, nint dy, nint w, WorkerPool pool)
    {
        int reachTop = (s.KernelHeight - 1) * s.DilationHeight / s.StrideHeight;
        int reachLeft = (s.KernelWidth - 1) * s.DilationWidth / s.StrideWidth;
        Frame frame = Frame.Plain(dy, s.Batch, s.Filters, s.OutHeight, s.OutWidth);
        frame.Top = (s.PadTop / s.StrideHeight) - reachTop;
        frame.Left = (s.PadLeft / s.StrideWidth) - reachLeft;
        frame.Rows = ((s.Height - 1 + s.PadTop) / s.StrideHeight) - frame.Top + 1;
        frame.Columns = ((s.Width - 1 + s.PadLeft) / s.StrideWidth) - frame.Left + 1;

        // Elements of the image that meet the window's elements in the same way, by their places modulo the stride, are one sweep.
        int sweeps = s.StrideHeight * s.StrideWidth;
        int taps = s.Filters * s.KernelHeight * s.KernelWidth;
        CorrelationJob job = Job(frame, dx, (long)s.Channels * s.Height * s.Width, sweeps, taps, s.Channels, out nint memory);
        for (int i = 0; i < sweeps; i++)
        {
            InputSweep(s, frame, w, job.Sweeps + i, i / s.StrideWidth, i % s.StrideWidth, ref memory);
        }

        Run(job, (long)s.Batch * s.OutHeight * s.OutWidth * taps * s.Channels, pool);
    }

    public void BackwardWeight(ConvolutionShape s, nint dw, nint x, nint dy, WorkerPool pool)
    {
        int taps = s.Channels * s.KernelHeight * s.KernelWidth;
        long count = (long)s.Filters * taps;
        if (count == 0)
        {
            return;
        }

        if (s.Batch == 0)
        {
            LaneLayout<T>.Clear(dw, count * sizeof(T));
            return;
        }

        Frame images = Images(s, x);
        int blocks = LaneLayout<T>.Blocks(s.Batch);
        int groups = (blocks + WeightJob.GroupBlocks - 1) / WeightJob.GroupBlocks;
        WeightJob job = new()
        {
            Images = images,
            Gradients = Frame.Plain(dy, s.Batch, s.Filters, s.OutHeight, s.OutWidth),
            Offsets = (long*)Workspace.Get(Workspace.Purpose.WindowPlan, (long)taps * sizeof(long)),
            Taps = taps,
            SourceStep = (long)s.StrideWidth * Lane,
            SourceRowStep = (long)s.StrideHeight * images.Columns * Lane,
            Partials = groups == 1 ? dw : Workspace.Get(Workspace.Purpose.WindowPartials, groups * count * sizeof(T)),
            Blocks = blocks,
            Groups = groups,
            Parts = Parts(groups, (long)s.Batch * s.OutHeight * s.OutWidth * count, pool),
        };
        ImageOffsets(s, images, job.Offsets);
        pool.Run(job.Parts, &WeightGradient<S, V, T>.Part, (nint)(&job));
        if (groups > 1)
        {
            WeightGradient<S, V, T>.Combine((T*)job.Partials, groups, (T*)dw, count);
        }
    }

    /// <summary>What the window reaches of the images.</summary>
    private static Frame Images(ConvolutionShape s, nint x)
    {
        Frame frame = Frame.Plain(x, s.Batch, s.Channels, s.Height, s.Width);
        frame.Top = -s.PadTop;
        frame.Left = -s.PadLeft;
        frame.Rows = ((s.OutHeight - 1) * s.StrideHeight) + ((s.KernelHeight - 1) * s.DilationHeight) + 1;
        frame.Columns = ((s.OutWidth - 1) * s.StrideWidth) + ((s.KernelWidth - 1) * s.DilationWidth) + 1;
        return frame;
    }

    /// <summary>Where the window's elements stand in a frame of images, by channel, row and column.</summary>
    private static void ImageOffsets(ConvolutionShape s, Frame frame, long* offsets)
    {
        for (int channel = 0; channel < s.Channels; channel++)
        {
            for (int row = 0; row < s.KernelHeight; row++)
            {
                for (int column = 0; column < s.KernelWidth; column++)
                {
                    long at = ((long)channel * frame.Rows) + ((long)row * s.DilationHeight);
                    *offsets++ = ((at * frame.Columns) + ((long)column * s.DilationWidth)) * Lane;
                }
            }
        }
    }

    /// <summary>The elements of the image whose row and column, counted from the padding's edge, leave these remainders by the stride.</summary>
    private static void InputSweep(ConvolutionShape s, Frame frame, nint w, Correlation* sweep, int rowRest, int columnRest, ref nint memory)
    {
        int row = First(rowRest - s.PadTop, s.StrideHeight);
        int column = First(columnRest - s.PadLeft, s.StrideWidth);
        long sourceRow = ((row + s.PadTop) / s.StrideHeight) - frame.Top;
        long sourceColumn = ((column + s.PadLeft) / s.StrideWidth) - frame.Left;
        *sweep = new Correlation
        {
            Source = ((sourceRow * frame.Columns) + sourceColumn) * Lane,
            SourceRowStep = (long)frame.Columns * Lane,
            SourceStep = Lane,
            Target = (((long)row * s.Width) + column) * Lane,
            TargetRowStep = (long)s.StrideHeight * s.Width * Lane,
            TargetStep = (long)s.StrideWidth * Lane,
            TargetPlaneStep = (long)s.Height * s.Width * Lane,
            Rows = Math.Max(0, (s.Height - row + s.StrideHeight - 1) / s.StrideHeight),
            Columns = Math.Max(0, (s.Width - column + s.StrideWidth - 1) / s.StrideWidth),
            Outputs = s.Channels,
            Taps =
                s.Filters
                * Count(s.KernelHeight, s.DilationHeight, s.StrideHeight, rowRest)
                * Count(s.KernelWidth, s.DilationWidth, s.StrideWidth, columnRest),
        };
        Place(sweep, ref memory);
        Tiles tiles = new(sweep);
        long tap = 0;
        for (int filter = 0; filter < s.Filters; filter++)
        {
            for (int i = 0; i < s.KernelHeight; i++)
            {
                for (int j = 0; j < s.KernelWidth; j++)
                {
                    if (i * s.DilationHeight % s.StrideHeight != rowRest || j * s.DilationWidth % s.StrideWidth != columnRest)
                    {
                        continue;
                    }

                    long at = ((long)filter * frame.Rows) - (i * s.DilationHeight / s.StrideHeight);
                    ((long*)sweep->Offsets)[tap] = ((at * frame.Columns) - (j * s.DilationWidth / s.StrideWidth)) * Lane;
                    for (int channel = 0; channel < s.Channels; channel++)
                    {
                        T* to = tiles.Weights(channel, out int step);
                        to[tap * step] = ((T*)w)[((((((long)filter * s.Channels) + channel) * s.KernelHeight) + i) * s.KernelWidth) + j];
                    }

                    tap++;
                }
            }
        }
    }

    /// <summary>The first number from 0 on that leaves the same remainder.</summary>
    private static int First(int rest, int stride) => ((rest % stride) + stride) % stride;

    /// <summary>How many elements of a window leave the remainder.</summary>
    private static int Count(int kernel, int dilation, int stride, int rest)
    {
        int count = 0;
        for (int i = 0; i < kernel; i++)
        {
            count += i * dilation % stride == rest ? 1 : 0;
        }

        return count;
    }

    /// <summary>A job, with memory for its sweeps, their offsets and their weights.</summary>
    private static CorrelationJob Job(Frame frame, nint result, long resultSize, int sweeps, long taps, long outputs, out nint memory)
    {
        // Sweeps share the taps; each begins both of its lists at a boundary of 64 bytes.
        long bytes = Whole((long)sweeps * sizeof(Correlation)) + (taps * sizeof(long)) + (taps * outputs * sizeof(T)) + (128L * sweeps);
        nint plan = Workspace.Get(Workspace.Purpose.WindowPlan, bytes);
        memory = plan + (nint)Whole((long)sweeps * sizeof(Correlation));
        return new CorrelationJob
        {
            Frame = frame,
            Sweeps = (Correlation*)plan,
            SweepCount = sweeps,
            Result = result,
            ResultSize = resultSize,
            Blocks = LaneLayout<T>.Blocks(frame.Images),
        };
    }

    private static void Place(Correlation* sweep, ref nint memory)
    {
        sweep->Offsets = memory;
        memory += (nint)Whole((long)sweep->Taps * sizeof(long));
        sweep->Weights = memory;
        memory += (nint)Whole((long)sweep->Taps * sweep->Outputs * sizeof(T));
    }

    private static long Whole(long bytes) => (bytes + 63) & -64;

    private static void Run(CorrelationJob job, long multiplyAdds, WorkerPool pool)
    {
        if (job.Blocks == 0 || job.ResultSize == 0)
        {
            return;
        }

        job.Parts = Parts(job.Blocks, multiplyAdds, pool);
        pool.Run(job.Parts, &CorrelationBlocks<S, V, T>.Part, (nint)(&job));
    }

    private static int Parts(int blocks, long multiplyAdds, WorkerPool pool) =>
        pool.Threads == 1 || multiplyAdds < 2 * Convolution.Grain ? 1 : (int)Math.Min(blocks, Math.Min(pool.Threads * 4L, WorkerPool.MaxParts));

    /// <summary>Where each output's weights go: its tile has them tap by tap, side by side.</summary>
    private readonly struct Tiles(Correlation* sweep)
    {
        private readonly int count = CorrelationBlocks<S, V, T>.TilesOf(sweep->Outputs);

        public T* Weights(int output, out int step)
        {
            // Where tiles are even the guess is right at once; otherwise it may be one too low.
            int tile = (int)((long)output * count / sweep->Outputs);
            while (CorrelationBlocks<S, V, T>.TileStart(sweep->Outputs, tile + 1, count) <= output)
            {
                tile++;
            }

            int first = CorrelationBlocks<S, V, T>.TileStart(sweep->Outputs, tile, count);
            step = CorrelationBlocks<S, V, T>.TileStart(sweep->Outputs, tile + 1, count) - first;
            return (T*)sweep->Weights + ((long)first * sweep->Taps) + (output - first);
        }
    }
}
