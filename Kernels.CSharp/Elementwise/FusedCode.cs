using System.Reflection;
using System.Reflection.Emit;

namespace Hybrid.Kernels;

/// <summary>A fused program as one loop over the addresses of its inputs, then of its outputs: so many elements, or so many rows where it has <see cref="FusedRows"/>.</summary>
internal unsafe delegate void FusedLoop(nint* operands, long count);

/// <summary>Writes a fused program as one loop, in which everything but inputs and outputs stays in registers.</summary>
/// <remarks>
/// The loop calls the functions that the separate loops are made of, and the compiler puts them in place, so the bits are the same. Functions
/// must all work on registers of one type, and their masks stay registers: programs with conversions are left to the interpreter.
/// </remarks>
internal sealed unsafe class FusedCode
{
    private readonly IReadOnlyList<FusedStep> steps;
    private readonly FusedInput[] inputs;
    private readonly FusedRows? rows;

    /// <summary>Elements of a register.</summary>
    private readonly int lanes;
    private readonly Type vector;
    private readonly Type element;
    private readonly Type memory;
    private readonly DynamicMethod method;
    private readonly ILGenerator code;

    /// <summary>The number of the first element that is under way.</summary>
    private readonly LocalBuilder index;

    /// <summary>Elements that are left for the last, partly filled registers.</summary>
    private readonly LocalBuilder rest;

    /// <summary>Addresses of inputs and outputs; and in registers the values of inputs and steps, by their numbers.</summary>
    private readonly List<LocalBuilder> addresses = [];
    private readonly List<LocalBuilder> values = [];

    private FusedCode(IReadOnlyList<FusedStep> steps, FusedInput[] inputs, FusedRows? rows, Type[] registers)
    {
        this.steps = steps;
        this.inputs = inputs;
        this.rows = rows;
        lanes = (int)registers[0].GetProperty("Count")!.GetValue(null)!;
        vector = registers[1];
        element = registers[2];
        memory = typeof(FusedMemory<,,>).MakeGenericType(registers);
        method = new DynamicMethod(
            "fused",
            typeof(void),
            [typeof(nint).MakePointerType(), typeof(long)],
            typeof(FusedCode).Module,
            skipVisibility: true
        )
        {
            InitLocals = false,
        };
        code = method.GetILGenerator();
        index = code.DeclareLocal(typeof(long));
        rest = code.DeclareLocal(typeof(int));
    }

    /// <summary>The program as a loop; null if it cannot be written as one.</summary>
    public static FusedLoop? Write(IReadOnlyList<FusedStep> steps, FusedInput[] inputs, FusedRows? rows)
    {
        Type[]? registers = Registers(steps);
        return registers is null ? null : new FusedCode(steps, inputs, rows, registers).Write();
    }

    /// <summary>The types that all functions share (operations, register, element), if they do; bytes alone are logic on masks in memory.</summary>
    private static Type[]? Registers(IReadOnlyList<FusedStep> steps)
    {
        Type[]? shared = null;
        foreach (FusedStep step in steps)
        {
            Type[]? registers = step.Function.Loop.Owner?.GetGenericArguments()[..3];
            if (registers is null || registers[2] == typeof(byte) || !registers.SequenceEqual(shared ?? registers))
            {
                return null;
            }

            shared = registers;
        }

        return shared;
    }

    private FusedLoop Write()
    {
        int outputs = steps.Count(step => step.IsOutput);
        for (int operand = 0; operand < inputs.Length + outputs; operand++)
        {
            addresses.Add(code.DeclareLocal(typeof(nint)));
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Ldc_I4, operand * 8);
            code.Emit(OpCodes.Add);
            code.Emit(OpCodes.Ldind_I);
            code.Emit(OpCodes.Stloc, addresses[operand]);
        }

        for (int value = 0; value < inputs.Length + steps.Count; value++)
        {
            values.Add(code.DeclareLocal(vector));
            if (value < inputs.Length && inputs[value].Kind == FusedInput.Repeated)
            {
                code.Emit(OpCodes.Ldloc, addresses[value]);
                Access(IsMask(value) ? nameof(FusedMemory<,,>.RepeatMask) : nameof(FusedMemory<,,>.Repeat));
                code.Emit(OpCodes.Stloc, values[value]);
            }
        }

        if (rows is null)
        {
            Row(() => code.Emit(OpCodes.Ldarg_1), mayEndInside: true);
        }
        else
        {
            Rows(rows);
        }

        code.Emit(OpCodes.Ret);
        FusedLoop loop = method.CreateDelegate<FusedLoop>();

