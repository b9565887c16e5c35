using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>One function of a <see cref="FusedProgram"/>.</summary>
/// <param name="Function">The function.</param>
/// <param name="Operands">
/// Where its inputs come from: a number below the number of the program's inputs is that input; the numbers from there on are the results
/// of the steps, in their order, of which only earlier ones may be used.
/// </param>
/// <param name="IsOutput">Whether the result is wanted in memory; otherwise it exists for a block at a time only.</param>
/// <param name="Place">Where the elements stand, if the result is an output; null, the default, for neighbours from the output's address on.</param>
public sealed record FusedStep(ElementFunction Function, IReadOnlyList<int> Operands, bool IsOutput, FusedPlace? Place = null);

/// <summary>Where the elements of an output stand, as those of a slice of a larger tensor do.</summary>
/// <param name="Offset">Elements from the output's address to the first.</param>
/// <param name="Strides">Steps in elements along each axis; no two elements may stand at one place.</param>
public sealed record FusedPlace(long Offset, long[] Strides);

/// <summary>
/// Several functions of elements, applied together: a block of elements goes through all of them while it is in the nearest cache, and
/// results that nobody else needs never reach memory. The bits are those of the functions applied one after the other.
/// </summary>
/// <remarks>
/// At first an interpreter over blocks: a call for each function and block costs nanoseconds where the block's elements cost hundreds, and nothing
/// has to be compiled while a process starts. A program that has run <see cref="Often"/> times is written as one loop on a thread of the pool (<see cref="FusedCode"/>).
/// </remarks>
public sealed unsafe class FusedProgram
{
    /// <summary>Most steps that a program may have.</summary>
    public const int MaxSteps = 64;

    // Most of a first-level cache of 32 KiB, shared by all streams of a block.
    private const int CacheBytes = 24 * 1024;
    private const int MostBlock = 4096;

    /// <summary>Runs after which a program is worth a loop of its own.</summary>
    internal const int Often = 16;

    private readonly FusedStep[] steps;
    private readonly IterationSpace?[] spaces;
    private readonly FusedInput[] inputs;
    private readonly FusedCall[] calls;
    private readonly FusedMove[] moves;
    private readonly long count;
    private readonly long grain;
    private readonly int block;
    private readonly int scratchBytes;
    private readonly FusedOutput[] results;
    private readonly IterationSpace?[] resultSpaces;
    private readonly bool stages;

    /// <summary>How the loop goes; null for block by block.</summary>
    private readonly FusedRows? rows;
    private int runs;
    private FusedLoop? loop;

    /// <summary>Prepares a program.</summary>
    /// <param name="shape">Length of each axis of every operand.</param>
    /// <param name="inputs">Bytes of an element and steps in elements along each axis, for each input; a step of 0 repeats it.</param>
    /// <param name="steps">The functions in order, at most <see cref="MaxSteps"/>.</param>
    /// <exception cref="ArgumentException">A step has the wrong number of operands or uses a later result, or there are too many.</exception>
    public FusedProgram(ReadOnlySpan<int> shape, IReadOnlyList<(int Size, long[] Strides)> inputs, IReadOnlyList<FusedStep> steps)
    {
        this.steps = [.. steps];
        Check(inputs.Count);
        count = 1;
        foreach (int length in shape)
        {
            count *= length;
        }

        spaces = new IterationSpace?[inputs.Count];
        this.inputs = GC.AllocateArray<FusedInput>(inputs.Count, pinned: true);
        for (int i = 0; i < inputs.Count; i++)
        {
            this.inputs[i] = Describe(shape, inputs[i].Size, inputs[i].Strides, out spaces[i]);
        }

        FusedStep[] outputs = [.. steps.Where(step => step.IsOutput)];
        long[] whole = Contiguous(shape);
        results = GC.AllocateArray<FusedOutput>(outputs.Length, pinned: true);
        resultSpaces = new IterationSpace?[outputs.Length];
        for (int i = 0; i < outputs.Length; i++)
        {
            results[i] = Describe(shape, outputs[i], whole, out resultSpaces[i]);
        }

        stages = spaces.Concat(resultSpaces).Any(space => space is not null);
        bool repeats = this.inputs.All(input => input.Kind != FusedInput.Staged || input.Period > 0);
        rows =
            repeats && resultSpaces.All(space => space is null)
                ? null
                : FusedRows.Create(shape, [.. inputs, .. outputs.Select(step => (step.Function.Size(0), step.Place?.Strides ?? whole))]);
        int elementBytes = Math.Max(inputs.Max(input => input.Size), steps.Max(step => step.Function.Size(0)));
        calls = GC.AllocateArray<FusedCall>(this.steps.Length, pinned: true);
        int slots = Allocate();
        block = BlockLength(inputs.Count + Outputs + slots, elementBytes);
        scratchBytes = Place(slots, (block * elementBytes + StoragePool.Page - 1) & -StoragePool.Page);
        moves = GC.AllocateArray<FusedMove>(Moves().Count(), pinned: true);
        Moves().ToArray().CopyTo(moves, 0);
        grain = Math.Max(1, (long)(1 / this.steps.Sum(step => 1.0 / step.Function.Grain)));
    }

