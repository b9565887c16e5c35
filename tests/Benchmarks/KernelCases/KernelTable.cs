using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.KernelCases;

/// <summary>The kernels at the sizes of the workloads, as data; float32.</summary>
internal static class KernelTable
{
    private const ElementType Float32 = ElementType.Float32;

    /// <summary>Linear layers of the workloads: batch, inputs, outputs.</summary>
    private static readonly (string Workload, int Batch, int Inputs, int Outputs)[] LinearLayers =
    [
        ("W1", 100, 784, 10),
        ("W2-64", 64, 784, 128),
        ("W2-512", 512, 784, 128),
        ("W2-512", 512, 128, 10),
        ("W4", 128, 256, 100),
        ("W7", 256, 784, 512),
        ("W7", 256, 512, 512),
        ("W9", 512, 2048, 2048),
        ("cube", 512, 512, 512),
    ];

    /// <summary>Convolutions of the workloads, without padding and with stride 1: images and filters.</summary>
    private static readonly (string Workload, int Batch, int Channels, int Height, int Width, int Filters, int Rows, int Columns)[] Convolutions =
    [
        ("W3-64", 64, 1, 28, 28, 8, 5, 5),
        ("W3-64", 64, 8, 12, 12, 16, 5, 5),
        ("W3-512", 512, 8, 12, 12, 16, 5, 5),
        ("W5", 128, 1, 1, 256, 32, 1, 3),
    ];

    /// <summary>Poolings of the workloads by 2 rows, or 1, and 2 columns: planes and their size.</summary>
    private static readonly (string Workload, int Planes, int Height, int Width, int Rows)[] Poolings =
    [
        ("W3-64", 64 * 8, 24, 24, 2),
        ("W3-64", 64 * 16, 8, 8, 2),
        ("W5", 128 * 32, 1, 254, 1),
    ];

    private static readonly int[] Lengths = [64 * 128, 512 * 2048];
    private static readonly (int Rows, int Columns)[] Matrices = [(64, 128), (512, 2048)];
    private static readonly (int Rows, int Classes)[] Scores = [(64, 10), (512, 10), (512, 1000)];
    private static readonly UnaryOp[] Functions = [UnaryOp.Relu, UnaryOp.Exp, UnaryOp.Tanh, UnaryOp.Sigmoid];
    private static readonly BinaryOp[] Pairs = [BinaryOp.Add, BinaryOp.Multiply, BinaryOp.Divide];

    /// <summary>Optimisers, over the parameters of W2.</summary>
    private static readonly (string Name, Func<IEnumerable<Cell>, Optimizer> Make, int Arrays)[] Optimizers =
    [
        ("SGD", cells => new SGD(cells, 0.01), 3),
        ("SGD with momentum", cells => new SGD(cells, 0.01, 0.9), 5),
        ("Adam", cells => new Adam(cells), 7),
    ];

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<KernelCase> All { get; } =
    [
        .. LinearLayers.SelectMany(layer => Products(layer.Workload, layer.Batch, layer.Inputs, layer.Outputs)),
        .. Lengths.SelectMany(length => Functions.Select(function => Unary(function, length))),
        .. Lengths.SelectMany(length => Pairs.Select(pair => Binary(pair, length))),
        .. Matrices.SelectMany(matrix => Sums(matrix.Rows, matrix.Columns)),
        .. Convolutions.SelectMany(ConvolutionCases),
        .. Poolings.SelectMany(pooling => PoolingCases(pooling.Workload, pooling.Planes, pooling.Height, pooling.Width, pooling.Rows)),
        .. Scores.SelectMany(scores => Softmaxes(scores.Rows, scores.Classes)),
        .. Optimizers.Select(optimizer => Update(optimizer.Name, optimizer.Make, optimizer.Arrays)),
    ];

    /// <summary>A layer's three products: y = x W', dx = dy W, dW = dy' x.</summary>
    private static IEnumerable<KernelCase> Products(string workload, int batch, int inputs, int outputs)
    {
        yield return Product($"matmul {workload} forward", batch, outputs, inputs, transposeA: false, transposeB: true);
        yield return Product($"matmul {workload} input gradient", batch, inputs, outputs, transposeA: false, transposeB: false);
        yield return Product($"matmul {workload} weight gradient", outputs, inputs, batch, transposeA: true, transposeB: false);
    }

