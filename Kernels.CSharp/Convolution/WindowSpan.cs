using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>The elements along one axis that a window covers at a place, without padding.</summary>
internal readonly struct WindowSpan
{
    /// <summary>The first of them.</summary>
    public readonly int First;

    /// <summary>How many; not above 0 where the window covers nothing but padding.</summary>
    public readonly int Count;

    /// <summary>The rows under a place of the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WindowSpan Row(in PoolingShape s, int place) => new(place, s.StrideHeight, s.PadTop, s.DilationHeight, s.KernelHeight, s.Height);

    /// <summary>The columns under a place of the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WindowSpan Column(in PoolingShape s, int place) => new(place, s.StrideWidth, s.PadLeft, s.DilationWidth, s.KernelWidth, s.Width);

    /// <summary>Whether some place of the window covers nothing but padding.</summary>
    public static bool AnyEmpty(in PoolingShape s)
    {
        bool empty = false;
        for (int place = 0; place < s.OutHeight; place++)
        {
            empty |= Row(s, place).Count <= 0;
        }

        for (int place = 0; place < s.OutWidth; place++)
        {
            empty |= Column(s, place).Count <= 0;
        }

        return empty;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private WindowSpan(int place, int stride, int padding, int dilation, int kernel, int length)
    {
        int start = (place * stride) - padding;
        int end = start + ((kernel - 1) * dilation);
        First = start;
        Count = kernel;
        if (start < 0)
        {
            int skipped = (dilation - 1 - start) / dilation;
            First += skipped * dilation;
            Count -= skipped;
        }

        if (end >= length)
        {
            Count -= (end - length + dilation) / dilation;
        }
    }
}
