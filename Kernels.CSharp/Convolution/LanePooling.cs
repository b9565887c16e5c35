using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>
/// <see cref="Pooling"/> of one block of images that lie side by side as [planes, height, width, lanes] (see <see cref="LaneBlock"/>), with the same bits;
/// the planes of a shape are those of an image.
/// </summary>
public static unsafe class LanePooling
{
    /// <summary>The elements at <see cref="Pooling.MaxPositions"/>, and the positions.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="values">Output [planes, out height, out width, lanes]; 0 where they are not wanted.</param>
    /// <param name="positions">Output Int32 [planes, out height, out width, lanes]; 0 where they are not wanted.</param>
    /// <param name="x">Input [planes, height, width, lanes].</param>
    /// <param name="rectified">Whether elements that are zero or below have position -1, where no gradient is put; false by default.</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Max(ElementType type, PoolingShape shape, nint values, nint positions, nint x, bool rectified = false)
    {
        switch (type)
        {
            case ElementType.Float32:
                Max<float>(shape, values, positions, x, rectified);
                break;
            case ElementType.Float64:
                Max<double>(shape, values, positions, x, rectified);
                break;
            default:
                throw new NotSupportedException($"Pooling does not exist for {type}.");
        }
    }

    /// <summary><see cref="Pooling.Average"/>.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="y">Output [planes, out height, out width, lanes].</param>
    /// <param name="x">Input [planes, height, width, lanes].</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void Average(ElementType type, PoolingShape shape, nint y, nint x) => Run(type, Kind.Average, shape, y, x);

    /// <summary><see cref="Pooling.AverageBackward"/>.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes of the pooling.</param>
    /// <param name="dx">Output [planes, height, width, lanes].</param>
    /// <param name="dy">Gradients [planes, out height, out width, lanes].</param>
    /// <exception cref="NotSupportedException">The type is not a floating-point type.</exception>
    public static void AverageBackward(ElementType type, PoolingShape shape, nint dx, nint dy) => Run(type, Kind.AverageBackward, shape, dx, dy);

    /// <summary><see cref="Pooling.Take"/>.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="planes">Planes of an image.</param>
    /// <param name="fromSize">Elements of a plane of x.</param>
    /// <param name="intoSize">Elements of a plane of y.</param>
    /// <param name="y">Output [planes, into size, lanes].</param>
    /// <param name="x">Input [planes, from size, lanes].</param>
    /// <param name="positions">Int32 [planes, into size, lanes].</param>
    public static void Take(ElementType type, int planes, int fromSize, int intoSize, nint y, nint x, nint positions)
    {
        if (type == ElementType.Float32)
        {
            Take<float>(planes, fromSize, intoSize, (float*)y, (float*)x, (int*)positions);
        }
        else
        {
            Take<double>(planes, fromSize, intoSize, (double*)y, (double*)x, (int*)positions);
        }
    }

    /// <summary><see cref="Pooling.Put"/>.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="planes">Planes of an image.</param>
    /// <param name="fromSize">Elements of a plane of g.</param>
    /// <param name="intoSize">Elements of a plane of y.</param>
    /// <param name="y">Output [planes, into size, lanes].</param>
    /// <param name="g">Input [planes, from size, lanes].</param>
    /// <param name="positions">Int32 [planes, from size, lanes]; what has a negative one is put nowhere.</param>
    public static void Put(ElementType type, int planes, int fromSize, int intoSize, nint y, nint g, nint positions)
    {
        if (type == ElementType.Float32)
        {
            Put<float>(planes, fromSize, intoSize, (float*)y, (float*)g, (int*)positions);
        }
        else
        {
            Put<double>(planes, fromSize, intoSize, (double*)y, (double*)g, (int*)positions);
        }
    }

    /// <summary><see cref="Pooling.Put"/> at positions that <see cref="Max"/> found.</summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <param name="shape">The sizes of the pooling.</param>
    /// <param name="dx">Output [planes, height, width, lanes].</param>
    /// <param name="dy">Gradients [planes, out height, out width, lanes].</param>
    /// <param name="positions">Int32 [planes, out height, out width, lanes].</param>
    public static void MaxBackward(ElementType type, PoolingShape shape, nint dx, nint dy, nint positions)
    {
        int size = shape.Height * shape.Width;
        int count = shape.OutHeight * shape.OutWidth;
        bool overlap =
            shape.StrideHeight <= (shape.KernelHeight - 1) * shape.DilationHeight
            || shape.StrideWidth <= (shape.KernelWidth - 1) * shape.DilationWidth;
        if (overlap || type != ElementType.Float32 || WindowSpan.AnyEmpty(shape))
        {
            Put(type, shape.Planes, count, size, dx, dy, positions);
        }
        else if (CpuFeatures.Has512)
        {
            PutUnder<Simd512<float>, Vector512<float>>(shape, dx, dy, positions);
        }
        else if (CpuFeatures.Has256)
        {
            PutUnder<Simd256<float>, Vector256<float>>(shape, dx, dy, positions);
        }
        else
        {
            PutUnder<Simd128<float>, Vector128<float>>(shape, dx, dy, positions);
        }
    }

