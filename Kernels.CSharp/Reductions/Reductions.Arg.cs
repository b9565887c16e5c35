using System.Numerics;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <content>Positions of extremes.</content>
public static unsafe partial class Reductions
{
    /// <summary>Index along the reduced axis of the largest element, the first of equals; the first NaN if there is one.</summary>
    /// <param name="type">Element type of x: Float32 or Float64.</param>
    /// <param name="y">Output [outer, inner], Int32.</param>
    /// <param name="x">Input [outer, reduce, inner].</param>
    /// <param name="outer">Length of the outer axis.</param>
    /// <param name="reduce">Length of the reduced axis: from 1 to 2^31 - 1.</param>
    /// <param name="inner">Length of the inner axis.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="ArgumentOutOfRangeException">The reduced axis is empty although outputs are asked for.</exception>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void ArgMax(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool) =>
        Arg(type, true, y, x, outer, reduce, inner, pool);

    /// <summary>Index along the reduced axis of the smallest element, the first of equals; the first NaN if there is one.</summary>
    /// <inheritdoc cref="ArgMax"/>
    public static void ArgMin(ElementType type, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool) =>
        Arg(type, false, y, x, outer, reduce, inner, pool);

    private static void Arg(ElementType type, bool largest, nint y, nint x, long outer, long reduce, long inner, WorkerPool pool)
    {
        if (type is not (ElementType.Float32 or ElementType.Float64))
        {
            throw new NotSupportedException($"{(largest ? "ArgMax" : "ArgMin")} does not exist for {type}.");
        }

        if (outer * inner == 0)
        {
            return;
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(reduce, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reduce, int.MaxValue);
        ReductionJob job = new()
        {
            X = x,
            Y = y,
            Outer = outer,
            Reduce = reduce,
            Inner = inner,
            Parts = (int)Math.Min(outer, Split.Parts(outer * reduce * inner, 8192, pool)),
        };
        delegate* <int, nint, void> body = (type == ElementType.Float32, largest) switch
        {
            (true, true) => &ArgPart<float, Above<float>>,
            (true, false) => &ArgPart<float, Below<float>>,
            (false, true) => &ArgPart<double, Above<double>>,
            _ => &ArgPart<double, Below<double>>,
        };
        pool.Run(job.Parts, body, (nint)(&job));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ArgPart<T, B>(int part, nint context)
        where T : unmanaged
        where B : struct, IBetter<T>
    {
        ReductionJob* job = (ReductionJob*)context;
        (long from, long to) = Split.Range(job->Outer, part, job->Parts);
        for (long outer = from; outer < to; outer++)
        {
            T* x = (T*)job->X + (outer * job->Reduce * job->Inner);
            int* y = (int*)job->Y + (outer * job->Inner);
            new Span<byte>(y, checked((int)(job->Inner * sizeof(int)))).Clear();
            for (long i = 1; i < job->Reduce; i++)
            {
                T* row = x + (i * job->Inner);
                for (long j = 0; j < job->Inner; j++)
                {
                    if (B.IsBetter(row[j], x[(y[j] * job->Inner) + j]))
                    {
                        y[j] = (int)i;
                    }
                }
            }
        }
    }

    /// <summary>Whether a value takes the place of the best so far.</summary>
    private interface IBetter<T>
    {
        static abstract bool IsBetter(T value, T best);
    }

    private readonly struct Above<T> : IBetter<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        public static bool IsBetter(T value, T best) => value > best || (T.IsNaN(value) && !T.IsNaN(best));
    }

    private readonly struct Below<T> : IBetter<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        public static bool IsBetter(T value, T best) => value < best || (T.IsNaN(value) && !T.IsNaN(best));
    }
}
