using System.Runtime.InteropServices;

namespace Hybrid.Kernels;

/// <summary>
/// What is cut out of each of some images [images, planes, height, width]: the rows and columns that windows reach, zeros where they reach
/// beyond the image. A block of images is laid out as [planes, rows, columns, lanes].
/// </summary>
internal unsafe struct Frame
{
    public nint Source;
    public long Images;
    public int Planes;
    public int Height;
    public int Width;

    /// <summary>The image's row that is the frame's first; negative where there are zeros above the image.</summary>
    public int Top;
    public int Left;
    public int Rows;
    public int Columns;

    /// <summary>From an image to the next, and from a plane to the next.</summary>
    public PlaneSteps Steps;

    /// <summary>Places in the frame.</summary>
    public readonly long Size => (long)Planes * Rows * Columns;

    /// <summary>The whole of each image and nothing else.</summary>
    public readonly bool IsPlain => Top == 0 && Left == 0 && Rows == Height && Columns == Width;

    /// <summary>Whole images as a frame.</summary>
    public static Frame Plain(nint source, int images, int planes, int height, int width) =>
        new()
        {
            Source = source,
            Images = images,
            Planes = planes,
            Height = height,
            Width = width,
            Steps = PlaneSteps.Contiguous(planes, height, width),
            Rows = height,
            Columns = width,
        };

    /// <summary>Lays out a block. The border must hold zeros already; it is not touched.</summary>
    public readonly void Pack<T>(long block, nint target)
        where T : unmanaged
    {
        int images = LaneLayout<T>.Images(Images, block);
        T* source = (T*)Source + (block * LaneLayout<T>.Lanes * Steps.Image);
        T* into = (T*)target;
        if (IsPlain && Steps.Plane == (long)Height * Width)
        {
            LaneLayout<T>.Pack(source, Steps.Image, images, into, Size);
            return;
        }

        int firstRow = Math.Max(0, -Top);
        int lastRow = Math.Min(Rows, Height - Top);
        int firstColumn = Math.Max(0, -Left);
        int columns = Math.Min(Columns, Width - Left) - firstColumn;
        for (int plane = 0; plane < Planes; plane++)
        {
            for (int row = firstRow; row < lastRow && columns > 0; row++)
            {
                T* from = source + (plane * Steps.Plane) + ((long)(Top + row) * Width) + Left + firstColumn;
                T* to = into + (((((long)plane * Rows) + row) * Columns) + firstColumn) * LaneLayout<T>.Lanes;
                LaneLayout<T>.Pack(from, Steps.Image, images, to, columns);
            }
        }
    }

    /// <summary>The frame of a block of whole images that is laid out already: the block itself if the frame is plain, else a copy in scratch memory.</summary>
    public readonly nint Cut<T>(nint block, Workspace.Purpose purpose)
        where T : unmanaged => IsPlain ? block : Cut(block, 1, LaneLayout<T>.Bytes, purpose);

    /// <summary>The frames of whole images, one after another in scratch memory; an element has a number of bytes, and so may be a block's.</summary>
    public readonly nint Cut(nint images, int count, int bytes, Workspace.Purpose purpose)
    {
        nint target = Workspace.Get(purpose, count * Size * bytes);
        int firstColumn = Math.Clamp(-Left, 0, Columns);
        int columns = Math.Max(0, Math.Min(Columns, Width - Left) - firstColumn);
        long before = (long)firstColumn * bytes;
        long inside = (long)columns * bytes;
        long after = ((long)Columns * bytes) - before - inside;
        byte* to = (byte*)target;
        for (long plane = 0; plane < (long)count * Planes; plane++)
        {
            long start = (plane / Planes * Steps.Image) + (plane % Planes * Steps.Plane);
            for (int row = Top; row < Top + Rows; row++)
            {
                if (row < 0 || row >= Height || columns == 0)
                {
                    NativeMemory.Clear(to, (nuint)(before + inside + after));
                }
                else
                {
                    long at = start + ((long)row * Width) + Left + firstColumn;
                    NativeMemory.Clear(to, (nuint)before);
                    Buffer.MemoryCopy((byte*)images + (at * bytes), to + before, inside, inside);
                    NativeMemory.Clear(to + before + inside, (nuint)after);
                }

                to += before + inside + after;
            }
        }

        return target;
    }
}
