namespace Hybrid.Kernels;

/// <summary>
/// Sizes of a convolution of images [batch, channels, height, width] with weights [filters, channels, kernel height, kernel width] into
/// [batch, filters, out height, out width]. Padding behind the image is what the result's size leaves.
/// </summary>
/// <param name="Batch">Number of images; may be 0.</param>
/// <param name="Channels">Channels of an image.</param>
/// <param name="Height">Rows of an image.</param>
/// <param name="Width">Columns of an image.</param>
/// <param name="Filters">Channels of the result.</param>
/// <param name="KernelHeight">Rows of the window.</param>
/// <param name="KernelWidth">Columns of the window.</param>
/// <param name="OutHeight">Rows of the result.</param>
/// <param name="OutWidth">Columns of the result.</param>
/// <param name="StrideHeight">Rows from a place of the window to the next.</param>
/// <param name="StrideWidth">Columns from a place of the window to the next.</param>
/// <param name="PadTop">Rows of zeros above the image.</param>
/// <param name="PadLeft">Columns of zeros left of the image.</param>
/// <param name="DilationHeight">Rows from an element of the window to the next.</param>
/// <param name="DilationWidth">Columns from an element of the window to the next.</param>
public readonly record struct ConvolutionShape(
    int Batch,
    int Channels,
    int Height,
    int Width,
    int Filters,
    int KernelHeight,
    int KernelWidth,
    int OutHeight,
    int OutWidth,
    int StrideHeight,
    int StrideWidth,
    int PadTop,
    int PadLeft,
    int DilationHeight,
    int DilationWidth
)
{
    /// <summary>
    /// Whether the registers of a convolution are fuller with filters in their lanes than with images, by more than images are worth, whose layout
    /// the operations that follow can keep.
    /// </summary>
    /// <param name="size">Bytes of an element.</param>
    public bool FillsWithFilters(int size)
    {
        long lanes = LaneLayout<byte>.Bytes / size;
        long images = Split.Blocks(Batch, lanes) * Filters;
        long filters = Split.Blocks(Filters, lanes) * Batch;
        return 2 * filters <= images;
    }

    private const int LongWindow = 32;

    /// <summary>
    /// Whether channels stand in the lanes: they are at least half of a register's and as many as the images, the window has twice as many elements as
    /// the result has places, and at least 32, which windows of layers seldom have. A weight gradient that is written as a convolution looks like that, its
    /// channels being the batch. With shorter sums, or more of them, lanes of sums would be moved more than added to.
    /// </summary>
    /// <param name="size">Bytes of an element.</param>
    public bool FillsWithChannels(int size)
    {
        long window = (long)KernelHeight * KernelWidth;
        return 2 * Channels >= LaneLayout<byte>.Bytes / size && Channels >= Batch && window >= LongWindow && window >= 2L * OutHeight * OutWidth;
    }

    /// <summary>Whether planes of images and weights may lie anywhere, as <see cref="Convolution.ForwardPlanes"/> takes them.</summary>
    /// <param name="size">Bytes of an element.</param>
    public bool TakesPlanes(int size) => FillsWithChannels(size) || FillsWithFilters(size);
}
