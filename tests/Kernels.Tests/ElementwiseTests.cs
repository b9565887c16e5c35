using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Every elementwise function against scalar arithmetic, by bits.</summary>
public sealed class ElementwiseTests
{
    private static readonly WorkerPool Serial = WorkerPool.Serial;

    /// <summary>Functions whose every result is prescribed: correctly rounded arithmetic, moves of bits, or the runtime's own routine.</summary>
    private static readonly Dictionary<UnaryOp, Func<double, double>> ExactUnary = new()
    {
        [UnaryOp.Negate] = x => -x,
        [UnaryOp.Abs] = Math.Abs,
        [UnaryOp.Sign] = x =>
            x > 0 ? 1
            : x < 0 ? -1
            : x,
        [UnaryOp.Sqrt] = Math.Sqrt,
        [UnaryOp.Reciprocal] = x => 1 / x,
        [UnaryOp.Sin] = Math.Sin,
        [UnaryOp.Cos] = Math.Cos,
        [UnaryOp.Relu] = x => x <= 0 ? 0 : x,
        [UnaryOp.Floor] = Math.Floor,
        [UnaryOp.Square] = x => x * x,
    };

    private static readonly Dictionary<BinaryOp, Func<double, double, double>> ExactBinary = new()
    {
        [BinaryOp.Add] = (a, b) => a + b,
        [BinaryOp.Subtract] = (a, b) => a - b,
        [BinaryOp.Multiply] = (a, b) => a * b,
        [BinaryOp.Divide] = (a, b) => a / b,
        [BinaryOp.Power] = Math.Pow,
        [BinaryOp.Maximum] = (a, b) =>
            double.IsNaN(a) ? a
            : a > b ? a
            : b,
        [BinaryOp.Minimum] = (a, b) =>
            double.IsNaN(a) ? a
            : a < b ? a
            : b,
    };

    private static readonly Dictionary<CompareOp, Func<double, double, bool>> Comparisons = new()
    {
        [CompareOp.Equal] = (a, b) => a == b,
        [CompareOp.NotEqual] = (a, b) => a != b,
        [CompareOp.Less] = (a, b) => a < b,
        [CompareOp.LessEqual] = (a, b) => a <= b,
    };

    [Fact]
    public void Unary_functions_follow_scalar_arithmetic()
    {
        int cases = 0;
        foreach ((UnaryOp op, Func<double, double> f) in ExactUnary)
        {
            CheckUnary<float>(op, f);
            CheckUnary<double>(op, f);
            cases++;
        }

        Assert.Equal(10, cases);
    }

    [Fact]
    public void Binary_functions_follow_scalar_arithmetic()
    {
        foreach ((BinaryOp op, Func<double, double, double> f) in ExactBinary)
        {
            CheckBinary<float>(op, f);
            CheckBinary<double>(op, f);
        }

        Assert.Equal(7, ExactBinary.Count);
    }

    [Fact]
    public void Integer_functions_wrap()
    {
        int[] a = [.. Values.Random<int>(100, 1, -1000, 1000), int.MinValue, int.MaxValue, 0, -1];
        int[] b = [.. Values.Random<int>(100, 2, -1000, 1000), int.MaxValue, 2, 0, int.MinValue];
        Dictionary<BinaryOp, Func<int, int, int>> binary = new()
        {
            [BinaryOp.Add] = (p, q) => p + q,
            [BinaryOp.Subtract] = (p, q) => p - q,
            [BinaryOp.Multiply] = (p, q) => p * q,
            [BinaryOp.Maximum] = Math.Max,
            [BinaryOp.Minimum] = Math.Min,
        };
        Dictionary<UnaryOp, Func<int, int>> unary = new()
        {
            [UnaryOp.Negate] = p => -p,
            [UnaryOp.Abs] = p => p < 0 ? -p : p,
            [UnaryOp.Sign] = Math.Sign,
            [UnaryOp.Relu] = p => Math.Max(p, 0),
            [UnaryOp.Square] = p => p * p,
        };
        foreach ((BinaryOp op, Func<int, int, int> f) in binary)
        {
            Values.SameBits<int>([.. a.Zip(b, f)], Binary(op, a, b), op.ToString());
        }

        foreach ((UnaryOp op, Func<int, int> f) in unary)
        {
            Values.SameBits<int>([.. a.Select(f)], Unary(op, a), op.ToString());
        }
    }

