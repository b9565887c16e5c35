using System.Numerics;
using Xunit;
using Xunit.Abstractions;

namespace Hybrid.Kernels.Tests;

/// <summary>Accuracy of the own exponential functions, in units in the last place of the correctly rounded value.</summary>
public sealed class VectorMathTests(ITestOutputHelper output)
{
    /// <summary>Bit patterns between two tested Float32 inputs; 1 is the full sweep, set by hand with HYBRID_SWEEP=1.</summary>
    private static readonly uint Step = uint.Parse(Environment.GetEnvironmentVariable("HYBRID_SWEEP") ?? "97");

    public static TheoryData<UnaryOp, int> Singles =>
        new()
        {
            { UnaryOp.Exp, 1 },
            { UnaryOp.Log, 1 },
            { UnaryOp.Tanh, 1 },
            { UnaryOp.Sigmoid, 1 },
        };

    public static TheoryData<UnaryOp, int> Doubles =>
        new()
        {
            { UnaryOp.Exp, 2 },
            { UnaryOp.Expm1, 3 },
            { UnaryOp.Log, 2 },
            { UnaryOp.Log1p, 3 },
            { UnaryOp.Tanh, 4 },
            { UnaryOp.Sigmoid, 2 },
        };

    public static TheoryData<UnaryOp, double, double> Landmarks =>
        new()
        {
            { UnaryOp.Exp, 0.0, 1.0 },
            { UnaryOp.Exp, -0.0, 1.0 },
            { UnaryOp.Exp, double.NegativeInfinity, 0.0 },
            { UnaryOp.Exp, double.PositiveInfinity, double.PositiveInfinity },
            { UnaryOp.Expm1, 0.0, 0.0 },
            { UnaryOp.Expm1, -0.0, -0.0 },
            { UnaryOp.Expm1, double.NegativeInfinity, -1.0 },
            { UnaryOp.Expm1, double.PositiveInfinity, double.PositiveInfinity },
            { UnaryOp.Log, 1.0, 0.0 },
            { UnaryOp.Log, 0.0, double.NegativeInfinity },
            { UnaryOp.Log, -0.0, double.NegativeInfinity },
            { UnaryOp.Log, -1.0, double.NaN },
            { UnaryOp.Log, double.NegativeInfinity, double.NaN },
            { UnaryOp.Log, double.PositiveInfinity, double.PositiveInfinity },
            { UnaryOp.Log1p, 0.0, 0.0 },
            { UnaryOp.Log1p, -0.0, -0.0 },
            { UnaryOp.Log1p, -1.0, double.NegativeInfinity },
            { UnaryOp.Log1p, -2.0, double.NaN },
            { UnaryOp.Log1p, double.PositiveInfinity, double.PositiveInfinity },
            { UnaryOp.Tanh, 0.0, 0.0 },
            { UnaryOp.Tanh, -0.0, -0.0 },
            { UnaryOp.Tanh, double.PositiveInfinity, 1.0 },
            { UnaryOp.Tanh, double.NegativeInfinity, -1.0 },
            { UnaryOp.Sigmoid, 0.0, 0.5 },
            { UnaryOp.Sigmoid, double.NegativeInfinity, 0.0 },
            { UnaryOp.Sigmoid, double.PositiveInfinity, 1.0 },
        };

    [Theory]
    [MemberData(nameof(Singles))]
    public void Float32_is_within_its_bound_over_a_sweep_of_all_bit_patterns(UnaryOp op, int bound)
    {
        const int Batch = 1 << 16;
        using Block<float> x = new(Batch);
        using Block<float> y = new(Batch);
        IterationSpace space = IterationSpace.Contiguous(Batch, 2);
        long worst = 0;
        long tested = 0;
        float worstInput = 0;
        for (ulong first = 0; first <= uint.MaxValue; first += (ulong)Batch * Step)
        {
            for (int i = 0; i < Batch; i++)
            {
                x.Span[i] = BitConverter.UInt32BitsToSingle((uint)(first + ((ulong)i * Step)));
            }

            Elementwise.Unary(op, ElementType.Float32, space, y.Pointer, x.Pointer, WorkerPool.Serial);
            for (int i = 0; i < Batch; i++)
            {
                long ulps = Values.Ulps((float)Reference(op, x.Span[i]), y.Span[i]);
                (worst, worstInput) = ulps > worst ? (ulps, x.Span[i]) : (worst, worstInput);
            }

            tested += Batch;
        }

        output.WriteLine($"{op}: {worst} ULP at {worstInput:R}, {tested} inputs");
        Assert.True(tested >= uint.MaxValue / Step);
        Assert.True(worst <= bound, $"{op}: {worst} ULP at {worstInput:R}");
    }

