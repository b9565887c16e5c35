using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Sizes and addresses of a softmax kernel; what it does not use is 0.</summary>
internal struct SoftmaxJob
{
    public nint Y;
    public nint X;
    public nint Labels;
    public nint Weights;
    public long Rows;
    public long Columns;
    public int Parts;
}

/// <summary>Softmax and its relatives, row by row; each row's sum has the order of <see cref="Lanes{S, V, T, C}"/>.</summary>
internal static unsafe class SoftmaxLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long row = from; row < to; row++)
        {
            T* y = (T*)job->Y + (row * job->Columns);
            Exponentials((T*)job->X + (row * job->Columns), y, job->Columns, out T sum);
            DivideAndScale(y, job->Columns, S.Broadcast(sum), S.Const(1.0));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogSoftmax(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* exponentials = (T*)Workspace.Get(Workspace.Purpose.Row, job->Columns * sizeof(T));
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long row = from; row < to; row++)
        {
            T* x = (T*)job->X + (row * job->Columns);
            T* y = (T*)job->Y + (row * job->Columns);
            V largest = S.Broadcast(Exponentials(x, exponentials, job->Columns, out T sum));
            V log = VectorMath.Log<S, V, T>(S.Broadcast(sum));
            for (long i = 0; i < job->Columns; i += S.Count)
            {
                int lanes = (int)Math.Min(S.Count, job->Columns - i);
                S.StorePart(y + i, S.Sub(S.Sub(S.LoadPart(x + i, lanes, S.Zero), largest), log), lanes);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CrossEntropy(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        T* exponentials = (T*)Workspace.Get(Workspace.Purpose.Row, job->Columns * sizeof(T));
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long row = from; row < to; row++)
        {
            T* x = (T*)job->X + (row * job->Columns);
            V largest = S.Broadcast(Exponentials(x, exponentials, job->Columns, out T sum));
            V log = VectorMath.Log<S, V, T>(S.Broadcast(sum));
            V label = S.Broadcast(x[((int*)job->Labels)[row]]);
            S.StorePart((T*)job->Y + row, S.Sub(log, S.Sub(label, largest)), 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CrossEntropyGradient(int part, nint context)
    {
        SoftmaxJob* job = (SoftmaxJob*)context;
        (long from, long to) = Split.Range(job->Rows, part, job->Parts);
        for (long row = from; row < to; row++)
        {
            T* y = (T*)job->Y + (row * job->Columns);
            Exponentials((T*)job->X + (row * job->Columns), y, job->Columns, out T total);
            V sum = S.Broadcast(total);
            V weight = S.Broadcast(((T*)job->Weights)[row]);
            T* labelled = y + ((int*)job->Labels)[row];
            V probability = S.Div(S.Broadcast(*labelled), sum);
            DivideAndScale(y, job->Columns, sum, weight);
            S.StorePart(labelled, S.Mul(S.Sub(probability, S.Const(1.0)), weight), 1);
        }
    }

    /// <summary>y = e^(x - max x) and its sum; returns the maximum. y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T Exponentials(T* x, T* y, long count, out T sum)
    {
        T largest = Lanes<S, V, T, MaxCombiner>.Run(x, count);
        V shift = S.Broadcast(largest);
        long i = 0;
        for (; i <= count - S.Count; i += S.Count)
        {
            S.Store(y + i, VectorMath.Exp<S, V, T>(S.Sub(S.Load(x + i), shift)));
        }

        if (i < count)
        {
            int lanes = (int)(count - i);
            S.StorePart(y + i, VectorMath.Exp<S, V, T>(S.Sub(S.LoadPart(x + i, lanes, S.Zero), shift)), lanes);
        }

        sum = Lanes<S, V, T, SumCombiner>.Run(y, count);
        return largest;
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
