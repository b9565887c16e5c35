using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Hybrid.Kernels.Tests;

/// <summary>One kernel on fixed inputs, and the digest of its result's bits.</summary>
internal sealed record KernelJob(string Name, Action Run, Func<string> Digest);

/// <summary>Every kernel at sizes that leave partial registers at every width, for comparing machines, widths and numbers of threads.</summary>
internal static class Digest
{
    private const int Count = 5003;

    /// <summary>Name and digest of every job.</summary>
    public static IEnumerable<(string Name, string Digest)> All(WorkerPool pool)
    {
        foreach (KernelJob job in Jobs(pool))
        {
            job.Run();
            yield return (job.Name, job.Digest());
        }
    }

    /// <summary>The jobs of both floating-point types.</summary>
    public static IEnumerable<KernelJob> Jobs(WorkerPool pool) => [.. JobsOf<float>(pool), .. JobsOf<double>(pool)];

    private static IEnumerable<KernelJob> JobsOf<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        ElementwiseJobs<T>(pool)
            .Concat(ReductionJobs<T>(pool))
            .Concat(SoftmaxJobs<T>(pool))
            .Concat(ProductJobs<T>(pool))
            .Concat(SparseProductJobs<T>(pool))
            .Concat(WindowJobs<T>(pool))
            .Concat(OtherJobs<T>(pool));

    private static IEnumerable<KernelJob> ElementwiseJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        Block<T> a = new([.. Values.Special<T>(), .. Values.Random<T>(Count, 1, -20, 20)]);
        Block<T> b = new(Values.Random<T>(a.Count, 2, -3, 3));
        Block<T> unit = new(Values.Random<T>(a.Count, 3, 0, 1));
        Block<byte> mask = new(Values.Random<byte>(a.Count, 4, 0, 2));
        IterationSpace two = IterationSpace.Contiguous(a.Count, 2);
        IterationSpace three = IterationSpace.Contiguous(a.Count, 3);
        IterationSpace four = IterationSpace.Contiguous(a.Count, 4);
        IterationSpace strided = IterationSpace.Create([61, 41, 2], [82, 1, 41], [0, 122, 61], [1, 61, 0]);
        foreach (UnaryOp op in Enum.GetValues<UnaryOp>().Where(op => op != UnaryOp.Not))
        {
            yield return Job<T>(op, a.Count, y => Elementwise.Unary(op, type, two, y, a.Pointer, pool));
        }

        foreach (BinaryOp op in Enum.GetValues<BinaryOp>().Where(op => op is not (BinaryOp.And or BinaryOp.Or)))
        {
            yield return Job<T>(op, a.Count, y => Elementwise.Binary(op, type, three, y, a.Pointer, b.Pointer, pool));
            yield return Job<T>($"strided {op}", a.Count, y => Elementwise.Binary(op, type, strided, y, a.Pointer, b.Pointer, pool));
        }

        foreach (CompareOp op in Enum.GetValues<CompareOp>())
        {
            yield return Job<byte>($"{op} {type}", a.Count, y => Elementwise.Compare(op, type, three, y, a.Pointer, b.Pointer, pool));
        }

        yield return Job<T>("select", a.Count, y => Elementwise.Select(type, four, y, mask.Pointer, a.Pointer, b.Pointer, pool));
        yield return Job<T>("bce", a.Count, y => Elementwise.Bce(type, three, y, unit.Pointer, unit.Pointer, pool));

        // Results that are subnormal, overflow or vanish.
        double far = type == ElementType.Float32 ? 105 : 750;
        Block<T> wide = new(Values.Random<T>(Count, 5, -far, far));
        IterationSpace wideTwo = IterationSpace.Contiguous(Count, 2);
        IterationSpace wideThree = IterationSpace.Contiguous(Count, 3);
        foreach (UnaryOp op in new[] { UnaryOp.Exp, UnaryOp.Expm1, UnaryOp.Sigmoid, UnaryOp.Tanh })
        {
            yield return Job<T>($"wide {op}", Count, y => Elementwise.Unary(op, type, wideTwo, y, wide.Pointer, pool));
        }

