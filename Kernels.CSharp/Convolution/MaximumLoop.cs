using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>
/// The largest elements under windows, and the way back, for a block of planes with a lane for each (see <see cref="LaneLayout{T}"/>): the first of equal
/// ones, the first NaN if there is any. A window with nothing but padding gives the element at position 0. Four windows beside each other are searched at a
/// time where none has padding beside it, so that their comparisons need not wait for each other; there positions are counted from a window's first
/// element, the same constants for all.
/// </summary>
internal static unsafe class MaximumLoop<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    private static int Lanes => LaneLayout<T>.Lanes;

    /// <summary>
    /// The largest elements, and where they stand, as integers of the elements' size; either may be null. If a rectifier has been there, those that are zero or
    /// below stand nowhere, at -1.
    /// </summary>
    public static void Find(PoolingShape shape, in WholeWindows<T> whole, T* source, T* values, T* positions, bool rectified)
    {
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            Results results = new() { Values = values == null ? null : values + lane, Positions = positions == null ? null : positions + lane };
            if (positions == null)
            {
                Search<Element>(shape, whole, source + lane, results);
            }
            else if (rectified)
            {
                Search<RectifiedPlace>(shape, whole, source + lane, results);
            }
            else
            {
                Search<Place>(shape, whole, source + lane, results);
            }
        }
    }

    /// <summary>
    /// The transpose of taking the elements that were found under windows that do not overlap, each with some element: each gradient at its position,
    /// zeros elsewhere.
    /// </summary>
    public static void Put(PoolingShape shape, in WholeWindows<T> whole, T* target, T* gradients, T* positions)
    {
        if (shape.OutHeight * shape.StrideHeight != shape.Height || shape.OutWidth * shape.StrideWidth != shape.Width || !Touch(shape))
        {
            LaneLayout<T>.Clear((nint)target, (long)shape.Height * shape.Width * LaneLayout<T>.Bytes);
        }

        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            PutLanes(shape, whole, target + lane, gradients + lane, positions + lane);
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
    private static void Search<R>(PoolingShape s, WholeWindows<T> whole, T* source, Results results)
        where R : IResult
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; )
            {
                WindowSpan columns = WindowSpan.Column(s, column);
                if (whole.At(rows, column))
                {
                    LargestOfFour<R>(s, rows, columns, whole, source, results);
                    results.Skip(WholeWindows<T>.Together);
                    column += WholeWindows<T>.Together;
                    continue;
                }

                if (rows.Count > 0 && columns.Count > 0)
                {
                    Largest<R>(s, rows, columns, source, results);
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

    /// <summary>Searches a whole window and the three after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LargestOfFour<R>(
        in PoolingShape s,
        WindowSpan rows,
        WindowSpan columns,
        in WholeWindows<T> whole,
        T* source,
        in Results results
    )
        where R : IResult
    {
        long first = ((long)rows.First * s.Width) + columns.First;
        long next = s.StrideWidth;
        int count = rows.Count * columns.Count;
        T* x = source + (first * Lanes);
        nint step = (nint)next * Lanes;
        (V best0, V best1, V best2, V best3) = (S.Load(x), S.Load(x + step), S.Load(x + (2 * step)), S.Load(x + (3 * step)));
        (V place0, V place1, V place2, V place3) = (S.Zero, S.Zero, S.Zero, S.Zero);
        for (int i = 1; i < count; i++)
        {
            T* other = x + whole.Offsets[i];
            V place = R.IsPlace ? S.Broadcast(whole.Places[i]) : default;
            Challenge<R>(S.Load(other), place, ref best0, ref place0);
            Challenge<R>(S.Load(other + step), place, ref best1, ref place1);
            Challenge<R>(S.Load(other + (2 * step)), place, ref best2, ref place2);
            Challenge<R>(S.Load(other + (3 * step)), place, ref best3, ref place3);
        }

        results.Store<R>(0, best0, S.BitsAdd(place0, S.ConstBits(first)));
        results.Store<R>(1, best1, S.BitsAdd(place1, S.ConstBits(first + next)));
        results.Store<R>(2, best2, S.BitsAdd(place2, S.ConstBits(first + (2 * next))));
        results.Store<R>(3, best3, S.BitsAdd(place3, S.ConstBits(first + (3 * next))));
    }

    /// <summary>Searches what a window covers of the image.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Largest<R>(in PoolingShape s, WindowSpan rows, WindowSpan columns, T* source, in Results results)
        where R : IResult
    {
        long first = ((long)rows.First * s.Width) + columns.First;
        V best = S.Load(source + (first * Lanes));
        V place = S.ConstBits(first);
        for (int i = 0; i < rows.Count; i++)
        {
            // The very first element is the best already.
            for (int j = i == 0 ? 1 : 0; j < columns.Count; j++)
            {
                long at = first + ((long)i * s.DilationHeight * s.Width) + ((long)j * s.DilationWidth);
                Challenge<R>(S.Load(source + (at * Lanes)), S.ConstBits(at), ref best, ref place);
            }
        }

        results.Store<R>(0, best, place);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Challenge<R>(V x, V at, ref V best, ref V place)
        where R : IResult
    {
        // Larger, or the first NaN: not below or equal to a best that is a number.
        V wins = S.AndNot(S.Equal(best, best), S.LessEqual(x, best));
        best = S.Select(wins, x, best);
        place = R.IsPlace ? S.Select(wins, at, place) : place;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutLanes(PoolingShape s, WholeWindows<T> whole, T* target, T* gradients, T* positions)
    {
        for (int row = 0; row < s.OutHeight; row++)
        {
            WindowSpan rows = WindowSpan.Row(s, row);
            for (int column = 0; column < s.OutWidth; )
            {
                WindowSpan columns = WindowSpan.Column(s, column);
                int windows = 1;
                if (whole.At(rows, column))
                {
                    PutFour(s, rows, columns, whole, target, gradients, positions);
                    windows = WholeWindows<T>.Together;
                }
                else
                {
                    PutOne(s, rows, columns, target, gradients, positions);
                }

                column += windows;
                gradients += windows * Lanes;
                positions += windows * Lanes;
            }
        }
    }

    /// <summary>Writes under a whole window and the three after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutFour(
        in PoolingShape s,
        WindowSpan rows,
        WindowSpan columns,
        in WholeWindows<T> whole,
        T* target,
        T* gradients,
        T* positions
    )
    {
        long first = ((long)rows.First * s.Width) + columns.First;
        long next = s.StrideWidth;
        int count = rows.Count * columns.Count;
        T* y = target + (first * Lanes);
        nint step = (nint)next * Lanes;
        (V gradient0, V gradient1, V gradient2, V gradient3) = (
            Gradient(gradients),
            Gradient(gradients + Lanes),
            Gradient(gradients + (2 * Lanes)),
            Gradient(gradients + (3 * Lanes))
        );
        V place0 = S.BitsSub(S.Load(positions), S.ConstBits(first));
        V place1 = S.BitsSub(S.Load(positions + Lanes), S.ConstBits(first + next));
        V place2 = S.BitsSub(S.Load(positions + (2 * Lanes)), S.ConstBits(first + (2 * next)));
        V place3 = S.BitsSub(S.Load(positions + (3 * Lanes)), S.ConstBits(first + (3 * next)));
        for (int i = 0; i < count; i++)
        {
            T* element = y + whole.Offsets[i];
            V place = S.Broadcast(whole.Places[i]);
            S.Store(element, S.Select(S.BitsEqual(place0, place), gradient0, S.Zero));
            Prefetch.BeyondWrite(element);
            S.Store(element + step, S.Select(S.BitsEqual(place1, place), gradient1, S.Zero));
            Prefetch.BeyondWrite(element + step);
            S.Store(element + (2 * step), S.Select(S.BitsEqual(place2, place), gradient2, S.Zero));
            Prefetch.BeyondWrite(element + (2 * step));
            S.Store(element + (3 * step), S.Select(S.BitsEqual(place3, place), gradient3, S.Zero));
            Prefetch.BeyondWrite(element + (3 * step));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutOne(in PoolingShape s, WindowSpan rows, WindowSpan columns, T* target, T* gradients, T* positions)
    {
        V gradient = Gradient(gradients);
        V place = S.Load(positions);
        for (int i = 0; i < rows.Count; i++)
        {
            for (int j = 0; j < columns.Count; j++)
            {
                long at = ((rows.First + ((long)i * s.DilationHeight)) * s.Width) + columns.First + ((long)j * s.DilationWidth);
                S.Store(target + (at * Lanes), S.Select(S.BitsEqual(place, S.ConstBits(at)), gradient, S.Zero));
            }
        }
    }

    /// <summary>The sum of zero and a gradient, as where several meet: -0 becomes 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gradient(T* gradients) => S.Add(S.Zero, S.Load(gradients));

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
                Prefetch.BeyondWrite(Values + (window * Lanes));
            }

            if (R.IsPlace)
            {
                position = R.IsRectified ? S.Select(S.LessEqual(value, S.Zero), S.ConstBits(-1), position) : position;
                S.Store(Positions + (window * Lanes), position);
                Prefetch.BeyondWrite(Positions + (window * Lanes));
            }
        }

        public void Skip(int windows)
        {
            Values = Values == null ? null : Values + (windows * Lanes);
            Positions = Positions == null ? null : Positions + (windows * Lanes);
        }
    }

    /// <summary>Whether positions are searched for, and are -1 for what a rectifier holds back.</summary>
    private interface IResult
    {
        static abstract bool IsPlace { get; }
        static abstract bool IsRectified { get; }
    }

    private readonly struct Place : IResult
    {
        public static bool IsPlace => true;
        public static bool IsRectified => false;
    }

    private readonly struct RectifiedPlace : IResult
    {
        public static bool IsPlace => true;
        public static bool IsRectified => true;
    }

    private readonly struct Element : IResult
    {
        public static bool IsPlace => false;
        public static bool IsRectified => false;
    }
}