    private static KernelCase Product(string name, int m, int n, int k, bool transposeA, bool transposeB) =>
        new(
            $"{name} {m}x{n}x{k}",
            2.0 * m * n * k,
            4.0 * (((long)m * k) + ((long)k * n) + ((long)m * n)),
            pool =>
            {
                var (a, b, c) = (new Floats((long)m * k), new Floats((long)k * n), new Floats((long)m * n));
                var (lda, ldb) = (transposeA ? m : k, transposeB ? k : n);
                return () => MatrixProduct.Run(Float32, transposeA, transposeB, m, n, k, a.Pointer, lda, b.Pointer, ldb, c.Pointer, n, pool);
            }
        );

    private static KernelCase Unary(UnaryOp function, int length) =>
        new(
            $"{function} {length}",
            0,
            8.0 * length,
            pool =>
            {
                var (x, y, space) = (new Floats(length), new Floats(length), IterationSpace.Contiguous(length, 2));
                return () => Elementwise.Unary(function, Float32, space, y.Pointer, x.Pointer, pool);
            }
        );

    private static KernelCase Binary(BinaryOp pair, int length) =>
        new(
            $"{pair} {length}",
            length,
            12.0 * length,
            pool =>
            {
                var (a, b, y) = (new Floats(length), new Floats(length), new Floats(length));
                var space = IterationSpace.Contiguous(length, 3);
                return () => Elementwise.Binary(pair, Float32, space, y.Pointer, a.Pointer, b.Pointer, pool);
            }
        );

    /// <summary>The sum of each row, and of each column: a bias's gradient.</summary>
    private static IEnumerable<KernelCase> Sums(int rows, int columns)
    {
        yield return Sum("rows", rows, columns, 1, rows);
        yield return Sum("columns", 1, rows, columns, columns);

        KernelCase Sum(string what, int outer, int reduce, int inner, int results) =>
            new(
                $"sum of {what} of {rows}x{columns}",
                (double)rows * columns,
                4.0 * (((long)rows * columns) + results),
                pool =>
                {
                    var (x, y) = (new Floats((long)rows * columns), new Floats(results));
                    return () => Reductions.Sum(Float32, y.Pointer, x.Pointer, outer, reduce, inner, pool);
                }
            );
    }

    private static IEnumerable<KernelCase> ConvolutionCases(
        (string Workload, int Batch, int Channels, int Height, int Width, int Filters, int Rows, int Columns) c
    )
    {
        var (outHeight, outWidth) = (c.Height - c.Rows + 1, c.Width - c.Columns + 1);
        var shape = new ConvolutionShape(
            c.Batch,
            c.Channels,
            c.Height,
            c.Width,
            c.Filters,
            c.Rows,
            c.Columns,
            outHeight,
            outWidth,
            StrideHeight: 1,
            StrideWidth: 1,
            PadTop: 0,
            PadLeft: 0,
            DilationHeight: 1,
            DilationWidth: 1
        );
        var (images, weights) = ((long)c.Batch * c.Channels * c.Height * c.Width, (long)c.Filters * c.Channels * c.Rows * c.Columns);
        var results = (long)c.Batch * c.Filters * outHeight * outWidth;
        yield return Case("forward", (x, w, y, pool) => Convolution.Forward(Float32, shape, y, x, w, pool));
        yield return Case("input gradient", (x, w, y, pool) => Convolution.BackwardInput(Float32, shape, x, y, w, pool));
        yield return Case("weight gradient", (x, w, y, pool) => Convolution.BackwardWeight(Float32, shape, w, x, y, pool));

        KernelCase Case(string what, Action<nint, nint, nint, WorkerPool> run) =>
            new(
                $"convolution {c.Workload} {what} {c.Channels} to {c.Filters} at {c.Rows}x{c.Columns}",
                2.0 * results * c.Channels * c.Rows * c.Columns,
                4.0 * (images + weights + results),
                pool =>
                {
                    var (x, w, y) = (new Floats(images), new Floats(weights), new Floats(results));
                    return () => run(x.Pointer, w.Pointer, y.Pointer, pool);
                }
            );
    }

