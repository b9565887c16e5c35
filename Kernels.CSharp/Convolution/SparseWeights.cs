using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Sums of one filter over the windows under its gradient in one image. Steps are in bytes.</summary>
internal unsafe struct WindowsCall
{
    /// <summary>The image, [rows, columns, channels].</summary>
    public byte* Image;

    /// <summary>Where the window of each place begins.</summary>
    public int* Offsets;

    /// <summary>From a row of a window to the next.</summary>
    public nint RowStep;

    /// <summary>The gradient at the first place, and from a place to the next.</summary>
    public byte* Gradient;
    public nint GradientStep;

    /// <summary>For each <see cref="ZeroTerms{S, V, T}.MostTerms"/> places a bit for each that is not zero; numbers of other images lie between.</summary>
    public ulong* Left;

    /// <summary>In numbers.</summary>
    public int LeftStep;
    public int Places;

    /// <summary>The sums of a window's rows, in whole vectors.</summary>
    public byte* Sums;

    /// <summary>Whether they start at zero.</summary>
    public bool Fresh;
}

/// <summary>
/// A weight gradient over a block of images when most of the gradient is zero, as after max pooling: image by image, adding only the windows of places whose gradient is not zero.
/// Every sum keeps the order of <see cref="WeightLoop{S, V, T, R, N}"/>, and so its bits, see <see cref="ZeroTerms{S, V, T}"/>.
/// </summary>
/// <remarks>
/// With the channels of an image next to each other, the rows of a window are contiguous, and a window's sums for one filter fill registers: for 8 channels and 5 x 5 elements of
/// float32, 5 rows of 3 registers of 512 bits.
/// </remarks>
internal static unsafe class SparseWeights<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Rows of a window at most, and vectors of each.</summary>
    private const int MaxRows = 5;
    private const int MaxVectors = 4;

    /// <summary>Registers of sums from which they keep the multiply-adds busy.</summary>
    private const int LeastRegisters = 6;

    /// <summary>As many registers of sums as 32 or 16 registers hold beside an element of the gradient and what is loaded.</summary>
    private static int MostRegisters => sizeof(V) == 64 ? MaxRows * MaxVectors : 12;

    /// <summary>Sums for each image at most, as those of a block are turned in near caches, and bytes of a block of images.</summary>
    private const int MostSums = 1 << 16;
    private const long MostBytes = 1 << 28;

    /// <summary>Places that are looked at before all are.</summary>
    private const int Sample = 32;

    private static readonly nint[] Loops = [.. Of<Size1>(), .. Of<Size2>(), .. Of<Size3>(), .. Of<Size4>(), .. Of<Size5>()];

    /// <summary>Goes on with the sums over one block where that pays; otherwise they stay as they were, and the result is false.</summary>
    /// <param name="job">The job.</param>
    /// <param name="images">The block of images.</param>
    /// <param name="gradients">The block of gradients.</param>
    /// <param name="sums">[filters, taps, lanes].</param>
    public static bool TryAdd(in WeightJob job, nint images, nint gradients, nint sums)
    {
        Layout layout = new(job);
        if (!layout.Fits || !layout.MayPay(gradients))
        {
            return false;
        }

        ulong* left = (ulong*)Workspace.Get(Workspace.Purpose.SparseA, (layout.LeftCount * sizeof(ulong)) + ((long)layout.Places * sizeof(int)));
        if (!layout.Pays(layout.Find(gradients, left)) || !ZeroTerms<S, V, T>.IsFinite((T*)images, 0, 1, job.Images.Size * LaneLayout<T>.Lanes))
        {
            return false;
        }

        T* turned = (T*)Workspace.Get(Workspace.Purpose.SparseB, layout.ImageLength * LaneLayout<T>.Lanes * sizeof(T));
        T* own = (T*)Workspace.Get(Workspace.Purpose.SparseSums, layout.SumsLength * LaneLayout<T>.Lanes * sizeof(T));
        layout.TurnImages((T*)images, turned);
        bool fresh = IsZero((T*)sums, job.Count * LaneLayout<T>.Lanes);
        if (!fresh)
        {
            layout.TurnSums((T*)sums, own, back: false);
        }

        layout.Run(turned, gradients, left, (int*)(left + layout.LeftCount), own, fresh);
        if (ZeroTerms<S, V, T>.AnyMinusZero(own, (int)(layout.SumsLength * LaneLayout<T>.Lanes / S.Count)))
        {
            return false;
        }

        layout.TurnSums((T*)sums, own, back: true);
        return true;
    }

    /// <summary>Whether all bits are zero.</summary>
    private static bool IsZero(T* elements, long count) => new ReadOnlySpan<byte>(elements, (int)(count * sizeof(T))).IndexOfAnyExcept((byte)0) < 0;

    private static nint[] Of<R>()
        where R : unmanaged, ISize =>
        [
            (nint)(delegate* <WindowsCall*, void>)&Add<R, Size1>,
            (nint)(delegate* <WindowsCall*, void>)&Add<R, Size2>,
            (nint)(delegate* <WindowsCall*, void>)&Add<R, Size3>,
            (nint)(delegate* <WindowsCall*, void>)&Add<R, Size4>,
        ];

    /// <summary>Adds the windows under what is not zero, in the order of places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<R, N>(WindowsCall* call)
        where R : unmanaged, ISize
        where N : unmanaged, ISize
    {
        V c0a = First<R, N>(call, 0, 0);
        V c0b = First<R, N>(call, 0, 1);
        V c0c = First<R, N>(call, 0, 2);
        V c0d = First<R, N>(call, 0, 3);
        V c1a = First<R, N>(call, 1, 0);
        V c1b = First<R, N>(call, 1, 1);
        V c1c = First<R, N>(call, 1, 2);
        V c1d = First<R, N>(call, 1, 3);
        V c2a = First<R, N>(call, 2, 0);
        V c2b = First<R, N>(call, 2, 1);
        V c2c = First<R, N>(call, 2, 2);
        V c2d = First<R, N>(call, 2, 3);
        V c3a = First<R, N>(call, 3, 0);
        V c3b = First<R, N>(call, 3, 1);
        V c3c = First<R, N>(call, 3, 2);
        V c3d = First<R, N>(call, 3, 3);
        V c4a = First<R, N>(call, 4, 0);
        V c4b = First<R, N>(call, 4, 1);
        V c4c = First<R, N>(call, 4, 2);
        V c4d = First<R, N>(call, 4, 3);
        byte* image = call->Image;
        int* offsets = call->Offsets;
        nint rowStep = call->RowStep;
        byte* gradients = call->Gradient;
        nint gradientStep = call->GradientStep;
        ulong* bits = call->Left;
        for (int start = 0; start < call->Places; start += ZeroTerms<S, V, T>.MostTerms)
        {
            for (ulong left = *bits; left != 0; left &= left - 1)
            {
                nint place = start + BitOperations.TrailingZeroCount(left);
                V g = S.Broadcast(*(T*)(gradients + (place * gradientStep)));
                T* x = (T*)(image + offsets[place]);
                Row<N>(g, x, ref c0a, ref c0b, ref c0c, ref c0d);
                if (sizeof(R) > 1)
                {
                    x = (T*)((byte*)x + rowStep);
                    Row<N>(g, x, ref c1a, ref c1b, ref c1c, ref c1d);
                }

                if (sizeof(R) > 2)
                {
                    x = (T*)((byte*)x + rowStep);
                    Row<N>(g, x, ref c2a, ref c2b, ref c2c, ref c2d);
                }

                if (sizeof(R) > 3)
                {
                    x = (T*)((byte*)x + rowStep);
                    Row<N>(g, x, ref c3a, ref c3b, ref c3c, ref c3d);
                }

                if (sizeof(R) > 4)
                {
                    x = (T*)((byte*)x + rowStep);
                    Row<N>(g, x, ref c4a, ref c4b, ref c4c, ref c4d);
                }
            }

            bits += call->LeftStep;
        }

        Last<R, N>(call, 0, 0, c0a);
        Last<R, N>(call, 0, 1, c0b);
        Last<R, N>(call, 0, 2, c0c);
        Last<R, N>(call, 0, 3, c0d);
        Last<R, N>(call, 1, 0, c1a);
        Last<R, N>(call, 1, 1, c1b);
        Last<R, N>(call, 1, 2, c1c);
        Last<R, N>(call, 1, 3, c1d);
        Last<R, N>(call, 2, 0, c2a);
        Last<R, N>(call, 2, 1, c2b);
        Last<R, N>(call, 2, 2, c2c);
        Last<R, N>(call, 2, 3, c2d);
        Last<R, N>(call, 3, 0, c3a);
        Last<R, N>(call, 3, 1, c3b);
        Last<R, N>(call, 3, 2, c3c);
        Last<R, N>(call, 3, 3, c3d);
        Last<R, N>(call, 4, 0, c4a);
        Last<R, N>(call, 4, 1, c4b);
        Last<R, N>(call, 4, 2, c4c);
        Last<R, N>(call, 4, 3, c4d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row<N>(V g, T* x, ref V a, ref V b, ref V c, ref V d)
        where N : unmanaged, ISize
    {
        a = S.Fma(S.Load(x), g, a);
        if (sizeof(N) > 1)
        {
            b = S.Fma(S.Load(x + S.Count), g, b);
        }

        if (sizeof(N) > 2)
        {
            c = S.Fma(S.Load(x + (2 * S.Count)), g, c);
        }

        if (sizeof(N) > 3)
        {
            d = S.Fma(S.Load(x + (3 * S.Count)), g, d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V First<R, N>(WindowsCall* call, int row, int vector)
        where R : unmanaged, ISize
        where N : unmanaged, ISize =>
        row < sizeof(R) && vector < sizeof(N) && !call->Fresh ? S.Load((T*)call->Sums + (((row * sizeof(N)) + vector) * S.Count)) : S.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Last<R, N>(WindowsCall* call, int row, int vector, V sum)
        where R : unmanaged, ISize
        where N : unmanaged, ISize
    {
        if (row < sizeof(R) && vector < sizeof(N))
        {
            S.Store((T*)call->Sums + (((row * sizeof(N)) + vector) * S.Count), sum);
        }
    }

    /// <summary>How images, sums and what is left lie while a job runs image by image.</summary>
    private readonly struct Layout
    {
        private readonly WeightJob job;
        private readonly int channels;
        private readonly int vectors;
        private readonly int places;

        public Layout(in WeightJob job)
        {
            this.job = job;
            channels = job.Images.Planes;
            vectors = Split.Blocks((((job.WindowColumns - 1) * job.ColumnDilation) + 1) * channels, S.Count);
            places = job.Gradients.Rows * job.Gradients.Columns;
        }

        /// <summary>Whether a window's sums fit the registers and fill them.</summary>
        public bool Fits =>
            job.WindowRows <= MaxRows
            && vectors <= MaxVectors
            && job.WindowRows * vectors >= LeastRegisters
            && job.WindowRows * vectors <= MostRegisters
            && job.Count <= MostSums
            && ImageLength * LaneLayout<T>.Bytes <= MostBytes;

        /// <summary>How many numbers <see cref="Find"/> makes.</summary>
        public long LeftCount => (long)job.Gradients.Planes * Blocks * LaneLayout<T>.Lanes;

        /// <summary>Places of a gradient.</summary>
        public int Places => places;

        /// <summary>Elements of an image, and as many beyond as the last vector of a window may reach.</summary>
        public long ImageLength => ((long)job.Images.Rows * job.Images.Columns * channels) + S.Count;

        /// <summary>Elements of an image's sums.</summary>
        public long SumsLength => (long)job.Gradients.Planes * FilterLength;

        private int Blocks => Split.Blocks(places, ZeroTerms<S, V, T>.MostTerms);
        private int RowLength => vectors * S.Count;
        private int FilterLength => job.WindowRows * RowLength;

        /// <summary>Whether more than two thirds of the first filter's gradient are zero at its first places.</summary>
        public bool MayPay(nint gradients)
        {
            int count = Math.Min(Sample, places) * LaneLayout<T>.Lanes;
            int zeros = 0;
            for (int i = 0; i < count; i += S.Count)
            {
                zeros += BitOperations.PopCount(S.MaskBits(S.Equal(S.Load((T*)gradients + i), S.Zero)));
            }

            return 3 * zeros > 2 * count;
        }

        /// <summary>
        /// Whether going without zeros takes less time than the dense loops, with so many elements that are not zero. In multiply-adds of a register: 1.5 for each register of a
        /// window and 4 for the window, and 12 for turning each sum there and back.
        /// </summary>
        public bool Pays(long count)
        {
            double dense = (double)job.Count * places * (64 / sizeof(V));
            return (count * ((1.5 * job.WindowRows * vectors) + 4)) + (12.0 * job.Count) < 0.8 * dense;
        }

        /// <summary>Finds what is not zero, [filters, blocks of places, lanes], and counts it.</summary>
        public long Find(nint gradients, ulong* left)
        {
            T* copy = stackalloc T[ZeroTerms<S, V, T>.MostTerms * S.Count];
            long count = 0;
            for (int filter = 0; filter < job.Gradients.Planes; filter++)
            {
                for (int first = 0; first < places; first += ZeroTerms<S, V, T>.MostTerms)
                {
                    int depth = Math.Min(ZeroTerms<S, V, T>.MostTerms, places - first);
                    T* block = (T*)gradients + ((((long)filter * places) + first) * LaneLayout<T>.Lanes);
                    for (int lane = 0; lane < LaneLayout<T>.Lanes; lane += S.Count)
                    {
                        ZeroTerms<S, V, T>.Find(block + lane, 1, LaneLayout<T>.Lanes, S.Count, depth, left, copy);
                        for (int i = 0; i < S.Count; i++)
                        {
                            count += BitOperations.PopCount(*left++);
                        }
                    }
                }
            }

            return count;
        }

        /// <summary>Lays out each image as [rows, columns, channels].</summary>
        public void TurnImages(T* images, T* target)
        {
            long size = (long)job.Images.Rows * job.Images.Columns;
            for (long place = 0; place < size; place++)
            {
                Packing<S, V, T>.Turn(
                    images + (place * LaneLayout<T>.Lanes),
                    size * LaneLayout<T>.Lanes,
                    target + (place * channels),
                    ImageLength,
                    channels,
                    LaneLayout<T>.Lanes
                );
            }

            for (int lane = 0; lane < LaneLayout<T>.Lanes; lane++)
            {
                new Span<T>(target + (lane * ImageLength) + (size * channels), S.Count).Clear();
            }
        }

        /// <summary>
        /// Brings sums [filters, channels, window rows, window columns, lanes] to each lane's [filters, window rows, vectors], or back. What lies between the taps and behind them
        /// may be anything.
        /// </summary>
        public void TurnSums(T* sums, T* own, bool back)
        {
            long step = (long)job.WindowRows * job.WindowColumns * LaneLayout<T>.Lanes;
            for (int filter = 0; filter < job.Gradients.Planes; filter++)
            {
                for (int tap = 0; tap < job.WindowRows * job.WindowColumns; tap++)
                {
                    (int row, int column) = Math.DivRem(tap, job.WindowColumns);
                    T* lanes = sums + ((((long)filter * job.Taps) + tap) * LaneLayout<T>.Lanes);
                    T* turned = own + ((long)filter * FilterLength) + (row * RowLength) + (column * job.ColumnDilation * channels);
                    if (back)
                    {
                        Packing<S, V, T>.Turn(turned, SumsLength, lanes, step, LaneLayout<T>.Lanes, channels);
                    }
                    else
                    {
                        Packing<S, V, T>.Turn(lanes, step, turned, SumsLength, channels, LaneLayout<T>.Lanes);
                    }
                }
            }
        }

        /// <summary>Runs all images and filters; offsets is memory for one number for each place.</summary>
        public void Run(T* images, nint gradients, ulong* left, int* offsets, T* own, bool fresh)
        {
            long rowStep = job.SourceRowStep / LaneLayout<T>.Bytes * channels * sizeof(T);
            long columnStep = job.SourceStep / LaneLayout<T>.Bytes * channels * sizeof(T);
            for (int place = 0; place < places; place++)
            {
                (int row, int column) = Math.DivRem(place, job.Gradients.Columns);
                offsets[place] = (int)((row * rowStep) + (column * columnStep));
            }

            WindowsCall call = new()
            {
                Offsets = offsets,
                RowStep = (nint)((long)job.RowDilation * job.Images.Columns * channels * sizeof(T)),
                GradientStep = LaneLayout<T>.Bytes,
                LeftStep = LaneLayout<T>.Lanes,
                Places = places,
                Fresh = fresh,
            };
            delegate* <WindowsCall*, void> add = (delegate* <WindowsCall*, void>)Loops[((job.WindowRows - 1) * MaxVectors) + vectors - 1];
            for (int lane = 0; lane < LaneLayout<T>.Lanes; lane++)
            {
                call.Image = (byte*)(images + (lane * ImageLength));
                for (int filter = 0; filter < job.Gradients.Planes; filter++)
                {
                    call.Gradient = (byte*)((T*)gradients + ((long)filter * places * LaneLayout<T>.Lanes) + lane);
                    call.Left = left + ((long)filter * Blocks * LaneLayout<T>.Lanes) + lane;
                    call.Sums = (byte*)(own + (lane * SumsLength) + ((long)filter * FilterLength));
                    add(&call);
                }
            }
        }
    }
}
