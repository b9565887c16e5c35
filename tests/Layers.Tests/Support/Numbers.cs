using Hybrid.Core;
using Hybrid.Kernels;
using Xunit;

namespace Hybrid.Layers.Tests.Support;

/// <summary>Tensors of numbers that look random and are the same in every run, and comparisons that mean something.</summary>
internal static class Numbers
{
    /// <summary>Normal float64 numbers.</summary>
    public static Tensor Normal(ulong seed, params int[] shape) => new Generator(seed).Normal(0, 1, Shape.Of(shape), ElementType.Float64);

    /// <summary>Uniform float64 numbers strictly between two bounds.</summary>
    public static Tensor Uniform(ulong seed, double low, double high, params int[] shape) =>
        new Generator(seed).Uniform(low, high, Shape.Of(shape), ElementType.Float64);

    /// <summary>Asserts that two arrays differ by no more than a part of the largest element.</summary>
    public static void AssertClose(double[] expected, double[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Select(Math.Abs).Where(double.IsFinite).DefaultIfEmpty().Max();
        for (var i = 0; i < expected.Length; i++)
        {
            var same =
                expected[i] == actual[i]
                || (double.IsNaN(expected[i]) && double.IsNaN(actual[i]))
                || Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Max(scale, 1e-300);
            Assert.True(same, $"{what}: expected {expected[i]:R}, got {actual[i]:R} at {i}");
        }
    }
}
