namespace Hybrid.Kernels;

/// <summary>
/// A <see cref="Convolution"/>, or its transpose by the images, of one block of images that lie side by side as [channels, height, width, lanes]
/// (see <see cref="LaneBlock"/>), with the same bits. For engines that keep this layout from one kernel to the next; the calling thread does it all.
/// </summary>
public abstract class LaneConvolution
{
    private protected LaneConvolution() { }

    /// <summary>Bytes of the weights as <see cref="PackWeights"/> lays them out.</summary>
    public abstract long WeightBytes { get; }

    /// <summary><see cref="Convolution.Forward"/> for blocks.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes; the batch does not matter.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static LaneConvolution Forward(ElementType type, ConvolutionShape shape) => Convolution.Kernels(type).OnLanes(shape, false);

    /// <summary><see cref="Convolution.BackwardInput"/> for blocks.</summary>
    /// <inheritdoc cref="Forward"/>
    public static LaneConvolution BackwardInput(ElementType type, ConvolutionShape shape) => Convolution.Kernels(type).OnLanes(shape, true);

    /// <summary>Lays out weights once for all blocks.</summary>
    /// <param name="packed">Output, aligned to 64 bytes.</param>
    /// <param name="w">Weights [filters, channels, kernel height, kernel width].</param>
    public abstract void PackWeights(nint packed, nint w);

    /// <summary>Runs one block.</summary>
    /// <param name="y">Output block.</param>
    /// <param name="x">Input block.</param>
    /// <param name="packed">The weights as <see cref="PackWeights"/> made them.</param>
    /// <param name="bias">A number for each channel of the output, added to every sum; none by default.</param>
    /// <param name="rectify">Whether the result then becomes max(result, 0), NaN staying NaN; false by default.</param>
    public abstract void Run(nint y, nint x, nint packed, nint bias = 0, bool rectify = false);
}

/// <summary>
/// What sums over images, block by block, with the same bits: <see cref="Convolution.BackwardWeight"/>, or a convolution whose channels are images.
/// <see cref="Add"/> the blocks of a group in order to cleared sums, <see cref="Close"/>
/// the group, and <see cref="Combine"/> the groups at the end. The calling thread does it all.
/// </summary>
public abstract class LaneContraction
{
    private protected LaneContraction() { }

    /// <summary>Blocks of a group.</summary>
    public static int GroupBlocks => WeightJob.GroupBlocks;

    /// <summary>The number of results; a group's sums take 64 bytes for each.</summary>
    public abstract long Count { get; }

    /// <summary><see cref="Convolution.BackwardWeight"/>.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes; the batch does not matter.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static LaneContraction BackwardWeight(ElementType type, ConvolutionShape shape) => Convolution.Kernels(type).WeightOnLanes(shape);

    /// <summary><see cref="Convolution.Forward"/> of a shape that <see cref="ConvolutionShape.FillsWithChannels"/>; the channels are the images of blocks, the images and filters their planes.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes; the number of channels does not matter.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static LaneContraction Forward(ElementType type, ConvolutionShape shape) => Convolution.Kernels(type).ChannelsOnLanes(shape);

    /// <summary>Goes on with the sums of a group.</summary>
    /// <param name="sums">[results, lanes].</param>
    /// <param name="x">Block of images.</param>
    /// <param name="dy">Block of gradients, or of weights.</param>
    /// <param name="images">Images in the block; lanes beyond them count as zeros, whatever they hold.</param>
    public abstract void Add(nint sums, nint x, nint dy, int images);

    /// <summary>The result of one group.</summary>
    /// <param name="partial">Output [results].</param>
    /// <param name="sums">The group's sums.</param>
    public abstract void Close(nint partial, nint sums);

    /// <summary>The whole.</summary>
    /// <param name="result">Output.</param>
    /// <param name="partials">Results of the groups, [groups, results].</param>
    /// <param name="groups">How many; at least 1.</param>
    public abstract void Combine(nint result, nint partials, int groups);
}
