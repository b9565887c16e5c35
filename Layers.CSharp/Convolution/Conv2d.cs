using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// The convolution of images with filters, from <c>[batch, channels, height, width]</c> to <c>[batch, filters, out height, out width]</c>; out height is
/// (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down, and the width likewise. As everywhere in this field it is
/// a correlation: the filters are not turned.
/// </summary>
/// <remarks>
/// Weight and bias start uniform in ±1/sqrt(channels * kernel height * kernel width), as those of PyTorch's <c>nn.Conv2d</c> do.
/// </remarks>
public sealed class Conv2d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer with random parameters and a square window.</summary>
    /// <param name="channels">The channels of the input, at least 1.</param>
    /// <param name="filters">The channels of the result, at least 1.</param>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; 1 by default.</param>
    /// <param name="padding">Zeros around the image, on each side; 0 by default.</param>
    /// <param name="dilation">Elements of the image from an element of the window to the next; 1 by default.</param>
    /// <param name="bias">Whether each filter has a bias; true by default.</param>
    /// <param name="seed">Where the numbers come from: a number, or a generator shared by several layers; by default no two layers are alike.</param>
    /// <param name="type">Float32, the default, or float64.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Conv2d(
        int channels,
        int filters,
        int kernel,
        int stride = 1,
        int padding = 0,
        int dilation = 1,
        bool bias = true,
        Generator? seed = null,
        ElementType type = ElementType.Float32
    )
        : this(channels, filters, SlidingWindow.Square("Conv2d", kernel, stride, padding, dilation), bias, seed, type) { }

    /// <summary>Makes a layer with random parameters. All pairs are height and width.</summary>
    /// <param name="channels">The channels of the input, at least 1.</param>
    /// <param name="filters">The channels of the result, at least 1.</param>
    /// <param name="kernel">The window.</param>
    /// <param name="stride">Elements from a place of the window to the next; 1 by default.</param>
    /// <param name="padding">Zeros around the image, on each side; 0 by default.</param>
    /// <param name="dilation">Elements of the image from an element of the window to the next; 1 by default.</param>
    /// <param name="bias">Whether each filter has a bias; true by default.</param>
    /// <param name="seed">Where the numbers come from: a number, or a generator shared by several layers; by default no two layers are alike.</param>
    /// <param name="type">Float32, the default, or float64.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Conv2d(
        int channels,
        int filters,
        (int Height, int Width) kernel,
        (int Height, int Width)? stride = null,
        (int Height, int Width)? padding = null,
        (int Height, int Width)? dilation = null,
        bool bias = true,
        Generator? seed = null,
        ElementType type = ElementType.Float32
    )
        : this(channels, filters, SlidingWindow.Of("Conv2d", kernel, stride ?? (1, 1), padding ?? (0, 0), dilation ?? (1, 1)), bias, seed, type) { }

    private Conv2d(int channels, int filters, SlidingWindow window, bool bias, Generator? seed, ElementType type)
    {
        if (channels < 1 || filters < 1)
        {
            var got = $"{Text.Number(channels)} and {Text.Number(filters)}";
            throw new ShapeException("Conv2d", "at least 1 channel and 1 filter", got, "", "Images in grey have one channel.");
        }
        this.window = window;
        seed ??= new Generator();
        var (height, width) = window.Kernel;
        var bound = 1 / Math.Sqrt((double)channels * height * width);
        Weight = new Cell("weight", seed.Uniform(-bound, bound, Shape.Of(filters, channels, height, width), type));
        Bias = bias ? new Cell("bias", seed.Uniform(-bound, bound, Shape.Of(filters), type)) : null;
    }

    /// <summary>The weights, <c>[filters, channels, kernel height, kernel width]</c>.</summary>
    public Cell Weight { get; }

    /// <summary>The bias of each filter, <c>[filters]</c>; null if there is none.</summary>
    public Cell? Bias { get; }

    /// <summary>The channels of the input.</summary>
    public int Channels => Weight.Shape[1];

    /// <summary>The channels of the result.</summary>
    public int Filters => Weight.Shape[0];

    /// <summary>The window.</summary>
    public (int Height, int Width) Kernel => window.Kernel;

    /// <summary>Elements from a place of the window to the next.</summary>
    public (int Height, int Width) Stride => window.Stride;

    /// <summary>Zeros around the image, on each side.</summary>
    public (int Height, int Width) Padding => window.Padding;

    /// <summary>Elements of the image from an element of the window to the next.</summary>
    public (int Height, int Width) Dilation => window.Dilation;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        var y = x.Conv2d(Weight.Value, Stride, Padding, Dilation);
        return Bias is null ? y : y + Bias.Value.Reshape(Filters, 1, 1);
    }

    /// <summary>
    /// By hand, both as convolutions: for the input, delta with the weights turned by half; for the weights, the images with delta; the sums of
    /// delta for the bias.
    /// </summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        Accumulate(Weight, window.ConvolutionWeightGradient(call.Inputs[0], delta));
        if (Bias is not null)
            Accumulate(Bias, delta.Sum([0, 2, 3]));
        return [window.ConvolutionInputGradient(delta, call.ParameterValues[0], call.Inputs[0].Shape)];
    }
}
