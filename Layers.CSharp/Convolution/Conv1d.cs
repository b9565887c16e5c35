using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// The convolution of signals with filters, from <c>[batch, channels, length]</c> to <c>[batch, filters, out length]</c>; out length is
/// (length + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down. As everywhere in this field it is a correlation: the
/// filters are not turned.
/// </summary>
/// <remarks>Weight and bias start uniform in ±1/sqrt(channels * kernel), as those of PyTorch's <c>nn.Conv1d</c> do.</remarks>
public sealed class Conv1d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer with random parameters.</summary>
    /// <param name="channels">The channels of the input, at least 1.</param>
    /// <param name="filters">The channels of the result, at least 1.</param>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; 1 by default.</param>
    /// <param name="padding">Zeros on each side; 0 by default.</param>
    /// <param name="dilation">Elements of the signal from an element of the window to the next; 1 by default.</param>
    /// <param name="bias">Whether each filter has a bias; true by default.</param>
    /// <param name="seed">Where the numbers come from: a number, or a generator shared by several layers; by default no two layers are alike.</param>
    /// <param name="type">Float32, the default, or float64.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Conv1d(
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
    {
        window = SlidingWindow.OnLine("Conv1d", kernel, stride, padding, dilation);
        if (channels < 1 || filters < 1)
        {
            var got = $"{Text.Number(channels)} and {Text.Number(filters)}";
            throw new ShapeException("Conv1d", "at least 1 channel and 1 filter", got, "", "A single signal has one channel.");
        }
        seed ??= new Generator();
        var bound = 1 / Math.Sqrt((double)channels * kernel);
        Weight = new Cell("weight", seed.Uniform(-bound, bound, Shape.Of(filters, channels, kernel), type));
        Bias = bias ? new Cell("bias", seed.Uniform(-bound, bound, Shape.Of(filters), type)) : null;
    }

    /// <summary>The weights, <c>[filters, channels, kernel]</c>.</summary>
    public Cell Weight { get; }

    /// <summary>The bias of each filter, <c>[filters]</c>; null if there is none.</summary>
    public Cell? Bias { get; }

    /// <summary>The channels of the input.</summary>
    public int Channels => Weight.Shape[1];

    /// <summary>The channels of the result.</summary>
    public int Filters => Weight.Shape[0];

    /// <summary>The length of the window.</summary>
    public int Kernel => window.Kernel.Width;

    /// <summary>Elements from a place of the window to the next.</summary>
    public int Stride => window.Stride.Width;

    /// <summary>Zeros on each side.</summary>
    public int Padding => window.Padding.Width;

    /// <summary>Elements of the signal from an element of the window to the next.</summary>
    public int Dilation => window.Dilation.Width;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        var y = x.Conv1d(Weight.Value, Stride, Padding, Dilation);
        return Bias is null ? y : y + Bias.Value.Reshape(Filters, 1);
    }

    /// <summary>By hand, as that of <see cref="Conv2d"/> on images of height 1.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var (x, d) = (SlidingWindow.Raise(call.Inputs[0]), SlidingWindow.Raise(delta));
        Accumulate(Weight, SlidingWindow.Lower(window.ConvolutionWeightGradient(x, d)));
        if (Bias is not null)
            Accumulate(Bias, delta.Sum([0, 2]));
        return [SlidingWindow.Lower(window.ConvolutionInputGradient(d, SlidingWindow.Raise(call.ParameterValues[0]), x.Shape))];
    }
}
