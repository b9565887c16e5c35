namespace Hybrid.Layers;

/// <content>Convolution and pooling.</content>
public sealed partial class ModelBuilder
{
    /// <summary><see cref="Layers.Conv2d"/> on examples <c>[channels, height, width]</c>.</summary>
    /// <param name="filters">The channels of the result, at least 1.</param>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">From a place of the window to the next; 1 by default.</param>
    /// <param name="padding">Zeros around the image, on each side; 0 by default.</param>
    /// <param name="dilation">From an element of the window to the next; 1 by default.</param>
    /// <param name="bias">Whether each filter has a bias; true by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not an image, or smaller than the window; or a number is too small.</exception>
    public ModelBuilder Conv2d(int filters, int kernel, int stride = 1, int padding = 0, int dilation = 1, bool bias = true) =>
        Add(
            Said("Conv2d", filters, kernel, stride, padding, dilation, bias),
            (s, g, t) => new Conv2d(s[0], filters, kernel, stride, padding, dilation, bias, g, t),
            Image
        );

    /// <summary><see cref="Layers.MaxPool2d"/> on examples <c>[channels, height, width]</c>.</summary>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">From a place of the window to the next; that of the kernel by default.</param>
    /// <param name="padding">Elements around the image, on each side, that are never the largest; 0 by default.</param>
    /// <param name="dilation">From an element of the window to the next; 1 by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not an image, or smaller than the window; or a number is too small.</exception>
    public ModelBuilder MaxPool2d(int kernel, int? stride = null, int padding = 0, int dilation = 1) =>
        Add(Said("MaxPool2d", kernel, stride, padding, dilation), (_, _, _) => new MaxPool2d(kernel, stride, padding, dilation), Image);

    /// <summary><see cref="Layers.AvgPool2d"/> on examples <c>[channels, height, width]</c>.</summary>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="stride">From a place of the window to the next; that of the kernel by default.</param>
    /// <param name="padding">Zeros around the image, on each side; 0 by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not an image, or smaller than the window; or a number is too small.</exception>
    public ModelBuilder AvgPool2d(int kernel, int? stride = null, int padding = 0) =>
        Add(Said("AvgPool2d", kernel, stride, padding), (_, _, _) => new AvgPool2d(kernel, stride, padding), Image);

    /// <summary><see cref="Layers.Conv1d"/> on examples <c>[channels, length]</c>.</summary>
    /// <param name="filters">The channels of the result, at least 1.</param>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">From a place of the window to the next; 1 by default.</param>
    /// <param name="padding">Zeros on each side; 0 by default.</param>
    /// <param name="dilation">From an element of the window to the next; 1 by default.</param>
    /// <param name="bias">Whether each filter has a bias; true by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not a line, or shorter than the window; or a number is too small.</exception>
    public ModelBuilder Conv1d(int filters, int kernel, int stride = 1, int padding = 0, int dilation = 1, bool bias = true) =>
        Add(
            Said("Conv1d", filters, kernel, stride, padding, dilation, bias),
            (s, g, t) => new Conv1d(s[0], filters, kernel, stride, padding, dilation, bias, g, t),
            Line
        );

    /// <summary><see cref="Layers.MaxPool1d"/> on examples <c>[channels, length]</c>.</summary>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">From a place of the window to the next; that of the kernel by default.</param>
    /// <param name="padding">Elements on each side that are never the largest; 0 by default.</param>
    /// <param name="dilation">From an element of the window to the next; 1 by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not a line, or shorter than the window; or a number is too small.</exception>
    public ModelBuilder MaxPool1d(int kernel, int? stride = null, int padding = 0, int dilation = 1) =>
        Add(Said("MaxPool1d", kernel, stride, padding, dilation), (_, _, _) => new MaxPool1d(kernel, stride, padding, dilation), Line);

    /// <summary><see cref="Layers.AvgPool1d"/> on examples <c>[channels, length]</c>.</summary>
    /// <param name="kernel">The length of the window.</param>
    /// <param name="stride">From a place of the window to the next; that of the kernel by default.</param>
    /// <param name="padding">Zeros on each side; 0 by default.</param>
    /// <exception cref="Hybrid.Core.ShapeException">The example is not a line, or shorter than the window; or a number is too small.</exception>
    public ModelBuilder AvgPool1d(int kernel, int? stride = null, int padding = 0) =>
        Add(Said("AvgPool1d", kernel, stride, padding), (_, _, _) => new AvgPool1d(kernel, stride, padding), Line);

    private static string[] Image => ["channels", "height", "width"];

    private static string[] Line => ["channels", "length"];

    private static string Said(string layer, int filters, int kernel, int stride, int padding, int dilation, bool bias) =>
        Said(layer, [filters, kernel], ("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1), ("bias", bias, true));

    private static string Said(string layer, int kernel, int? stride, int padding, int dilation = 1) =>
        Said(layer, [kernel], ("stride", stride, null), ("padding", padding, 0), ("dilation", dilation, 1));
}
