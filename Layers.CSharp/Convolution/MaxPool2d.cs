using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The largest element under each place of a window, <c>[batch, channels, height, width]</c> to <c>[batch, channels, out height, out width]</c>; the first of equal ones takes all of the gradient, and padding never wins. The out
/// height is (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down, and the width likewise.
/// </summary>
public sealed class MaxPool2d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer with a square window.</summary>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default, at most half of the kernel as a rule.</param>
    /// <param name="dilation">Elements of the input from an element of the window to the next; 1 by default.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public MaxPool2d(int kernel, int? stride = null, int padding = 0, int dilation = 1) =>
        window = SlidingWindow.Square("MaxPool2d", kernel, stride ?? kernel, padding, dilation);

    /// <summary>Makes a layer. All pairs are height and width.</summary>
    /// <param name="kernel">The window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default.</param>
    /// <param name="dilation">Elements of the input from an element of the window to the next; 1 by default.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public MaxPool2d(
        (int Height, int Width) kernel,
        (int Height, int Width)? stride = null,
        (int Height, int Width)? padding = null,
        (int Height, int Width)? dilation = null
    ) => window = SlidingWindow.Of("MaxPool2d", kernel, stride ?? kernel, padding ?? (0, 0), dilation ?? (1, 1));

    /// <summary>The window.</summary>
    public (int Height, int Width) Kernel => window.Kernel;

    /// <summary>Elements from a place of the window to the next.</summary>
    public (int Height, int Width) Stride => window.Stride;

    /// <summary>Padding on each side.</summary>
    public (int Height, int Width) Padding => window.Padding;

    /// <summary>Elements of the input from an element of the window to the next.</summary>
    public (int Height, int Width) Dilation => window.Dilation;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.MaxPool2d(Kernel, Stride, Padding, Dilation);

    /// <summary>By hand: the elements under the window are asked in turn whether they are the largest. Where that is NaN the window's last place takes the gradient, or nothing does where that is padding.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        return [window.LargestGradient(call.Inputs[0], call.Outputs[0], delta)];
    }
}
