using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// The positions of a fused program as rows of neighbours: along a row every operand is contiguous (or one number), and from a row to the next each has
/// a step of its own. So operands that lie apart, as slices do, are read and written where they are.
/// </summary>
internal sealed unsafe class FusedRows
{
    // Longer rows are divided, into parts of this many elements at least, so that there are enough of them to share among threads.
    private const int MostElements = 4096;
    private const int LeastPart = 64;

    // Parts of a register are read and written at once, but for masks, which cost more than copying them. Rows of single elements always do.
    private const int LeastOfMasks = 16;

    // The length of each outer axis, outermost first, then the operands' steps in bytes along each; pinned.
    private readonly long[] data;
    private readonly int axes;
    private readonly int operands;

    private FusedRows(long length, int operands, List<long> lengths, List<long[]> steps)
    {
        Length = length;
        this.operands = operands;
        axes = lengths.Count;
        lengths.Reverse();
        steps.Reverse();
        data = GC.AllocateUninitializedArray<long>(axes * (1 + operands), pinned: true);
        lengths.CopyTo(data, 0);
        for (int axis = 0; axis < axes; axis++)
        {
            steps[axis].CopyTo(data, axes + (axis * operands));
        }

        Count = lengths.Aggregate(1L, (product, outer) => product * outer);
    }

    /// <summary>Elements of a row.</summary>
    public long Length { get; }

    /// <summary>How many rows there are.</summary>
    public long Count { get; }

    /// <summary>Bytes from a row to the next along the innermost of the outer axes, for an operand.</summary>
    public long Step(int operand) => data[axes + ((axes - 1) * operands) + operand];

    /// <summary>The rows of a shape; null if not all operands are contiguous along any, or if they would be too short to pay.</summary>
    /// <param name="shape">Length of each axis, outermost first.</param>
    /// <param name="operands">Bytes of an element and steps in elements along each axis, of each operand; one with no steps is one number.</param>
    public static FusedRows? Create(ReadOnlySpan<int> shape, IReadOnlyList<(int Size, long[] Strides)> operands)
    {
        long length = 1;
        List<long> lengths = [];
        List<long[]> steps = [];
        List<int> used = [];
        for (int axis = 0; axis < shape.Length; axis++)
        {
            if (shape[axis] != 1)
            {
                used.Insert(0, axis);
            }
        }

        bool[] repeats = [.. operands.Select(operand => used.All(axis => operand.Strides[axis] == 0))];
        foreach (int axis in used)
        {
            long[] column = [.. operands.Select(operand => operand.Strides[axis] * operand.Size)];
            if (lengths.Count == 0 && operands.Zip(repeats).All(pair => pair.Second || pair.First.Strides[axis] == length))
            {
                length *= shape[axis];
            }
            else if (lengths.Count > 0 && column.Zip(steps[^1], (outer, inner) => outer == inner * lengths[^1]).All(same => same))
            {
                lengths[^1] *= shape[axis];
            }
            else
            {
                lengths.Add(shape[axis]);
                steps.Add(column);
            }
        }

        if (lengths.Count > 0 && length > MostElements)
        {
            long part = MostElements;
            while (part >= LeastPart && length % part != 0)
            {
                part--;
            }

            if (part >= LeastPart)
            {
                lengths.Insert(0, length / part);
                steps.Insert(0, [.. operands.Zip(repeats, (operand, repeat) => repeat ? 0 : part * operand.Size)]);
                length = part;
            }
        }

        bool worth = length >= LeastOfMasks || (length > 1 && operands.All(operand => operand.Size > 1));
        return lengths.Count > 0 && worth ? new FusedRows(length, operands.Count, lengths, steps) : null;
    }

    /// <summary>Calls a loop for the rows from (inclusive) to (exclusive), as many at a time as are one step apart.</summary>
    /// <param name="loop">The loop.</param>
    /// <param name="first">Address of each operand's first element.</param>
    /// <param name="from">The first row.</param>
    /// <param name="to">The row after the last.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(FusedLoop loop, nint* first, long from, long to)
    {
        nint* at = stackalloc nint[operands];
        long* index = stackalloc long[axes];
        fixed (long* lengths = data)
        {
            long* steps = lengths + axes;
            Find(from, lengths, index);
            while (from < to)
            {
                for (int i = 0; i < operands; i++)
                {
                    long offset = 0;
                    for (int axis = 0; axis < axes; axis++)
                    {
                        offset += index[axis] * steps[(axis * operands) + i];
                    }

                    at[i] = first[i] + (nint)offset;
                }

                long many = Math.Min(lengths[axes - 1] - index[axes - 1], to - from);
                loop(at, many);
                from += many;
                index[axes - 1] += many;
                for (int axis = axes - 1; axis > 0 && index[axis] == lengths[axis]; axis--)
                {
                    index[axis] = 0;
                    index[axis - 1]++;
                }
            }
        }
    }

    /// <summary>The place on each axis of a row.</summary>
    private void Find(long row, long* lengths, long* index)
    {
        for (int axis = axes - 1; axis >= 0; axis--)
        {
            (row, index[axis]) = Math.DivRem(row, lengths[axis]);
        }
    }
}
