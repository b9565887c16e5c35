using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>Shapes and steps: what is merged, and that any space visits what a plain odometer visits.</summary>
public sealed class IterationSpaceTests
{
    [Fact]
    public void Contiguous_axes_merge_into_one_run()
    {
        IterationSpace space = IterationSpace.Create([4, 1, 5, 6], [30, 30, 6, 1], [30, 7, 6, 1]);
        Assert.Equal(1, space.Rank);
        Assert.Equal(120, space.Count);
        Assert.Equal(2, space.Operands);
    }

    [Fact]
    public void A_broadcast_axis_stays_apart()
    {
        Assert.Equal(2, IterationSpace.Create([4, 5, 6], [30, 6, 1], [0, 6, 1]).Rank);
        Assert.Equal(1, IterationSpace.Create([4, 5, 6], [30, 6, 1], [0, 0, 0]).Rank);
        Assert.Equal(3, IterationSpace.Create([4, 5, 6], [30, 6, 1], [6, 0, 1]).Rank);
    }

    [Fact]
    public void Rank_zero_has_one_position_and_an_empty_axis_none()
    {
        Assert.Equal(
            1,
            IterationSpace
                .Create(
                    [],
                    [
                        [],
                        [],
                    ]
                )
                .Count
        );
        IterationSpace empty = IterationSpace.Create([3, 0, 2], [0, 2, 1], [0, 2, 1]);
        Assert.Equal(0, empty.Count);
        Elementwise.Unary(UnaryOp.Exp, ElementType.Float32, empty, 0, 0, WorkerPool.Serial);
    }

