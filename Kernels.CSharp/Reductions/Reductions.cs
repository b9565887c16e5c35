using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Reductions over the middle axis of a contiguous x seen as [outer, reduce, inner]; y is a contiguous [outer, inner].
/// </summary>
/// <remarks>
/// The order in which elements are combined depends on the shape and the element type alone (rule R10), never on register width or
/// number of threads; <see cref="Lanes{S, V, T, C}"/> and <see cref="ReductionLoop{S, V, T, C}"/> describe it. y must not overlap x.
/// </remarks>
public static unsafe partial class Reductions
{
    /// <summary>Sum; 0 where reduce is 0. Float32, Float64, and Int32 (wraps).</summary>
    /// <param name="type">Element type of y and x.</param>
    /// <param name="y">Output [outer, inner].</param>
    /// <param name="x">Input [outer, reduce, inner].</param>
    /// <param name="outer">Length of the outer axis.</param>
    /// <param name="reduce">Length of the reduced axis.</param>
    /// <param name="inner">Length of the inner axis.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type has no sum.</exception>
    public static void Sum(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool)
    {
        if (type == ElementType.Int32)
        {
            Run<int, SumCombiner>(y, x, outer, reduce, inner, pool);
            return;
        }

        Run<SumCombiner>("Sum", type, y, x, outer, reduce, inner, pool);
    }

    /// <summary>Product; 1 where reduce is 0. Float32 and Float64.</summary>
    /// <inheritdoc cref="Sum"/>
    public static void Prod(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool) =>
        Run<ProdCombiner>("Prod", type, y, x, outer, reduce, inner, pool);

    /// <summary>Largest element, NaN if there is a NaN; -inf where reduce is 0. Float32 and Float64.</summary>
    /// <inheritdoc cref="Sum"/>
    public static void Max(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool) =>
        Run<MaxCombiner>("Max", type, y, x, outer, reduce, inner, pool);

    /// <summary>Smallest element, NaN if there is a NaN; +inf where reduce is 0. Float32 and Float64.</summary>
    /// <inheritdoc cref="Sum"/>
    public static void Min(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool) =>
        Run<MinCombiner>("Min", type, y, x, outer, reduce, inner, pool);

    private static void Run<C>(string name, ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool)
        where C : struct, ICombiner
    {
        switch (type)
        {
            case ElementType.Float32:
                Run<float, C>(y, x, outer, reduce, inner, pool);
                break;
            case ElementType.Float64:
                Run<double, C>(y, x, outer, reduce, inner, pool);
                break;
            default:
                throw new NotSupportedException($"{name} does not exist for {type}.");
        }
    }

    private static void Run<T, C>(nint y, nint x, long outer, long reduce, long inner, WorkerPool pool)
        where T : unmanaged
        where C : struct, ICombiner
    {
        ReductionJob job = new()
        {
            X = x,
            Y = y,
            Outer = outer,
            Reduce = reduce,
            Inner = inner,
        };
        if (CpuFeatures.Has512)
        {
            ReductionLoop<Simd512<T>, Vector512<T>, T, C>.Run(job, pool);
        }
        else if (CpuFeatures.Has256)
        {
            ReductionLoop<Simd256<T>, Vector256<T>, T, C>.Run(job, pool);
        }
        else
        {
            ReductionLoop<Simd128<T>, Vector128<T>, T, C>.Run(job, pool);
        }
    }
}
