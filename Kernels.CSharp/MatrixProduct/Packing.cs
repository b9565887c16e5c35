using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <summary>Copies blocks of the operands into the order in which the tiles read them.</summary>
internal static unsafe class Packing<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>How many values of k ahead is asked for: long rows lie on other pages, where the processor does not look ahead by itself.</summary>
    private const int Ahead = 8;

    /// <summary>
    /// Packs <paramref name="columns"/> columns of op(B) for <paramref name="depth"/> values of k: target[k, j], with rows of
    /// <paramref name="width"/> elements (whole vectors). The columns beyond hold numbers that do not matter: they are written so that chance cannot put
    /// subnormal numbers there, which are slow.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strip(T* source, long rowStep, long columnStep, T* target, int depth, int columns, int width)
    {
        if (columnStep != 1)
        {
            Transposed(source, rowStep, columnStep, target, depth, columns, width, width);
            return;
        }

        for (int k = 0; k < depth; k++)
        {
            for (int j = 0; j < width; j += S.Count)
            {
                Prefetch.Line(source + (Ahead * rowStep) + j);
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
            Transposed(source, columnStep, rowStep, target, depth, rows, rows, rows);
            return;
        }

        for (int k = 0; k < depth; k++)
        {
            for (int i = 0; i < rows; i += S.Count)
            {
                Prefetch.Line(source + (Ahead * columnStep) + i);
                int lanes = Math.Min(S.Count, rows - i);
                S.StorePart(target + i, S.LoadPart(source + i, lanes, S.Zero), lanes);
            }

            source += columnStep;
            target += rows;
        }
    }

    /// <summary>Transposes rows of a few elements: target[j * targetStep + i] = source[i * sourceStep + j] for i below rows and j below columns.</summary>
    public static void Turn(T* source, long sourceStep, T* target, long targetStep, int rows, int columns) =>
        Transposed(source, 1, sourceStep, target, columns, rows, rows, targetStep);

    /// <summary>target[k * step + j] = source[j * columnStep + k * rowStep]: for operands whose k axis is the contiguous one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transposed(T* source, long rowStep, long columnStep, T* target, int depth, int columns, int width, long step)
    {
        if (rowStep != 1 || depth < 8 || columns < Vector128<T>.Count)
        {
            Elements(source, rowStep, columnStep, target, depth, columns, step);
            for (int k = 0; columns < width && k < depth; k++)
            {
                new Span<T>(target + (k * step) + columns, width - columns).Clear();
            }
        }
        else if (columns >= S.Count)
        {
            Blocks<S, V>(source, columnStep, target, depth, columns, width, step);
        }
        else if (columns >= Vector256<T>.Count && CpuFeatures.Has256)
        {
            Blocks<Simd256<T>, Vector256<T>>(source, columnStep, target, depth, columns, width, step);
        }
        else
        {
            Blocks<Simd128<T>, Vector128<T>>(source, columnStep, target, depth, columns, width, step);
        }
    }

    /// <summary>
    /// By blocks of eight values of k and a register of columns; the last blocks overlap those before. Columns beyond repeat the last block, as
    /// clearing a few elements at a time costs more than storing registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks<SB, VB>(T* source, long columnStep, T* target, int depth, int columns, int width, long step)
        where SB : ISimd<VB, T>
        where VB : unmanaged
    {
        for (int block = 0; block < columns; block += SB.Count)
        {
            int j = Math.Min(block, columns - SB.Count);
            T* from = source + (j * columnStep);
            for (int next = 0; next < depth; next += 8)
            {
                int k = Math.Min(next, depth - 8);
                T* to = target + (k * step) + j;
                FourColumns<SB, VB, T>.LoadEight(from + k, columnStep, out FourColumns<SB, VB, T> four, out FourColumns<SB, VB, T> others);
                for (int beyond = width - SB.Count; beyond > columns - SB.Count && j == columns - SB.Count; beyond -= SB.Count)
                {
                    four.Store(to + beyond - j, step);
                    others.Store(to + beyond - j + (4 * step), step);
                }

                four.Store(to, step);
                others.Store(to + (4 * step), step);
            }
        }
    }

    /// <summary>One by one: few of them, or none that follow each other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Elements(T* source, long rowStep, long columnStep, T* target, int depth, int columns, long step)
    {
        for (int k = 0; k < depth; k++)
        {
            T* element = source;
            for (int j = 0; j < columns; j++)
            {
                target[j] = *element;
                element += columnStep;
            }

            source += rowStep;
            target += step;
        }
    }
}
