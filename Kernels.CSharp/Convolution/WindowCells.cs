namespace Hybrid.Kernels;

/// <summary>
/// The elements under a pooling window that lies within the image, row by row, in a block of planes with a lane for each (see
/// <see cref="LaneLayout{T}"/>): what every such window has in common, so that searching one is a single loop.
/// </summary>
internal readonly unsafe struct WindowCells<T>
    where T : unmanaged
{
    /// <summary>How far each lies from the first, in elements of the block.</summary>
    public readonly long* Offsets;

    /// <summary>How many positions each is after the first, as integers of the elements' size.</summary>
    public readonly T* Places;

    /// <summary>How many there are.</summary>
    public readonly int Count;

    /// <summary>The first column whose window has no padding to its left.</summary>
    public readonly int FirstWhole;

    /// <summary>The first column after it whose window has padding to its right.</summary>
    public readonly int EndWhole;

    /// <summary>Those of a pooling; valid until this thread asks for others.</summary>
    public WindowCells(in PoolingShape s)
    {
        Count = s.KernelHeight * s.KernelWidth;
        Offsets = (long*)Workspace.Get(Workspace.Purpose.WindowCells, (long)Count * (sizeof(long) + sizeof(T)));
        Places = (T*)(Offsets + Count);
        for (int i = 0; i < Count; i++)
        {
            int place = (i / s.KernelWidth * s.DilationHeight * s.Width) + (i % s.KernelWidth * s.DilationWidth);
            Offsets[i] = (long)place * LaneLayout<T>.Lanes;
            if (sizeof(T) == sizeof(int))
            {
                ((int*)Places)[i] = place;
            }
            else
            {
                ((long*)Places)[i] = place;
            }
        }

        while (FirstWhole < s.OutWidth && WindowSpan.Column(s, FirstWhole).Count < s.KernelWidth)
        {
            FirstWhole++;
        }

        EndWhole = FirstWhole;
        while (EndWhole < s.OutWidth && WindowSpan.Column(s, EndWhole).Count == s.KernelWidth)
        {
            EndWhole++;
        }
    }
}
