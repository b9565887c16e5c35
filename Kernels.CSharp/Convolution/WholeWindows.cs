namespace Hybrid.Kernels;

/// <summary>
/// The windows of a pooling that have no padding beside them, <see cref="Together"/> at a time, in a block of planes with a lane for each (see
/// <see cref="LaneLayout{T}"/>): they have their elements at the same distances from the first, so that searching them is a single loop over a table.
/// </summary>
internal readonly unsafe struct WholeWindows<T>
    where T : unmanaged
{
    /// <summary>Windows beside each other that are searched at a time.</summary>
    public const int Together = 4;

    /// <summary>How far each element lies from the first, row by row, in elements of the block.</summary>
    public readonly long* Offsets;

    /// <summary>How many positions each element is after the first, as integers of the elements' size.</summary>
    public readonly T* Places;

    private readonly int first;
    private readonly int end;

    /// <summary>Those of a pooling; valid until this thread asks for others.</summary>
    public WholeWindows(in PoolingShape s)
    {
        first = 0;
        while (first < s.OutWidth && WindowSpan.Column(s, first).Count < s.KernelWidth)
        {
            first++;
        }

        end = first;
        while (end < s.OutWidth && WindowSpan.Column(s, end).Count == s.KernelWidth)
        {
            end++;
        }

        // A window may be far larger than the image, of which it then covers no more than there is.
        int count = end - first < Together ? 0 : Math.Min(s.KernelHeight, s.Height) * s.KernelWidth;
        Offsets = (long*)Workspace.Get(Workspace.Purpose.WholeWindows, (long)count * (sizeof(long) + sizeof(T)));
        Places = (T*)(Offsets + count);
        for (int i = 0; i < count; i++)
        {
            long place = ((long)(i / s.KernelWidth) * s.DilationHeight * s.Width) + ((long)(i % s.KernelWidth) * s.DilationWidth);
            Offsets[i] = place * LaneLayout<T>.Lanes;
            if (sizeof(T) == sizeof(int))
            {
                ((int*)Places)[i] = (int)place;
            }
            else
            {
                ((long*)Places)[i] = place;
            }
        }
    }

    /// <summary>Whether so many windows begin at a column, which cover some rows of the image.</summary>
    public bool At(WindowSpan rows, int column) => rows.Count > 0 && column >= first && column + Together <= end;
}
