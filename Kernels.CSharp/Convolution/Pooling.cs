using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>Pooling of contiguous planes [planes, height, width] under a window, Float32 and Float64, and what its derivatives need.</summary>
/// <remarks>Planes lie side by side, one in each lane, as the images of <see cref="Convolution"/> do; each is on its own, so bits depend on nothing else.</remarks>
public static unsafe class Pooling
{
    private const long Grain = 16384;

    /// <summary>
    /// The position in the plane, row by row, of the largest element under each place of the window: the first of equal ones, the first NaN
    /// if there is any. Padding never wins; a window with nothing but padding gives 0.
    /// </summary>
    /// <param name="type">Type of x: Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="y">Output Int32 [planes, out height, out width].</param>
    /// <param name="x">Input [planes, height, width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void MaxPositions(ElementType type, PoolingShape shape, nint y, nint x, WorkerPool pool) => Run(type, Kind.Max, shape, y, x, pool);

    /// <summary>
    /// The mean of the elements under each place of the window: their sum, row by row, divided by the window's size. Padding counts as zeros.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="y">Output [planes, out height, out width].</param>
    /// <param name="x">Input [planes, height, width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Average(ElementType type, PoolingShape shape, nint y, nint x, WorkerPool pool) => Run(type, Kind.Average, shape, y, x, pool);

    /// <summary>
    /// The transpose of <see cref="Average"/>: for each element the sum of the gradients of the places that it lies under, row by row, divided
    /// by the window's size.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes of the pooling.</param>
    /// <param name="dx">Output [planes, height, width].</param>
    /// <param name="dy">Gradients [planes, out height, out width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void AverageBackward(ElementType type, PoolingShape shape, nint dx, nint dy, WorkerPool pool) =>
        Run(type, Kind.AverageBackward, shape, dx, dy, pool);

    /// <summary>y[p, i] = x[p, positions[p, i]].</summary>
    /// <param name="type">Element type of y and x; any.</param>
    /// <param name="planes">Number of planes.</param>
    /// <param name="fromSize">Elements of a plane of x.</param>
    /// <param name="intoSize">Elements of a plane of y.</param>
    /// <param name="y">Output [planes, into size].</param>
    /// <param name="x">Input [planes, from size].</param>
    /// <param name="positions">Int32 [planes, into size], each in [0, from size), which is not checked.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Take(ElementType type, long planes, long fromSize, long intoSize, nint y, nint x, nint positions, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type.Size() switch
        {
            1 => &TakePart<byte>,
            4 => &TakePart<int>,
            _ => &TakePart<long>,
        };
        MoveJob job = new(y, x, positions, planes, fromSize, intoSize, PartsOf(planes, intoSize, pool));
        pool.Run(job.Parts, body, (nint)(&job));
    }

    /// <summary>y = 0, then y[p, positions[p, i]] += g[p, i] in the order of i: the transpose of <see cref="Take"/>.</summary>
    /// <param name="type">Float32, Float64 or Int32.</param>
    /// <param name="planes">Number of planes.</param>
    /// <param name="fromSize">Elements of a plane of g.</param>
    /// <param name="intoSize">Elements of a plane of y.</param>
    /// <param name="y">Output [planes, into size].</param>
    /// <param name="g">Input [planes, from size].</param>
    /// <param name="positions">Int32 [planes, from size], each in [0, into size), which is not checked.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type cannot be added.</exception>
    public static void Put(ElementType type, long planes, long fromSize, long intoSize, nint y, nint g, nint positions, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type switch
        {
            ElementType.Float32 => &PutPart<float>,
            ElementType.Float64 => &PutPart<double>,
            ElementType.Int32 => &PutPart<int>,
            _ => throw new NotSupportedException($"Put does not exist for {type}."),
        };
        MoveJob job = new(y, g, positions, planes, fromSize, intoSize, PartsOf(planes, intoSize, pool));
        pool.Run(job.Parts, body, (nint)(&job));
    }

    private enum Kind
    {
        Max,
        Average,
        AverageBackward,
    }

    private static void Run(ElementType type, Kind kind, PoolingShape shape, nint y, nint x, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type switch
        {
            ElementType.Float32 => Kernel<float>(kind),
            ElementType.Float64 => Kernel<double>(kind),
            _ => throw new NotSupportedException($"Pooling does not exist for {type}."),
        };
        int blocks = type == ElementType.Float32 ? LaneLayout<float>.Blocks(shape.Planes) : LaneLayout<double>.Blocks(shape.Planes);
        long work = (long)shape.Planes * shape.OutHeight * shape.OutWidth * shape.KernelHeight * shape.KernelWidth;
        PoolingJob job = new()
        {
            Shape = shape,
            Y = y,
            X = x,
            Blocks = blocks,
            Parts = Math.Min(Math.Max(blocks, 1), Split.Parts(work, Grain, pool)),
        };
        if (blocks > 0)
        {
            pool.Run(job.Parts, body, (nint)(&job));
        }
    }

    private static delegate* <int, nint, void> Kernel<T>(Kind kind)
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            return Kernel<Simd512<T>, Vector512<T>, T>(kind);
        }

        return CpuFeatures.Has256 ? Kernel<Simd256<T>, Vector256<T>, T>(kind) : Kernel<Simd128<T>, Vector128<T>, T>(kind);
    }

    private static delegate* <int, nint, void> Kernel<S, V, T>(Kind kind)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged =>
        kind switch
        {
            Kind.Max => &PoolingLoop<S, V, T>.MaxPositions,
            Kind.Average => &PoolingLoop<S, V, T>.Average,
            _ => &PoolingLoop<S, V, T>.AverageBackward,
        };

    private static int PartsOf(long planes, long inner, WorkerPool pool) =>
        (int)Math.Min(Math.Max(planes, 1), Split.Parts(planes * inner, Grain, pool));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakePart<T>(int part, nint context)
        where T : unmanaged
    {
        MoveJob* job = (MoveJob*)context;
        (long from, long to) = Split.Range(job->Planes, part, job->Parts);
        for (long plane = from; plane < to; plane++)
        {
            T* x = (T*)job->X + (plane * job->FromSize);
            T* y = (T*)job->Y + (plane * job->IntoSize);
            int* positions = (int*)job->Positions + (plane * job->IntoSize);
            for (long i = 0; i < job->IntoSize; i++)
            {
                y[i] = x[positions[i]];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutPart<T>(int part, nint context)
        where T : unmanaged, IAdditionOperators<T, T, T>
    {
        MoveJob* job = (MoveJob*)context;
        (long from, long to) = Split.Range(job->Planes, part, job->Parts);
        for (long plane = from; plane < to; plane++)
        {
            T* g = (T*)job->X + (plane * job->FromSize);
            T* y = (T*)job->Y + (plane * job->IntoSize);
            int* positions = (int*)job->Positions + (plane * job->FromSize);
            LaneLayout<T>.Clear((nint)y, job->IntoSize * sizeof(T));
            for (long i = 0; i < job->FromSize; i++)
            {
                y[positions[i]] += g[i];
            }
        }
    }

    private readonly record struct MoveJob(nint Y, nint X, nint Positions, long Planes, long FromSize, long IntoSize, int Parts);
}