    private static void PutUnder<S, V>(PoolingShape shape, nint dx, nint dy, nint positions)
        where S : ISimd<V, float>
        where V : unmanaged
    {
        long size = (long)shape.Height * shape.Width * LaneLayout<float>.Lanes;
        long count = (long)shape.OutHeight * shape.OutWidth * LaneLayout<float>.Lanes;
        WholeWindows<float> whole = new(shape);
        for (int plane = 0; plane < shape.Planes; plane++)
        {
            MaximumLoop<S, V, float>.Put(
                shape,
                whole,
                (float*)dx + (plane * size),
                (float*)dy + (plane * count),
                (float*)positions + (plane * count)
            );
        }
    }

    private enum Kind
    {
        Average,
        AverageBackward,
    }

    private static void Run(ElementType type, Kind kind, PoolingShape shape, nint y, nint x)
    {
        switch (type)
        {
            case ElementType.Float32:
                Run<float>(kind, shape, y, x);
                break;
            case ElementType.Float64:
                Run<double>(kind, shape, y, x);
                break;
            default:
                throw new NotSupportedException($"Pooling does not exist for {type}.");
        }
    }

    private static void Max<T>(PoolingShape shape, nint values, nint positions, nint x, bool rectified)
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            Max<Simd512<T>, Vector512<T>, T>(shape, values, positions, x, rectified);
        }
        else if (CpuFeatures.Has256)
        {
            Max<Simd256<T>, Vector256<T>, T>(shape, values, positions, x, rectified);
        }
        else
        {
            Max<Simd128<T>, Vector128<T>, T>(shape, values, positions, x, rectified);
        }
    }

    private static void Max<S, V, T>(PoolingShape shape, nint values, nint positions, nint x, bool rectified)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        long size = (long)shape.Height * shape.Width * LaneLayout<T>.Lanes;
        long count = (long)shape.OutHeight * shape.OutWidth * LaneLayout<T>.Lanes;

        // Positions are found with as many bits as the elements have.
        bool narrow = positions != 0 && sizeof(T) != sizeof(int);
        WholeWindows<T> whole = new(shape);
        nint wide = narrow ? Workspace.Get(Workspace.Purpose.LaneResults, count * sizeof(T)) : 0;
        for (int plane = 0; plane < shape.Planes; plane++)
        {
            T* largest = values == 0 ? null : (T*)values + (plane * count);
            int* places = positions == 0 ? null : (int*)positions + (plane * count);
            MaximumLoop<S, V, T>.Find(shape, whole, (T*)x + (plane * size), largest, narrow ? (T*)wide : (T*)places, rectified);
            for (long i = 0; narrow && i < count; i++)
            {
                places[i] = (int)((long*)wide)[i];
            }
        }
    }

    private static void Run<T>(Kind kind, PoolingShape shape, nint y, nint x)
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            Run<Simd512<T>, Vector512<T>, T>(kind, shape, y, x);
        }
        else if (CpuFeatures.Has256)
        {
            Run<Simd256<T>, Vector256<T>, T>(kind, shape, y, x);
        }
        else
        {
            Run<Simd128<T>, Vector128<T>, T>(kind, shape, y, x);
        }
    }

    private static void Run<S, V, T>(Kind kind, PoolingShape shape, nint y, nint x)
        where S : ISimd<V, T>
        where V : unmanaged
        where T : unmanaged
    {
        const int bytes = LaneLayout<T>.Bytes;
        long size = (long)shape.Height * shape.Width;
        long count = (long)shape.OutHeight * shape.OutWidth;
        for (int plane = 0; plane < shape.Planes; plane++)
        {
            byte* large = (byte*)(kind == Kind.AverageBackward ? y : x) + (plane * size * bytes);
            byte* small = (byte*)(kind == Kind.AverageBackward ? x : y) + (plane * count * bytes);
            switch (kind)
            {
                case Kind.Average:
                    PoolingLoop<S, V, T>.Means(shape, (T*)large, (T*)small);
                    break;
                default:
                    PoolingLoop<S, V, T>.Spread(shape, (T*)small, (T*)large);
                    break;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Take<T>(int planes, int fromSize, int intoSize, T* y, T* x, int* positions)
        where T : unmanaged
    {
        int lanes = LaneLayout<T>.Lanes;
        for (int plane = 0; plane < planes; plane++)
        {
            for (int i = 0; i < intoSize; i++)
            {
                for (int lane = 0; lane < lanes; lane++)
                {
                    y[lane] = x[((long)positions[lane] * lanes) + lane];
                }

                y += lanes;
                positions += lanes;
            }

            x += (long)fromSize * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Put<T>(int planes, int fromSize, int intoSize, T* y, T* g, int* positions)
        where T : unmanaged, IAdditionOperators<T, T, T>
    {
        int lanes = LaneLayout<T>.Lanes;
        for (int plane = 0; plane < planes; plane++)
        {
            LaneLayout<T>.Clear((nint)y, (long)intoSize * LaneLayout<T>.Bytes);
            for (int i = 0; i < fromSize; i++)
            {
                for (int lane = 0; lane < lanes; lane++)
                {
                    if (positions[lane] >= 0)
                    {
                        y[((long)positions[lane] * lanes) + lane] += g[lane];
                    }
                }

                g += lanes;
                positions += lanes;
            }

            y += (long)intoSize * lanes;
        }
    }
}
