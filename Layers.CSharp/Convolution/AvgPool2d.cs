using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The mean under each place of a window, <c>[batch, channels, height, width]</c> to <c>[batch, channels, out height, out width]</c>; padding counts as zeros, as PyTorch's default has it. The out
/// height is (height + 2 padding - kernel) / stride + 1, rounded down, and the width likewise.
/// </summary>
public sealed class AvgPool2d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer with a square window.</summary>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default, zeros that count.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public AvgPool2d(int kernel, int? stride = null, int padding = 0) =>
        window = SlidingWindow.Square("AvgPool2d", kernel, stride ?? kernel, padding, 1);

    /// <summary>Makes a layer. All pairs are height and width.</summary>
    /// <param name="kernel">The window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public AvgPool2d((int Height, int Width) kernel, (int Height, int Width)? stride = null, (int Height, int Width)? padding = null) =>
        window = SlidingWindow.Of("AvgPool2d", kernel, stride ?? kernel, padding ?? (0, 0), (1, 1));

    /// <summary>The window.</summary>
    public (int Height, int Width) Kernel => window.Kernel;

    /// <summary>Elements from a place of the window to the next.</summary>
    public (int Height, int Width) Stride => window.Stride;

    /// <summary>Padding on each side.</summary>
    public (int Height, int Width) Padding => window.Padding;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.AvgPool2d(Kernel, Stride, Padding);

    /// <summary>By hand, as that of a convolution with equal weights.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        return [window.MeanGradient(call.Inputs[0].Shape, delta)];
    }
}
