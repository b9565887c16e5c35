using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>How an input of a fused program reaches the functions.</summary>
internal unsafe struct FusedInput
{
    /// <summary>Read where it is, element by element.</summary>
    public const int Direct = 0;

    /// <summary>One element for all positions.</summary>
    public const int Repeated = 1;

    /// <summary>Any other steps: copied to scratch memory, block by block.</summary>
    public const int Staged = 2;

    public int Kind;
    public int Size;

    /// <summary>Where a staged block is put, in bytes from the scratch memory's start.</summary>
    public int Scratch;

    /// <summary>Whether every block is the same, as it holds whole periods.</summary>
    public bool Once;

    /// <summary>Elements after which the input begins again; 0 if it does not.</summary>
    public long Period;
    public long* Space;
    public int Rank;
}

/// <summary>Where a result of a fused program goes.</summary>
internal unsafe struct FusedOutput
{
    public int Size;

    /// <summary>From the output's address to its first element, in bytes.</summary>
    public nint Offset;

    /// <summary>If elements are not to be neighbours: where they are to stand, and where in scratch memory a block is until it is copied there.</summary>
    public long* Space;
    public int Rank;
    public int Scratch;
}

/// <summary>One function of a fused program: its loop, its operands' numbers, and where the result goes.</summary>
internal unsafe struct FusedCall
{
    public nint Loop;
    public int Arity;

    /// <summary>Bytes of an element of the result.</summary>
    public int Size;
    public fixed int Operands[IterationSpace.MaxOperands];

    /// <summary>Number of the output that the result is, or -1, also where it is copied there later.</summary>
    public int Output;
    public int Slot;

    /// <summary>Where the result is put otherwise, in bytes from the scratch memory's start.</summary>
    public int Scratch;
}

/// <summary>An operand (0 is the result) of a call whose address moves on by some bytes from block to block.</summary>
internal readonly record struct FusedMove(int Call, int Operand, int Bytes);

/// <summary>One run of a fused program, in parts.</summary>
internal unsafe struct FusedJob
{
    public FusedInput* Described;
    public int InputCount;
    public FusedCall* Calls;
    public int CallCount;
    public FusedMove* Moves;
    public int MoveCount;
    public nint* Inputs;
    public nint* Outputs;
    public long Count;
    public int Block;
    public int ScratchBytes;
    public int Parts;

    /// <summary>
    /// Where the reference to the program's loop is, if it has been written as one; otherwise 0. It stands in the frame of <see cref="FusedProgram.Run"/>,
    /// which outlives the job, and is not a field here as a reference that the collector does not know of would go stale.
    /// </summary>
    public nint Loop;

    /// <summary>Where the reference to the program's rows is, if its loop goes by rows; otherwise 0.</summary>
    public nint Rows;
    public FusedOutput* Results;
    public int OutputCount;

    /// <summary>Whether any operand is copied before it is read or after it was computed.</summary>
    public bool Stages;

    public void Run(WorkerPool pool)
    {
        fixed (FusedJob* self = &this)
        {
            pool.Run(Parts, &Part, (nint)self);
        }
    }

    private static void Part(int part, nint context)
    {
        FusedJob* job = (FusedJob*)context;
        if (job->Rows != 0)
        {
            job->RunRows(part);
            return;
        }

        (long from, long to) = Split.Range(job->Count, part, job->Parts, job->Block);
        if (from < to && job->Loop != 0)
        {
            job->RunLoop(from, to);
        }
        else if (from < to)
        {
            job->Interpret(from, to);
        }
    }

    /// <summary>Calls the program's loop for a part of its rows, which are read and written where they are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunRows(int part)
    {
        FusedRows rows = Unsafe.AsRef<FusedRows>((void*)Rows);
        (long from, long to) = Split.Range(rows.Count, part, Parts);
        nint* first = stackalloc nint[InputCount + OutputCount];
        for (int i = 0; i < InputCount; i++)
        {
            first[i] = Inputs[i];
        }

        for (int i = 0; i < OutputCount; i++)
        {
            first[InputCount + i] = Outputs[i] + Results[i].Offset;
        }

        rows.Run(Unsafe.AsRef<FusedLoop>((void*)Loop), first, from, to);
    }