    /// <summary>Number of outputs: of steps whose result is wanted.</summary>
    public int Outputs { get; private set; }

    /// <summary>Whether it has been written as one loop.</summary>
    internal bool IsOneLoop => loop is not null;

    /// <summary>Whether an output may take an input's memory: everything that reads the input has done so when the output is written.</summary>
    /// <param name="output">Number of the output.</param>
    /// <param name="input">Number of the input.</param>
    public bool MayOverwrite(int output, int input)
    {
        int writer = Array.FindIndex(calls, call => call.Output == output);
        int reader = Array.FindLastIndex(steps, step => step.Operands.Contains(input));
        return writer >= 0
            && steps[writer].Place is null
            && inputs[input].Kind == FusedInput.Direct
            && reader <= writer
            && inputs[input].Size == steps[writer].Function.Size(0);
    }

    /// <summary>Runs the program.</summary>
    /// <param name="inputs">Address of each input.</param>
    /// <param name="outputs">
    /// Address of each output; several may share one, if their <see cref="FusedPlace"/>s have nothing in common. None may overlap an input, unless
    /// <see cref="MayOverwrite"/> says so.
    /// </param>
    /// <param name="pool">Threads to use.</param>
    public void Run(ReadOnlySpan<nint> inputs, ReadOnlySpan<nint> outputs, WorkerPool pool)
    {
        if (count == 0)
        {
            return;
        }

        FusedLoop? written = loop;
        if (written is null && runs < Often && Interlocked.Increment(ref runs) == Often && RuntimeFeature.IsDynamicCodeCompiled)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static program => program.TryWriteLoop(), this, preferLocal: false);
        }

        FusedRows? byRows = written is null ? null : rows;

        // The arrays are pinned, so their addresses hold while they are reachable.
        fixed (FusedInput* described = this.inputs)
        fixed (FusedCall* called = calls)
        fixed (FusedMove* moved = moves)
        fixed (nint* from = inputs)
        fixed (nint* to = outputs)
        fixed (FusedOutput* resulting = results)
        {
            FusedJob job = new()
            {
                Described = described,
                InputCount = this.inputs.Length,
                Calls = called,
                CallCount = calls.Length,
                Moves = moved,
                MoveCount = moves.Length,
                Inputs = from,
                Outputs = to,
                Count = count,
                Block = block,
                ScratchBytes = scratchBytes,
                Parts = Split.Parts(count, Math.Max(grain, block), pool),
                Loop = written is null ? 0 : (nint)Unsafe.AsPointer(ref written),
                Rows = byRows is null ? 0 : (nint)Unsafe.AsPointer(ref byRows),
                Results = resulting,
                OutputCount = Outputs,
                Stages = stages,
            };
            job.Run(pool);
        }

        GC.KeepAlive(this);
    }

    /// <summary>Writes the program as one loop now, if it can be written so; it is the same program.</summary>
    /// <returns>Whether it is one loop.</returns>
    internal bool WriteLoop()
    {
        loop ??= FusedCode.Write(steps, inputs, rows);
        return loop is not null;
    }

    /// <summary>As <see cref="WriteLoop"/>, on a thread that nobody waits for: what keeps a loop from being written must not end the process, as the interpreter is as right.</summary>
    private void TryWriteLoop()
    {
        try
        {
            WriteLoop();
        }
        catch (Exception)
        {
            loop = null;
        }
    }

    private void Check(int inputCount)
    {
        if (steps.Length is 0 or > MaxSteps)
        {
            throw new ArgumentException($"A program has 1 to {MaxSteps} steps, not {steps.Length}.", nameof(steps));
        }

        for (int i = 0; i < steps.Length; i++)
        {
            if (steps[i].Operands.Count != steps[i].Function.Arity)
            {
                throw new ArgumentException($"Step {i} takes {steps[i].Function.Arity} operands, not {steps[i].Operands.Count}.", nameof(steps));
            }

            if (steps[i].Operands.Any(operand => operand < 0 || operand >= inputCount + i))
            {
                throw new ArgumentException($"Step {i} uses something that is not there yet.", nameof(steps));
            }
        }
    }

    private static FusedInput Describe(ReadOnlySpan<int> shape, int size, long[] strides, out IterationSpace? space)
    {
        long[] whole = Contiguous(shape);
        space = null;
        FusedInput input = new() { Size = size };
        int equal = shape.Length;
        while (equal > 0 && (shape[equal - 1] == 1 || strides[equal - 1] == whole[equal - 1]))
        {
            equal--;
        }

        bool repeats = true;
        bool single = true;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            repeats &= axis >= equal || shape[axis] == 1 || strides[axis] == 0;
            single &= shape[axis] == 1 || strides[axis] == 0;
        }

        if (single || equal == 0)
        {
            input.Kind = single ? FusedInput.Repeated : FusedInput.Direct;
            return input;
        }

        space = IterationSpace.Create(shape, whole, strides);
        input.Kind = FusedInput.Staged;
        input.Space = space.Data;
        input.Rank = space.Rank;
        input.Period = repeats ? whole[equal - 1] : 0;
        return input;
    }

    private static FusedOutput Describe(ReadOnlySpan<int> shape, FusedStep step, long[] whole, out IterationSpace? space)
    {
        int size = step.Function.Size(0);
        long[] strides = step.Place?.Strides ?? whole;
        bool neighbours = true;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            neighbours &= shape[axis] == 1 || strides[axis] == whole[axis];
        }

        space = neighbours ? null : IterationSpace.Create(shape, strides, whole);
        return new()
        {
            Size = size,
            Offset = (nint)((step.Place?.Offset ?? 0) * size),
            Space = space is null ? null : space.Data,
            Rank = space?.Rank ?? 0,
        };
    }

    private static long[] Contiguous(ReadOnlySpan<int> shape)
    {
        long[] strides = new long[shape.Length];
        long step = 1;
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = step;
            step *= shape[axis];
        }

        return strides;
    }

    /// <summary>Decides where each result goes: to its output, or to the lowest slot of scratch memory that is free by then.</summary>
    private int Allocate()
    {
        int[] last = new int[steps.Length];
        for (int i = 0; i < steps.Length; i++)
        {
            foreach (int operand in steps[i].Operands)
            {
                if (operand >= inputs.Length)
                {
                    last[operand - inputs.Length] = i;
                }
            }
        }

        // Slot by slot, the step whose result is in it; -1 is free.
        List<int> slots = [];
        for (int i = 0; i < steps.Length; i++)
        {
            calls[i] = new FusedCall
            {
                Loop = (nint)steps[i].Function.Loop.Run,
                Arity = steps[i].Function.Arity,
                Size = SizeOf(i),
                Output = -1,
                Slot = -1,
            };
            for (int slot = 0; slot < slots.Count; slot++)
            {
                int holder = slots[slot];
                // Its last reader may write over it, if their elements are of one size; what is to be copied stays.
                bool over = holder >= 0 && !steps[holder].IsOutput && (last[holder] < i || (last[holder] == i && SizeOf(holder) == SizeOf(i)));
                slots[slot] = over ? -1 : holder;
            }

            if (steps[i].IsOutput)
            {
                calls[i].Output = resultSpaces[Outputs] is null ? Outputs : -1;
                Outputs++;
            }

            if (calls[i].Output >= 0)
            {
                continue;
            }

            int free = slots.IndexOf(-1);
            if (free < 0)
            {
                free = slots.Count;
                slots.Add(-1);
            }

            slots[free] = i;
            calls[i].Slot = free;
        }

        return slots.Count;
    }

    private int SizeOf(int step) => steps[step].Function.Size(0);

    /// <summary>Elements that go through all steps together: what the cache holds, and whole periods where inputs repeat.</summary>
    private int BlockLength(int streams, int elementBytes)
    {
        // Whole pages, so that all streams lie alike in every block: see StoragePool.Page.
        int page = StoragePool.Page / elementBytes;
        int most = Math.Clamp(CacheBytes / (streams * elementBytes) / page * page, page, MostBlock);
        long unit = 1;
        foreach (FusedInput input in inputs)
        {
            long next = input.Period == 0 ? unit : unit / Divisor(unit, input.Period) * input.Period;
            unit = next <= MostBlock ? next : unit;
        }

        // A period of odd length still begins its blocks at whole registers, if there is room.
        unit = unit / Divisor(unit, 64) * 64 <= most ? unit / Divisor(unit, 64) * 64 : unit;
        return (int)(unit * Math.Max(1, most / unit));
    }

    private static long Divisor(long a, long b) => b == 0 ? a : Divisor(b, a % b);

    /// <summary>Gives scratch slots and staged inputs their places in the workspace, and operands their addresses' sources.</summary>
    private int Place(int slots, int slotBytes)
    {
        int bytes = slots * slotBytes;
        for (int i = 0; i < inputs.Length; i++)
        {
            if (inputs[i].Kind != FusedInput.Staged)
            {
                continue;
            }

            inputs[i].Scratch = bytes;
            inputs[i].Once = inputs[i].Period > 0 && block % inputs[i].Period == 0;
            bytes += slotBytes;
        }

        int output = 0;
        for (int i = 0; i < calls.Length; i++)
        {
            calls[i].Scratch = calls[i].Slot * slotBytes;
            if (steps[i].IsOutput)
            {
                results[output++].Scratch = calls[i].Scratch;
            }

            for (int k = 0; k < calls[i].Arity; k++)
            {
                calls[i].Operands[k] = steps[i].Operands[k];
            }
        }

        return bytes;
    }

    /// <summary>Every operand whose address moves on from block to block.</summary>
    private IEnumerable<FusedMove> Moves()
    {
        for (int i = 0; i < steps.Length; i++)
        {
            if (calls[i].Output >= 0)
            {
                yield return new FusedMove(i, 0, block * SizeOf(i));
            }

            for (int k = 0; k < steps[i].Operands.Count; k++)
            {
                int operand = steps[i].Operands[k];
                int source = operand - inputs.Length;
                if (operand < inputs.Length ? inputs[operand].Kind == FusedInput.Direct : calls[source].Output >= 0)
                {
                    yield return new FusedMove(i, k + 1, block * (operand < inputs.Length ? inputs[operand].Size : SizeOf(source)));
                }
            }
        }
    }
}