    [Fact]
    public void Flush_keeps_normal_numbers_and_clears_subnormal_ones()
    {
        float least = BitConverter.Int32BitsToSingle(1 << 23);
        float below = BitConverter.Int32BitsToSingle((1 << 23) - 1);
        float[] singles = [1, -least, least, below, -below, float.Epsilon, 0, -0f, float.NaN, float.PositiveInfinity];
        Values.SameBits<float>([1, -least, least, 0, 0, 0, 0, 0, float.NaN, float.PositiveInfinity], Unary(UnaryOp.Flush, singles), "float32");

        double leastDouble = BitConverter.Int64BitsToDouble(1L << 52);
        double belowDouble = BitConverter.Int64BitsToDouble((1L << 52) - 1);
        double[] doubles = [least, below, leastDouble, -belowDouble, double.Epsilon, double.NegativeInfinity];
        Values.SameBits<double>([least, below, leastDouble, 0, 0, double.NegativeInfinity], Unary(UnaryOp.Flush, doubles), "float64");
    }

    [Fact]
    public void Logic_works_on_bytes()
    {
        byte[] a = [0, 0, 1, 1];
        byte[] b = [0, 1, 0, 1];
        Assert.Equal<byte>([0, 0, 0, 1], Logic(BinaryOp.And));
        Assert.Equal<byte>([0, 1, 1, 1], Logic(BinaryOp.Or));

        using Block<byte> x = new(a);
        using Block<byte> y = new(4);
        Elementwise.Unary(UnaryOp.Not, ElementType.Bool, IterationSpace.Contiguous(4, 2), y.Pointer, x.Pointer, Serial);
        Assert.Equal<byte>([1, 1, 0, 0], y.ToArray());

        byte[] Logic(BinaryOp op)
        {
            using Block<byte> left = new(a);
            using Block<byte> right = new(b);
            using Block<byte> result = new(4);
            Elementwise.Binary(op, ElementType.Bool, IterationSpace.Contiguous(4, 3), result.Pointer, left.Pointer, right.Pointer, Serial);
            return result.ToArray();
        }
    }

