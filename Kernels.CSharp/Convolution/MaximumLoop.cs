using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// The largest elements under windows, and the way back, for a block of planes with a lane for each (see <see cref="LaneLayout{T}"/>): the first of equal
/// ones, the first NaN if there is any. A window with nothing but padding gives the element at position 0. Four windows beside each other are searched at a
/// time where none reaches into the padding, so that their comparisons need not wait for each other.
/// </summary>
internal static unsafe class MaximumLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private static int Lanes => LaneLayout<T>.Lanes;

    /// <summary>The largest elements, and where they stand, as integers of the elements' size; either may be null.</summary>
    public static void Find(PoolingShape shape, T* source, T* values, T* positions)
    {
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Results results = new() { Values = values == null ? null : values + lane, Positions = positions == null ? null : positions + lane };
            if (positions == null)
            {
                Search<Element>(shape, source + lane, results);
            }
            else
            {
                Search<Place>(shape, source + lane, results);
            }
        }
    }

    /// <summary>
    /// The transpose of taking the elements that were found under windows that do not overlap, each with some element: each gradient at its position,
    /// zeros elsewhere.
    /// </summary>
    public static void Put(PoolingShape shape, T* target, T* gradients, T* positions)
    {
        if (shape.OutHeight * shape.StrideHeight != shape.Height || shape.OutWidth * shape.StrideWidth != shape.Width || !Touch(shape))
        {
            LaneLayout<T>.Clear((nint)target, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        }

        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            PutLanes(shape, target + lane, gradients + lane, positions + lane);
        }
    }

    // Windows without gaps in between or inside.
    private static bool Touch(PoolingShape s) =>
        s.StrideHeight == s.KernelHeight
        && s.StrideWidth == s.KernelWidth
        && s is { PadTop: 0, PadLeft: 0 }
        && (s.DilationHeight == 1 || s.KernelHeight == 1)
        && (s.DilationWidth == 1 || s.KernelWidth == 1);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Search<R>(PoolingShape s, T* source, Results results)
        where R : IResult
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; )
            {
                WindowSpan columns = WindowSpan.Column(s, column);
                if (rows.Count > 0 && IsWhole(s, columns, column))
                {
                    Largest<R, Size4>(s, rows, columns, source, results);
                    results.Skip(4);
                    column += 4;
                    continue;
                }

                if (rows.Count > 0 && columns.Count > 0)
                {
                    Largest<R, Size1>(s, rows, columns, source, results);
                }
                else
                {
                    results.Store<R>(0, S.Load(source), S.ConstBits(0));
                }

                results.Skip(1);
                column++;
            }
        }
    }

    /// <summary>Whether this window and the three after it have no padding to their left or right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWhole(in PoolingShape s, WindowSpan columns, int column) =>
        columns.Count == s.KernelWidth && column + 4 <= s.OutWidth && WindowSpan.Column(s, column + 3).Count == s.KernelWidth;

    /// <summary>Searches one window, or as many beside each other as N tells.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Largest<R, N>(in PoolingShape s, WindowSpan rows, WindowSpan columns, T* source, in Results results)
        where R : IResult
        where N : unmanaged, ISize
    {
        long first = ((long)rows.First * s.Width) + columns.First;
        long next = s.StrideWidth;
        nint step = (nint)next * Lanes;
        long dilation = s.DilationWidth;
        int width = columns.Count;
        T* x = source + (first * Lanes);
        V best0 = S.Load(x);
        V best1 = sizeof(N) > 1 ? S.Load(x + step) : default;
        V best2 = sizeof(N) > 1 ? S.Load(x + (2 * step)) : default;
        V best3 = sizeof(N) > 1 ? S.Load(x + (3 * step)) : default;
        V place0 = S.ConstBits(first);
        V place1 = S.ConstBits(first + next);
        V place2 = S.ConstBits(first + (2 * next));
        V place3 = S.ConstBits(first + (3 * next));
        for (int i = 0; i < rows.Count; i++)
        {
            // The very first element is the best already.
            int skipped = i == 0 ? 1 : 0;
            long at = first + ((long)i * s.DilationHeight * s.Width) + (skipped * s.DilationWidth);
            for (int j = skipped; j < width; j++)
            {
                x = source + (at * Lanes);
                Challenge<R>(x, at, ref best0, ref place0);
                if (sizeof(N) > 1)
                {
                    Challenge<R>(x + step, at + next, ref best1, ref place1);
                    Challenge<R>(x + (2 * step), at + (2 * next), ref best2, ref place2);
                    Challenge<R>(x + (3 * step), at + (3 * next), ref best3, ref place3);
                }

                at += dilation;
            }
        }

        results.Store<R>(0, best0, place0);
        if (sizeof(N) > 1)
        {
            results.Store<R>(1, best1, place1);
            results.Store<R>(2, best2, place2);
            results.Store<R>(3, best3, place3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Challenge<R>(T* element, long at, ref V best, ref V place)
        where R : IResult
    {
        V x = S.Load(element);

        // Larger, or the first NaN: not below or equal to a best that is a number.
        V wins = S.AndNot(S.Equal(best, best), S.LessEqual(x, best));
        best = S.Select(wins, x, best);
        place = R.IsPlace ? S.Select(wins, S.ConstBits(at), place) : place;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutLanes(PoolingShape s, T* target, T* gradients, T* positions)
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; )
            {
                WindowSpan columns = WindowSpan.Column(s, column);
                int windows = IsWhole(s, columns, column) ? 4 : 1;
                if (windows == 4)
                {
                    Put<Size4>(s, rows, columns, target, gradients, positions);
                }
                else
                {
                    Put<Size1>(s, rows, columns, target, gradients, positions);
                }

                column += windows;
                gradients += windows * Lanes;
                positions += windows * Lanes;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<N>(in PoolingShape s, WindowSpan rows, WindowSpan columns, T* target, T* gradients, T* positions)
        where N : unmanaged, ISize
    {
        long next = s.StrideWidth;
        nint step = (nint)next * Lanes;
        long dilation = s.DilationWidth;
        int width = columns.Count;
        V gradient0 = Gradient<Size1>(gradients, 0);
        V gradient1 = Gradient<N>(gradients, 1);
        V gradient2 = Gradient<N>(gradients, 2);
        V gradient3 = Gradient<N>(gradients, 3);
        V place0 = S.Load(positions);
        V place1 = sizeof(N) > 1 ? S.Load(positions + Lanes) : default;
        V place2 = sizeof(N) > 1 ? S.Load(positions + (2 * Lanes)) : default;
        V place3 = sizeof(N) > 1 ? S.Load(positions + (3 * Lanes)) : default;
        for (int i = 0; i < rows.Count; i++)
        {
            long at = ((rows.First + ((long)i * s.DilationHeight)) * s.Width) + columns.First;
            for (int j = 0; j < width; j++)
            {
                T* y = target + (at * Lanes);
                S.Store(y, S.Select(S.BitsEqual(place0, S.ConstBits(at)), gradient0, S.Zero));
                if (sizeof(N) > 1)
                {
                    S.Store(y + step, S.Select(S.BitsEqual(place1, S.ConstBits(at + next)), gradient1, S.Zero));
                    S.Store(y + (2 * step), S.Select(S.BitsEqual(place2, S.ConstBits(at + (2 * next))), gradient2, S.Zero));
                    S.Store(y + (3 * step), S.Select(S.BitsEqual(place3, S.ConstBits(at + (3 * next))), gradient3, S.Zero));
                }

                at += dilation;
            }
        }
    }

    /// <summary>The sum of zero and a gradient, as where several meet: -0 becomes 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gradient<N>(T* gradients, int window)
        where N : unmanaged, ISize => window < sizeof(N) ? S.Add(S.Zero, S.Load(gradients + (window * Lanes))) : default;

    /// <summary>Where results go; values may be left out, and positions go only where they are searched for.</summary>
    private struct Results
    {
        public T* Values;
        public T* Positions;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store<R>(int window, V value, V position)
            where R : IResult
        {
            if (!R.IsPlace || Values != null)
            {
                S.Store(Values + (window * Lanes), value);
            }

            if (R.IsPlace)
            {
                S.Store(Positions + (window * Lanes), position);
            }
        }

        public void Skip(int windows)
        {
            Values = Values == null ? null : Values + (windows * Lanes);
            Positions = Positions == null ? null : Positions + (windows * Lanes);
        }
    }

    /// <summary>Whether positions are searched for.</summary>
    private interface IResult
    {
        static abstract bool IsPlace { get; }
    }

    private readonly struct Place : IResult
    {
        public static bool IsPlace => true;
    }

    private readonly struct Element : IResult
    {
        public static bool IsPlace => false;
    }
}
