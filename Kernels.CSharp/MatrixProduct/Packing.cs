using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>Copies blocks of the operands into the order in which the tiles read them.</summary>
internal static unsafe class Packing<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>
    /// Packs <paramref name="columns"/> columns of op(B) for <paramref name="depth"/> values of k: target[k, j], with rows of
    /// <paramref name="width"/> elements (whole vectors), the columns beyond filled with zeros.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strip(T* source, long rowStep, long columnStep, T* target, int depth, int columns, int width)
    {
        if (columnStep != 1)
        {
            Transposed(source, rowStep, columnStep, target, depth, columns, width);
            return;
        }

        for (int k = 0; k < depth; k++)
        {
            for (int j = 0; j < width; j += S.Count)
            {
                int lanes = columns - j;
                S.Store(target + j, lanes >= S.Count ? S.Load(source + j) : S.LoadPart(source + j, Math.Max(lanes, 0), S.Zero));
            }

            source += rowStep;
            target += width;
        }
    }

    /// <summary>Packs rows of op(A): target[k, i], with rows of exactly <paramref name="rows"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows(T* source, long rowStep, long columnStep, T* target, int depth, int rows)
    {
        if (rowStep != 1)
        {
            Transposed(source, columnStep, rowStep, target, depth, rows, rows);
            return;
        }

        for (int k = 0; k < depth; k++)
        {
            for (int i = 0; i < rows; i += S.Count)
            {
                int lanes = Math.Min(S.Count, rows - i);
                S.StorePart(target + i, S.LoadPart(source + i, lanes, S.Zero), lanes);
            }

            source += columnStep;
            target += rows;
        }
    }

    /// <summary>target[k, j] = source[j * columnStep + k * rowStep]: for operands whose k axis is the contiguous one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transposed(T* source, long rowStep, long columnStep, T* target, int depth, int columns, int width)
    {
        int side = Transposition<T>.Side;
        int wholeDepth = rowStep == 1 ? depth / side * side : 0;
        int wholeColumns = wholeDepth > 0 ? columns / side * side : 0;
        for (int j = 0; j < wholeColumns; j += 2 * side)
        {
            // Two squares write whole cache lines.
            bool two = j + side < wholeColumns;
            for (int k = 0; k < wholeDepth; k += side)
            {
                T* from = source + (j * columnStep) + k;
                T* to = target + ((long)k * width) + j;
                Transposition<T>.Square(from, columnStep, to, width);
                if (two)
                {
                    Transposition<T>.Square(from + (side * columnStep), columnStep, to + side, width);
                }
            }
        }

        Elements(source, rowStep, columnStep, target, 0, wholeDepth, wholeColumns, columns, width);
        Elements(source, rowStep, columnStep, target, wholeDepth, depth, 0, columns, width);
        for (int k = 0; columns < width && k < depth; k++)
        {
            new Span<T>(target + ((long)k * width) + columns, width - columns).Clear();
        }
    }

    /// <summary>What is left of <see cref="Transposed"/> outside of whole squares.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Elements(T* source, long rowStep, long columnStep, T* target, int from, int to, int first, int columns, int width)
    {
        for (int k = from; k < to; k++)
        {
            for (int j = first; j < columns; j++)
            {
                target[((long)k * width) + j] = source[(j * columnStep) + (k * rowStep)];
            }
        }
    }
}
