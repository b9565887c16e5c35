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
        WholeWindows<T> whole = new(shape);
        long size = (long)shape.Height * shape.Width;
        long count = (long)shape.OutHeight * shape.OutWidth;
        for (long block = from; block < to; block++)
        {
            int planes = LaneLayout<T>.Images(shape.Planes, block);
            LaneLayout<T>.Pack((T*)job->X + (block * Lanes * size), size, planes, source, size);
            MaximumLoop<S, V, T>.Find(shape, whole, source, null, target, rectified: false);
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

    /// <summary>A block of planes, and one of results.</summary>
    private static void Scratch(PoolingShape shape, out T* planes, out T* results)
    {
        planes = (T*)Workspace.Get(Workspace.Purpose.LaneImages, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        results = (T*)Workspace.Get(Workspace.Purpose.LaneResults, (long)shape.OutHeight * shape.OutWidth * LaneLayout<T>.Bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mean(PoolingShape s, T* source, T* target)
    {
        V size = S.Const((double)s.KernelHeight * s.KernelWidth);
        for (int row = 0; row < s.OutHeight; row++)
        {
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; column++)
            {
                WindowSpan columns = WindowSpan.Column(s, column);
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
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; column++)
            {
                WindowSpan columns = WindowSpan.Column(s, column);
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
}