    /// <summary>Every float within 20,000 steps of a point where a formula changes or a range ends.</summary>
    [Theory]
    [MemberData(nameof(Singles))]
    public void Float32_is_within_its_bound_around_special_points(UnaryOp op, int bound)
    {
        const int Reach = 20000;
        using Block<float> x = new(2 * Reach);
        using Block<float> y = new(2 * Reach);
        IterationSpace space = IterationSpace.Contiguous(2 * Reach, 2);
        foreach (float centre in Values.Special<float>())
        {
            int bits = BitConverter.SingleToInt32Bits(centre);
            for (int i = 0; i < 2 * Reach; i++)
            {
                x.Span[i] = BitConverter.Int32BitsToSingle(bits + i - Reach);
            }

            Elementwise.Unary(op, ElementType.Float32, space, y.Pointer, x.Pointer, WorkerPool.Serial);
            for (int i = 0; i < 2 * Reach; i++)
            {
                long ulps = Values.Ulps((float)Reference(op, x.Span[i]), y.Span[i]);
                Assert.True(ulps <= bound, $"{op}({x.Span[i]:R}) = {y.Span[i]:R}: {ulps} ULP");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Doubles))]
    public void Float64_is_within_its_bound_of_exact_arithmetic(UnaryOp op, int bound)
    {
        double[] inputs = Inputs(op);
        using Block<double> x = new(inputs);
        using Block<double> y = new(inputs.Length);
        IterationSpace space = IterationSpace.Contiguous(inputs.Length, 2);
        Elementwise.Unary(op, ElementType.Float64, space, y.Pointer, x.Pointer, WorkerPool.Serial);
        long worst = 0;
        for (int i = 0; i < inputs.Length; i++)
        {
            long ulps = Values.Ulps(ExactReference(op, inputs[i]), y.Span[i]);
            worst = Math.Max(worst, ulps);
            Assert.True(ulps <= bound, $"{op}({inputs[i]:R}) = {y.Span[i]:R}: {ulps} ULP");
        }

        output.WriteLine($"{op}: {worst} ULP over {inputs.Length} inputs");
    }