        Block<T> tiny = new([.. Values.Random<T>(Count, 6, 0, 1).Select(u => u * T.ScaleB(T.Epsilon, 28))]);
        yield return Job<T>("bce of little", Count, y => Elementwise.Bce(type, wideThree, y, tiny.Pointer, unit.Pointer, pool));
        yield return Job<int>($"cast {type}", a.Count, y => Elementwise.Cast(type, ElementType.Int32, two, y, a.Pointer, pool));
        FusedProgram Fused() =>
            new(
                [a.Count],
                [(type.Size(), [1]), (type.Size(), [1])],
                [
                    new(ElementFunction.Compare(CompareOp.Less, type), [0, 1], false),
                    new(ElementFunction.Unary(UnaryOp.Tanh, type), [0], false),
                    new(ElementFunction.Select(type), [2, 3, 1], true),
                ]
            );
        FusedProgram fused = Fused();
        FusedProgram written = Fused();
        written.WriteLoop();
        yield return Job<T>("fused", a.Count, y => fused.Run([a.Pointer, b.Pointer], [y], pool));
        yield return Job<T>("fused as one loop", a.Count, y => written.Run([a.Pointer, b.Pointer], [y], pool));

        // Rows of a slice, to every second row of the result and before it.
        int size = type.Size();
        foreach (int length in new[] { 16, 37 })
        {
            long[] apart = [2 * length, 1];
            FusedProgram rows = new(
                [30, length],
                [(size, apart), (size, [length, 1])],
                [
                    new(ElementFunction.Binary(BinaryOp.Multiply, type), [0, 1], true, new FusedPlace(length, apart)),
                    new(ElementFunction.Unary(UnaryOp.Sqrt, type), [2], true, new FusedPlace(0, apart)),
                ]
            );
            rows.WriteLoop();
            yield return Job<T>($"rows of {length}", 60 * length, y => rows.Run([a.Pointer, b.Pointer], [y, y], pool));
        }
        yield return Job<T>("cast back", a.Count, y => Elementwise.Cast(ElementType.UInt8, type, two, y, mask.Pointer, pool));
    }

    private static IEnumerable<KernelJob> ReductionJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        foreach ((int outer, int reduce, int inner) in new[] { (1, 100_003, 1), (50, 10, 1), (3, 5000, 1), (1, 700, 37), (2, 300, 1100) })
        {
            Block<T> x = new(Values.Random<T>((long)outer * reduce * inner, 5));
            string shape = $"{outer}x{reduce}x{inner}";
            yield return Job<T>($"sum {shape}", outer * inner, y => Reductions.Sum(type, y, x.Pointer, outer, reduce, inner, pool));
            yield return Job<T>($"prod {shape}", outer * inner, y => Reductions.Prod(type, y, x.Pointer, outer, reduce, inner, pool));
            yield return Job<T>($"max {shape}", outer * inner, y => Reductions.Max(type, y, x.Pointer, outer, reduce, inner, pool));
            yield return Job<T>($"min {shape}", outer * inner, y => Reductions.Min(type, y, x.Pointer, outer, reduce, inner, pool));
            yield return Job<int>($"argmax {type} {shape}", outer * inner, y => Reductions.ArgMax(type, y, x.Pointer, outer, reduce, inner, pool));
        }
    }

    private static IEnumerable<KernelJob> SoftmaxJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        foreach ((int rows, int cols) in new[] { (301, 10), (40, 333), (3, 9001) })
        {
            Block<T> x = new(Values.Random<T>(rows * cols, 1, -9, 9));
            Block<T> g = new(Values.Random<T>(rows, 2));
            Block<int> labels = new(Values.Random<int>(rows, 3, 0, cols));
            string shape = $"{rows}x{cols}";
            yield return Job<T>($"softmax {shape}", rows * cols, y => SoftmaxRows.Run(type, y, x.Pointer, rows, cols, pool));
            yield return Job<T>($"log softmax {shape}", rows * cols, y => SoftmaxRows.LogSoftmax(type, y, x.Pointer, rows, cols, pool));
            yield return Job<T>($"loss {shape}", rows, y => SoftmaxRows.CrossEntropy(type, y, x.Pointer, labels.Pointer, rows, cols, pool));
            yield return Job<T>(
                $"loss gradient {shape}",
                rows * cols,
                y => SoftmaxRows.CrossEntropyGradient(type, y, x.Pointer, labels.Pointer, g.Pointer, rows, cols, pool)
            );
        }
    }

    private static IEnumerable<KernelJob> ProductJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        foreach ((int m, int n, int k) in new[] { (100, 10, 784), (784, 10, 100), (131, 67, 401), (33, 600, 65), (460, 31, 100), (3, 45, 29) })
        {
            Block<T> a = new(Values.Random<T>(m * k, 1));
            Block<T> b = new(Values.Random<T>(n * k, 2));
            for (int bits = 0; bits < 4; bits++)
            {
                bool ta = (bits & 1) != 0;
                bool tb = (bits & 2) != 0;
                yield return Job<T>(
                    $"product {m}x{n}x{k} {ta} {tb}",
                    m * n,
                    y => MatrixProduct.Run(type, ta, tb, m, n, k, a.Pointer, ta ? m : k, b.Pointer, tb ? k : n, y, n, pool)
                );
            }
        }
    }

    /// <summary>Products large enough that terms are left out, of which two of three are zero in one operand.</summary>
    private static IEnumerable<KernelJob> SparseProductJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        const int M = 65;
        const int N = 130;
        const int K = 200;
        T[] a = Values.Random<T>(M * K, 1);
        T[] b = Values.Random<T>(K * N, 2);
        Block<T> sparseA = new([.. a.Select((value, i) => i % K % 3 == 0 ? value : T.Zero)]);
        Block<T> sparseB = new([.. b.Select((value, i) => i / N % 3 == 0 ? value : T.Zero)]);
        Block<T> denseA = new(a);
        Block<T> denseB = new(b);

        // Of every 44 columns one underflows to -0, in the second of any four rows.
        T tiny = T.Sqrt(T.Epsilon) / T.CreateChecked(4);
        Block<T> below = new([.. a.Select((value, i) => i % K == 20 && i / K % 4 == 1 ? -tiny : T.Zero)]);
        Block<T> above = new([.. b.Select((value, i) => i / N == 20 && i % N % 44 == 3 ? tiny : value)]);
        foreach (
            (string name, Block<T> x, Block<T> y) in new[]
            {
                ("zeros of A", sparseA, denseB),
                ("zeros of B", denseA, sparseB),
                ("sums that underflow", below, above),
            }
        )
        {
            yield return Job<T>(
                $"product with {name}",
                M * N,
                c => MatrixProduct.Run(type, false, false, M, N, K, x.Pointer, K, y.Pointer, N, c, N, pool)
            );
        }
    }

    /// <summary>A place of each window of 2 by 2 in planes of 8 by 6.</summary>
    private static Block<int> Places(int lanes) =>
        new([.. Enumerable.Range(0, 36 * lanes).Select(i => (i / lanes % 12 / 3 * 12) + (i / lanes % 3 * 2) + (i % 2) + (i % 3 / 2 * 6))]);

    private static IEnumerable<KernelJob> WindowJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        ConvolutionShape[] shapes =
        [
            new(150, 3, 9, 8, 11, 3, 3, 7, 6, 1, 1, 0, 0, 1, 1),
            new(37, 4, 9, 10, 9, 3, 2, 5, 4, 2, 3, 1, 1, 1, 1),
            new(20, 2, 9, 9, 5, 3, 3, 9, 9, 1, 1, 2, 2, 2, 2),
        ];
        foreach (ConvolutionShape s in shapes)
        {
            Block<T> x = new(Values.Random<T>((long)s.Batch * s.Channels * s.Height * s.Width, 1));
            Block<T> w = new(Values.Random<T>((long)s.Filters * s.Channels * s.KernelHeight * s.KernelWidth, 2));
            Block<T> g = new(Values.Random<T>((long)s.Batch * s.Filters * s.OutHeight * s.OutWidth, 3));
            string name = $"{s.Batch}x{s.Channels}";
            yield return Job<T>($"convolution {name}", g.Count, y => Convolution.Forward(type, s, y, x.Pointer, w.Pointer, pool));
            yield return Job<T>($"convolution input {name}", x.Count, y => Convolution.BackwardInput(type, s, y, g.Pointer, w.Pointer, pool));
            yield return Job<T>($"convolution weight {name}", w.Count, y => Convolution.BackwardWeight(type, s, y, x.Pointer, g.Pointer, pool));
        }

        foreach (
            ConvolutionShape s in new ConvolutionShape[]
            {
                new(40, 8, 12, 12, 9, 5, 5, 8, 8, 1, 1, 0, 0, 1, 1),
                new(20, 8, 12, 12, 3, 3, 4, 10, 9, 1, 1, 0, 0, 1, 1),
                new(20, 8, 12, 12, 3, 3, 2, 10, 11, 1, 1, 0, 0, 1, 1),
            }
        )
        {
            // Most of the gradient is zero, as after pooling.
            Block<T> x = new(Values.Random<T>((long)s.Batch * s.Channels * s.Height * s.Width, 1));
            Block<T> g = new([
                .. Values.Random<T>((long)s.Batch * s.Filters * s.OutHeight * s.OutWidth, 3).Select((v, i) => i * 7 % 4 == 0 ? v : T.Zero),
            ]);
            int count = s.Filters * s.Channels * s.KernelHeight * s.KernelWidth;
            string name = $"convolution weight {s.KernelHeight}x{s.KernelWidth}, mostly zero";
            yield return Job<T>(name, count, y => Convolution.BackwardWeight(type, s, y, x.Pointer, g.Pointer, pool));
        }

        PoolingShape p = new(450, 9, 8, 5, 4, 3, 2, 2, 2, 1, 0, 1, 1);
        Block<T> planes = new(Values.Random<T>(450 * 72, 1));
        Block<T> pooled = new(Values.Random<T>(450 * 20, 2));
        int lanes = LaneBlock.Lanes(type);
        PoolingShape halves = new(3, 8, 6, 4, 3, 2, 2, 2, 2, 0, 0, 1, 1);
        yield return Job<T>("sum in lanes", 3 * lanes, y => LaneBlock.Sum(type, y, planes.Pointer, 3, 600));
        yield return Job<T>("maximum in lanes", 36 * lanes, y => LanePooling.Max(type, halves, y, 0, planes.Pointer));
        Block<int> places = Places(lanes);
        yield return Job<T>(
            "maximum's transpose in lanes",
            144 * lanes,
            y => LanePooling.MaxBackward(type, halves, y, planes.Pointer, places.Pointer)
        );
        yield return Job<int>($"positions {type}", 450 * 20, y => Pooling.MaxPositions(type, p, y, planes.Pointer, pool));
        yield return Job<T>("average", 450 * 20, y => Pooling.Average(type, p, y, planes.Pointer, pool));
        yield return Job<T>("average backward", 450 * 72, y => Pooling.AverageBackward(type, p, y, pooled.Pointer, pool));
    }

    private static IEnumerable<KernelJob> OtherJobs<T>(WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        ElementType type = Values.TypeOf<T>();
        Block<T> x = new(Values.Random<T>(4 * 50 * 100, 1));
        Block<int> indices = new(Values.Random<int>(400, 2, 0, 50));
        yield return Job<T>("scatter", 50 * 33, y => Selection.ScatterAdd(type, y, x.Pointer, indices.Pointer, 400, 50, 33, pool));
        yield return Job<T>("gather", 400 * 33, y => Selection.Gather(type, y, x.Pointer, indices.Pointer, 400, 50, 33, pool));
        yield return Job<T>("take", 400, y => Selection.TakeAlong(type, y, x.Pointer, indices.Pointer, 4, 50, 100, pool));
        yield return Job<T>("put", 4 * 50 * 100, y => Selection.PutAlong(type, y, x.Pointer, indices.Pointer, 4, 50, 100, pool));
        yield return Job<T>("uniform", 20011, y => RandomBits.Uniform(type, y, 20011, 1, 2, pool));
        yield return Job<T>("normal", 20011, y => RandomBits.Normal(type, y, 20011, 1, 2, pool));
    }

    private static KernelJob Job<T>(object name, int count, Action<nint> kernel)
        where T : unmanaged
    {
        Block<T> y = new(count);
        y.Span.Clear();
        return new KernelJob($"{typeof(T).Name}: {name}".Replace(' ', '_'), () => kernel(y.Pointer), () => Hash(y));
    }

    private static string Hash<T>(Block<T> block)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            foreach (ref float value in MemoryMarshal.Cast<T, float>(block.Span))
            {
                value = float.IsNaN(value) ? float.NaN : value;
            }
        }
        else if (typeof(T) == typeof(double))
        {
            foreach (ref double value in MemoryMarshal.Cast<T, double>(block.Span))
            {
                value = double.IsNaN(value) ? double.NaN : value;
            }
        }

        return Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(block.Span)), 0, 8);
    }
}
