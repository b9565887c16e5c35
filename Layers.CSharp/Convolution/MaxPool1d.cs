using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// The largest element under each place of a window, <c>[batch, channels, length]</c> to <c>[batch, channels, out length]</c>; the first of equal ones takes all of the gradient, and padding never wins. The out
/// length is (length + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down.
/// </summary>
public sealed class MaxPool1d : Module
{
    private readonly SlidingWindow window;

    /// <summary>Makes a layer.</summary>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">Elements from a place of the window to the next; the kernel by default.</param>
    /// <param name="padding">Padding on each side; 0 by default, at most half of the kernel as a rule.</param>
    /// <param name="dilation">Elements of the input from an element of the window to the next; 1 by default.</param>
    /// <exception cref="ShapeException">A size is below 1, or the padding below 0.</exception>
    public MaxPool1d(int kernel, int? stride = null, int padding = 0, int dilation = 1) =>
        window = SlidingWindow.OnLine("MaxPool1d", kernel, stride ?? kernel, padding, dilation);

    /// <summary>The length of the window.</summary>
    public int Kernel => window.Kernel.Width;

    /// <summary>Elements from a place of the window to the next.</summary>
    public int Stride => window.Stride.Width;

    /// <summary>Padding on each side.</summary>
    public int Padding => window.Padding.Width;

    /// <summary>Elements of the input from an element of the window to the next.</summary>
    public int Dilation => window.Dilation.Width;

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x) => x.MaxPool1d(Kernel, Stride, Padding, Dilation);

    /// <summary>By hand: the elements under the window are asked in turn whether they are the largest. Where that is NaN the window's last place takes the gradient, or nothing does where that is padding.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var (x, y) = (SlidingWindow.Raise(call.Inputs[0]), SlidingWindow.Raise(call.Outputs[0]));
        return [SlidingWindow.Lower(window.LargestGradient(x, y, SlidingWindow.Raise(delta)))];
    }
}
