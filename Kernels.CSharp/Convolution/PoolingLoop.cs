using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Sizes and addresses of a pooling kernel.</summary>
internal struct PoolingJob
{
    public PoolingShape Shape;
    public nint Y;
    public nint X;
    public int Blocks;
    public int Parts;
}

/// <summary>Pooling of a block of planes at a time, a lane for each.</summary>
internal static unsafe class PoolingLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private static int Lanes => LaneLayout<T>.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MaxPositions(int part, nint context)
    {
        PoolingJob* job = (PoolingJob*)context;
        PoolingShape shape = job->Shape;
        (long from, long to) = Split.Range(job->Blocks, part, job->Parts);
        Scratch(shape, out T* source, out T* target);
        long size = (long)shape.Height * shape.Width;
        long count = (long)shape.OutHeight * shape.OutWidth;
        for (long block = from; block < to; block++)
        {
            int planes = LaneLayout<T>.Images(shape.Planes, block);
            LaneLayout<T>.Pack((T*)job->X + (block * Lanes * size), size, planes, source, size);
            Positions(shape, source, target);
            int* y = (int*)job->Y + (block * Lanes * count);
            if (sizeof(T) == sizeof(int))
            {
                LaneLayout<int>.Unpack((int*)target, y, count, planes, count);
                continue;
            }

            for (int lane = 0; lane < planes; lane++)
            {
                for (long i = 0; i < count; i++)
                {
                    y[(lane * count) + i] = (int)((long*)target)[(i * Lanes) + lane];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Average(int part, nint context)
    {
        PoolingJob* job = (PoolingJob*)context;
        PoolingShape shape = job->Shape;
        (long from, long to) = Split.Range(job->Blocks, part, job->Parts);
        Scratch(shape, out T* source, out T* target);
        long size = (long)shape.Height * shape.Width;
        long count = (long)shape.OutHeight * shape.OutWidth;
        for (long block = from; block < to; block++)
        {
            int planes = LaneLayout<T>.Images(shape.Planes, block);
            LaneLayout<T>.Pack((T*)job->X + (block * Lanes * size), size, planes, source, size);
            Means(shape, source, target);
            LaneLayout<T>.Unpack(target, (T*)job->Y + (block * Lanes * count), count, planes, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AverageBackward(int part, nint context)
    {
        PoolingJob* job = (PoolingJob*)context;
        PoolingShape shape = job->Shape;
        (long from, long to) = Split.Range(job->Blocks, part, job->Parts);
        Scratch(shape, out T* target, out T* source);
        long size = (long)shape.Height * shape.Width;
        long count = (long)shape.OutHeight * shape.OutWidth;
        for (long block = from; block < to; block++)
        {
            int planes = LaneLayout<T>.Images(shape.Planes, block);
            LaneLayout<T>.Pack((T*)job->X + (block * Lanes * count), count, planes, source, count);
            Spread(shape, source, target);
            LaneLayout<T>.Unpack(target, (T*)job->Y + (block * Lanes * size), size, planes, size);
        }
    }

    /// <summary>Where the largest elements of one block stand, as integers of the elements' size.</summary>
    public static void Positions(PoolingShape shape, T* source, T* target)
    {
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Largest<Place>(shape, source + lane, target + lane);
        }
    }

    /// <summary>The largest elements of one block.</summary>
    public static void Max(PoolingShape shape, T* source, T* target)
    {
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Largest<Element>(shape, source + lane, target + lane);
        }
    }

    /// <summary>The means of one block.</summary>
    public static void Means(PoolingShape shape, T* source, T* target)
    {
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Mean(shape, source + lane, target + lane);
        }
    }

    /// <summary>The transpose of <see cref="Means"/>.</summary>
    public static void Spread(PoolingShape shape, T* source, T* target)
    {
        LaneLayout<T>.Clear((nint)target, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Share(shape, source + lane, target + lane);
        }
    }

    /// <summary>
    /// The transpose of taking the elements at positions under windows that do not overlap: each place's gradient at its position, zeros
    /// elsewhere.
    /// </summary>
    public static void Put(PoolingShape shape, T* target, T* gradients, T* positions)
    {
        if (shape.OutHeight * shape.StrideHeight != shape.Height || shape.OutWidth * shape.StrideWidth != shape.Width || !Touch(shape))
        {
            LaneLayout<T>.Clear((nint)target, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        }

        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            PutUnder(shape, target + lane, gradients + lane, positions + lane);
        }
    }

    // Windows without gaps in between or inside.
    private static bool Touch(PoolingShape s) =>
        s.StrideHeight == s.KernelHeight
        && s.StrideWidth == s.KernelWidth
        && s is { PadTop: 0, PadLeft: 0 }
        && (s.DilationHeight == 1 || s.KernelHeight == 1)
        && (s.DilationWidth == 1 || s.KernelWidth == 1);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutUnder(PoolingShape s, T* target, T* gradients, T* positions)
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            Span rows = new(row, s.StrideHeight, s.PadTop, s.DilationHeight, s.KernelHeight, s.Height);
            for (int column = 0; column < s.OutWidth; column++)
            {
                Span columns = new(column, s.StrideWidth, s.PadLeft, s.DilationWidth, s.KernelWidth, s.Width);

                // The sum of zero and the gradient, as where several meet: -0 becomes 0.
                V gradient = S.Add(S.Zero, S.Load(gradients));
                V position = S.Load(positions);
                for (int i = 0; i < rows.Count; i++)
                {
                    long at = ((rows.First + ((long)i * s.DilationHeight)) * s.Width) + columns.First;
                    for (int j = 0; j < columns.Count; j++)
                    {
                        S.Store(target + (at * Lanes), S.Select(S.BitsEqual(position, S.ConstBits(at)), gradient, S.Zero));
                        at += s.DilationWidth;
                    }
                }

                gradients += Lanes;
                positions += Lanes;
            }
        }
    }

    /// <summary>A block of planes, and one of results.</summary>
    private static void Scratch(PoolingShape shape, out T* planes, out T* results)
    {
        planes = (T*)Workspace.Get(Workspace.Purpose.LaneImages, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        results = (T*)Workspace.Get(Workspace.Purpose.LaneResults, (long)shape.OutHeight * shape.OutWidth * LaneLayout<T>.Bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Largest<R>(PoolingShape s, T* source, T* target)
        where R : IResult
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            Span rows = new(row, s.StrideHeight, s.PadTop, s.DilationHeight, s.KernelHeight, s.Height);
            for (int column = 0; column < s.OutWidth; column++)
            {
                Span columns = new(column, s.StrideWidth, s.PadLeft, s.DilationWidth, s.KernelWidth, s.Width);
                long first = ((long)rows.First * s.Width) + columns.First;
                V best = S.Zero;
                V position = S.ConstBits(0);
                if (rows.Count > 0 && columns.Count > 0)
                {
                    best = S.Load(source + (first * Lanes));
                    position = S.ConstBits(first);
                }

                for (int i = 0; i < rows.Count; i++)
                {
                    long at = first + ((long)i * s.DilationHeight * s.Width);
                    for (int j = 0; j < columns.Count; j++)
                    {
                        V x = S.Load(source + (at * Lanes));

                        // Larger, or the first NaN: not below or equal to a best that is a number.
                        V wins = S.AndNot(S.Equal(best, best), S.LessEqual(x, best));
                        best = S.Select(wins, x, best);
                        position = R.IsPlace ? S.Select(wins, S.ConstBits(at), position) : position;
                        at += s.DilationWidth;
                    }
                }

                S.Store(target, R.IsPlace ? position : best);
                target += Lanes;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mean(PoolingShape s, T* source, T* target)
    {
        V size = S.Const((double)s.KernelHeight * s.KernelWidth);
        for (int row = 0; row < s.OutHeight; row++)
        {
            Span rows = new(row, s.StrideHeight, s.PadTop, s.DilationHeight, s.KernelHeight, s.Height);
            for (int column = 0; column < s.OutWidth; column++)
            {
                Span columns = new(column, s.StrideWidth, s.PadLeft, s.DilationWidth, s.KernelWidth, s.Width);
                V sum = S.Zero;
                for (int i = 0; i < rows.Count; i++)
                {
                    long at = ((rows.First + ((long)i * s.DilationHeight)) * s.Width) + columns.First;
                    for (int j = 0; j < columns.Count; j++)
                    {
                        sum = S.Add(sum, S.Load(source + (at * Lanes)));
                        at += s.DilationWidth;
                    }
                }

                S.Store(target, S.Div(sum, size));
                target += Lanes;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Share(PoolingShape s, T* source, T* target)
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            Span rows = new(row, s.StrideHeight, s.PadTop, s.DilationHeight, s.KernelHeight, s.Height);
            for (int column = 0; column < s.OutWidth; column++)
            {
                Span columns = new(column, s.StrideWidth, s.PadLeft, s.DilationWidth, s.KernelWidth, s.Width);
                V g = S.Load(source);
                source += Lanes;
                for (int i = 0; i < rows.Count; i++)
                {
                    long at = ((rows.First + ((long)i * s.DilationHeight)) * s.Width) + columns.First;
                    for (int j = 0; j < columns.Count; j++)
                    {
                        S.Store(target + (at * Lanes), S.Add(S.Load(target + (at * Lanes)), g));
                        at += s.DilationWidth;
                    }
                }
            }
        }

        V size = S.Const((double)s.KernelHeight * s.KernelWidth);
        for (long i = 0; i < (long)s.Height * s.Width; i++)
        {
            S.Store(target + (i * Lanes), S.Div(S.Load(target + (i * Lanes)), size));
        }
    }

    /// <summary>What is wanted of the largest element.</summary>
    private interface IResult
    {
        static abstract bool IsPlace { get; }
    }

    private readonly struct Place : IResult
    {
        public static bool IsPlace => true;
    }

    private readonly struct Element : IResult
    {
        public static bool IsPlace => false;
    }

    /// <summary>The elements along one axis that a window covers at a place, without padding.</summary>
    private readonly struct Span
    {
        public readonly int First;
        public readonly int Count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Span(int place, int stride, int padding, int dilation, int kernel, int length)
        {
            int start = (place * stride) - padding;
            int end = start + ((kernel - 1) * dilation);
            First = start;
            Count = kernel;
            if (start < 0)
            {
                int skipped = (dilation - 1 - start) / dilation;
                First += skipped * dilation;
                Count -= skipped;
            }

            if (end >= length)
            {
                Count -= (end - length + dilation) / dilation;
            }
        }
    }
}
