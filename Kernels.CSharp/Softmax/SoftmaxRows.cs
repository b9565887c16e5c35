using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Softmax, its logarithm, and cross-entropy with labels, over the last axis of a contiguous [rows, cols], Float32 or Float64.
/// The row's maximum is subtracted first, so that logits of any finite size are safe.
/// </summary>
/// <remarks>
/// A row with NaN, +inf, or nothing but -inf gives NaN. Rows are independent and a row's sum has a fixed order, so bits depend
/// neither on the number of threads nor on the register width.
/// </remarks>
public static unsafe class SoftmaxRows
{
    /// <summary>y = e^x / sum of e^x, for each row. y may be x.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="y">Output [rows, cols].</param>
    /// <param name="x">Input [rows, cols].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cols">Length of a row.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Run(ElementType type, nint y, nint x, long rows, long cols, WorkerPool pool)
    {
        SoftmaxJob job = Job(y, x, rows, cols, pool);
        Run(Kernel(type, Kind.Softmax), job, pool);
    }

    /// <summary>y = x - log(sum of e^x), for each row. y may be x.</summary>
    /// <inheritdoc cref="Run(ElementType, nint, nint, long, long, WorkerPool)"/>
    public static void LogSoftmax(ElementType type, nint y, nint x, long rows, long cols, WorkerPool pool)
    {
        SoftmaxJob job = Job(y, x, rows, cols, pool);
        Run(Kernel(type, Kind.Log), job, pool);
    }

    /// <summary>loss[r] = -log softmax(logits[r])[labels[r]].</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="loss">Output [rows].</param>
    /// <param name="logits">Input [rows, cols].</param>
    /// <param name="labels">Input [rows], Int32, each in [0, cols).</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cols">Number of classes.</param>
    /// <param name="pool">Threads to use.</param>
    /// <returns>The first row whose label is not in [0, cols), nothing having been written; else -1.</returns>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static long CrossEntropy(ElementType type, nint loss, nint logits, nint labels, long rows, long cols, WorkerPool pool)
    {
        long bad = Selection.FirstBadIndex(labels, rows, cols);
        if (bad >= 0)
        {
            return bad;
        }

        SoftmaxJob job = Job(0, logits, rows, cols, pool);
        job.Labels = labels;
        job.Losses = loss;
        Run(Kernel(type, Kind.CrossEntropy), job, pool);
        return -1;
    }

    /// <summary>y[r] = (softmax(logits[r]) - onehot(labels[r])) * g[r]: the gradient of <see cref="CrossEntropy"/>. y may be logits.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="y">Output [rows, cols].</param>
    /// <param name="logits">Input [rows, cols].</param>
    /// <param name="labels">Input [rows], Int32, each in [0, cols).</param>
    /// <param name="g">Input [rows]: the gradient with respect to each row's loss.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cols">Number of classes.</param>
    /// <param name="pool">Threads to use.</param>
    /// <param name="loss">Second output [rows], of the bits of <see cref="CrossEntropy"/>, which has the exponentials in common; 0, the default, for none.</param>
    /// <returns>The first row whose label is not in [0, cols), nothing having been written; else -1.</returns>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static long CrossEntropyGradient(
        ElementType type,
        nint y,
        nint logits,
        nint labels,
        nint g,
        long rows,
        long cols,
        WorkerPool pool,
        nint loss = 0
    )
    {
        long bad = Selection.FirstBadIndex(labels, rows, cols);
        if (bad >= 0)
        {
            return bad;
        }

        SoftmaxJob job = Job(y, logits, rows, cols, pool);
        job.Labels = labels;
        job.Weights = g;
        job.Losses = loss;
        Run(Kernel(type, Kind.Gradient), job, pool);
        return -1;
    }

    private enum Kind
    {
        Softmax,
        Log,
        CrossEntropy,
        Gradient,
    }

    private static SoftmaxJob Job(nint y, nint x, long rows, long cols, WorkerPool pool) =>
        new()
        {
            Y = y,
            X = x,
            Rows = rows,
            Columns = cols,
            Parts = (int)Math.Min(Math.Max(rows, 1), Split.Parts(rows * cols, 4096, pool)),
        };

    private static void Run(delegate* <int, nint, void> kernel, SoftmaxJob job, WorkerPool pool)
    {
        if (job.Rows > 0 && job.Columns > 0)
        {
            pool.Run(job.Parts, kernel, (nint)(&job));
        }
    }

    private static delegate* <int, nint, void> Kernel(ElementType type, Kind kind) =>
        type switch
        {
            ElementType.Float32 => Kernel<float>(kind),
            ElementType.Float64 => Kernel<double>(kind),
            _ => throw new NotSupportedException($"Softmax does not exist for {type}."),
        };

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
            Kind.Softmax => &SoftmaxLoop<S, V, T>.Softmax,
            Kind.Log => &SoftmaxLoop<S, V, T>.LogSoftmax,
            Kind.CrossEntropy => &SoftmaxLoop<S, V, T>.CrossEntropy,
            _ => &SoftmaxLoop<S, V, T>.CrossEntropyGradient,
        };
}
