namespace Hybrid.Kernels;

/// <summary>Sizes of a pooling of planes [planes, height, width] into [planes, out height, out width].</summary>
/// <param name="Planes">Number of planes; may be 0.</param>
/// <param name="Height">Rows of a plane.</param>
/// <param name="Width">Columns of a plane.</param>
/// <param name="OutHeight">Rows of the result.</param>
/// <param name="OutWidth">Columns of the result.</param>
/// <param name="KernelHeight">Rows of the window.</param>
/// <param name="KernelWidth">Columns of the window.</param>
/// <param name="StrideHeight">Rows from a place of the window to the next.</param>
/// <param name="StrideWidth">Columns from a place of the window to the next.</param>
/// <param name="PadTop">Rows of padding above the plane.</param>
/// <param name="PadLeft">Columns of padding left of the plane.</param>
/// <param name="DilationHeight">Rows from an element of the window to the next.</param>
/// <param name="DilationWidth">Columns from an element of the window to the next.</param>
public readonly record struct PoolingShape(
    int Planes,
    int Height,
    int Width,
    int OutHeight,
    int OutWidth,
    int KernelHeight,
    int KernelWidth,
    int StrideHeight,
    int StrideWidth,
    int PadTop,
    int PadLeft,
    int DilationHeight,
    int DilationWidth
);
