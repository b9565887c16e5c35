using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// Kernels that pick or place elements by Int32 indices. Every index is checked before anything is written: a kernel returns the
/// position of the first index out of range, or -1 when all is well.
/// </summary>
/// <remarks>All operands are contiguous, and the output overlaps no input.</remarks>
public static unsafe partial class Selection
{
    private const long Grain = 16384;

    /// <summary>y[i] = x[indices[i]], rows of inner elements.</summary>
    /// <param name="type">Element type of y and x; any.</param>
    /// <param name="y">Output [count, inner].</param>
    /// <param name="x">Input [rows, inner].</param>
    /// <param name="indices">Int32 [count], each in [0, rows).</param>
    /// <param name="count">Number of rows taken.</param>
    /// <param name="rows">Number of rows of x.</param>
    /// <param name="inner">Elements of a row.</param>
    /// <param name="pool">Threads to use.</param>
    /// <returns>The first position whose index is out of range, nothing having been written; else -1.</returns>
    public static long Gather(ElementType type, nint y, nint x, nint indices, long count, long rows, long inner, WorkerPool pool)
    {
        long bad = FirstBadIndex(indices, count, rows);
        if (bad >= 0)
        {
            return bad;
        }

        long rowBytes = inner * type.Size();
        SelectionJob job = new(y, x, indices, count, rows, rowBytes, SharedParts(count, inner, pool));
        pool.Run(job.Parts, &GatherPart, (nint)(&job));
        return -1;
    }

    /// <summary>y = 0, then y[indices[i]] += updates[i] in the order of i: the transpose of <see cref="Gather"/>.</summary>
    /// <param name="type">Float32, Float64 or Int32.</param>
    /// <param name="y">Output [rows, inner].</param>
    /// <param name="updates">Input [count, inner].</param>
    /// <param name="indices">Int32 [count], each in [0, rows).</param>
    /// <param name="count">Number of rows added.</param>
    /// <param name="rows">Number of rows of y.</param>
    /// <param name="inner">Elements of a row.</param>
    /// <param name="pool">Threads to use: each owns some rows of y, so the order of additions is that of i for any number.</param>
    /// <returns>The first position whose index is out of range, nothing having been written; else -1.</returns>
    /// <exception cref="NotSupportedException">The type cannot be added.</exception>
    public static long ScatterAdd(ElementType type, nint y, nint updates, nint indices, long count, long rows, long inner, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type switch
        {
            ElementType.Float32 => &ScatterAddPart<float>,
            ElementType.Float64 => &ScatterAddPart<double>,
            ElementType.Int32 => &ScatterAddPart<int>,
            _ => throw new NotSupportedException($"ScatterAdd does not exist for {type}."),
        };
        long bad = FirstBadIndex(indices, count, rows);
        if (bad >= 0)
        {
            return bad;
        }

        int parts = (int)Math.Min(Math.Max(rows, 1), Math.Min(pool.Threads, Split.Parts((count + rows) * inner, Grain, pool)));
        SelectionJob job = new(y, updates, indices, count, rows, inner, parts);
        pool.Run(parts, body, (nint)(&job));
        return -1;
    }

    /// <summary>y[o, i] = x[o, indices[o, i], i].</summary>
    /// <param name="type">Element type of y and x; any.</param>
    /// <param name="y">Output [outer, inner].</param>
    /// <param name="x">Input [outer, axis, inner].</param>
    /// <param name="indices">Int32 [outer, inner], each in [0, axis).</param>
    /// <param name="outer">Length of the outer axis.</param>
    /// <param name="axis">Length of the axis that is picked from.</param>
    /// <param name="inner">Length of the inner axis.</param>
    /// <param name="pool">Threads to use.</param>
    /// <returns>The first position whose index is out of range, nothing having been written; else -1.</returns>
    public static long TakeAlong(ElementType type, nint y, nint x, nint indices, long outer, long axis, long inner, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type.Size() switch
        {
            1 => &TakePart<byte>,
            4 => &TakePart<int>,
            _ => &TakePart<long>,
        };
        return Along(body, y, x, indices, outer, axis, inner, pool);
    }

    /// <summary>y = 0 except y[o, indices[o, i], i] = values[o, i]: the transpose of <see cref="TakeAlong"/>.</summary>
    /// <param name="type">Element type of y and values; any.</param>
    /// <param name="y">Output [outer, axis, inner].</param>
    /// <param name="values">Input [outer, inner].</param>
    /// <param name="indices">Int32 [outer, inner], each in [0, axis).</param>
    /// <param name="outer">Length of the outer axis.</param>
    /// <param name="axis">Length of the axis that is written to.</param>
    /// <param name="inner">Length of the inner axis.</param>
    /// <param name="pool">Threads to use.</param>
    /// <returns>The first position whose index is out of range, nothing having been written; else -1.</returns>
    public static long PutAlong(ElementType type, nint y, nint values, nint indices, long outer, long axis, long inner, WorkerPool pool)
    {
        delegate* <int, nint, void> body = type.Size() switch
        {
            1 => &PutPart<byte>,
            4 => &PutPart<int>,
            _ => &PutPart<long>,
        };
        return Along(body, y, values, indices, outer, axis, inner, pool);
    }