        // Compiled here, as otherwise the next thread to run the program would wait for the compiler.
        nint* nothing = stackalloc nint[addresses.Count];
        long zero = 0;
        new Span<nint>(nothing, addresses.Count).Fill((nint)(&zero));
        loop(nothing, 0);
        return loop;
    }

    /// <summary>One row after the other. What is known of them when this is written need not be asked at each.</summary>
    private void Rows(FusedRows rows)
    {
        Label next = code.DefineLabel();
        Label test = code.DefineLabel();
        code.Emit(OpCodes.Br, test);
        code.MarkLabel(next);
        if (rows.Length == lanes)
        {
            code.Emit(OpCodes.Ldc_I8, 0L);
            code.Emit(OpCodes.Stloc, index);
            Body(whole: true);
        }
        else
        {
            Row(() => code.Emit(OpCodes.Ldc_I8, rows.Length), mayEndInside: rows.Length % lanes != 0);
        }

        for (int operand = 0; operand < addresses.Count; operand++)
        {
            code.Emit(OpCodes.Ldloc, addresses[operand]);
            code.Emit(OpCodes.Ldc_I8, rows.Step(operand));
            code.Emit(OpCodes.Conv_I);
            code.Emit(OpCodes.Add);
            code.Emit(OpCodes.Stloc, addresses[operand]);
        }

        code.Emit(OpCodes.Ldarg_1);
        code.Emit(OpCodes.Ldc_I8, 1L);
        code.Emit(OpCodes.Sub);
        code.Emit(OpCodes.Starg_S, (byte)1);
        code.MarkLabel(test);
        code.Emit(OpCodes.Ldarg_1);
        code.Emit(OpCodes.Ldc_I8, 0L);
        code.Emit(OpCodes.Bgt, next);
    }

    /// <summary>Whole registers as long as there are some, then the rest, if there may be one, in part of one.</summary>
    private void Row(Action length, bool mayEndInside)
    {
        Label next = code.DefineLabel();
        Label test = code.DefineLabel();
        Label end = code.DefineLabel();
        code.Emit(OpCodes.Ldc_I8, 0L);
        code.Emit(OpCodes.Stloc, index);
        code.Emit(OpCodes.Br, test);
        code.MarkLabel(next);
        Body(whole: true);
        code.Emit(OpCodes.Ldloc, index);
        code.Emit(OpCodes.Ldc_I8, (long)lanes);
        code.Emit(OpCodes.Add);
        code.Emit(OpCodes.Stloc, index);
        code.MarkLabel(test);
        code.Emit(OpCodes.Ldloc, index);
        length();
        code.Emit(OpCodes.Ldc_I8, (long)lanes);
        code.Emit(OpCodes.Sub);
        code.Emit(OpCodes.Ble, next);
        if (mayEndInside)
        {
            code.Emit(OpCodes.Ldloc, index);
            length();
            code.Emit(OpCodes.Bge, end);
            length();
            code.Emit(OpCodes.Ldloc, index);
            code.Emit(OpCodes.Sub);
            code.Emit(OpCodes.Conv_I4);
            code.Emit(OpCodes.Stloc, rest);
            Body(whole: false);
        }

        code.MarkLabel(end);
    }

    /// <summary>All steps for the elements at the index.</summary>
    private void Body(bool whole)
    {
        HashSet<int> loaded = [];
        int outputs = 0;
        for (int i = 0; i < steps.Count; i++)
        {
            foreach (int operand in steps[i].Operands)
            {
                if (operand < inputs.Length && inputs[operand].Kind != FusedInput.Repeated && loaded.Add(operand))
                {
                    Load(operand, whole);
                }
            }

            foreach (int operand in steps[i].Operands)
            {
                code.Emit(OpCodes.Ldloc, values[operand]);
            }

            code.Emit(OpCodes.Call, steps[i].Function.Loop.Owner!.GetMethod("Lanes")!);
            code.Emit(OpCodes.Stloc, values[inputs.Length + i]);
            if (steps[i].IsOutput)
            {
                Store(inputs.Length + i, inputs.Length + outputs++, whole);
            }
        }
    }

    private void Load(int input, bool whole)
    {
        Address(input, inputs[input].Size);
        if (whole)
        {
            Access(IsMask(input) ? nameof(FusedMemory<,,>.LoadMask) : nameof(FusedMemory<,,>.Load));
        }
        else
        {
            code.Emit(OpCodes.Ldloc, rest);
            Access(IsMask(input) ? nameof(FusedMemory<,,>.LoadMaskPart) : nameof(FusedMemory<,,>.LoadPart));
        }

        code.Emit(OpCodes.Stloc, values[input]);
    }

    private void Store(int value, int address, bool whole)
    {
        Address(address, IsMask(value) ? 1 : Size);
        code.Emit(OpCodes.Ldloc, values[value]);
        if (whole)
        {
            Access(IsMask(value) ? nameof(FusedMemory<,,>.StoreMask) : nameof(FusedMemory<,,>.Store));
        }
        else
        {
            code.Emit(OpCodes.Ldloc, rest);
            Access(IsMask(value) ? nameof(FusedMemory<,,>.StoreMaskPart) : nameof(FusedMemory<,,>.StorePart));
        }
    }

    /// <summary>Bytes of a number.</summary>
    private int Size => element == typeof(double) ? sizeof(double) : sizeof(float);

    private bool IsMask(int value) => (value < inputs.Length ? inputs[value].Size : steps[value - inputs.Length].Function.Size(0)) == 1;

    private void Address(int operand, int size)
    {
        code.Emit(OpCodes.Ldloc, addresses[operand]);
        code.Emit(OpCodes.Ldloc, index);
        code.Emit(OpCodes.Ldc_I4, size);
        code.Emit(OpCodes.Conv_I8);
        code.Emit(OpCodes.Mul);
        code.Emit(OpCodes.Conv_I);
        code.Emit(OpCodes.Add);
    }

    private void Access(string name) => code.Emit(OpCodes.Call, memory.GetMethod(name, BindingFlags.Public | BindingFlags.Static)!);
}
