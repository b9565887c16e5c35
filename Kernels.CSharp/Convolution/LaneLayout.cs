using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// A block of images (or planes) side by side: [positions][lanes], one image in each lane, 64 bytes for a position whatever the registers'
/// width. Registers are then full for images of any size.
/// </summary>
internal static unsafe class LaneLayout<T>
    where T : unmanaged
{
    /// <summary>Bytes of a position.</summary>
    public const int Bytes = 64;

    private static int Side => Transposition<T>.Side;

    /// <summary>Images of a block.</summary>
    public static int Lanes => Bytes / sizeof(T);

    /// <summary>The number of blocks for a number of images.</summary>
    public static int Blocks(long images) => (int)Split.Blocks(images, Lanes);

    /// <summary>The number of images in a block.</summary>
    public static int Images(long images, long block) => (int)Math.Min(Lanes, images - (block * Lanes));

    /// <summary>target[i, lane] = source[lane * step + i] for a run of positions; zeros in lanes without an image.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(T* source, long step, int images, T* target, long count)
    {
        PackImages(source, step, images, target, count);
        for (long i = 0; images < Lanes && i < count; i++)
        {
            T* position = target + (i * Lanes);
            for (int lane = images; lane < Lanes; lane++)
            {
                position[lane] = default;
            }
        }
    }

    /// <summary>As <see cref="Pack"/>, but lanes without an image keep what they hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackImages(T* source, long step, int images, T* target, long count)
    {
        int whole = count >= Side ? images & -Side : 0;
        for (long i = 0; whole > 0 && i < count; i += Side)
        {
            // The last square overlaps the one before it.
            long at = Math.Min(i, count - Side);
            for (int lane = 0; lane < whole; lane += Side)
            {
                Transposition<T>.Square(source + (lane * step) + at, step, target + (at * Lanes) + lane, Lanes);
            }
        }

        for (int lane = whole; lane < images; lane++)
        {
            for (long i = 0; i < count; i++)
            {
                target[(i * Lanes) + lane] = source[(lane * step) + i];
            }
        }
    }

    /// <summary>target[lane * step + i] = source[i, lane] for a run of positions and the lanes that have an image.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(T* source, T* target, long step, int images, long count)
    {
        int whole = count >= Side ? images & -Side : 0;
        long i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            // A whole cache line of each image at a time.
            for (int lane = 0; lane < whole; lane += Side)
            {
                for (long at = i; at < i + Lanes; at += Side)
                {
                    Transposition<T>.Square(source + (at * Lanes) + lane, Lanes, target + (lane * step) + at, step);
                }
            }
        }

        for (; whole > 0 && i < count; i += Side)
        {
            long at = Math.Min(i, count - Side);
            for (int lane = 0; lane < whole; lane += Side)
            {
                Transposition<T>.Square(source + (at * Lanes) + lane, Lanes, target + (lane * step) + at, step);
            }
        }

        for (int lane = whole; lane < images; lane++)
        {
            for (i = 0; i < count; i++)
            {
                target[(lane * step) + i] = source[(i * Lanes) + lane];
            }
        }
    }

    /// <summary>
    /// The sum of the lanes of each position: lane i and lane i + half, down to one. Its order is part of what a weight gradient promises.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SumLanes(T* source, T* target, long count)
    {
        for (long i = 0; i < count; i++)
        {
            Vector128<T>* v = (Vector128<T>*)(source + (i * Lanes));
            Vector128<T> sum = (v[0] + v[2]) + (v[1] + v[3]);
            if (typeof(T) == typeof(float))
            {
                Vector128<float> s = sum.AsSingle();
                ((float*)target)[i] = (s[0] + s[2]) + (s[1] + s[3]);
            }
            else
            {
                Vector128<double> s = sum.AsDouble();
                ((double*)target)[i] = s[0] + s[1];
            }
        }
    }

    /// <summary>A block in scratch memory with zeros in the lanes beyond its images; it may be in that memory already.</summary>
    public static nint Mask(nint block, long count, int images, Workspace.Purpose purpose)
    {
        nint target = Workspace.Get(purpose, count * Bytes);
        if (target != block)
        {
            Buffer.MemoryCopy((void*)block, (void*)target, count * Bytes, count * Bytes);
        }

        for (long i = 0; i < count; i++)
        {
            Clear(target + (nint)((i * Bytes) + (images * sizeof(T))), Bytes - (images * sizeof(T)));
        }

        return target;
    }

    /// <summary>Zeros, of any number.</summary>
    public static void Clear(nint target, long bytes) => NativeMemory.Clear((void*)target, (nuint)bytes);
}