    /// <summary>Probabilities near 0, 1/2 and 1, where the two logarithms' formulas change, and in between; both types, by exact arithmetic.</summary>
    [Fact]
    public void Cross_entropy_is_within_its_bound_of_exact_arithmetic()
    {
        Random random = new(11);
        List<double> p = [0.5, Math.BitDecrement(0.5), Math.Sqrt(0.5), 1 - Math.Sqrt(0.5), 1e-30, Math.BitDecrement(1.0)];
        for (int i = 0; i < 3000; i++)
        {
            double tiny = Math.ScaleB(1 + random.NextDouble(), -random.Next(2, 60));
            p.AddRange([random.NextDouble(), tiny, 1 - tiny, 0.5 + (tiny / 2), 0.5 - (tiny / 2), 1 - Math.Sqrt(0.5) + (tiny / 8)]);
        }

        p.RemoveAll(x => x is <= 0 or >= 1);
        long wide = Worst<double>([.. p]);
        long narrow = Worst<float>([.. p.Select(x => (float)x).Where(x => x < 1)]);
        output.WriteLine($"cross-entropy: {narrow} and {wide} ULP over {p.Count} inputs");
        Assert.InRange(narrow, 0, 1);
        Assert.InRange(wide, 0, 2);

        static long Worst<T>(T[] p)
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            using Block<T> x = new(p);
            using Block<T> y = new(p.Length);
            long worst = 0;
            foreach (T target in new[] { T.Zero, T.One })
            {
                using Block<T> t = new(Enumerable.Repeat(target, p.Length).ToArray());
                Elementwise.Bce(Values.TypeOf<T>(), IterationSpace.Contiguous(p.Length, 3), y.Pointer, x.Pointer, t.Pointer, WorkerPool.Serial);
                for (int i = 0; i < p.Length; i++)
                {
                    double chance = double.CreateChecked(p[i]);
                    double exact = -Math.Max(target == T.One ? Exact.Log(chance) : Exact.Log1p(-chance), -100);
                    long ulps =
                        typeof(T) == typeof(float)
                            ? Values.Ulps((float)exact, float.CreateChecked(y.Span[i]))
                            : Values.Ulps(exact, double.CreateChecked(y.Span[i]));
                    worst = Math.Max(worst, ulps);
                }
            }

            return worst;
        }
    }

    /// <summary>What is no probability gives NaN, and no loss is -0.</summary>
    [Theory]
    [InlineData(-0.0, 0, 0.0)]
    [InlineData(-0.0, 1, 100.0)]
    [InlineData(0.0, 0.25, 25.0)]
    [InlineData(1.0, 1, 0.0)]
    [InlineData(1.0, 0, 100.0)]
    [InlineData(-1e-30, 0.5, double.NaN)]
    [InlineData(1.5, 0, double.NaN)]
    [InlineData(double.NaN, 0, double.NaN)]
    [InlineData(double.PositiveInfinity, 1, double.NaN)]
    [InlineData(double.NegativeInfinity, 1, double.NaN)]
    [InlineData(0.5, -0.1, double.NaN)]
    [InlineData(0.5, 1.1, double.NaN)]
    [InlineData(0.5, double.NaN, double.NaN)]
    [InlineData(1, double.PositiveInfinity, double.NaN)]
    [InlineData(0, double.NegativeInfinity, double.NaN)]
    public void Cross_entropy_has_bounds(double chance, double target, double expected)
    {
        Check<double>();
        Check<float>();

        void Check<T>()
            where T : unmanaged, IFloatingPointIeee754<T>
        {
            using Block<T> p = new([T.CreateChecked(chance)]);
            using Block<T> t = new([T.CreateChecked(target)]);
            using Block<T> y = new(1);
            Elementwise.Bce(Values.TypeOf<T>(), IterationSpace.Contiguous(1, 3), y.Pointer, p.Pointer, t.Pointer, WorkerPool.Serial);
            Assert.Equal(Bits(expected), Bits(double.CreateChecked(y.Span[0])));
        }
    }

    /// <summary>Values that calculus and tests take for granted.</summary>
    [Theory]
    [MemberData(nameof(Landmarks))]
    public void Landmarks_are_exact(UnaryOp op, double x, double expected)
    {
        Assert.Equal(Bits(expected), Bits(One<double>(op, x)));
        Assert.Equal(Bits(expected), Bits(One<float>(op, (float)x)));
        Assert.True(double.IsNaN(One<double>(op, double.NaN)));
        Assert.True(float.IsNaN(One<float>(op, float.NaN)));
    }

    /// <summary>Subnormal inputs of the functions with derivative 1 at zero come back unchanged.</summary>
    [Theory]
    [InlineData(UnaryOp.Tanh)]
    [InlineData(UnaryOp.Expm1)]
    [InlineData(UnaryOp.Log1p)]
    public void Subnormal_inputs_come_back(UnaryOp op)
    {
        Assert.Equal(1e-40f, One<float>(op, 1e-40f));
        Assert.Equal(-float.Epsilon, One<float>(op, -float.Epsilon));
        Assert.Equal(1e-310, One<double>(op, 1e-310));
        Assert.Equal(-double.Epsilon, One<double>(op, -double.Epsilon));
    }

    private static long Bits(double value) => double.IsNaN(value) ? -1 : BitConverter.DoubleToInt64Bits(value);

    private static T One<T>(UnaryOp op, T value)
        where T : unmanaged
    {
        using Block<T> x = new([value]);
        using Block<T> y = new(1);
        Elementwise.Unary(op, Values.TypeOf<T>(), IterationSpace.Contiguous(1, 2), y.Pointer, x.Pointer, WorkerPool.Serial);
        return y.Span[0];
    }

    private static double Reference(UnaryOp op, double x) =>
        op switch
        {
            UnaryOp.Exp => Math.Exp(x),
            UnaryOp.Log => Math.Log(x),
            UnaryOp.Tanh => Math.Tanh(x),
            _ => 1 / (1 + Math.Exp(-x)),
        };

    private static double ExactReference(UnaryOp op, double x) =>
        op switch
        {
            UnaryOp.Exp => Exact.Exp(x),
            UnaryOp.Expm1 => Exact.Expm1(x),
            UnaryOp.Log => Exact.Log(x),
            UnaryOp.Log1p => Exact.Log1p(x),
            UnaryOp.Tanh => Exact.Tanh(x),
            _ => Exact.Sigmoid(x),
        };

    private static double[] Inputs(UnaryOp op)
    {
        Random random = new(7);
        List<double> inputs = [];
        (double low, double high) = op switch
        {
            UnaryOp.Exp or UnaryOp.Expm1 => (-700.0, 700.0),
            UnaryOp.Log => (1e-3, 1e3),
            UnaryOp.Log1p => (-0.999, 20.0),
            UnaryOp.Tanh => (-20.0, 20.0),
            _ => (-36.0, 36.0),
        };
        for (int i = 0; i < 3000; i++)
        {
            inputs.Add(low + ((high - low) * random.NextDouble()));
            inputs.Add(Math.Clamp(4 * (random.NextDouble() - 0.5), low, high));
            double tiny = Math.ScaleB(1 + random.NextDouble(), -random.Next(1, 55)) * (i % 2 == 0 ? 1 : -1);
            inputs.Add(op == UnaryOp.Log ? 1 + tiny : tiny);
        }

        return [.. inputs.Where(x => op != UnaryOp.Log || x > 0)];
    }
}
