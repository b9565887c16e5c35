using System.Numerics;
using System.Runtime.Intrinsics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// Weight gradients of convolutions that go without the places whose gradient is zero, bit for bit against the loops over all of them.
/// </summary>
public sealed class SparseWeightsTests
{
    /// <summary>
    /// Gradients of which a fourth is not zero, one place in each window of four or anywhere: weight gradients go without the others. Windows of every shape that does, some that
    /// do not, several blocks of 64 places, images and groups.
    /// </summary>
    [Theory]
    [InlineData(40, 8, 12, 12, 16, 5, 5, 1, 0, 1)]
    [InlineData(17, 16, 10, 11, 5, 3, 3, 1, 1, 1)]
    [InlineData(33, 9, 9, 12, 3, 5, 7, 1, 2, 1)]
    [InlineData(20, 8, 13, 14, 4, 3, 3, 2, 1, 2)]
    [InlineData(24, 8, 8, 9, 6, 3, 4, 1, 0, 1)]
    [InlineData(16, 13, 9, 8, 2, 4, 1, 1, 0, 1)]
    [InlineData(10, 33, 7, 8, 3, 2, 2, 1, 0, 1)]
    [InlineData(50, 12, 4, 60, 2, 1, 5, 1, 2, 1)]
    [InlineData(20, 8, 9, 9, 3, 6, 3, 1, 0, 1)]
    public void Weights_of_gradients_that_are_mostly_zero(
        int batch,
        int channels,
        int height,
        int width,
        int filters,
        int rows,
        int columns,
        int stride,
        int pad,
        int dilation
    )
    {
        int outHeight = ((height + (2 * pad) - (dilation * (rows - 1)) - 1) / stride) + 1;
        int outWidth = ((width + (2 * pad) - (dilation * (columns - 1)) - 1) / stride) + 1;
        ConvolutionShape shape = new(
            batch,
            channels,
            height,
            width,
            filters,
            rows,
            columns,
            outHeight,
            outWidth,
            stride,
            stride,
            pad,
            pad,
            dilation,
            dilation
        );
        foreach (bool pooled in new[] { true, false })
        {
            CheckWeights(shape, Values.Random<float>((long)batch * channels * height * width, 1), Sparse<float>(shape, pooled));
            CheckWeights(shape, Values.Random<double>((long)batch * channels * height * width, 1), Sparse<double>(shape, pooled));
        }
    }

