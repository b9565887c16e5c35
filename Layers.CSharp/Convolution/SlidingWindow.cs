using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// How a layer's window moves, in pairs of height and width, and what the backwards written by hand have in common: a step that was skipped
/// going forward is a zero going backward, and what was padded is cut off. Layers along one axis have height 1.
/// </summary>
internal sealed record SlidingWindow(
    (int Height, int Width) Kernel,
    (int Height, int Width) Stride,
    (int Height, int Width) Padding,
    (int Height, int Width) Dilation
)
{
    private static readonly int[] ChannelsFirst = [1, 0, 2, 3];

    /// <summary>A window on [batch, channels, length].</summary>
    public static SlidingWindow OnLine(string layer, int kernel, int stride, int padding, int dilation) =>
        new SlidingWindow((1, kernel), (1, stride), (0, padding), (1, dilation)).Checked(layer, Text.Number);

    /// <summary>A square window.</summary>
    public static SlidingWindow Square(string layer, int kernel, int stride, int padding, int dilation) =>
        new SlidingWindow((kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation)).Checked(layer, Text.Number);

    /// <summary>A window of any form.</summary>
    public static SlidingWindow Of(string layer, (int, int) kernel, (int, int) stride, (int, int) padding, (int, int) dilation) =>
        new SlidingWindow(kernel, stride, padding, dilation).Checked(layer, null);

    /// <summary>
    /// The gradient of a convolution by its images: the deltas, with zeros where the stride skipped, convolved with the weights turned by half
    /// and their channels and filters swapped; every element then meets exactly the outputs that it took part in.
    /// </summary>
    public Tensor ConvolutionInputGradient(Tensor delta, Tensor weight, Shape images)
    {
        var reach = (Height: Dilation.Height * (Kernel.Height - 1), Width: Dilation.Width * (Kernel.Width - 1));
        var (height, width) = (images[2] + (2 * Padding.Height) - reach.Height, images[3] + (2 * Padding.Width) - reach.Width);
        var spread = Spread(delta, 0, 0, height, width);

        // What the padding had beyond the reach of the window is cut off; what it lacks is padding of this convolution.
        var (row, column) = (Math.Max(0, Padding.Height - reach.Height), Math.Max(0, Padding.Width - reach.Width));
        spread = spread.Slice(2, row, height - row).Slice(3, column, width - column);
        var border = (Math.Max(0, reach.Height - Padding.Height), Math.Max(0, reach.Width - Padding.Width));
        return spread.Conv2d(weight.Permute(ChannelsFirst).Flip(2, 3), (1, 1), border, Dilation);
    }

    /// <summary>
    /// The gradient of a convolution by its weights: the images convolved with the deltas, the batch taking the place of the channels, so that it is
    /// summed over; stride and dilation change places.
    /// </summary>
    public Tensor ConvolutionWeightGradient(Tensor x, Tensor delta) =>
        x.Permute(ChannelsFirst)
            .Conv2d(delta.Permute(ChannelsFirst), Dilation, Padding, Stride)
            .Slice(2, 0, Kernel.Height)
            .Slice(3, 0, Kernel.Width)
            .Permute(ChannelsFirst);

    /// <summary>
    /// The gradient of maximum pooling: the window's elements are asked in turn whether they are the largest; the first that is takes the gradient, and the
    /// last takes what is left, unasked.
    /// </summary>
    public Tensor LargestGradient(Tensor x, Tensor y, Tensor delta)
    {
        // Nothing is equal to what is not a number, so padding takes nothing; what it is left at last is cut off, and nothing where an element is the largest.
        var (height, width) = (x.Shape[2] + (2 * Padding.Height), x.Shape[3] + (2 * Padding.Width));
        int[] border = [0, 0, Padding.Height, Padding.Width];
        var padded = Padding == (0, 0) ? x : x.Pad(border, border, double.NaN);
        var (left, nothing) = (delta, Tensor.Zeros(delta.Shape, delta.DType));
        Tensor? sum = null;
        for (var k = 0; k < Kernel.Height * Kernel.Width; k++)
        {
            var (row, column) = (k / Kernel.Width * Dilation.Height, k % Kernel.Width * Dilation.Width);
            var takes = left;
            if (k < (Kernel.Height * Kernel.Width) - 1)
            {
                var element = padded
                    .Slice(2, row, row + ((y.Shape[2] - 1) * Stride.Height) + 1, Stride.Height)
                    .Slice(3, column, column + ((y.Shape[3] - 1) * Stride.Width) + 1, Stride.Width);
                var wins = element.EqualTo(y);
                (takes, left) = (wins.Where(left, nothing), wins.Where(nothing, left));
            }
            var part = Spread(takes, row, column, height, width);
            sum = sum is null ? part : sum + part;
        }
        return sum!.Slice(2, Padding.Height, height - Padding.Height).Slice(3, Padding.Width, width - Padding.Width);
    }

    /// <summary>The gradient of average pooling, a convolution of each channel alone with equal weights.</summary>
    public Tensor MeanGradient(Shape images, Tensor delta)
    {
        var planes = images[0] * images[1];
        var share = 1.0 / (Kernel.Height * Kernel.Width);
        var weights = Tensor.Full(Shape.Of(1, 1, Kernel.Height, Kernel.Width), share, delta.DType);
        var gradient = ConvolutionInputGradient(
            delta.Reshape(planes, 1, delta.Shape[2], delta.Shape[3]),
            weights,
            Shape.Of(planes, 1, images[2], images[3])
        );
        return gradient.Reshape(images.ToArray());
    }

    /// <summary>[batch, channels, length] as images of height 1.</summary>
    public static Tensor Raise(Tensor x) => x.Reshape(x.Shape[0], x.Shape[1], 1, x.Shape[2]);

    /// <summary>Images of height 1 as [batch, channels, length].</summary>
    public static Tensor Lower(Tensor x) => x.Reshape(x.Shape[0], x.Shape[1], x.Shape[3]);

    // What each place of the window gives, from a row and a column on, in images of the given size: zeros where the stride stepped over.
    private Tensor Spread(Tensor parts, int row, int column, int height, int width)
    {
        var lastRow = row + ((parts.Shape[2] - 1) * Stride.Height);
        var lastColumn = column + ((parts.Shape[3] - 1) * Stride.Width);
        int[] after = [0, 0, height - 1 - lastRow, width - 1 - lastColumn];
        return parts.Pad([0, 0, row, column], after, interior: [0, 0, Stride.Height - 1, Stride.Width - 1]);
    }

    private SlidingWindow Checked(string layer, Func<long, string>? one)
    {
        AtLeast("kernel", Kernel, 1);
        AtLeast("stride", Stride, 1);
        AtLeast("padding", Padding, 0);
        AtLeast("dilation", Dilation, 1);
        return this;

        void AtLeast(string what, (int Height, int Width) pair, int least)
        {
            if (Math.Min(pair.Height, pair.Width) >= least)
                return;
            var got = one is null ? $"{Text.Number(pair.Height)} x {Text.Number(pair.Width)}" : one(pair.Width);
            const string advice = "Kernel, stride and dilation count elements from 1, padding from 0.";
            throw new ShapeException(layer, $"a {what} of at least {Text.Number(least)}", got, "", advice);
        }
    }
}
