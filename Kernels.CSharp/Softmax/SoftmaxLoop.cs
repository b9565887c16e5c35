using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
/// through each of these steps before the next step, which changes no bit, for rows are independent. Between the steps a row is whole registers: what
/// parts of registers were stored to waits before it can be loaded (0.6 of the time at 512 x 10).
/// </remarks>
internal static unsafe class SoftmaxLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private const int BlockRows = 16;

    /// <summary>y = softmax(x) for each row.</summary>
    public static void Softmax(int part, nint context) => Run(part, context, &Probabilities);

    /// <summary>y = log(softmax(x)) for each row.</summary>
    public static void LogSoftmax(int part, nint context) => Run(part, context, &Logarithms);

    /// <summary>The loss of each row.</summary>
    public static void CrossEntropy(int part, nint context) => Run(part, context, &Losses);

    /// <summary>The gradient of each row's loss, and the loss itself if there is a place for it.</summary>
    public static void CrossEntropyGradient(int part, nint context) => Run(part, context, &Gradients);

    /// <summary>A part of the rows, block by block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run(int part, nint context, delegate* <in SoftmaxJob, Block, void> finish)
    {
        ref SoftmaxJob job = ref *(SoftmaxJob*)context;
        (long from, long to) = Split.Range(job.Rows, part, job.Parts);
        int most = (int)Math.Clamp(4096 / job.Columns, 1, BlockRows);
        T* numbers = stackalloc T[2 * BlockRows];
        Block block = new()
        {
            Columns = job.Columns,
            Width = Split.Blocks(job.Columns, S.Count) * S.Count,
            Largest = numbers,
            Sums = numbers + BlockRows,
        };
        block.Exponentials = (T*)Workspace.Get(Workspace.Purpose.Row, most * block.Width * sizeof(T));
        for (block.First = from; block.First < to; block.First += block.Rows)
        {
            block.Rows = (int)Math.Min(to - block.First, most);
            block.X = (T*)job.X + (block.First * job.Columns);
            Exponentials(block);
            finish(job, block);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Probabilities(in SoftmaxJob job, Block block)
    {
        T* y = (T*)job.Y + (block.First * job.Columns);
        for (int row = 0; row < block.Rows; row++)
        {
            DivideAndScale(block.Row(row), y + (row * job.Columns), job.Columns, S.Broadcast(block.Sums[row]), S.Const(1.0));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Logarithms(in SoftmaxJob job, Block block)
    {
        T* x = block.X;
        T* y = (T*)job.Y + (block.First * job.Columns);
        for (int row = 0; row < BlockRows; row += S.Count)
        {
            S.Store(block.Sums + row, VectorMath.Log<S, V, T>(S.Load(block.Sums + row)));
        }

        for (int row = 0; row < block.Rows; row++)
        {
            V shift = S.Broadcast(block.Largest[row]);
            V log = S.Broadcast(block.Sums[row]);
            for (long i = 0; i < job.Columns; i += S.Count)
            {
                int lanes = (int)Math.Min(S.Count, job.Columns - i);
                S.StorePart(y + i, S.Sub(S.Sub(S.LoadPart(x + i, lanes, S.Zero), shift), log), lanes);
            }

            x += job.Columns;
            y += job.Columns;
        }
    }

    /// <summary>log(sum of e^(x - max x)) - (x[label] - max x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Losses(in SoftmaxJob job, Block block)
    {
        T* labelled = stackalloc T[BlockRows];
        int* labels = (int*)job.Labels + block.First;
        for (int row = 0; row < block.Rows; row++)
        {
            labelled[row] = block.X[(row * job.Columns) + labels[row]];
        }

        for (int row = 0; row < block.Rows; row += S.Count)
        {
            V log = VectorMath.Log<S, V, T>(S.Load(block.Sums + row));
            V loss = S.Sub(log, S.Sub(S.Load(labelled + row), S.Load(block.Largest + row)));
            S.StorePart((T*)job.Losses + block.First + row, loss, Math.Min(S.Count, block.Rows - row));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gradients(in SoftmaxJob job, Block block)
    {
        if (job.Losses != 0)
        {
            // Before the gradient, which may take the memory of the logits.
            Losses(job, block);
        }

        T* y = (T*)job.Y + (block.First * job.Columns);
        for (int row = 0; row < block.Rows; row++)
        {
            T* x = block.Row(row);
            T weight = ((T*)job.Weights)[block.First + row];
            int label = ((int*)job.Labels)[block.First + row];
            DivideAndScale(x, y, job.Columns, S.Broadcast(block.Sums[row]), S.Broadcast(weight));
            Vector128<T> probability = Vector128.CreateScalarUnsafe(x[label]) / Vector128.CreateScalarUnsafe(block.Sums[row]);
            y[label] = ((probability - Vector128<T>.One) * Vector128.CreateScalarUnsafe(weight)).ToScalar();
            y += job.Columns;
        }
    }

    /// <summary>Some rows: their exponentials, and the numbers by which they are told apart.</summary>
    private struct Block
    {
        public T* X;
        public long First;
        public int Rows;
        public long Columns;

        /// <summary>e^(x - max x), each row in whole registers: what parts of registers were stored to could not be loaded soon after.</summary>
        public T* Exponentials;

        /// <summary>Elements from a row of exponentials to the next.</summary>
        public long Width;
        public T* Largest;
        public T* Sums;

        public readonly T* Row(int row) => Exponentials + (row * Width);
    }

    /// <summary>The exponentials of a block's rows, with their maxima and sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Exponentials(Block block)
    {
        long columns = block.Columns;
        Reduce<MaxCombiner>(block.X, columns, block, block.Largest);
        for (int row = 0; row < block.Rows; row++)
        {
            V shift = S.Broadcast(block.Largest[row]);
            T* from = block.X + (row * columns);
            T* to = block.Row(row);
            long i = 0;
            for (; i <= columns - S.Count; i += S.Count)
            {
                S.Store(to + i, VectorMath.Exp<S, V, T>(S.Sub(S.Load(from + i), shift)));
            }

            if (i < columns)
            {
                S.Store(to + i, VectorMath.Exp<S, V, T>(S.Sub(S.LoadPart(from + i, (int)(columns - i), S.Zero), shift)));
            }
        }

        Reduce<SumCombiner>(block.Exponentials, block.Width, block, block.Sums);
    }

    /// <summary>Reduces each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Reduce<C>(T* x, long step, in Block block, T* results)
        where C : struct, ICombiner
    {
        bool isShort = block.Columns <= Lanes<S, V, T, C>.Short;
        for (int row = 0; row < block.Rows; row++)
        {
            results[row] = isShort ? Lanes<S, V, T, C>.OneLane(x, (int)block.Columns) : Lanes<S, V, T, C>.Run(x, block.Columns);
            x += step;
        }
    }

    /// <summary>y = x / divisor * factor; x is whole registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DivideAndScale(T* x, T* y, long count, V divisor, V factor)
    {
        long i = 0;
        for (; i <= count - S.Count; i += S.Count)
        {
            S.Store(y + i, S.Mul(S.Div(S.Load(x + i), divisor), factor));
        }

        if (i < count)
        {
            S.StorePart(y + i, S.Mul(S.Div(S.Load(x + i), divisor), factor), (int)(count - i));
        }
    }
}
