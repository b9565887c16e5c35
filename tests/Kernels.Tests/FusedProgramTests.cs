using System.Runtime.InteropServices;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>A fused program gives the bits of its functions applied one after the other, whatever it fuses.</summary>
public sealed class FusedProgramTests
{
    /// <summary>Shapes and an input's steps: contiguous, repeated along each end, in the middle, transposed, strided, reversed, one number.</summary>
    public static TheoryData<string, int[], long[]> Layouts =>
        new()
        {
            { "contiguous", [37, 129], [129, 1] },
            { "contiguous, many blocks", [3, 20_011], [20_011, 1] },
            { "one number", [37, 129], [0, 0] },
            { "a row repeated", [2_001, 10], [0, 1] },
            { "a row of a block's length", [9, 1_024], [0, 1] },
            { "a row longer than any block", [3, 5_000], [0, 1] },
            { "a column repeated", [2_001, 10], [1, 0] },
            { "the middle", [5, 8, 577], [0, 1, 0] },
            { "two rows repeated", [700, 3, 7], [0, 7, 1] },
            { "transposed", [65, 90], [1, 65] },
            { "every second", [40, 60], [120, 2] },
            { "rows of a slice", [9, 31, 16], [31 * 32, 32, 1] },
            { "rows of a slice of each plane", [3, 5, 7, 20], [5 * 2 * 7 * 3 * 20, 7 * 3 * 20, 2 * 20, 1] },
            { "rows in turns", [12, 70], [0, 1] },
            { "long rows in turns with a gap", [4, 3, 1_500], [0, 2_000, 1] },
            { "planes turned, rows kept", [6, 8, 33], [33, 6 * 33, 1] },
            { "rows of one register and a part", [50, 17], [40, 1] },
            { "rows of two", [700, 2], [5, 1] },
            { "rows of a part of a register", [90, 13], [31, 1] },
            { "axes of length 1", [1, 300, 1, 7], [0, 7, 5, 1] },
            { "scalar", [], [] },
            { "nothing", [0, 5], [5, 1] },
        };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Any_layout_of_an_input_gives_the_same_bits(string name, int[] shape, long[] strides)
    {
        Check<float>(name, shape, strides, threads: 1);
        Check<double>(name, shape, strides, threads: 1);
        Check<float>(name, shape, strides, threads: 3);
    }

    [Fact]
    public void An_output_may_take_the_memory_of_an_input_that_is_not_read_afterwards()
    {
        ElementFunction add = ElementFunction.Binary(BinaryOp.Add, ElementType.Float32);
        ElementFunction multiply = ElementFunction.Binary(BinaryOp.Multiply, ElementType.Float32);
        FusedProgram program = new([5_000], [(4, [1]), (4, [1]), (4, [0])], [new(add, [0, 1], true), new(multiply, [1, 3], true)]);
        Assert.Equal(2, program.Outputs);
        Assert.True(program.MayOverwrite(0, 0));
        Assert.False(program.MayOverwrite(0, 1));
        Assert.True(program.MayOverwrite(1, 1));
        Assert.False(program.MayOverwrite(1, 2));

        float[] a = Numbers(5_000, 1);
        float[] b = Numbers(5_000, 2);
        using Block<float> left = new(a);
        using Block<float> right = new(b);
        using Block<float> one = new([1f]);
        foreach (bool written in new[] { false, true })
        {
            Assert.True(!written || program.WriteLoop());
            a.CopyTo(left.Span);
            b.CopyTo(right.Span);
            program.Run([left.Pointer, right.Pointer, one.Pointer], [left.Pointer, right.Pointer], WorkerPool.Serial);
            Values.SameBits<float>([.. a.Zip(b, (p, q) => p + q)], left.Span, "sum");
            Values.SameBits<float>([.. a.Zip(b, (p, q) => q * (p + q))], right.Span, "product");
        }
    }

