using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The mean under each place of a window, <c>[batch, channels, length]</c> to <c>[batch, channels, out length]</c>; padding counts as zeros, as PyTorch's default has it. The out
/// length is (length + 2 padding - kernel) / stride + 1, rounded down.
/// </summary>
public sealed class AvgPool1d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer.</summary>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default, zeros that count.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public AvgPool1d(int kernel, int? stride = null, int padding = 0) =>
        window = SlidingWindow.OnLine("AvgPool1d", kernel, stride ?? kernel, padding, 1);

    /// <summary>The length of the window.</summary>
    public int Kernel => window.Kernel.Width;

    /// <summary>Elements from a place of the window to the next.</summary>
    public int Stride => window.Stride.Width;

    /// <summary>Padding on each side.</summary>
    public int Padding => window.Padding.Width;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.AvgPool1d(Kernel, Stride, Padding);

    /// <summary>By hand, as that of a convolution with equal weights.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var images = SlidingWindow.Raise(call.Inputs[0]).Shape;
        return [SlidingWindow.Lower(window.MeanGradient(images, SlidingWindow.Raise(delta)))];
    }
}