    [Fact]
    public void Wrong_descriptions_are_refused()
    {
        Assert.Throws<ArgumentException>(() =>
            IterationSpace.Create(
                [2],
                [
                    [1, 1],
                ]
            )
        );
        Assert.Throws<ArgumentException>(() => IterationSpace.Create([2]));
        Assert.Throws<ArgumentException>(() => IterationSpace.Create([2], [1], [1], [1], [1], [1]));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            IterationSpace.Create(
                [-1],
                [
                    [1],
                ]
            )
        );
    }

    /// <summary>Random shapes, permuted, reversed, broadcast and offset operands, one and three threads, against an odometer.</summary>
    [Fact]
    public void Any_space_visits_what_an_odometer_visits()
    {
        Gen<int> seeds = Gen.Choose(0, int.MaxValue);
        Prop.ForAll(seeds.ToArbitrary(), CheckRandomSpace).Check(Config.QuickThrowOnFailure.WithMaxTest(400).WithReplay(21UL, 23UL));
    }

    [Theory]
    [InlineData(700, 300, 1)]
    [InlineData(700, 300, 3)]
    [InlineData(33, 1000, 2)]
    [InlineData(8, 8, 1)]
    [InlineData(7, 65, 1)]
    [InlineData(41, 37, 1)]
    public void Spaces_of_many_sizes_run_in_parts(int rows, int columns, int threads)
    {
        WorkerPool pool = new(threads);
        CheckAdd([rows, columns], [columns, 1], [columns, 1], [0, 1], pool);
        CheckAdd([rows, columns], [columns, 1], [1, 0], [columns, 1], pool);
        CheckAdd([rows, columns], [columns, 1], [1, rows], [columns, 1], pool);
        CheckAdd([rows, columns], [1, rows], [columns, 1], [1, rows], pool);
        CheckCopy([rows, columns], [columns, 1], [1, rows], pool);
        CheckCopy([rows, columns], [1, rows], [columns, 1], pool);
        CheckCopy([rows, columns], [columns, 1], [0, 0], pool);
    }

    private static void CheckRandomSpace(int seed)
    {
        System.Random random = new(seed);
        int rank = random.Next(0, 5);
        int[] shape = [.. Enumerable.Range(0, rank).Select(_ => random.Next(4) == 0 ? 1 : random.Next(1, 9))];
        WorkerPool pool = new(random.Next(1, 4));
        CheckAdd(shape, Steps(shape, random, false), Steps(shape, random, true), Steps(shape, random, true), pool);
        CheckCopy(shape, Steps(shape, random, false), Steps(shape, random, true), pool);
        CheckSelect(shape, [.. Enumerable.Range(0, 4).Select(i => Steps(shape, random, i > 0))], pool);
        CheckCompare(shape, [.. Enumerable.Range(0, 3).Select(i => Steps(shape, random, i > 0))], pool);
    }

    /// <summary>Steps of a dense operand with its axes permuted, perhaps padded, reversed (inputs) or broadcast (inputs).</summary>
    private static long[] Steps(int[] shape, System.Random random, bool input)
    {
        int[] order = [.. Enumerable.Range(0, shape.Length)];
        if (random.Next(2) == 0)
        {
            random.Shuffle(order);
        }

        long[] steps = new long[shape.Length];
        long step = random.Next(4) == 0 ? 2 : 1;
        foreach (int axis in order.Reverse())
        {
            bool broadcast = input && random.Next(4) == 0;
            steps[axis] = broadcast ? 0 : step * (input && random.Next(5) == 0 ? -1 : 1);
            step *= broadcast ? 1 : shape[axis];
        }

        return steps;
    }

    private static void CheckAdd(int[] shape, long[] y, long[] a, long[] b, WorkerPool pool)
    {
        using Operand<float> result = new(shape, y, 0);
        using Operand<float> left = new(shape, a, 1);
        using Operand<float> right = new(shape, b, 2);
        Elementwise.Binary(BinaryOp.Add, ElementType.Float32, IterationSpace.Create(shape, y, a, b), result.Start, left.Start, right.Start, pool);
        result.Check(position => left[position] + right[position]);
    }

    private static void CheckCopy(int[] shape, long[] y, long[] x, WorkerPool pool)
    {
        CheckCopy<double>(ElementType.Float64, shape, y, x, pool);
        CheckCopy<int>(ElementType.Int32, shape, y, x, pool);
        CheckCopy<byte>(ElementType.UInt8, shape, y, x, pool);
    }

    private static void CheckCopy<T>(ElementType type, int[] shape, long[] y, long[] x, WorkerPool pool)
        where T : unmanaged, INumberBase<T>
    {
        using Operand<T> result = new(shape, y, 0);
        using Operand<T> input = new(shape, x, 1);
        Elementwise.Copy(type, IterationSpace.Create(shape, y, x), result.Start, input.Start, pool);
        result.Check(position => input[position]);
    }

    private static void CheckSelect(int[] shape, long[][] steps, WorkerPool pool)
    {
        using Operand<int> result = new(shape, steps[0], 0);
        using Operand<byte> condition = new(shape, steps[1], 1);
        using Operand<int> a = new(shape, steps[2], 2);
        using Operand<int> b = new(shape, steps[3], 3);
        IterationSpace space = IterationSpace.Create(shape, steps[0], steps[1], steps[2], steps[3]);
        Elementwise.Select(ElementType.Int32, space, result.Start, condition.Start, a.Start, b.Start, pool);
        result.Check(position => condition[position] != 0 ? a[position] : b[position]);
    }

    private static void CheckCompare(int[] shape, long[][] steps, WorkerPool pool)
    {
        using Operand<byte> result = new(shape, steps[0], 0);
        using Operand<float> a = new(shape, steps[1], 1);
        using Operand<float> b = new(shape, steps[2], 2);
        IterationSpace space = IterationSpace.Create(shape, steps[0], steps[1], steps[2]);
        Elementwise.Compare(CompareOp.Less, ElementType.Float32, space, result.Start, a.Start, b.Start, pool);
        result.Check(position => a[position] < b[position] ? (byte)1 : (byte)0);
    }

    /// <summary>An operand with arbitrary steps: its memory, and its elements by row-major position.</summary>
    private sealed unsafe class Operand<T> : IDisposable
        where T : unmanaged, INumberBase<T>
    {
        private readonly Block<T> block;
        private readonly int[] shape;
        private readonly long[] steps;
        private readonly long first;
        private readonly T[] before;

        public Operand(int[] shape, long[] steps, int seed)
        {
            this.shape = shape;
            this.steps = steps;
            long reach = 1;
            for (int axis = 0; axis < shape.Length; axis++)
            {
                reach += Math.Abs(steps[axis]) * (shape[axis] - 1);
                first += steps[axis] < 0 ? -steps[axis] * (shape[axis] - 1) : 0;
            }

            before = Values.Random<T>(reach, seed, 0, 3);
            block = new Block<T>(before, offset: 1);
        }

        public nint Start => block.Pointer + (nint)(first * sizeof(T));

        public T this[long position] => block.Span[(int)Offset(position)];

        /// <summary>Every element is as expected, and nothing between the elements was written.</summary>
        public void Check(Func<long, T> expected)
        {
            long count = shape.Aggregate(1L, (product, length) => product * length);
            for (long position = 0; position < count; position++)
            {
                long offset = Offset(position);
                Assert.Equal(expected(position), block.Span[(int)offset]);
                before[offset] = block.Span[(int)offset];
            }

            Assert.Equal(before, block.ToArray());
        }

        public void Dispose() => block.Dispose();

        private long Offset(long position)
        {
            long offset = first;
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                offset += position % shape[axis] * steps[axis];
                position /= shape[axis];
            }

            return offset;
        }
    }
}