    /// <summary>The positions of the largest elements, and the elements at positions: max pooling; and the means.</summary>
    private static IEnumerable<KernelCase> PoolingCases(string workload, int planes, int height, int width, int rows)
    {
        var (outHeight, outWidth) = (height / rows, width / 2);
        var shape = new PoolingShape(planes, height, width, outHeight, outWidth, rows, 2, rows, 2, 0, 0, 1, 1);
        var (from, into) = (height * width, outHeight * outWidth);
        yield return Case("max positions", 4, (x, _, y, pool) => Pooling.MaxPositions(Float32, shape, y, x, pool));
        yield return Case("take", 8, (x, places, y, pool) => Pooling.Take(Float32, planes, from, into, y, x, places, pool));
        yield return Case("mean", 4, (x, _, y, pool) => Pooling.Average(Float32, shape, y, x, pool));

        KernelCase Case(string what, int bytesEach, Action<nint, nint, nint, WorkerPool> run) =>
            new(
                $"pooling {workload} {what} {planes}x{height}x{width}",
                0,
                ((4.0 * from) + (bytesEach * into)) * planes,
                pool =>
                {
                    var (x, y, places) = (new Floats((long)planes * from), new Floats((long)planes * into), new Integers((long)planes * into, from));
                    return () => run(x.Pointer, places.Pointer, y.Pointer, pool);
                }
            );
    }

    private static IEnumerable<KernelCase> Softmaxes(int rows, int classes)
    {
        var scores = 4.0 * rows * classes;
        yield return Case("softmax", 2 * scores, (x, _, y, pool) => SoftmaxRows.Run(Float32, y, x, rows, classes, pool));
        yield return Case("cross-entropy", scores + (8.0 * rows), (x, t, y, pool) => SoftmaxRows.CrossEntropy(Float32, y, x, t, rows, classes, pool));
        // The gradient of each row's loss: any numbers do, so the first scores serve.
        yield return Case(
            "cross-entropy gradient",
            (2 * scores) + (8.0 * rows),
            (x, t, y, pool) => SoftmaxRows.CrossEntropyGradient(Float32, y, x, t, x, rows, classes, pool)
        );

        KernelCase Case(string what, double bytes, Action<nint, nint, nint, WorkerPool> run) =>
            new(
                $"{what} {rows}x{classes}",
                0,
                bytes,
                pool =>
                {
                    var (x, y, labels) = (new Floats((long)rows * classes), new Floats((long)rows * classes), new Integers(rows, classes));
                    return () => run(x.Pointer, labels.Pointer, y.Pointer, pool);
                }
            );
    }

    /// <summary>One update of W2's parameters from given gradients, as one compiled function.</summary>
    private static KernelCase Update(string name, Func<IEnumerable<Cell>, Optimizer> make, int arrays)
    {
        Shape[] shapes = [Shape.Of(128, 784), Shape.Of(128), Shape.Of(10, 128), Shape.Of(10)];
        return new(
            $"update by {name} of W2",
            0,
            4.0 * arrays * shapes.Sum(shape => shape.Size),
            pool =>
            {
                var cells = shapes.Select((shape, i) => new Cell($"p{i}", Tensor.Ones(shape))).ToArray();
                var gradients = shapes.Select(shape => new Generator(1).Uniform(-1, 1, shape).Eval()).ToArray();
                var optimizer = make(cells);
                var engine = new Engine(new EngineOptions { Threads = pool.Threads });
                var step = new CompiledFunction(given =>
                {
                    foreach (var (cell, gradient) in cells.Zip(given))
                        cell.Accumulate(gradient);
                    optimizer.Step();
                    optimizer.ZeroGrad();
                    return [];
                });
                return () =>
                {
                    using var use = engine.Use();
                    step.Invoke(gradients);
                };
            }
        );
    }
}
