using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// Convolution (as everywhere in this field, a correlation) and its two transposes, with stride, padding and dilation, Float32 and Float64.
/// All operands are contiguous: images [batch, channels, height, width], weights [filters, channels, kernel height, kernel width].
/// </summary>
/// <remarks>
/// <para>Blocks of 64 bytes' worth of images (16 Float32, 8 Float64) are laid side by side, one in each lane, so that images of any size fill
/// the registers.</para>
/// <para>Rule R10, exactly. <see cref="Forward"/>: each element is the chain <c>acc = fma(x, w, acc)</c> over (channel, kernel row, kernel
/// column) in order, from zero on; where the shape <see cref="ConvolutionShape.FillsWithChannels"/>, channels are summed as images are by
/// <see cref="BackwardWeight"/>. <see cref="BackwardInput"/>: the chain over (filter, kernel row, kernel column), of the taps that reach the element by the stride.
/// Padding, and what lies beyond a gradient's edges, counts as zeros, most of which are left out: infinite weights may make NaN of them or not, as the shape decides. <see cref="BackwardWeight"/>: for each image of a block the chain over output places, row by row, which runs on through the image
/// of the same lane in the next block (zeros where it has none), two blocks to a group; then lanes are added, lane i and lane i + half, down to one; then groups
/// in order. None of it depends on the number of threads or on the registers' width. Only the payload of a NaN is not promised.</para>
/// <para>The layout is that of "batch-blocked" direct convolution; measurements stand in the project's notes on kernels.</para>
/// </remarks>
public static unsafe class Convolution
{
    /// <summary>Multiply-adds from which a second thread is worth its start.</summary>
    internal const long Grain = 1 << 19;

    /// <summary>y = x convolved with w.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="y">Output [batch, filters, out height, out width].</param>
    /// <param name="x">Images [batch, channels, height, width].</param>
    /// <param name="w">Weights [filters, channels, kernel height, kernel width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Forward(ElementType type, ConvolutionShape shape, nint y, nint x, nint w, WorkerPool pool) =>
        Kernels(type).Forward(shape, y, x, w, pool);

    /// <summary>
    /// As <see cref="Forward"/>, of planes that may lie anywhere, for shapes for which <see cref="ConvolutionShape.TakesPlanes"/>: those of a weight
    /// gradient that is written as a convolution, whose batch and channels have changed places.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="y">Output [batch, filters, out height, out width], contiguous.</param>
    /// <param name="x">Images.</param>
    /// <param name="xSteps">Where the images' channels lie.</param>
    /// <param name="w">Weights.</param>
    /// <param name="wSteps">Where the filters' channels lie.</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void ForwardPlanes(
        ElementType type,
        ConvolutionShape shape,
        nint y,
        nint x,
        PlaneSteps xSteps,
        nint w,
        PlaneSteps wSteps,
        WorkerPool pool
    ) => Kernels(type).ForwardPlanes(shape, y, x, xSteps, w, wSteps, pool);

    /// <summary>The transpose of <see cref="Forward"/> by its images.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes of the convolution.</param>
    /// <param name="dx">Output [batch, channels, height, width].</param>
    /// <param name="dy">Gradients [batch, filters, out height, out width].</param>
    /// <param name="w">Weights [filters, channels, kernel height, kernel width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void BackwardInput(ElementType type, ConvolutionShape shape, nint dx, nint dy, nint w, WorkerPool pool) =>
        Kernels(type).BackwardInput(shape, dx, dy, w, pool);

    /// <summary>The transpose of <see cref="Forward"/> by its weights.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes of the convolution.</param>
    /// <param name="dw">Output [filters, channels, kernel height, kernel width].</param>
    /// <param name="x">Images [batch, channels, height, width].</param>
    /// <param name="dy">Gradients [batch, filters, out height, out width].</param>
    /// <param name="pool">Threads to use.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void BackwardWeight(ElementType type, ConvolutionShape shape, nint dw, nint x, nint dy, WorkerPool pool) =>
        Kernels(type).BackwardWeight(shape, dw, x, dy, pool);

    internal static IConvolution Kernels(ElementType type) =>
        type switch
        {
            ElementType.Float32 => Chosen<float>.Kernels,
            ElementType.Float64 => Chosen<double>.Kernels,
            _ => throw new NotSupportedException($"Convolution does not exist for {type}."),
        };

    private static class Chosen<T>
        where T : unmanaged
    {
        public static readonly IConvolution Kernels =
            CpuFeatures.Has512 ? new ConvolutionKernels<Simd512<T>, Vector512<T>, T>()
            : CpuFeatures.Has256 ? new ConvolutionKernels<Simd256<T>, Vector256<T>, T>()
            : new ConvolutionKernels<Simd128<T>, Vector128<T>, T>();
    }
}