    /// <summary>Calls the program's loop for each block, or once where nothing has to be copied between blocks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunLoop(long from, long to)
    {
        FusedLoop loop = Unsafe.AsRef<FusedLoop>((void*)Loop);
        nint scratch = Stages ? Workspace.Get(Workspace.Purpose.Fused, ScratchBytes) : 0;
        nint* operands = stackalloc nint[InputCount + OutputCount];
        long step = Stages ? Block : to - from;
        for (long at = from; at < to; at += step)
        {
            long length = Math.Min(step, to - at);
            Stage(scratch, from, at, length);
            for (int i = 0; i < InputCount; i++)
            {
                operands[i] = Address(i, scratch, at);
            }

            for (int i = 0; i < OutputCount; i++)
            {
                operands[InputCount + i] = Results[i].Space == null ? Output(i, at) : scratch + Results[i].Scratch;
            }

            loop(operands, length);
            Place(scratch, at, length);
        }
    }

    /// <summary>Calls one function's loop after the other for each block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Interpret(long from, long to)
    {
        nint scratch = Workspace.Get(Workspace.Purpose.Fused, ScratchBytes);
        Segment* segments = stackalloc Segment[CallCount];
        for (int i = 0; i < CallCount; i++)
        {
            Prepare(segments + i, Calls + i, scratch, from);
        }

        for (long at = from; at < to; at += Block)
        {
            long length = Math.Min(Block, to - at);
            Stage(scratch, from, at, length);
            for (int i = 0; i < CallCount; i++)
            {
                segments[i].Count = length;
                ((delegate* <Segment*, void>)Calls[i].Loop)(segments + i);
            }

            Place(scratch, at, length);

            for (int i = 0; i < MoveCount; i++)
            {
                segments[Moves[i].Call].Address[Moves[i].Operand] += Moves[i].Bytes;
            }
        }
    }

    /// <summary>Copies the block of each staged input, the first time only where all blocks are the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Stage(nint scratch, long from, long at, long length)
    {
        for (int i = 0; i < InputCount; i++)
        {
            FusedInput* input = Described + i;
            if (input->Kind == FusedInput.Staged && (at == from || !input->Once))
            {
                nint target = scratch + input->Scratch - (nint)(at * input->Size);
                ElementwiseJob.Copy(input->Space, input->Rank, input->Size, target, Inputs[i], at, at + length);
            }
        }
    }

    /// <summary>Copies the block of each result whose elements are not to be neighbours to where they are to stand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Place(nint scratch, long at, long length)
    {
        for (int i = 0; i < OutputCount; i++)
        {
            FusedOutput* result = Results + i;
            if (result->Space != null)
            {
                nint source = scratch + result->Scratch - (nint)(at * result->Size);
                ElementwiseJob.Copy(result->Space, result->Rank, result->Size, Outputs[i] + result->Offset, source, at, at + length);
            }
        }
    }

    /// <summary>Where an input's element at a position is read.</summary>
    private readonly nint Address(int input, nint scratch, long at) =>
        Described[input].Kind switch
        {
            FusedInput.Direct => Inputs[input] + (nint)(at * Described[input].Size),
            FusedInput.Repeated => Inputs[input],
            _ => scratch + Described[input].Scratch,
        };

    private void Prepare(Segment* segment, FusedCall* call, nint scratch, long from)
    {
        *segment = default;
        segment->Rows = 1;
        segment->Step[0] = 1;
        segment->Address[0] = Result(call, scratch, from);
        for (int k = 0; k < call->Arity; k++)
        {
            int operand = call->Operands[k];
            segment->Step[k + 1] = 1;
            if (operand >= InputCount)
            {
                segment->Address[k + 1] = Result(Calls + (operand - InputCount), scratch, from);
                continue;
            }

            segment->Step[k + 1] = Described[operand].Kind == FusedInput.Repeated ? 0 : 1;
            segment->Address[k + 1] = Address(operand, scratch, from);
        }
    }

    private readonly nint Result(FusedCall* call, nint scratch, long from) =>
        call->Output >= 0 ? Output(call->Output, from) : scratch + call->Scratch;

    /// <summary>Where an output's element at a position is written, if elements are neighbours.</summary>
    private readonly nint Output(int output, long at) => Outputs[output] + Results[output].Offset + (nint)(at * Results[output].Size);
}
