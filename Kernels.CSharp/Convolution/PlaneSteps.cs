namespace Hybrid.Kernels;

/// <summary>Where the planes of some images [images, planes, height, width] lie, in elements; a plane itself has no gaps.</summary>
/// <param name="Image">From an image to the next.</param>
/// <param name="Plane">From a plane to the next.</param>
public readonly record struct PlaneSteps(long Image, long Plane)
{
    /// <summary>The steps where nothing lies between planes or images.</summary>
    /// <param name="planes">Planes of an image.</param>
    /// <param name="height">Rows of a plane.</param>
    /// <param name="width">Columns of a plane.</param>
    public static PlaneSteps Contiguous(int planes, int height, int width) => new((long)planes * height * width, (long)height * width);
}