    [Fact]
    public void A_mask_is_a_result_like_any_other()
    {
        FusedProgram program = new(
            [3, 1_500],
            [(4, [1_500, 1]), (4, [0, 0])],
            [
                new(ElementFunction.Compare(CompareOp.LessEqual, ElementType.Float32), [0, 1], false),
                new(ElementFunction.Select(ElementType.Float32), [2, 1, 0], true),
                new(ElementFunction.Cast(ElementType.Float32, ElementType.Float64), [3], true),
                new(ElementFunction.Unary(UnaryOp.Not, ElementType.Bool), [2], true),
            ]
        );
        float[] x = Numbers(4_500, 3);
        using Block<float> input = new(x);
        using Block<float> zero = new([0f]);
        using Block<float> kept = new(4_500);
        using Block<double> wide = new(4_500);
        using Block<byte> alive = new(4_500);
        program.Run([input.Pointer, zero.Pointer], [kept.Pointer, wide.Pointer, alive.Pointer], WorkerPool.Serial);
        Values.SameBits<float>([.. x.Select(v => v <= 0 ? 0 : v)], kept.Span, "kept");
        Values.SameBits<double>([.. x.Select(v => v <= 0 ? 0 : (double)v)], wide.Span, "wide");
        Values.SameBits<byte>([.. x.Select(v => v <= 0 ? (byte)0 : (byte)1)], alive.Span, "alive");
    }

