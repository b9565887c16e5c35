using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Walks an <see cref="IterationSpace"/>, alone or in parts, and hands a kernel one segment after the other.</summary>
internal unsafe struct ElementwiseJob
{
    /// <summary>Elements gathered at a time from an operand with a wide step.</summary>
    private const int Stage = 256;

    private delegate* <Segment*, void> kernel;
    private long* data;
    private int rank;
    private int operands;
    private int parts;
    private bool anyStep;
    private long count;
    private fixed int size[IterationSpace.MaxOperands];
    private fixed long start[IterationSpace.MaxOperands];

    /// <summary>Runs the kernel over the space.</summary>
    /// <param name="space">The positions and steps; its operand count must be that of the addresses given.</param>
    /// <param name="kernel">Compiled loop over a segment.</param>
    /// <param name="operands">Element size and address of each operand.</param>
    /// <param name="grain">Elements worth a part of their own.</param>
    /// <param name="anyStep">The kernel takes any step, so nothing is gathered for it.</param>
    /// <param name="pool">Threads to use.</param>
    public static void Run(
        IterationSpace space,
        delegate* <Segment*, void> kernel,
        ReadOnlySpan<(int Size, nint Address)> operands,
        long grain,
        WorkerPool pool,
        bool anyStep = false
    )
    {
        if (space.Operands != operands.Length)
        {
            throw new ArgumentException($"The kernel has {operands.Length} operands, the space {space.Operands}.", nameof(space));
        }

        if (space.Count == 0)
        {
            return;
        }

        ElementwiseJob job = new()
        {
            kernel = kernel,
            data = space.Data,
            rank = space.Rank,
            operands = operands.Length,
            anyStep = anyStep,
            count = space.Count,
            parts = Split.Parts(space.Count, grain, pool),
        };
        for (int i = 0; i < operands.Length; i++)
        {
            job.size[i] = operands[i].Size;
            job.start[i] = operands[i].Address;
        }

        if (job.parts == 1)
        {
            job.Walk(0, job.count);
        }
        else
        {
            pool.Run(job.parts, &Part, (nint)(&job));
        }

        GC.KeepAlive(space);
    }

    /// <summary>Copies the positions from (inclusive) to (exclusive) of a space of a target and a source, on this thread.</summary>
    /// <param name="space">Data of the space, which must stay reachable.</param>
    /// <param name="rank">Rank of the space.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="target">Address of the target's element at position 0, or where that would be.</param>
    /// <param name="source">Address of the source's element at position 0.</param>
    /// <param name="from">First position.</param>
    /// <param name="to">Position after the last.</param>
    public static void Copy(long* space, int rank, int size, nint target, nint source, long from, long to)
    {
        ElementwiseJob job = new()
        {
            kernel = Elementwise.CopyKernel(size),
            data = space,
            rank = rank,
            operands = 2,
            anyStep = true,
        };
        job.size[0] = job.size[1] = size;
        job.start[0] = target;
        job.start[1] = source;
        job.Walk(from, to);
    }

    private static void Part(int part, nint context)
    {
        ElementwiseJob* job = (ElementwiseJob*)context;
        (long from, long to) = Split.Range(job->count, part, job->parts, unit: 64);
        job->Walk(from, to);
    }

    /// <summary>Visits positions from (inclusive) to (exclusive), counted in row-major order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Walk(long from, long to)
    {
        long inner = data[rank - 1];
        long outer = rank > 1 ? data[rank - 2] : 1;
        long* index = stackalloc long[rank];
        long* addresses = stackalloc long[IterationSpace.MaxOperands];
        Find(from, index);
        Segment segment = default;
        while (from < to)
        {
            long column = index[rank - 1];
            long row = rank > 1 ? index[rank - 2] : 0;
            bool whole = column == 0 && to - from >= inner;
            segment.Count = whole ? inner : Math.Min(inner - column, to - from);
            segment.Rows = 1;
            if (whole)
            {
                segment.Rows = to - from >= (outer - row) * inner ? outer - row : (to - from) / inner;
            }

            Locate(ref segment, index);
            from += segment.Rows * segment.Count;
            for (int i = 0; i < operands; i++)
            {
                addresses[i] = segment.Address[i];
            }

            Run(ref segment);
            if (!whole || rank == 1)
            {
                Advance(index, rank - 1, segment.Count);
            }
            else if (rank == 2 || segment.Rows < outer)
            {
                Advance(index, rank - 2, segment.Rows);
            }
            else
            {
                long more = Planes(ref segment, addresses, data[rank - 3] - index[rank - 3] - 1, to - from);
                from += more * inner * outer;
                Advance(index, rank - 3, more + 1);
            }
        }
    }

