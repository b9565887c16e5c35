using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// A block of images side by side, [elements of an image][lanes]: one image in each lane, 16 lanes for networks in Float32 and 8 in Float64, whatever
/// the registers' width. Kernels on blocks run on the calling thread.
/// </summary>
public static unsafe class LaneBlock
{
    /// <summary>Images of a block of a floating-point type; integers and masks beside it have as many.</summary>
    /// <param name="type">Float32 or Float64.</param>
    public static int Lanes(ElementType type) => LaneLayout<byte>.Bytes / type.Size();

    /// <summary>block[i, lane] = source[lane * count + i], zeros in lanes without an image.</summary>
    /// <param name="size">Bytes of an element: 1, 4 or 8.</param>
    /// <param name="lanes">Lanes of the block.</param>
    /// <param name="block">Output.</param>
    /// <param name="source">The block's first image.</param>
    /// <param name="images">Images, at most one for each lane.</param>
    /// <param name="count">Elements of an image.</param>
    public static void Pack(int size, int lanes, nint block, nint source, int images, long count)
    {
        if (size * lanes != LaneLayout<byte>.Bytes)
        {
            Scattered(size, lanes, block, source, images, count, packing: true);
        }
        else if (size == 4)
        {
            LaneLayout<float>.Pack((float*)source, count, images, (float*)block, count);
        }
        else
        {
            LaneLayout<double>.Pack((double*)source, count, images, (double*)block, count);
        }
    }

    /// <summary>target[lane * count + i] = block[i, lane] for the lanes that have an image.</summary>
    /// <param name="size">Bytes of an element: 1, 4 or 8.</param>
    /// <param name="lanes">Lanes of the block.</param>
    /// <param name="target">Output: the block's first image.</param>
    /// <param name="block">The block.</param>
    /// <param name="images">Images, at most one for each lane.</param>
    /// <param name="count">Elements of an image.</param>
    public static void Unpack(int size, int lanes, nint target, nint block, int images, long count)
    {
        if (size * lanes != LaneLayout<byte>.Bytes)
        {
            Scattered(size, lanes, block, target, images, count, packing: false);
        }
        else if (size == 4)
        {
            LaneLayout<float>.Unpack((float*)block, (float*)target, count, images, count);
        }
        else
        {
            LaneLayout<double>.Unpack((double*)block, (double*)target, count, images, count);
        }
    }

    /// <summary><see cref="Reductions.Sum"/> of each row in each lane: y[outer, lane] from x[outer, reduce, lane], with the same bits.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="y">Output.</param>
    /// <param name="x">Input.</param>
    /// <param name="outer">Number of rows.</param>
    /// <param name="reduce">Elements of a row.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Sum(ElementType type, nint y, nint x, long outer, long reduce)
    {
        switch (type)
        {
            case ElementType.Float32:
                Sum<float>(y, x, outer, reduce);
                break;
            case ElementType.Float64:
                Sum<double>(y, x, outer, reduce);
                break;
            default:
                throw new NotSupportedException($"A sum of blocks does not exist for {type}.");
        }
    }

    private static void Sum<T>(nint y, nint x, long outer, long reduce)
        where T : unmanaged
    {
        for (long row = 0; row < outer; row++)
        {
            nint target = y + (nint)(row * LaneLayout<T>.Bytes);
            nint source = x + (nint)(row * reduce * LaneLayout<T>.Bytes);
            if (CpuFeatures.Has512)
            {
                LaneSum<Simd512<T>, Vector512<T>, T>.Row((T*)target, (T*)source, reduce);
            }
            else if (CpuFeatures.Has256)
            {
                LaneSum<Simd256<T>, Vector256<T>, T>.Row((T*)target, (T*)source, reduce);
            }
            else
            {
                LaneSum<Simd128<T>, Vector128<T>, T>.Row((T*)target, (T*)source, reduce);
            }
        }
    }

    /// <summary>Elements that do not fill a block's 64 bytes: masks, and integers beside Float64.</summary>
    private static void Scattered(int size, int lanes, nint block, nint images, int count, long length, bool packing)
    {
        for (long i = 0; i < length; i++)
        {
            for (int lane = 0; lane < lanes; lane++)
            {
                byte* inside = (byte*)block + (((i * lanes) + lane) * size);
                byte* outside = (byte*)images + (((lane * length) + i) * size);
                if (lane >= count)
                {
                    if (packing)
                    {
                        new Span<byte>(inside, size).Clear();
                    }
                }
                else
                {
                    Buffer.MemoryCopy(packing ? outside : inside, packing ? inside : outside, size, size);
                }
            }
        }
    }
}