    [Fact]
    public void A_program_is_written_as_one_loop_when_it_has_run_often_and_keeps_its_bits()
    {
        ElementFunction tanh = ElementFunction.Unary(UnaryOp.Tanh, ElementType.Float32);
        ElementFunction add = ElementFunction.Binary(BinaryOp.Add, ElementType.Float32);
        FusedProgram program = new([700], [(4, [1])], [new(tanh, [0], false), new(add, [1, 0], true)]);
        using Block<float> x = new(Numbers(700, 6));
        using Block<float> y = new(700);
        float[]? first = null;
        for (int run = 0; !program.IsOneLoop && run < 20_000; run++)
        {
            program.Run([x.Pointer], [y.Pointer], WorkerPool.Serial);
            Values.SameBits<float>(first ??= y.ToArray(), y.Span);
            Thread.Sleep(run < FusedProgram.Often ? 0 : 1);
        }

        Assert.True(program.IsOneLoop);
        program.Run([x.Pointer], [y.Pointer], WorkerPool.Serial);
        Values.SameBits<float>(first!, y.Span);
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.Float64)]
    public void Any_program_of_one_type_gives_the_bits_of_its_separate_functions_as_one_loop(ElementType type)
    {
        for (int seed = 0; seed < 60; seed++)
        {
            if (type == ElementType.Float32)
            {
                CheckRandom<float>(seed);
            }
            else
            {
                CheckRandom<double>(seed);
            }
        }
    }

    [Fact]
    public void Programs_with_functions_of_several_types_stay_interpreted()
    {
        ElementFunction add = ElementFunction.Binary(BinaryOp.Add, ElementType.Float32);
        ElementFunction narrow = ElementFunction.Cast(ElementType.Float64, ElementType.Float32);
        ElementFunction wide = ElementFunction.Unary(UnaryOp.Sqrt, ElementType.Float64);
        ElementFunction equal = ElementFunction.Compare(CompareOp.Equal, ElementType.UInt8);
        ElementFunction either = ElementFunction.Binary(BinaryOp.Or, ElementType.Bool);
        Assert.False(new FusedProgram([9], [(8, [1])], [new(narrow, [0], false), new(add, [1, 1], true)]).WriteLoop());
        Assert.False(new FusedProgram([9], [(4, [1]), (8, [1])], [new(add, [0, 0], true), new(wide, [1], true)]).WriteLoop());
        Assert.False(new FusedProgram([9], [(1, [1])], [new(equal, [0, 0], false), new(either, [1, 0], true)]).WriteLoop());
    }

    [Fact]
    public void A_program_that_cannot_run_is_refused()
    {
        ElementFunction add = ElementFunction.Binary(BinaryOp.Add, ElementType.Float32);
        Assert.Equal("A program has 1 to 64 steps, not 0. (Parameter 'steps')", Refusal());
        Assert.Equal("Step 0 takes 2 operands, not 1. (Parameter 'steps')", Refusal(new FusedStep(add, [0], true)));
        Assert.Equal("Step 0 uses something that is not there yet. (Parameter 'steps')", Refusal(new FusedStep(add, [0, 1], true)));

        static string Refusal(params FusedStep[] steps) => Assert.Throws<ArgumentException>(() => new FusedProgram([4], [(4, [1])], steps)).Message;
    }

    /// <summary>The axis along which three results stand between each other.</summary>
    public static TheoryData<int[], int> Places =>
        new()
        {
            { [37, 129], 0 },
            { [37, 129], 1 },
            { [3, 20_011], 0 },
            { [5, 8, 16], 1 },
            { [5, 8, 16], 2 },
            { [6, 1, 4, 40], 2 },
            { [2, 9, 5, 3], 2 },
            { [4_100], 0 },
            { [2, 9_001], 0 },
            { [1, 4_100], 0 },
            { [2, 3, 6_000], 0 },
        };

    [Theory]
    [MemberData(nameof(Places))]
    public void Results_may_stand_between_each_other(int[] shape, int axis)
    {
        int count = shape.Aggregate((product, length) => product * length);
        int inner = shape[(axis + 1)..].Aggregate(1, (product, length) => product * length);
        long[] strides = [.. Steps(shape).Select((step, at) => at <= axis ? 3 * step : step)];
        ElementFunction negate = ElementFunction.Unary(UnaryOp.Negate, ElementType.Float32);
        ElementFunction multiply = ElementFunction.Binary(BinaryOp.Multiply, ElementType.Float32);
        ElementFunction less = ElementFunction.Compare(CompareOp.Less, ElementType.Float32);
        FusedProgram program = new(
            shape,
            [(4, Steps(shape)), (4, Steps(shape))],
            [
                new(negate, [0], true, new FusedPlace(0, strides)),
                new(multiply, [2, 0], true, new FusedPlace(inner, strides)),
                new(less, [3, 2], true),
                new(multiply, [0, 0], true, new FusedPlace(2 * inner, strides)),
            ]
        );
        Assert.False(program.MayOverwrite(0, 0));
        Assert.False(program.MayOverwrite(0, 1)); // Which nothing reads.
        float[] x = Numbers(count, 7);
        float[] expected = new float[3 * count];
        for (int i = 0; i < count; i++)
        {
            int at = (i / inner * 3 * inner) + (i % inner);
            (expected[at], expected[at + inner], expected[at + (2 * inner)]) = (-x[i], -x[i] * x[i], x[i] * x[i]);
        }

        using Block<float> input = new(x);
        foreach ((bool written, int threads) in new[] { (false, 1), (false, 3), (true, 1), (true, 3) })
        {
            Assert.True(!written || program.WriteLoop());
            using Block<float> all = new(3 * count);
            using Block<byte> smaller = new(count);
            nint y = all.Pointer;
            program.Run([input.Pointer, input.Pointer], [y, y, smaller.Pointer, y], new WorkerPool(threads));
            Values.SameBits<float>(expected, all.Span, $"written as one loop: {written}, {threads} threads");
            Values.SameBits<byte>([.. x.Select(v => -v * v < -v ? (byte)1 : (byte)0)], smaller.Span, $"less, written as one loop: {written}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Rows_leave_what_is_between_them_and_may_overwrite_what_they_have_read(int threads)
    {
        ElementFunction add = ElementFunction.Binary(BinaryOp.Add, ElementType.Float64);
        ElementFunction less = ElementFunction.Compare(CompareOp.Less, ElementType.Float64);
        // Rows of 19 from the last to the first, 25 apart; sums over the contiguous input, masks 40 apart.
        FusedProgram program = new(
            [50, 19],
            [(8, [-25, 1]), (8, [19, 1])],
            [new(add, [0, 1], true), new(less, [0, 2], true, new FusedPlace(7, [40, 1]))]
        );
        Assert.True(program.MayOverwrite(0, 1));
        double[] x = [.. Numbers(50 * 25, 8)];
        double[] y = [.. Numbers(50 * 19, 9)];
        double[] sums = new double[50 * 19];
        byte[] masks = new byte[50 * 40];
        Array.Fill(masks, (byte)5);
        for (int i = 0; i < sums.Length; i++)
        {
            double left = x[((49 - (i / 19)) * 25) + (i % 19)];
            sums[i] = left + y[i];
            masks[7 + (i / 19 * 40) + (i % 19)] = left < sums[i] ? (byte)1 : (byte)0;
        }

        using Block<double> input = new(x);
        foreach (bool written in new[] { false, true })
        {
            Assert.True(!written || program.WriteLoop());
            using Block<double> both = new(y);
            using Block<byte> smaller = new(masks.Length);
            smaller.Span.Fill(5);
            program.Run([input.Pointer + (49 * 25 * 8), both.Pointer], [both.Pointer, smaller.Pointer], new WorkerPool(threads));
            Values.SameBits<double>(sums, both.Span, $"sums, written as one loop: {written}");
            Values.SameBits<byte>(masks, smaller.Span, $"masks, written as one loop: {written}");
        }
    }

    private static long[] Steps(int[] shape) =>
        [.. shape.Select((_, axis) => shape[(axis + 1)..].Aggregate(1L, (product, length) => product * length))];

    // exp(a + b) * (a + b) and its square root's negation, with a as the case says and b contiguous.
    private static void Check<T>(string name, int[] shape, long[] strides, int threads)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        ElementType type = Values.TypeOf<T>();
        int size = type.Size();
        int count = shape.Aggregate(1, (product, length) => product * length);
        long[] whole = new long[shape.Length];
        for (int axis = shape.Length - 1, step = 1; axis >= 0; step *= shape[axis--])
        {
            whole[axis] = step;
        }

        int reach = 1 + (int)shape.Zip(strides, (length, step) => Math.Max(0, length - 1) * step).Sum();
        using Block<T> a = new([.. Numbers(reach, 4).Select(T.CreateTruncating)]);
        using Block<T> b = new([.. Numbers(Math.Max(count, 1), 5).Select(T.CreateTruncating)]);
        using Block<T> sum = new(count);
        using Block<T> first = new(count);
        using Block<T> second = new(count);
        using Block<T> fusedSecond = new(count);
        using Block<T> fusedSum = new(count);
        IterationSpace strided = IterationSpace.Create(shape, whole, strides, whole);
        IterationSpace two = IterationSpace.Contiguous(count, 2);
        IterationSpace three = IterationSpace.Contiguous(count, 3);
        WorkerPool pool = new(threads);
        Elementwise.Binary(BinaryOp.Add, type, strided, sum.Pointer, a.Pointer, b.Pointer, pool);
        Elementwise.Unary(UnaryOp.Exp, type, two, first.Pointer, sum.Pointer, pool);
        Elementwise.Binary(BinaryOp.Multiply, type, three, second.Pointer, first.Pointer, sum.Pointer, pool);
        Elementwise.Unary(UnaryOp.Abs, type, two, second.Pointer, second.Pointer, pool);

        FusedProgram program = new(
            shape,
            [(size, strides), (size, whole)],
            [
                new(ElementFunction.Binary(BinaryOp.Add, type), [0, 1], true),
                new(ElementFunction.Unary(UnaryOp.Exp, type), [2], false),
                new(ElementFunction.Binary(BinaryOp.Multiply, type), [3, 2], false),
                new(ElementFunction.Unary(UnaryOp.Abs, type), [4], true),
            ]
        );
        foreach (bool written in new[] { false, true })
        {
            Assert.True(!written || program.WriteLoop());
            fusedSum.Span.Clear();
            fusedSecond.Span.Clear();
            program.Run([a.Pointer, b.Pointer], [fusedSum.Pointer, fusedSecond.Pointer], pool);
            Values.SameBits<T>(sum.ToArray(), fusedSum.Span, $"{name}, the sum, written as one loop: {written}");
            Values.SameBits<T>(second.ToArray(), fusedSecond.Span, $"{name}, the result, written as one loop: {written}");
        }
    }

    /// <summary>Random functions of three inputs that are numbers and two that are masks, and of the results before.</summary>
    private static List<FusedStep> RandomSteps(ElementType type, Random random)
    {
        UnaryOp[] unary = [.. Enum.GetValues<UnaryOp>().Where(op => op != UnaryOp.Not)];
        BinaryOp[] binary = [.. Enum.GetValues<BinaryOp>().Where(op => op is not (BinaryOp.And or BinaryOp.Or))];
        List<bool> masks = [false, false, false, true, true];
        List<FusedStep> steps = [];
        int size = random.Next(1, 30);
        for (int i = 0; i < size; i++)
        {
            int Pick(bool mask) => Enumerable.Range(0, masks.Count).Where(value => masks[value] == mask).OrderBy(_ => random.Next()).First();
            FusedStep step = random.Next(4) switch
            {
                0 => new(ElementFunction.Unary(unary[random.Next(unary.Length)], type), [Pick(false)], false),
                1 => new(ElementFunction.Binary(binary[random.Next(binary.Length)], type), [Pick(false), Pick(false)], false),
                2 => new(ElementFunction.Compare((CompareOp)random.Next(4), type), [Pick(false), Pick(false)], false),
                _ => new(ElementFunction.Select(type), [Pick(true), Pick(false), Pick(false)], false),
            };
            masks.Add(step.Function.Size(0) == 1);
            steps.Add(step with { IsOutput = i == size - 1 || random.Next(3) == 0 });
        }

        return steps;
    }

    /// <summary>A program of random functions, interpreted and as one loop; some of its inputs are repeated.</summary>
    private static void CheckRandom<T>(int seed)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        Random random = new(seed);
        ElementType type = Values.TypeOf<T>();
        int columns = random.Next(1, 70);
        int[] shape = [random.Next(1, 300), columns];
        int elements = shape[0] * columns;
        using Block<T> numbers = new([.. Numbers(elements, seed).Select(T.CreateTruncating)]);
        using Block<byte> mask = new(Values.Random<byte>(elements + 1, seed, 0, 2));
        nint x = numbers.Pointer;
        nint[] inputs = [x, x, x, mask.Pointer, mask.Pointer + 1];
        int size = type.Size();
        (int, long[])[] layouts = [(size, [columns, 1]), (size, [0, 0]), (size, [0, 1]), (1, [columns, 1]), (1, [0, 0])];
        List<FusedStep> steps = RandomSteps(type, random);
        FusedProgram program = new(shape, layouts, steps);
        byte[][] Results()
        {
            Block<byte>[] outputs = [.. steps.Where(step => step.IsOutput).Select(step => new Block<byte>(elements * step.Function.Size(0)))];
            program.Run(inputs, [.. outputs.Select(output => output.Pointer)], new WorkerPool(2));
            byte[][] bytes = [.. outputs.Select(output => output.ToArray())];
            Array.ForEach(outputs, output => output.Dispose());
            return bytes;
        }

        byte[][] separate = Results();
        Assert.True(program.WriteLoop());
        byte[][] together = Results();
        foreach ((byte[] expected, byte[] actual) in separate.Zip(together))
        {
            if (expected.Length == elements)
            {
                Values.SameBits<byte>(expected, actual, $"seed {seed}");
            }
            else
            {
                Values.SameBits<T>(MemoryMarshal.Cast<byte, T>(expected), MemoryMarshal.Cast<byte, T>(actual), $"seed {seed}");
            }
        }
    }

    private static float[] Numbers(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 4) - 2))];
    }
}