    /// <summary>Zero times infinity is NaN, wherever in a block it is.</summary>
    [Theory]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.NaN, 1f)]
    public void Gradients_that_are_zero_count_where_images_are_not_finite(float image, float gradient)
    {
        ConvolutionShape shape = new(40, 8, 8, 8, 16, 5, 5, 4, 4, 1, 1, 0, 0, 1, 1);
        foreach (int at in new[] { 0, 6, 15, 20, 39 })
        {
            float[] x = Values.Random<float>(40 * 8 * 64, 1);
            float[] g = new float[40 * 16 * 16];
            for (int filter = 0; filter < 16; filter += 5)
            {
                g[(((at * 16) + filter) * 16) + filter] = gradient;
            }

            for (int i = 0; i < 8 * 64; i += 7)
            {
                x[(at * 8 * 64) + i] = image;
            }

            CheckWeights(shape, x, g);
        }
    }

    /// <summary>A sum that underflows to -0 is +0 after the next zero of a positive image, not of a negative one. It shows if all images' sums do so.</summary>
    [Theory]
    [InlineData(16, 1e-30f, -1e-30f)]
    [InlineData(16, -1e-30f, 1e-30f)]
    [InlineData(32, 1e-30f, -1e-30f)]
    [InlineData(48, 1e-30f, -1e-30f)]
    public void Sums_for_weights_that_vanish_keep_their_sign(int batch, float image, float gradient)
    {
        ConvolutionShape shape = new(batch, 8, 12, 12, 16, 5, 5, 8, 8, 1, 1, 0, 0, 1, 1);
        float[] x = [.. Enumerable.Repeat(image, batch * 8 * 144)];
        float[] g = [.. Enumerable.Range(0, batch * 16 * 64).Select(i => i % 64 == i / 64 % 16 ? gradient : 0f)];
        CheckWeights(shape, x, g);
    }

    [Fact]
    public void Lanes_without_an_image_add_zeros()
    {
        ConvolutionShape shape = new(20, 2, 4, 4, 2, 2, 2, 3, 3, 1, 1, 0, 0, 1, 1);
        CheckWeights(shape, [.. Enumerable.Repeat(1e-30f, 20 * 32)], [.. Enumerable.Repeat(-1e-30f, 20 * 18)]);
    }

    /// <summary>Sums that are zero so far beside others that are not.</summary>
    [Fact]
    public void Filters_that_have_no_gradient_in_the_first_block()
    {
        ConvolutionShape shape = new(32, 8, 12, 12, 6, 5, 5, 8, 8, 1, 1, 0, 0, 1, 1);
        float[] g = Sparse<float>(shape, pooled: true);
        for (int image = 0; image < 16; image++)
        {
            g.AsSpan(image * 6 * 64, 3 * 64).Clear();
        }

        CheckWeights(shape, Values.Random<float>(32 * 8 * 144, 1), g);
    }

    [Fact]
    public void One_element_of_an_image_that_is_not_finite()
    {
        ConvolutionShape shape = new(32, 8, 8, 8, 6, 5, 5, 4, 4, 1, 1, 0, 0, 1, 1);
        foreach (int image in new[] { 0, 15, 16, 31 })
        {
            foreach (int element in new[] { 0, 255, 511 })
            {
                float[] x = Values.Random<float>(32 * 8 * 64, 1);
                x[(image * 512) + element] = float.PositiveInfinity;
                float[] g = new float[32 * 96];
                g[5] = 1;
                CheckWeights(shape, x, g);
            }
        }
    }

    /// <summary>All sums of a block are computed again, and none twice.</summary>
    [Fact]
    public void One_sum_for_a_weight_vanishes_among_others()
    {
        ConvolutionShape shape = new(16, 8, 12, 12, 6, 5, 5, 8, 8, 1, 1, 0, 0, 1, 1);
        float[] x = Values.Random<float>(16 * 8 * 144, 1);
        float[] g = Sparse<float>(shape, pooled: true);
        for (int image = 0; image < 16; image++)
        {
            x.AsSpan(((image * 8) + 2) * 144, 144).Fill(1e-30f);
            Span<float> gradient = g.AsSpan(((image * 6) + 3) * 64, 64);
            gradient.Clear();
            gradient[5] = -1e-30f;
        }

        CheckWeights(shape, x, g);
    }

    /// <summary>A fourth of a gradient that is not zero pays, half does not, and neither do windows that leave registers empty, nor images that are not finite.</summary>
    [Theory]
    [InlineData(8, 5, 5, 4, 1f, true)]
    [InlineData(8, 5, 5, 2, 1f, false)]
    [InlineData(1, 5, 5, 4, 1f, false)]
    [InlineData(8, 6, 3, 4, 1f, false)]
    [InlineData(8, 5, 5, 4, float.NaN, false)]
    public unsafe void Zeros_are_left_out_where_that_pays(int channels, int rows, int columns, int every, float last, bool pays)
    {
        if (!CpuFeatures.Has512)
        {
            return;
        }

        ConvolutionShape shape = new(16, channels, 12, 12, 16, rows, columns, 13 - rows, 13 - columns, 1, 1, 0, 0, 1, 1);
        int count = 16 * channels * rows * columns;
        using Block<long> offsets = new(channels * rows * columns);
        using Block<float> images = new([.. Values.Random<float>(channels * 144 * 16, 1)[1..], last]);
        int places = (13 - rows) * (13 - columns);
        using Block<float> gradients = new([.. Enumerable.Range(0, 16 * places * 16).Select(i => ((i / 16) + i) % every == 0 ? 1f : 0f)]);
        using Block<float> sums = new(new float[count * 16]);
        WeightJob job = ConvolutionKernels<Simd512<float>, Vector512<float>, float>.Weights(shape, offsets.Pointer);
        Assert.Equal(pays, SparseWeights<Simd512<float>, Vector512<float>, float>.TryAdd(job, images.Pointer, gradients.Pointer, sums.Pointer));
        Assert.Equal(pays, sums.ToArray().Any(sum => sum != 0));
    }

    private static void CheckWeights<T>(ConvolutionShape s, T[] x, T[] g)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int count = s.Filters * s.Channels * s.KernelHeight * s.KernelWidth;
        T[] expected = ConvolutionTests.BackwardWeight(s, x, g);
        Values.SameBits<T>(expected, ConvolutionTests.Run<T>(Convolution.BackwardWeight, s, count, x, g, WorkerPool.Serial), $"{s}");
        Values.SameBits<T>(expected, ConvolutionTests.Run<T>(Convolution.BackwardWeight, s, count, x, g, new WorkerPool(3)), $"{s} with threads");

        // Written as a convolution, whose channels are the images.
        ConvolutionShape forward = new(
            s.Channels,
            s.Batch,
            s.Height,
            s.Width,
            s.Filters,
            s.OutHeight,
            s.OutWidth,
            s.KernelHeight,
            s.KernelWidth,
            s.DilationHeight,
            s.DilationWidth,
            s.PadTop,
            s.PadLeft,
            s.StrideHeight,
            s.StrideWidth
        );
        (x, _) = ConvolutionTests.Swapped(x, s.Batch, s.Channels, s.Height * s.Width);
        (g, _) = ConvolutionTests.Swapped(g, s.Batch, s.Filters, s.OutHeight * s.OutWidth);
        Values.SameBits<T>(
            ConvolutionTests.Forward(forward, x, g),
            ConvolutionTests.Run<T>(Convolution.Forward, forward, count, x, g, WorkerPool.Serial),
            $"{forward} as a convolution"
        );
    }

    /// <summary>A gradient that is zero, or -0, at all places but one of each window of two by two, as pooling leaves it, or but about a fourth.</summary>
    private static T[] Sparse<T>(ConvolutionShape s, bool pooled)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] g = Values.Random<T>((long)s.Batch * s.Filters * s.OutHeight * s.OutWidth, 3);
        Random random = new(4);
        for (int i = 0; i < g.Length; i++)
        {
            (int row, int column) = (i / s.OutWidth % s.OutHeight, i % s.OutWidth);
            int window = (i / (s.OutHeight * s.OutWidth) * 7) + (row / 2 * 3) + (column / 2);
            bool zero = pooled ? (row % 2 * 2) + (column % 2) != window % 4 : random.Next(4) != 0;
            g[i] =
                !zero ? g[i]
                : i % 3 == 0 ? T.NegativeZero
                : T.Zero;
        }

        return g;
    }
}
