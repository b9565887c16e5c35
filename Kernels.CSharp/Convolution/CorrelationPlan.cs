namespace Hybrid.Kernels;

/// <summary>
/// A convolution, or its transpose by the images, as a frame, sweeps and tiles: what depends on the sizes alone, and how weights are laid
/// out for it. The caller gives the memory.
/// </summary>
internal static unsafe class CorrelationPlan<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int Lane = LaneLayout<T>.Bytes;

    /// <summary>Half cycles that a tile takes beyond its taps, about.</summary>
    private const int TileCost = 32;

    /// <summary>Bytes that <see cref="Describe"/> writes.</summary>
    public static long Bytes(ConvolutionShape s, bool transposed)
    {
        int sweeps = Sweeps(s, transposed);
        // Taps and runs of each sweep begin at whole cache lines.
        return Whole((long)sweeps * sizeof(Correlation))
            + (Taps(s, transposed) * sizeof(long))
            + (sweeps * (((transposed ? s.Width : s.OutWidth) * (long)sizeof(PlaceRun)) + (2 * 64)));
    }

    /// <summary>Bytes that <see cref="Weights"/> writes.</summary>
    public static long WeightBytes(ConvolutionShape s, bool transposed) =>
        (Taps(s, transposed) * (transposed ? s.Channels : s.Filters) * sizeof(T)) + (64L * Sweeps(s, transposed));

    /// <summary>Multiply-adds of an image.</summary>
    public static long MultiplyAdds(ConvolutionShape s, bool transposed) =>
        transposed ? (long)s.OutHeight * s.OutWidth * Taps(s, true) * s.Channels : (long)s.Filters * s.OutHeight * s.OutWidth * Taps(s, false);

    /// <summary>The job, but for source, weights and result.</summary>
    public static CorrelationJob Describe(ConvolutionShape s, bool transposed, nint memory)
    {
        int sweeps = Sweeps(s, transposed);
        Frame frame = transposed ? Gradients(s) : Inside(s);
        CorrelationJob job = new()
        {
            Frame = frame,
            Sweeps = (Correlation*)memory,
            SweepCount = sweeps,
            ResultSize = transposed ? (long)s.Channels * s.Height * s.Width : (long)s.Filters * s.OutHeight * s.OutWidth,
            Blocks = LaneLayout<T>.Blocks(s.Batch),
        };
        nint offsets = memory + (nint)Whole((long)sweeps * sizeof(Correlation));
        long weights = 0;
        for (int i = 0; i < sweeps; i++)
        {
            Correlation* sweep = job.Sweeps + i;
            if (transposed)
            {
                InputSweep(s, frame, sweep, i / s.StrideWidth, i % s.StrideWidth, (long*)offsets);
            }
            else
            {
                ForwardSweep(s, frame, sweep, (long*)offsets);
            }

            sweep->Weights = weights;
            offsets += (nint)Whole((long)sweep->Taps * sizeof(long));
            DivideRow(sweep, (PlaceRun*)offsets);
            offsets += (nint)Whole((long)sweep->RunCount * sizeof(PlaceRun));
            weights += Whole((long)sweep->Taps * sweep->Outputs * sizeof(T));
        }

        return job;
    }

    /// <summary>Lays out weights [filters, channels, kernel height, kernel width] for the sweeps of a job.</summary>
    public static void Weights(ConvolutionShape s, bool transposed, in CorrelationJob job, T* w, nint packed)
    {
        for (int i = 0; i < job.SweepCount; i++)
        {
            Tiles tiles = new(job.Sweeps + i, packed);
            if (transposed)
            {
                InputWeights(s, tiles, i / s.StrideWidth, i % s.StrideWidth, w);
            }
            else
            {
                ForwardWeights(s, tiles, w);
            }
        }
    }

    /// <summary>What the window reaches of the images and of the padding around them.</summary>
    public static Frame Images(ConvolutionShape s, nint x)
    {
        Frame frame = Frame.Plain(x, s.Batch, s.Channels, s.Height, s.Width);
        frame.Top = -s.PadTop;
        frame.Left = -s.PadLeft;
        frame.Rows = ((s.OutHeight - 1) * s.StrideHeight) + ((s.KernelHeight - 1) * s.DilationHeight) + 1;
        frame.Columns = ((s.OutWidth - 1) * s.StrideWidth) + ((s.KernelWidth - 1) * s.DilationWidth) + 1;
        return frame;
    }

    /// <summary>Where the window's elements stand, by channel, row and column, if planes and rows are so many places apart; a place has a number of bytes.</summary>
    public static void ImageOffsets(ConvolutionShape s, long planeStep, long rowStep, int bytes, long* offsets)
    {
        for (int channel = 0; channel < s.Channels; channel++)
        {
            for (int row = 0; row < s.KernelHeight; row++)
            {
                for (int column = 0; column < s.KernelWidth; column++)
                {
                    long at = (channel * planeStep) + (row * s.DilationHeight * rowStep) + ((long)column * s.DilationWidth);
                    *offsets++ = at * bytes;
                }
            }
        }
    }

    /// <summary>
    /// Covers a row of a sweep's places with the tiles that take the least time together, found from the row's end. A tile has every tap that one of its places
    /// has, so at an image's edges, where neighbours have different ones, small tiles leave more of the padding out.
    /// </summary>
    private static void DivideRow(Correlation* sweep, PlaceRun* runs)
    {
        int tiles = CorrelationBlocks<S, V, T>.TilesOf(sweep->Outputs);
        int outputs = tiles == 0 ? 0 : CorrelationBlocks<S, V, T>.TileStart(sweep->Outputs, 1, tiles);
        long tapsOfColumn = (long)sweep->Planes * sweep->WindowRows.Taps;
        long* least = stackalloc long[WindowTiles<S, V, T>.Places + 1];
        least[0] = 0;
        for (int place = sweep->Columns - 1; place >= 0; place--)
        {
            // From here on: what was least from the next places on moves one further away.
            (least[3], least[2], least[1]) = (least[2], least[1], least[0]);
            least[0] = long.MaxValue;
            for (int places = 1; places <= Math.Min(WindowTiles<S, V, T>.Places, sweep->Columns - place); places++)
            {
                int columns = sweep->WindowColumns.Of(place, place + places - 1).Count;
                long cost = TileCost + (tapsOfColumn * columns * TapCost(outputs, places)) + least[places];
                if (cost <= least[0])
                {
                    (least[0], runs[place].Places) = (cost, places);
                }
            }
        }

        sweep->Runs = runs;
        sweep->RunCount = 0;
        for (int first = 0, places; first < sweep->Columns; first += places)
        {
            places = runs[first].Places;
            (int firstColumn, int columns) = sweep->WindowColumns.Of(first, first + places - 1);
            runs[sweep->RunCount++] = new PlaceRun
            {
                First = first,
                Places = places,
                FirstColumn = firstColumn,
                Columns = columns,
            };
        }
    }

    /// <summary>Half cycles of a tap: two multiply-adds a cycle, but eight sums or fewer wait for themselves (eight reach 0.88 of the rate of twelve with AVX2).</summary>
    private static int TapCost(int outputs, int places) => Math.Max(outputs * places, 9);

    // Elements of the image that meet the window's elements in the same way, by their places modulo the stride, are one sweep.
    private static int Sweeps(ConvolutionShape s, bool transposed) => transposed ? s.StrideHeight * s.StrideWidth : 1;

    private static long Taps(ConvolutionShape s, bool transposed) => (long)(transposed ? s.Filters : s.Channels) * s.KernelHeight * s.KernelWidth;

    private static long Whole(long bytes) => (bytes + 63) & -64;

    /// <summary>What places reach of the gradients. A tile has no taps that none of its places has, so zeros are needed for its other places alone.</summary>
    private static Frame Gradients(ConvolutionShape s)
    {
        int others = WindowTiles<S, V, T>.Places - 1;
        int reachTop = (s.KernelHeight - 1) * s.DilationHeight / s.StrideHeight;
        int reachLeft = (s.KernelWidth - 1) * s.DilationWidth / s.StrideWidth;
        Frame frame = Frame.Plain(0, s.Batch, s.Filters, s.OutHeight, s.OutWidth);
        frame.Top = Math.Max(0, (s.PadTop / s.StrideHeight) - reachTop);
        frame.Left = Math.Max(-others, (s.PadLeft / s.StrideWidth) - reachLeft);
        frame.Rows = Math.Max(0, Math.Min(s.OutHeight - 1, (s.Height - 1 + s.PadTop) / s.StrideHeight) - frame.Top + 1);
        frame.Columns = Math.Max(0, Math.Min(s.OutWidth - 1 + others, (s.Width - 1 + s.PadLeft) / s.StrideWidth) - frame.Left + 1);
        return frame;
    }

    /// <summary>What the window reaches of the images. As in <see cref="Gradients"/>, zeros are needed for a tile's other places alone.</summary>
    private static Frame Inside(ConvolutionShape s)
    {
        int others = (WindowTiles<S, V, T>.Places - 1) * s.StrideWidth;
        Frame reached = Images(s, 0);
        Frame frame = reached;
        frame.Top = Math.Max(0, reached.Top);
        frame.Left = Math.Max(-others, reached.Left);
        frame.Rows = Math.Max(0, Math.Min(s.Height, reached.Top + reached.Rows) - frame.Top);
        frame.Columns = Math.Max(0, Math.Min(s.Width + others, reached.Left + reached.Columns) - frame.Left);
        return frame;
    }

    private static void ForwardSweep(ConvolutionShape s, Frame frame, Correlation* sweep, long* offsets)
    {
        // Without padding all taps of all channels are one run.
        Frame reached = Images(s, 0);
        bool padded = reached.Top < 0 || reached.Left < 0 || reached.Top + reached.Rows > s.Height || reached.Left + reached.Columns > s.Width;
        *sweep = new Correlation
        {
            Source = (((reached.Top - frame.Top) * (long)frame.Columns) + reached.Left - frame.Left) * Lane,
            SourceRowStep = (long)s.StrideHeight * frame.Columns * Lane,
            SourceStep = (long)s.StrideWidth * Lane,
            TargetRowStep = (long)s.OutWidth * Lane,
            TargetStep = Lane,
            TargetPlaneStep = (long)s.OutHeight * s.OutWidth * Lane,
            Rows = s.OutHeight,
            Columns = s.OutWidth,
            Outputs = s.Filters,
            Taps = (int)Taps(s, false),
            Planes = padded ? s.Channels : 1,
            WindowRows = padded ? Covered(s.KernelHeight, s.DilationHeight, s.StrideHeight, reached.Top, s.Height) : new Reach { Taps = 1 },
            WindowColumns = padded
                ? Covered(s.KernelWidth, s.DilationWidth, s.StrideWidth, reached.Left, s.Width)
                : new Reach { Taps = (int)Taps(s, false) },
            Offsets = (nint)offsets,
        };
        ImageOffsets(s, (long)frame.Rows * frame.Columns, frame.Columns, Lane, offsets);
    }

    /// <summary>The elements of the window along one axis; at the first place they begin at a row (or column) of the image.</summary>
    private static Reach Covered(int kernel, int dilation, int stride, int origin, int length) =>
        // No length would mean no limit, where there is nothing to meet.
        length == 0
            ? default
            : new()
            {
                Taps = kernel,
                Origin = origin,
                PlaceStep = stride,
                TapStep = dilation,
                Length = length,
            };

    private static void ForwardWeights(ConvolutionShape s, Tiles tiles, T* w)
    {
        long taps = Taps(s, false);
        for (int filter = 0; filter < s.Filters; filter++)
        {
            T* from = w + (filter * taps);
            T* to = tiles.Weights(filter, out int step);
            for (int tap = 0; tap < taps; tap++)
            {
                to[(long)tap * step] = from[tap];
            }
        }
    }

    /// <summary>The elements of the image whose row and column, counted from the padding's edge, leave these remainders by the stride.</summary>
    private static void InputSweep(ConvolutionShape s, Frame frame, Correlation* sweep, int rowRest, int columnRest, long* offsets)
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
            Planes = s.Filters,
            WindowRows = Met(s.KernelHeight, s.DilationHeight, s.StrideHeight, rowRest, (int)sourceRow + frame.Top, s.OutHeight),
            WindowColumns = Met(s.KernelWidth, s.DilationWidth, s.StrideWidth, columnRest, (int)sourceColumn + frame.Left, s.OutWidth),
            Offsets = (nint)offsets,
        };
        for (int filter = 0; filter < s.Filters; filter++)
        {
            for (int i = 0; i < s.KernelHeight; i++)
            {
                bool meets = Meets(i, s.DilationHeight, s.StrideHeight, rowRest);
                for (int j = 0; meets && j < s.KernelWidth; j++)
                {
                    if (Meets(j, s.DilationWidth, s.StrideWidth, columnRest))
                    {
                        long at = ((long)filter * frame.Rows) - (i * s.DilationHeight / s.StrideHeight);
                        offsets[sweep->Taps++] = ((at * frame.Columns) - (j * s.DilationWidth / s.StrideWidth)) * Lane;
                    }
                }
            }
        }
    }

    private static void InputWeights(ConvolutionShape s, Tiles tiles, int rowRest, int columnRest, T* w)
    {
        int window = s.KernelHeight * s.KernelWidth;
        for (int channel = 0; channel < s.Channels; channel++)
        {
            T* to = tiles.Weights(channel, out int step);
            for (int filter = 0; filter < s.Filters; filter++)
            {
                T* from = w + ((((long)filter * s.Channels) + channel) * window);
                for (int i = 0; i < s.KernelHeight; i++)
                {
                    bool meets = Meets(i, s.DilationHeight, s.StrideHeight, rowRest);
                    for (int j = 0; meets && j < s.KernelWidth; j++)
                    {
                        if (Meets(j, s.DilationWidth, s.StrideWidth, columnRest))
                        {
                            *to = from[(i * s.KernelWidth) + j];
                            to += step;
                        }
                    }
                }
            }
        }
    }

    /// <summary>
    /// The elements of the window along one axis that leave a remainder by the stride; the first place of the sweep stands at a row (or column) of the
    /// gradient for an element that is not moved.
    /// </summary>
    private static Reach Met(int kernel, int dilation, int stride, int rest, int place, int length)
    {
        if (length == 0)
        {
            // There is nothing to meet, and no length would mean no limit.
            return default;
        }

        Reach reach = new()
        {
            Length = length,
            PlaceStep = 1,
            TapStep = -1,
        };
        int first = 0;
        for (int i = 0; i < kernel; i++)
        {
            if (!Meets(i, dilation, stride, rest))
            {
                continue;
            }

            int moved = i * dilation / stride;
            if (reach.Taps == 0)
            {
                first = moved;
            }
            else if (reach.Taps == 1)
            {
                reach.TapStep = first - moved;
            }

            reach.Taps++;
        }

        reach.Origin = place - first;
        return reach;
    }

    /// <summary>Whether a row (or column) of the window meets those of the image that leave a remainder.</summary>
    private static bool Meets(int element, int dilation, int stride, int rest) => stride == 1 || element * dilation % stride == rest;

    /// <summary>The first number from 0 on that leaves the same remainder.</summary>
    private static int First(int rest, int stride) => ((rest % stride) + stride) % stride;

    /// <summary>Where each output's weights go: its tile has them tap by tap, side by side.</summary>
    private readonly struct Tiles(Correlation* sweep, nint packed)
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
            return (T*)(packed + (nint)sweep->Weights) + ((long)first * sweep->Taps) + (output - first);
        }
    }
}