    [Fact]
    public void Comparisons_follow_scalar_comparison_in_every_type()
    {
        CheckCompare(Pairs(Values.Special<float>()));
        CheckCompare(Pairs(Values.Special<double>()));
        CheckCompare(Pairs<int>([0, 1, -1, int.MinValue, int.MaxValue, 5, 6, 7, 8, 9, 10]));
        CheckCompare(Pairs<byte>([0, 1, 2, 127, 128, 200, 254, 255, 64]));

        static (T[], T[]) Pairs<T>(T[] values) => ([.. values.SelectMany(a => values.Select(_ => a))], [.. values.SelectMany(_ => values)]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(1000)]
    public void Select_takes_bits_by_condition(int count)
    {
        CheckSelect(Values.Random<float>(count, 1), Values.Random<float>(count, 2));
        CheckSelect(Values.Random<double>(count, 1), Values.Random<double>(count, 2));
        CheckSelect(Values.Random<int>(count, 1, -9, 9), Values.Random<int>(count, 2, -9, 9));
        CheckSelect(Values.Random<byte>(count, 1, 0, 255), Values.Random<byte>(count, 2, 0, 255));

        static void CheckSelect<T>(T[] a, T[] b)
            where T : unmanaged
        {
            byte[] condition = Values.Random<byte>(a.Length, 3, 0, 2);
            using Block<byte> c = new(condition, offset: 1);
            using Block<T> left = new(a, offset: 1);
            using Block<T> right = new(b);
            using Block<T> y = new(a.Length, offset: 3);
            IterationSpace space = IterationSpace.Contiguous(a.Length, 4);
            Elementwise.Select(Values.TypeOf<T>(), space, y.Pointer, c.Pointer, left.Pointer, right.Pointer, Serial);
            Values.SameBits<T>([.. a.Select((value, i) => condition[i] != 0 ? value : b[i])], y.Span);
        }
    }

    /// <summary>
    /// An input gives the same bits in the body and at the end of a run, at every length and alignment, alone or among others, in place or not.
    /// </summary>
    [Fact]
    public void Functions_are_pure_wherever_the_element_stands()
    {
        float[] x = [.. Values.Random<float>(70, 1, -10, 10), .. Values.Special<float>()];
        foreach (UnaryOp op in Enum.GetValues<UnaryOp>().Where(op => op != UnaryOp.Not))
        {
            float[] alone = [.. x.Select(value => Unary(op, [value])[0])];
            for (int length = 1; length < 80; length++)
            {
                using Block<float> block = new(x.AsSpan(length / 2, length), offset: length % 5);
                IterationSpace space = IterationSpace.Contiguous(length, 2);
                Elementwise.Unary(op, ElementType.Float32, space, block.Pointer, block.Pointer, Serial);
                Values.SameBits<float>(alone.AsSpan(length / 2, length), block.Span, $"{op} {length}");
            }

            Values.SameBits<float>(alone, Unary(op, x), op.ToString());
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        const int Count = 70001;
        float[] x = Values.Random<float>(Count, 1, -10, 10);
        foreach (UnaryOp op in Enum.GetValues<UnaryOp>().Where(op => op != UnaryOp.Not))
        {
            float[] one = Unary(op, x);
            foreach (int threads in new[] { 2, 3, 8 })
            {
                Values.SameBits<float>(one, Unary(op, x, new WorkerPool(threads)), op.ToString());
            }
        }
    }

    /// <summary>Parts of a space end anywhere: within a run, a row of runs or a plane of rows.</summary>
    [Fact]
    public void Every_element_is_visited_once_by_all_parts_together()
    {
        (int planes, int rows, int columns) = (41, 37, 53);
        float[] x = Values.Random<float>(planes * rows * columns, 1);
        long[] gaps = [(rows + 1) * (columns + 2), columns + 2, 1];
        IterationSpace space = IterationSpace.Create([planes, rows, columns], gaps, gaps, [rows * columns, columns, 1]);
        foreach (int threads in new[] { 1, 2, 3, 5 })
        {
            using Block<float> y = new(new float[planes * gaps[0]]);
            using Block<float> added = new(x);
            Elementwise.Binary(BinaryOp.Add, ElementType.Float32, space, y.Pointer, y.Pointer, added.Pointer, new WorkerPool(threads));
            float[] expected = new float[y.Span.Length];
            for (int i = 0; i < x.Length; i++)
            {
                expected[(i / (rows * columns) * gaps[0]) + (i / columns % rows * gaps[1]) + (i % columns)] = x[i];
            }

            Values.SameBits<float>(expected, y.Span, $"{threads} threads");
        }
    }

    [Fact]
    public void Cross_entropy_of_probabilities_is_clipped()
    {
        float[] p = [0, 1, 0, 1, 0.5f, 1e-45f, 1e-45f, 0.25f, 0.9999999f];
        float[] t = [0, 1, 1, 0, 1, 0, 1, 0.5f, 0];
        using Block<float> left = new(p);
        using Block<float> right = new(t);
        using Block<float> y = new(p.Length);
        Elementwise.Bce(ElementType.Float32, IterationSpace.Contiguous(p.Length, 3), y.Pointer, left.Pointer, right.Pointer, Serial);
        for (int i = 0; i < p.Length; i++)
        {
            double whenTrue = p[i] == 0 ? -100 : Math.Max(Math.Log(p[i]), -100);
            double whenFalse = p[i] == 1 ? -100 : Math.Max(Math.Log(1.0 - p[i]), -100);
            double expected = -((t[i] * whenTrue) + ((1 - t[i]) * whenFalse));
            Assert.True(Math.Abs(expected - y.Span[i]) <= 2e-7 * Math.Abs(expected) + 1e-44, $"p {p[i]} t {t[i]}: {y.Span[i]}, expected {expected}");
        }

        double[] wide = [0, 1, double.Epsilon];
        using Block<double> pd = new(wide);
        using Block<double> td = new([1.0, 1, 1]);
        using Block<double> yd = new(3);
        Elementwise.Bce(ElementType.Float64, IterationSpace.Contiguous(3, 3), yd.Pointer, pd.Pointer, td.Pointer, Serial);
        Assert.Equal([100.0, 0, 100], yd.ToArray());
    }

    [Fact]
    public void Casts_follow_saturating_conversion()
    {
        float[] floats = [0, -0f, 1.9f, -1.9f, 300, -5, 3e9f, -3e9f, float.NaN, float.PositiveInfinity, 0.1f, 255.5f, 16777217f];
        Assert.Equal([0, 0, 1, -1, 300, -5, int.MaxValue, int.MinValue, 0, int.MaxValue, 0, 255, 16777216], Cast<float, int>(floats));
        Assert.Equal<byte>([0, 0, 1, 0, 255, 0, 255, 0, 0, 255, 0, 255, 255], Cast<float, byte>(floats));
        Assert.Equal<bool>([false, false, true, true, true, true, true, true, true, true, true, true, true], Cast<float, bool>(floats));
        Assert.Equal([.. floats.Select(x => (double)x)], Cast<float, double>(floats));
        Assert.Equal([0.1f, float.PositiveInfinity, 0f], Cast<double, float>([0.1, 1e300, 1e-60]));
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        Assert.Equal([.. bytes.Select(b => (float)b)], Cast<byte, float>(bytes));
        Assert.Equal([.. bytes.Select(b => (double)b)], Cast<byte, double>(bytes));
        Assert.Equal([.. bytes.Select(b => (int)b)], Cast<byte, int>(bytes));
        Assert.Equal([0f, 1f], Cast<bool, float>([false, true]));
        Assert.Equal([16777216f, -2147483648f], Cast<int, float>([16777217, int.MinValue]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(200000)]
    public void Fill_sets_exactly_the_range(int count)
    {
        WorkerPool pool = new(3);
        using Block<float> floats = new(count, offset: 1);
        using Block<double> doubles = new(count);
        using Block<int> ints = new(count);
        using Block<byte> bytes = new(count, offset: 3);
        Elementwise.Fill(ElementType.Float32, floats.Pointer, count, 0.1, pool);
        Elementwise.Fill(ElementType.Float64, doubles.Pointer, count, 0.1, pool);
        Elementwise.Fill(ElementType.Int32, ints.Pointer, count, -7, pool);
        Elementwise.Fill(ElementType.Bool, bytes.Pointer, count, 5, pool);
        Assert.False(floats.Span.ContainsAnyExcept(0.1f));
        Assert.False(doubles.Span.ContainsAnyExcept(0.1));
        Assert.False(ints.Span.ContainsAnyExcept(-7));
        Assert.False(bytes.Span.ContainsAnyExcept((byte)1));
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(9, 10)]
    [InlineData(16, 40)]
    [InlineData(63, 64)]
    [InlineData(99, 131)]
    public void Searches_find_the_first_bad_element(int position, int count)
    {
        float[] x = Values.Random<float>(count, 1, 0, 1);
        Assert.Equal(-1, FirstOutside(x));
        Assert.Equal(-1, FirstNonFinite(x));
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, 1.0000001f, -1e-45f })
        {
            float[] broken = [.. x];
            broken[position] = bad;
            broken[^1] = position == count - 1 ? bad : float.NaN;
            Assert.Equal(position, FirstOutside(broken));
            Assert.Equal(float.IsFinite(bad) ? (position == count - 1 ? -1 : count - 1) : position, FirstNonFinite(broken));
        }

        using Block<int> ints = new([0, 9, 10, -1]);
        Assert.Equal(2, Elementwise.FirstOutside(ElementType.Int32, ints.Pointer, 4, 0, 9));
        Assert.Equal(3, Elementwise.FirstOutside(ElementType.Int32, ints.Pointer, 4, -0.5, 10.5));

        static long FirstOutside(float[] values)
        {
            using Block<float> block = new(values, offset: 1);
            return Elementwise.FirstOutside(ElementType.Float32, block.Pointer, values.Length, 0, 1);
        }

        static long FirstNonFinite(float[] values)
        {
            using Block<float> block = new(values, offset: 1);
            return Elementwise.FirstNonFinite(ElementType.Float32, block.Pointer, values.Length);
        }
    }

    [Fact]
    public void Missing_combinations_are_refused_by_name()
    {
        IterationSpace two = IterationSpace.Contiguous(1, 2);
        IterationSpace three = IterationSpace.Contiguous(1, 3);
        Assert.Equal(
            "Exp does not exist for Int32.",
            Assert.Throws<NotSupportedException>(() => Elementwise.Unary(UnaryOp.Exp, ElementType.Int32, two, 0, 0, Serial)).Message
        );
        Assert.Equal(
            "Add does not exist for UInt8.",
            Assert.Throws<NotSupportedException>(() => Elementwise.Binary(BinaryOp.Add, ElementType.UInt8, three, 0, 0, 0, Serial)).Message
        );
        Assert.Equal(
            "The kernel has 2 operands, the space 3. (Parameter 'space')",
            Assert.Throws<ArgumentException>(() => Elementwise.Unary(UnaryOp.Exp, ElementType.Float32, three, 0, 0, Serial)).Message
        );
    }

    private static void CheckUnary<T>(UnaryOp op, Func<double, double> f)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] x = [.. Values.Special<T>(), .. Values.Random<T>(1000, 1, -100, 100)];
        Values.SameBits<T>([.. x.Select(value => T.CreateTruncating(f(double.CreateTruncating(value))))], Unary(op, x), op.ToString());
    }