    private void Run(ref Segment segment)
    {
        fixed (Segment* address = &segment)
        {
            if (anyStep || IsPlain(ref segment))
            {
                kernel(address);
            }
            else
            {
                RunStaged(ref segment);
            }
        }
    }

    /// <summary>
    /// Runs a whole segment, which began at some addresses, again at those that follow along the axis before it: to find each anew would cost more than it
    /// has, where images lie side by side and are stepped through. Returns how many there were.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Planes(ref Segment segment, long* addresses, long most, long left)
    {
        long count = segment.Rows * segment.Count;
        long done = 0;
        for (; done < most && left >= count; left -= count)
        {
            done++;
            for (int i = 0; i < operands; i++)
            {
                addresses[i] += data[(rank * (i + 1)) + rank - 3] * size[i];
                segment.Address[i] = addresses[i];
            }

            Run(ref segment);
        }

        return done;
    }

    /// <summary>The place on each axis of a position.</summary>
    private readonly void Find(long position, long* index)
    {
        for (int axis = rank - 1; axis >= 0; axis--)
        {
            // Short divisions take a third of the time of long ones.
            long outer = position <= uint.MaxValue && data[axis] <= uint.MaxValue ? (uint)position / (uint)data[axis] : position / data[axis];
            index[axis] = position - (outer * data[axis]);
            position = outer;
        }
    }

    /// <summary>Moves on along an axis, to the next place of the axes outside of it where it ends: divisions here would cost more than short runs.</summary>
    private readonly void Advance(long* index, int axis, long by)
    {
        index[axis] += by;
        for (; axis > 0 && index[axis] == data[axis]; axis--)
        {
            index[axis] = 0;
            index[axis - 1]++;
        }
    }

    /// <summary>Sets addresses and steps for the place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Locate(ref Segment segment, long* index)
    {
        for (int i = 0; i < operands; i++)
        {
            long* steps = data + (rank * (i + 1));
            long offset = 0;
            for (int axis = 0; axis < rank; axis++)
            {
                offset += index[axis] * steps[axis];
            }

            segment.Address[i] = start[i] + (offset * size[i]);
            segment.Step[i] = steps[rank - 1];
            segment.RowStep[i] = rank > 1 ? steps[rank - 2] * size[i] : 0;
        }
    }

    private readonly bool IsPlain(ref Segment segment)
    {
        bool plain = segment.Step[0] == 1;
        for (int i = 1; i < operands; i++)
        {
            plain &= segment.Step[i] is 0 or 1;
        }

        return plain;
    }

    /// <summary>Gathers operands with wide steps into short contiguous blocks, runs the kernel on those and scatters the result.</summary>
    private void RunStaged(ref Segment segment)
    {
        byte* blocks = stackalloc byte[IterationSpace.MaxOperands * Stage * 8];
        for (long row = 0; row < segment.Rows; row++)
        {
            for (long at = 0; at < segment.Count; at += Stage)
            {
                Segment block = default;
                block.Rows = 1;
                block.Count = Math.Min(Stage, segment.Count - at);
                for (int i = 0; i < operands; i++)
                {
                    long step = segment.Step[i];
                    long address = segment.Address[i] + (at * step * size[i]);
                    bool direct = step == 1 || (step == 0 && i > 0);
                    byte* stage = blocks + (i * Stage * 8);
                    block.Address[i] = direct ? address : (long)stage;
                    block.Step[i] = direct ? step : 1;
                    if (!direct && i > 0)
                    {
                        Move((byte*)address, step, stage, 1, block.Count, size[i]);
                    }
                }

                kernel(&block);
                if (segment.Step[0] != 1)
                {
                    Move(blocks, 1, (byte*)(segment.Address[0] + (at * segment.Step[0] * size[0])), segment.Step[0], block.Count, size[0]);
                }
            }

            segment.NextRow();
        }
    }

    private static void Move(byte* source, long sourceStep, byte* target, long targetStep, long count, int size)
    {
        switch (size)
        {
            case 1:
                Move(source, sourceStep, target, targetStep, count);
                break;
            case 4:
                Move((int*)source, sourceStep, (int*)target, targetStep, count);
                break;
            default:
                Move((long*)source, sourceStep, (long*)target, targetStep, count);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Move<T>(T* source, long sourceStep, T* target, long targetStep, long count)
        where T : unmanaged
    {
        for (long i = 0; i < count; i++)
        {
            *target = *source;
            source += sourceStep;
            target += targetStep;
        }
    }
}
