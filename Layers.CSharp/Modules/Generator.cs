using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// Where layers get their first parameters from: each tensor drawn takes the next stream of Philox (J. K. Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", 2011) under the seed. The same seed and order of drawing give the same bits on every machine. A whole
/// number converts to a generator with that seed: <c>new Linear(784, 10, seed: 1)</c>.
/// </summary>
/// <param name="seed">The seed.</param>
public sealed class Generator(ulong seed)
{
    private ulong stream;

    /// <summary>Makes a generator with a seed that the operating system's entropy gives: no two runs are alike.</summary>
    public Generator()
        : this(BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)))) { }

    /// <summary>The seed.</summary>
    public ulong Seed { get; } = seed;

    /// <summary>A generator with a seed.</summary>
    /// <param name="seed">The seed.</param>
    public static implicit operator Generator(ulong seed) => new(seed);

    /// <summary>A generator with a seed.</summary>
    /// <param name="seed">The seed; a negative one is as good as any.</param>
    public static implicit operator Generator(int seed) => new(unchecked((ulong)seed));

    /// <summary>Uniform numbers, drawn in float64 and rounded to the type.</summary>
    /// <param name="low">The lower bound, included.</param>
    /// <param name="high">The upper bound.</param>
    /// <param name="shape">How many, in which shape.</param>
    /// <param name="type">Float32 or Float64.</param>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Tensor Uniform(double low, double high, Shape shape, ElementType type = ElementType.Float32)
    {
        var numbers = Draw(shape, type, normal: false);
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = low + ((high - low) * numbers[i]);
        return Rounded(numbers, shape, type);
    }

    /// <summary>Normal numbers, drawn in float64 and rounded to the type.</summary>
    /// <param name="mean">The mean.</param>
    /// <param name="deviation">The standard deviation.</param>
    /// <param name="shape">How many, in which shape.</param>
    /// <param name="type">Float32 or Float64.</param>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Tensor Normal(double mean, double deviation, Shape shape, ElementType type = ElementType.Float32)
    {
        var numbers = Draw(shape, type, normal: true);
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = mean + (deviation * numbers[i]);
        return Rounded(numbers, shape, type);
    }

    private double[] Draw(Shape shape, ElementType type, bool normal)
    {
        if (type > ElementType.Float64)
            throw new ElementTypeException("random", "float32 or float64", Text.Name(type), "", "Random parameters are floating-point numbers.");
        var next = Interlocked.Increment(ref stream) - 1;
        var storage = new Storage(shape.Size * sizeof(double));
        if (normal)
            RandomBits.Normal(ElementType.Float64, storage.Pointer, shape.Size, Seed, next, WorkerPool.Serial);
        else
            RandomBits.Uniform(ElementType.Float64, storage.Pointer, shape.Size, Seed, next, WorkerPool.Serial);
        return MemoryMarshal.Cast<byte, double>(storage.Span).ToArray();
    }

    private static Tensor Rounded(double[] numbers, Shape shape, ElementType type) =>
        type == ElementType.Float64
            ? Tensor.From<double>(numbers, shape)
            : Tensor.From<float>(Array.ConvertAll(numbers, number => (float)number), shape);
}
