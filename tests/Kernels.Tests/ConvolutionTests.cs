using System.Numerics;
using Xunit;

namespace Hybrid.Kernels.Tests;

/// <summary>
/// The convolutions against plain loops over one element at a time, bit for bit: the loops follow the documented order of summation.
/// </summary>
public sealed class ConvolutionTests
{
    /// <summary>Batch, channels, height, width, filters, kernel, stride, padding (top, bottom, left, right), dilation.</summary>
    private static readonly (int[] Sizes, int[] Kernel, int[] Stride, int[] Padding, int[] Dilation)[] Cases =
    [
        // Every number of filters of a tile, places that leave 1 and 2 over, one image.
        ([1, 1, 1, 1, 1], [1, 1], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([1, 2, 5, 6, 1], [2, 3], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([3, 1, 6, 7, 2], [3, 3], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([5, 3, 4, 9, 3], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([9, 2, 5, 5, 5], [3, 2], [1, 1], [1, 1, 1, 1], [1, 1]),
        ([4, 4, 5, 5, 6], [1, 1], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([17, 2, 6, 5, 7], [3, 3], [1, 1], [0, 2, 1, 0], [1, 1]),
        ([33, 3, 7, 8, 9], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1]),
        ([40, 8, 12, 12, 16], [5, 5], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([70, 1, 14, 14, 8], [5, 5], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([20, 17, 4, 4, 19], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1]),
        // Filters side by side: more taps than a run, filters than lanes, places that leave 0 to 8 over.
        ([1, 1, 9, 9, 2], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([1, 33, 7, 6, 20], [3, 3], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([2, 17, 4, 4, 19], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1]),
        ([3, 5, 13, 12, 33], [9, 8], [2, 1], [1, 0, 2, 3], [1, 1]),
        ([2, 300, 3, 3, 8], [1, 1], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([1, 2, 10, 9, 6], [3, 2], [2, 3], [0, 1, 2, 0], [2, 1]),
        ([1, 3, 12, 12, 8], [10, 10], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([2, 3, 13, 12, 33], [9, 8], [2, 1], [1, 0, 2, 3], [1, 1]),
        // Channels side by side: half a register of them, some groups, windows of twice the places and more.
        ([1, 8, 12, 12, 8], [10, 10], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([8, 70, 12, 12, 9], [8, 8], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([3, 17, 13, 12, 5], [9, 8], [2, 1], [1, 0, 2, 3], [1, 1]),
        ([5, 33, 16, 22, 2], [5, 7], [3, 2], [2, 1, 0, 3], [2, 3]),
        ([16, 16, 9, 8, 3], [6, 6], [2, 2], [0, 0, 0, 1], [1, 1]),
        ([1, 40, 1, 60, 3], [1, 42], [1, 1], [0, 0, 0, 0], [1, 1]),
        // And where a layer looks like that, but has few terms, or too many sums.
        ([4, 40, 3, 3, 6], [3, 3], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([3, 24, 11, 11, 2], [6, 6], [1, 1], [0, 0, 0, 0], [1, 1]),
        // Padding wider than the kernel, a kernel as large as the image, one-dimensional.
        ([3, 2, 3, 3, 4], [2, 2], [1, 1], [3, 2, 2, 4], [1, 1]),
        ([18, 2, 6, 9, 3], [3, 3], [1, 1], [2, 2, 2, 0], [1, 1]),
        ([4, 3, 5, 6, 10], [5, 6], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([6, 2, 1, 40, 3], [1, 5], [1, 1], [0, 0, 2, 2], [1, 1]),
        ([2, 3, 4, 1, 2], [3, 1], [1, 1], [1, 1, 0, 0], [1, 1]),
        // Strides, also beyond the kernel and with rows that no window reaches.
        ([3, 2, 7, 8, 4], [3, 3], [2, 2], [0, 0, 0, 0], [1, 1]),
        ([20, 3, 9, 10, 5], [3, 2], [2, 3], [1, 0, 1, 1], [1, 1]),
        ([2, 2, 8, 9, 3], [2, 2], [3, 4], [0, 0, 0, 0], [1, 1]),
        ([2, 1, 9, 9, 2], [1, 1], [4, 3], [2, 3, 1, 0], [1, 1]),
        // Dilation, alone and with stride and padding, with and without common divisors.
        ([4, 2, 9, 8, 3], [3, 3], [1, 1], [0, 0, 0, 0], [2, 3]),
        ([18, 2, 9, 10, 4], [3, 2], [2, 2], [2, 1, 3, 0], [2, 3]),
        ([2, 3, 12, 11, 5], [2, 3], [3, 2], [1, 2, 0, 3], [2, 4]),
        // Nothing to do.
        ([0, 2, 4, 4, 3], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([2, 0, 4, 4, 3], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([2, 2, 4, 4, 0], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([20, 2, 1, 5, 9], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
        ([20, 2, 5, 1, 9], [2, 2], [1, 1], [0, 0, 0, 0], [1, 1]),
    ];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Cases.Length)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void All_three_follow_the_loops_bit_for_bit(int number)
    {
        ConvolutionShape shape = Shape(number);
        foreach (WorkerPool pool in new[] { WorkerPool.Serial, new WorkerPool(3) })
        {
            Check<float>(shape, pool);
            Check<double>(shape, pool);
        }
    }

    [Fact]
    public void A_long_batch_is_summed_group_by_group()
    {
        ConvolutionShape shape = new(150, 2, 5, 5, 3, 3, 3, 3, 3, 1, 1, 0, 0, 1, 1);
        Check<float>(shape, new WorkerPool(2));
        Check<double>(shape, new WorkerPool(2));
    }

    [Fact]
    public void An_image_is_the_same_alone_and_in_a_batch()
    {
        ConvolutionShape many = new(21, 3, 8, 8, 5, 3, 3, 8, 8, 1, 1, 1, 1, 1, 1);
        ConvolutionShape one = many with { Batch = 1 };
        float[] x = Values.Random<float>(21 * 3 * 64, 1);
        float[] w = Values.Random<float>(5 * 3 * 9, 2);
        float[] all = Run<float>(Convolution.Forward, many, 21 * 5 * 64, x, w, WorkerPool.Serial);
        Values.SameBits<float>(all.AsSpan(20 * 320), Run<float>(Convolution.Forward, one, 320, x[(20 * 192)..], w, WorkerPool.Serial));
    }

    [Fact]
    public void Sums_that_vanish_keep_their_sign()
    {
        ConvolutionShape shape = new(16, 1, 4, 4, 1, 2, 2, 3, 3, 1, 1, 0, 0, 1, 1);
        float[] w = [-1e-30f, -1e-30f, -1e-30f, -1e-30f];
        float[] y = Run<float>(Convolution.Forward, shape, 16 * 9, [.. Enumerable.Repeat(1e-30f, 16 * 16)], w, WorkerPool.Serial);
        Values.SameBits<float>([.. Enumerable.Repeat(-0f, 16 * 9)], y, "forward");
        float[] dx = Run<float>(Convolution.BackwardInput, shape, 16 * 16, [.. Enumerable.Repeat(1e-30f, 16 * 9)], w, WorkerPool.Serial);
        Values.SameBits<float>([.. Enumerable.Repeat(-0f, 16 * 16)], dx, "by the images");
    }

    [Fact]
    public void Only_floating_point_types_are_convolved()
    {
        foreach (ElementType type in new[] { ElementType.Int32, ElementType.UInt8, ElementType.Bool })
        {
            Assert.Throws<NotSupportedException>(() => Convolution.Forward(type, Shape(0), 0, 0, 0, WorkerPool.Serial));
        }
    }

    internal delegate void Kernel(ElementType type, ConvolutionShape shape, nint y, nint a, nint b, WorkerPool pool);

    private static ConvolutionShape Shape(int number)
    {
        (int[] s, int[] k, int[] stride, int[] pad, int[] d) = Cases[number];
        int height = ((s[2] + pad[0] + pad[1] - (d[0] * (k[0] - 1)) - 1) / stride[0]) + 1;
        int width = ((s[3] + pad[2] + pad[3] - (d[1] * (k[1] - 1)) - 1) / stride[1]) + 1;
        return new(s[0], s[1], s[2], s[3], s[4], k[0], k[1], height, width, stride[0], stride[1], pad[0], pad[2], d[0], d[1]);
    }

    private static unsafe void Check<T>(ConvolutionShape s, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] x = Values.Random<T>((long)s.Batch * s.Channels * s.Height * s.Width, 1);
        T[] w = Values.Random<T>((long)s.Filters * s.Channels * s.KernelHeight * s.KernelWidth, 2);
        T[] g = Values.Random<T>((long)s.Batch * s.Filters * s.OutHeight * s.OutWidth, 3);
        Values.SameBits<T>(Forward(s, x, w), Run<T>(Convolution.Forward, s, g.Length, x, w, pool), $"{s} forward");
        Values.SameBits<T>(BackwardInput(s, g, w), Run<T>(Convolution.BackwardInput, s, x.Length, g, w, pool), $"{s} input");
        Values.SameBits<T>(BackwardWeight(s, x, g), Run<T>(Convolution.BackwardWeight, s, w.Length, x, g, pool), $"{s} weight");
        if (s.TakesPlanes(sizeof(T)))
        {
            (T[] images, PlaneSteps imageSteps) = Swapped(x, s.Batch, s.Channels, s.Height * s.Width);
            (T[] filters, PlaneSteps filterSteps) = Swapped(w, s.Filters, s.Channels, s.KernelHeight * s.KernelWidth);
            Kernel planes = (type, shape, y, a, b, threads) => Convolution.ForwardPlanes(type, shape, y, a, imageSteps, b, filterSteps, threads);
            Values.SameBits<T>(Forward(s, x, w), Run(planes, s, g.Length, images, filters, pool), $"{s} with channels outside");
        }
    }

    /// <summary>[images, channels, plane] with images and channels exchanged, and where planes lie then.</summary>
    internal static (T[] Elements, PlaneSteps Steps) Swapped<T>(T[] x, int images, int channels, int plane)
    {
        IEnumerable<int> starts =
            from channel in Enumerable.Range(0, channels)
            from image in Enumerable.Range(0, images)
            select (image * channels) + channel;
        return ([.. starts.SelectMany(at => x.Skip(at * plane).Take(plane))], new(plane, (long)images * plane));
    }

    internal static T[] Run<T>(Kernel kernel, ConvolutionShape shape, int count, T[] a, T[] b, WorkerPool pool)
        where T : unmanaged
    {
        using Block<T> first = new(a, offset: 1);
        using Block<T> second = new(b, offset: 2);
        using Block<T> y = new(count, offset: 3);
        kernel(Values.TypeOf<T>(), shape, y.Pointer, first.Pointer, second.Pointer, pool);
        return y.ToArray();
    }

    // ---- the loops ----------------------------------------------------------------------------------------------------

    /// <summary>An element of the images, zero in the padding.</summary>
    private static T Image<T>(ConvolutionShape s, T[] x, int n, int c, int h, int w)
        where T : unmanaged, INumber<T> =>
        h < 0 || h >= s.Height || w < 0 || w >= s.Width ? T.Zero : x[(((((n * s.Channels) + c) * s.Height) + h) * s.Width) + w];

    internal static unsafe T[] Forward<T>(ConvolutionShape s, T[] x, T[] weights)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        List<T> y = [];
        foreach ((int n, int f, int oh, int ow) in Places(s.Batch, s.Filters, s.OutHeight, s.OutWidth))
        {
            T Channel(int c, T sum)
            {
                foreach ((int i, int j, _, _) in Places(s.KernelHeight, s.KernelWidth, 1, 1))
                {
                    T w = weights[(((((f * s.Channels) + c) * s.KernelHeight) + i) * s.KernelWidth) + j];
                    int h = (oh * s.StrideHeight) - s.PadTop + (i * s.DilationHeight);
                    sum = T.FusedMultiplyAdd(Image(s, x, n, c, h, (ow * s.StrideWidth) - s.PadLeft + (j * s.DilationWidth)), w, sum);
                }

                return sum;
            }

            bool lanes = s.FillsWithChannels(sizeof(T));
            y.Add(lanes ? InLanes<T>(s.Channels, Channel) : Enumerable.Range(0, s.Channels).Aggregate(T.Zero, (sum, c) => Channel(c, sum)));
        }

        return [.. y];
    }

    /// <summary>A sum over images (or channels) side by side; each of them goes on with the sum of its lane.</summary>
    private static unsafe T InLanes<T>(int images, Func<int, T, T> add)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int lanes = 64 / sizeof(T);
        T? total = null;
        for (int group = 0; group < images; group += 2 * lanes)
        {
            T[] sums = new T[lanes];
            for (int n = group; n < Math.Min(images, group + (2 * lanes)); n++)
            {
                sums[n % lanes] = add(n, sums[n % lanes]);
            }

            // Lanes of a block that have no image.
            for (int n = images; n < group + (2 * lanes) && n % lanes != 0; n++)
            {
                sums[n % lanes] += T.Zero;
            }

            for (int half = lanes / 2; half > 0; half /= 2)
            {
                for (int lane = 0; lane < half; lane++)
                {
                    sums[lane] += sums[lane + half];
                }
            }

            total = total is { } before ? before + sums[0] : sums[0];
        }

        return total ?? T.Zero;
    }

    private static T[] BackwardInput<T>(ConvolutionShape s, T[] g, T[] weights)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        List<T> dx = [];
        foreach ((int n, int c, int h, int w) in Places(s.Batch, s.Channels, s.Height, s.Width))
        {
            T sum = T.Zero;
            foreach ((int f, int i, int j, _) in Places(s.Filters, s.KernelHeight, s.KernelWidth, 1))
            {
                int row = h + s.PadTop - (i * s.DilationHeight);
                int column = w + s.PadLeft - (j * s.DilationWidth);
                if (row % s.StrideHeight != 0 || column % s.StrideWidth != 0)
                {
                    continue;
                }

                (int oh, int ow) = (row / s.StrideHeight, column / s.StrideWidth);
                bool inside = oh >= 0 && oh < s.OutHeight && ow >= 0 && ow < s.OutWidth;
                T gradient = inside ? g[(((((n * s.Filters) + f) * s.OutHeight) + oh) * s.OutWidth) + ow] : T.Zero;
                sum = T.FusedMultiplyAdd(gradient, weights[(((((f * s.Channels) + c) * s.KernelHeight) + i) * s.KernelWidth) + j], sum);
            }

            dx.Add(sum);
        }

        return [.. dx];
    }

    internal static T[] BackwardWeight<T>(ConvolutionShape s, T[] x, T[] g)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        List<T> dw = [];
        foreach ((int f, int c, int i, int j) in Places(s.Filters, s.Channels, s.KernelHeight, s.KernelWidth))
        {
            T AddImage(int n, T sum)
            {
                foreach ((int oh, int ow, _, _) in Places(s.OutHeight, s.OutWidth, 1, 1))
                {
                    int h = (oh * s.StrideHeight) - s.PadTop + (i * s.DilationHeight);
                    T image = Image(s, x, n, c, h, (ow * s.StrideWidth) - s.PadLeft + (j * s.DilationWidth));
                    sum = T.FusedMultiplyAdd(image, g[(((((n * s.Filters) + f) * s.OutHeight) + oh) * s.OutWidth) + ow], sum);
                }

                return sum;
            }

            dw.Add(InLanes<T>(s.Batch, AddImage));
        }

        return [.. dw];
    }

    private static IEnumerable<(int, int, int, int)> Places(int a, int b, int c, int d)
    {
        for (int i = 0; i < a; i++)
        {
            for (int j = 0; j < b; j++)
            {
                for (int k = 0; k < c; k++)
                {
                    for (int l = 0; l < d; l++)
                    {
                        yield return (i, j, k, l);
                    }
                }
            }
        }
    }
}