    private static void CheckBinary<T>(BinaryOp op, Func<double, double, double> f)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] special = Values.Special<T>();
        T[] a = [.. special.SelectMany(x => special.Select(_ => x)), .. Values.Random<T>(1000, 1, -100, 100)];
        T[] b = [.. special.SelectMany(_ => special), .. Values.Random<T>(1000, 2, -100, 100)];
        T[] expected = [.. a.Zip(b, (p, q) => T.CreateTruncating(f(double.CreateTruncating(p), double.CreateTruncating(q))))];
        Values.SameBits<T>(expected, Binary(op, a, b), op.ToString());
    }

    private static void CheckCompare<T>((T[] A, T[] B) pairs)
        where T : unmanaged, INumber<T>
    {
        foreach ((CompareOp op, Func<double, double, bool> f) in Comparisons)
        {
            using Block<T> a = new(pairs.A, offset: 1);
            using Block<T> b = new(pairs.B);
            using Block<byte> y = new(pairs.A.Length, offset: 1);
            IterationSpace space = IterationSpace.Contiguous(y.Count, 3);
            Elementwise.Compare(op, Values.TypeOf<T>(), space, y.Pointer, a.Pointer, b.Pointer, Serial);
            byte[] expected = [.. pairs.A.Zip(pairs.B, (p, q) => f(double.CreateTruncating(p), double.CreateTruncating(q)) ? (byte)1 : (byte)0)];
            Values.SameBits<byte>(expected, y.Span, $"{op} {typeof(T).Name}");
        }
    }

    private static T[] Unary<T>(UnaryOp op, T[] x, WorkerPool? pool = null)
        where T : unmanaged
    {
        using Block<T> input = new(x, offset: 1);
        using Block<T> y = new(x.Length);
        Elementwise.Unary(op, Values.TypeOf<T>(), IterationSpace.Contiguous(x.Length, 2), y.Pointer, input.Pointer, pool ?? Serial);
        return y.ToArray();
    }

    private static T[] Binary<T>(BinaryOp op, T[] a, T[] b)
        where T : unmanaged
    {
        using Block<T> left = new(a, offset: 1);
        using Block<T> right = new(b, offset: 2);
        using Block<T> y = new(a.Length);
        IterationSpace space = IterationSpace.Contiguous(a.Length, 3);
        Elementwise.Binary(op, Values.TypeOf<T>(), space, y.Pointer, left.Pointer, right.Pointer, Serial);
        return y.ToArray();
    }

    private static TTo[] Cast<TFrom, TTo>(TFrom[] x)
        where TFrom : unmanaged
        where TTo : unmanaged
    {
        using Block<TFrom> input = new(x);
        using Block<TTo> y = new(x.Length);
        IterationSpace space = IterationSpace.Contiguous(x.Length, 2);
        Elementwise.Cast(Values.TypeOf<TFrom>(), Values.TypeOf<TTo>(), space, y.Pointer, input.Pointer, Serial);
        return y.ToArray();
    }
}
