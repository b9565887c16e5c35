namespace Hybrid.Kernels;

/// <summary>
/// The positions an elementwise kernel visits, prepared once: a shape, and for each operand (the output first) the step in
/// elements along every axis. A step of 0 repeats the operand along that axis (broadcasting).
/// </summary>
/// <remarks>
/// Axes of length 1 are dropped, and neighbouring axes that every operand walks with one step are merged, so that contiguous
/// operands of any rank become a single run. The output must not visit a position twice.
/// </remarks>
public sealed unsafe class IterationSpace
{
    /// <summary>Most operands a kernel has, the output included.</summary>
    internal const int MaxOperands = 4;

    // [rank] lengths, then for each operand [rank] steps; outermost axis first; pinned.
    private readonly long[] data;

    private IterationSpace(int operands, int rank, long count, long[] data)
    {
        Operands = operands;
        Rank = rank;
        Count = count;
        this.data = data;
    }

    /// <summary>Number of positions: the product of the lengths, 1 for rank 0.</summary>
    public long Count { get; }

    /// <summary>Number of operands, the output included.</summary>
    public int Operands { get; }

    /// <summary>Number of axes after merging; at least 1.</summary>
    public int Rank { get; }

    /// <summary>Lengths, then the steps of each operand; the address is fixed while this object is reachable.</summary>
    internal long* Data => (long*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref data[0]);

    /// <summary>Prepares a space.</summary>
    /// <param name="shape">Length of each axis, outermost first; none may be negative.</param>
    /// <param name="strides">For each operand, the output first, the step in elements along each axis; may be negative or 0.</param>
    /// <exception cref="ArgumentException">A stride list does not fit the shape, or there are none or more than 4 operands.</exception>
    public static IterationSpace Create(ReadOnlySpan<int> shape, params ReadOnlySpan<long[]> strides)
    {
        if (strides.Length is 0 or > MaxOperands)
        {
            throw new ArgumentException($"A space has 1 to {MaxOperands} operands, not {strides.Length}.", nameof(strides));
        }

        long count = 1;
        foreach (int length in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(shape));
            count *= length;
        }

        foreach (long[] steps in strides)
        {
            if (steps.Length != shape.Length)
            {
                throw new ArgumentException($"The shape has {shape.Length} axes, the strides have {steps.Length}.", nameof(strides));
            }
        }

        List<int> lengths = [];
        List<long[]> columns = [];
        MergeAxes(shape, strides, lengths, columns);

        int rank = lengths.Count;
        long[] data = GC.AllocateUninitializedArray<long>(rank * (strides.Length + 1), pinned: true);
        for (int axis = 0; axis < rank; axis++)
        {
            data[axis] = lengths[axis];
            for (int operand = 0; operand < strides.Length; operand++)
            {
                data[(rank * (operand + 1)) + axis] = columns[axis][operand];
            }
        }

        return new IterationSpace(strides.Length, rank, count, data);
    }

    /// <summary>Space of <paramref name="operands"/> contiguous operands of the same length.</summary>
    /// <param name="count">Number of elements.</param>
    /// <param name="operands">Number of operands, the output included.</param>
    /// <exception cref="ArgumentException">None or more than 4 operands, or a negative count.</exception>
    public static IterationSpace Contiguous(long count, int operands)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(operands, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(operands, MaxOperands);
        long[] data = GC.AllocateUninitializedArray<long>(operands + 1, pinned: true);
        Array.Fill(data, 1);
        data[0] = count;
        return new IterationSpace(operands, 1, count, data);
    }

    private static void MergeAxes(ReadOnlySpan<int> shape, ReadOnlySpan<long[]> strides, List<int> lengths, List<long[]> columns)
    {
        for (int axis = 0; axis < shape.Length; axis++)
        {
            if (shape[axis] == 1)
            {
                continue;
            }

            long[] column = new long[strides.Length];
            for (int operand = 0; operand < column.Length; operand++)
            {
                column[operand] = strides[operand][axis];
            }

            if (lengths.Count > 0 && CanMerge(columns[^1], column, shape[axis], lengths[^1]))
            {
                lengths[^1] *= shape[axis];
                columns[^1] = column;
            }
            else
            {
                lengths.Add(shape[axis]);
                columns.Add(column);
            }
        }

        if (lengths.Count == 0)
        {
            lengths.Add(1);
            long[] ones = new long[strides.Length];
            Array.Fill(ones, 1);
            columns.Add(ones);
        }
    }

    private static bool CanMerge(long[] outer, long[] inner, int innerLength, int outerLength)
    {
        if ((long)innerLength * outerLength > int.MaxValue)
        {
            return false;
        }

        for (int operand = 0; operand < outer.Length; operand++)
        {
            if (outer[operand] != inner[operand] * innerLength)
            {
                return false;
            }
        }

        return true;
    }
}
