using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Sizes and addresses of a softmax kernel; what it does not use is 0.</summary>
internal struct SoftmaxJob
{
    public nint Y;
    public nint X;
    public nint Labels;
    public nint Weights;
    public nint Losses;
    public long Rows;
    public long Columns;
    public int Parts;
}

/// <summary>Softmax and its relatives; each row's sum has the order of <see cref="Lanes{S, V, T, C}"/>.</summary>
/// <remarks>
/// Short rows are latency bound: maximum, exponentials, sum and division wait for each other. So up to <see cref="BlockRows"/> rows go
/// through each of these steps before the next step, which changes no bit, for rows are independent.
/// </remarks>
internal static unsafe class SoftmaxLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int BlockRows = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* largest = stackalloc T[BlockRows];
        T* sums = stackalloc T[BlockRows];
        V one = S.Const(1.0);
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long first = from; first < to; )
        {
            int rows = RowsOfBlock(job, to - first);
            T* y = (T*)job->Y + (first * job->Columns);
            Exponentials((T*)job->X + (first * job->Columns), y, rows, job->Columns, largest, sums);
            for (int row = 0; row < rows; row++)
            {
                DivideAndScale(y + (row * job->Columns), job->Columns, S.Broadcast(sums[row]), one);
            }

            first += rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogSoftmax(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* exponentials = (T*)Workspace.Get(Workspace.Purpose.Row, BlockRows * job->Columns * sizeof(T));
        T* largest = stackalloc T[BlockRows];
        T* logs = stackalloc T[BlockRows];
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long first = from; first < to; )
        {
            int rows = RowsOfBlock(job, to - first);
            T* x = (T*)job->X + (first * job->Columns);
            T* y = (T*)job->Y + (first * job->Columns);
            Exponentials(x, exponentials, rows, job->Columns, largest, logs);
            Logarithms(logs);
            for (int row = 0; row < rows; row++)
            {
                V shift = S.Broadcast(largest[row]);
                V log = S.Broadcast(logs[row]);
                for (long i = 0; i < job->Columns; i += S.Count)
                {
                    int lanes = (int)Math.Min(S.Count, job->Columns - i);
                    S.StorePart(y + i, S.Sub(S.Sub(S.LoadPart(x + i, lanes, S.Zero), shift), log), lanes);
                }

                x += job->Columns;
                y += job->Columns;
            }

            first += rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CrossEntropy(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* exponentials = (T*)Workspace.Get(Workspace.Purpose.Row, BlockRows * job->Columns * sizeof(T));
        T* largest = stackalloc T[BlockRows];
        T* labelled = stackalloc T[BlockRows];
        T* sums = stackalloc T[BlockRows];
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long first = from; first < to; )
        {
            int rows = RowsOfBlock(job, to - first);
            Labelled(job, first, rows, labelled);
            Exponentials((T*)job->X + (first * job->Columns), exponentials, rows, job->Columns, largest, sums);
            Losses((T*)job->Losses + first, rows, labelled, largest, sums);
            first += rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CrossEntropyGradient(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* largest = stackalloc T[BlockRows];
        T* labelled = stackalloc T[BlockRows];
        T* sums = stackalloc T[BlockRows];
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long first = from; first < to; )
        {
            int rows = RowsOfBlock(job, to - first);
            T* y = (T*)job->Y + (first * job->Columns);
            Labelled(job, first, rows, labelled);
            Exponentials((T*)job->X + (first * job->Columns), y, rows, job->Columns, largest, sums);
            if (job->Losses != 0)
            {
                Losses((T*)job->Losses + first, rows, labelled, largest, sums);
            }

            for (int row = 0; row < rows; row++)
            {
                V sum = S.Broadcast(sums[row]);
                V weight = S.Broadcast(((T*)job->Weights)[first + row]);
                T* target = y + ((int*)job->Labels)[first + row];
                V probability = S.Div(S.Broadcast(*target), sum);
                DivideAndScale(y, job->Columns, sum, weight);
                S.StorePart(target, S.Mul(S.Sub(probability, S.Const(1.0)), weight), 1);
                y += job->Columns;
            }

            first += rows;
        }
    }

    /// <summary>The logits at the labels of a block's rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Labelled(SoftmaxJob* job, long first, int rows, T* labelled)
    {
        T* x = (T*)job->X + (first * job->Columns);
        int* labels = (int*)job->Labels + first;
        for (int row = 0; row < rows; row++)
        {
            labelled[row] = x[labels[row]];
            x += job->Columns;
        }
    }

    /// <summary>log(sum of e^(x - max x)) - (x[label] - max x) for each row of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Losses(T* losses, int rows, T* labelled, T* largest, T* sums)
    {
        for (int row = 0; row < rows; row += S.Count)
        {
            V log = VectorMath.Log<S, V, T>(S.Load(sums + row));
            V loss = S.Sub(log, S.Sub(S.Load(labelled + row), S.Load(largest + row)));
            S.StorePart(losses + row, loss, Math.Min(S.Count, rows - row));
        }
    }

    /// <summary>Few enough rows to stay in the first-level cache.</summary>
    private static int RowsOfBlock(SoftmaxJob* job, long left) => (int)Math.Min(left, Math.Clamp(4096 / job->Columns, 1, BlockRows));

    /// <summary>y = e^(x - max x) for each row, with the maxima and sums of the rows. y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Exponentials(T* x, T* y, int rows, long columns, T* largest, T* sums)
    {
        Reduce<MaxCombiner>(x, rows, columns, largest);

        for (int row = 0; row < rows; row++)
        {
            V shift = S.Broadcast(largest[row]);
            T* from = x + (row * columns);
            T* to = y + (row * columns);
            long i = 0;
            for (; i <= columns - S.Count; i += S.Count)
            {
                S.Store(to + i, VectorMath.Exp<S, V, T>(S.Sub(S.Load(from + i), shift)));
            }

            if (i < columns)
            {
                int lanes = (int)(columns - i);
                S.StorePart(to + i, VectorMath.Exp<S, V, T>(S.Sub(S.LoadPart(from + i, lanes, S.Zero), shift)), lanes);
            }
        }

        Reduce<SumCombiner>(y, rows, columns, sums);
    }

    /// <summary>Reduces each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Reduce<C>(T* x, int rows, long columns, T* results)
        where C : struct, ICombiner
    {
        bool isShort = columns <= Lanes<S, V, T, C>.Short;
        for (int row = 0; row < rows; row++)
        {
            results[row] = isShort ? Lanes<S, V, T, C>.OneLane(x, (int)columns) : Lanes<S, V, T, C>.Run(x, columns);
            x += columns;
        }
    }

    /// <summary>Logarithms of a block's sums in place; those beyond its rows do not matter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Logarithms(T* sums)
    {
        for (int row = 0; row < BlockRows; row += S.Count)
        {
            S.Store(sums + row, VectorMath.Log<S, V, T>(S.Load(sums + row)));
        }
    }

    /// <summary>y = y / divisor * factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DivideAndScale(T* y, long count, V divisor, V factor)
    {
        long i = 0;
        for (; i <= count - S.Count; i += S.Count)
        {
            S.Store(y + i, S.Mul(S.Div(S.Load(y + i), divisor), factor));
        }

        if (i < count)
        {
            int lanes = (int)(count - i);
            S.StorePart(y + i, S.Mul(S.Div(S.LoadPart(y + i, lanes, S.Zero), divisor), factor), lanes);
        }
    }
}