    /// <summary>y[i, c] = 1 where c is indices[i], else 0.</summary>
    /// <param name="type">Element type of y; any.</param>
    /// <param name="y">Output [count, classes].</param>
    /// <param name="indices">Int32 [count], each in [0, classes).</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="classes">Length of a row.</param>
    /// <returns>The first position whose index is out of range, nothing having been written; else -1.</returns>
    public static long OneHot(ElementType type, nint y, nint indices, long count, long classes)
    {
        long bad = FirstBadIndex(indices, count, classes);
        if (bad >= 0)
        {
            return bad;
        }

        Elementwise.Fill(type, y, count * classes, 0, WorkerPool.Serial);
        for (long i = 0; i < count; i++)
        {
            nint at = y + (nint)(((i * classes) + ((int*)indices)[i]) * type.Size());
            Elementwise.Fill(type, at, 1, 1, WorkerPool.Serial);
        }

        return -1;
    }

    /// <summary>Position of the first of count Int32 indices that is not in [0, limit), or -1.</summary>
    /// <param name="indices">Int32 [count].</param>
    /// <param name="count">Number of indices.</param>
    /// <param name="limit">Upper bound, exclusive; bounds above 2^31 - 1 admit every index from 0 on.</param>
    public static long FirstBadIndex(nint indices, long count, long limit) =>
        limit <= 0 ? (count > 0 ? 0 : -1) : Elementwise.FirstOutside(ElementType.Int32, indices, count, 0, limit - 1);

    private static long Along(delegate* <int, nint, void> body, nint y, nint x, nint indices, long outer, long axis, long inner, WorkerPool pool)
    {
        long bad = FirstBadIndex(indices, outer * inner, axis);
        if (bad >= 0)
        {
            return bad;
        }

        AlongJob job = new(y, x, indices, outer, axis, inner, SharedParts(outer, inner, pool));
        pool.Run(job.Parts, body, (nint)(&job));
        return -1;
    }

    private static int SharedParts(long items, long inner, WorkerPool pool) =>
        (int)Math.Min(Math.Max(items, 1), Split.Parts(items * inner, Grain, pool));

    private static void GatherPart(int part, nint context)
    {
        SelectionJob* job = (SelectionJob*)context;
        (long from, long to) = Split.Range(job->Count, part, job->Parts);
        GatherLoop.Run((byte*)job->Y, (byte*)job->X, (int*)job->Indices, from, to, job->Inner);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScatterAddPart<T>(int part, nint context)
        where T : unmanaged, System.Numerics.IAdditionOperators<T, T, T>
    {
        SelectionJob* job = (SelectionJob*)context;
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        T* y = (T*)job->Y;
        for (long i = from * job->Inner; i < to * job->Inner; i++)
        {
            y[i] = default;
        }

        for (long i = 0; i < job->Count; i++)
        {
            int row = ((int*)job->Indices)[i];
            if (row < from || row >= to)
            {
                continue;
            }

            T* target = y + (row * job->Inner);
            T* source = (T*)job->X + (i * job->Inner);
            for (long j = 0; j < job->Inner; j++)
            {
                target[j] += source[j];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakePart<T>(int part, nint context)
        where T : unmanaged
    {
        AlongJob* job = (AlongJob*)context;
        (long from, long to) = Split.Range(job->Outer, part, job->Parts);
        for (long outer = from; outer < to; outer++)
        {
            T* x = (T*)job->X + (outer * job->Axis * job->Inner);
            for (long i = 0; i < job->Inner; i++)
            {
                long at = (outer * job->Inner) + i;
                ((T*)job->Y)[at] = x[(((int*)job->Indices)[at] * job->Inner) + i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutPart<T>(int part, nint context)
        where T : unmanaged
    {
        AlongJob* job = (AlongJob*)context;
        (long from, long to) = Split.Range(job->Outer, part, job->Parts);
        for (long outer = from; outer < to; outer++)
        {
            T* y = (T*)job->Y + (outer * job->Axis * job->Inner);
            for (long i = 0; i < job->Axis * job->Inner; i++)
            {
                y[i] = default;
            }

            for (long i = 0; i < job->Inner; i++)
            {
                long at = (outer * job->Inner) + i;
                y[(((int*)job->Indices)[at] * job->Inner) + i] = ((T*)job->X)[at];
            }
        }
    }

    private readonly record struct SelectionJob(nint Y, nint X, nint Indices, long Count, long Rows, long Inner, int Parts);

    private readonly record struct AlongJob(nint Y, nint X, nint Indices, long Outer, long Axis, long Inner, int Parts);
}
