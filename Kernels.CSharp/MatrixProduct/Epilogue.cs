using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>What a product does to finished sums: bias, rectifier and gate.</summary>
internal static unsafe class Epilogue<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>
    /// Adds the bias to finished sums, rectifies and gates them, while they are in the nearest cache, and writes them to C, where they may stand already.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(in Product p, T* sums, long sumStep, T* c, int rows, int firstColumn, int columns)
    {
        // What is stored might be the product itself, for all that the compiler knows: it would read it again each time.
        T* bias = p.Bias == 0 ? null : (T*)p.Bias + firstColumn;
        T* gates = p.Gate == 0 ? null : (T*)((nint)c + p.Gate);
        long step = p.RowStepC;
        bool rectify = p.Rectify;
        for (int row = 0; row < rows; row++)
        {
            int column = 0;
            for (; column <= columns - S.Count; column += S.Count)
            {
                V sum = S.Load(sums + column);
                sum = bias == null ? sum : S.Add(sum, S.Load(bias + column));
                sum = rectify ? ReluFunction<T>.Invoke<S, V>(sum) : sum;
                S.Store(c + column, gates == null ? sum : Passed(sum, S.Load(gates + column)));
            }

            if (column < columns)
            {
                int lanes = columns - column;
                V sum = S.LoadPart(sums + column, lanes, S.Zero);
                sum = bias == null ? sum : S.Add(sum, S.LoadPart(bias + column, lanes, S.Zero));
                sum = rectify ? ReluFunction<T>.Invoke<S, V>(sum) : sum;
                sum = gates == null ? sum : Passed(sum, S.LoadPart(gates + column, lanes, S.Zero));
                S.StorePart(c + column, sum, lanes);
            }

            sums += sumStep;
            c += step;
            gates = gates == null ? null : gates + step;
        }
    }

    /// <summary>Adds the bias to finished sums [columns, rows], which are contiguous, and rectifies them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FinishColumns(in Product p, T* sums, int firstColumn, int columns)
    {
        for (int column = firstColumn; column < firstColumn + columns && p.HasEpilogue; column++)
        {
            V bias = p.Bias == 0 ? S.Const(-0.0) : S.Broadcast(((T*)p.Bias)[column]);
            for (int row = 0; row < p.M; row += S.Count)
            {
                int lanes = Math.Min(S.Count, p.M - row);
                V sum = S.Add(S.LoadPart(sums + row, lanes, S.Zero), bias);
                S.StorePart(sums + row, p.Rectify ? ReluFunction<T>.Invoke<S, V>(sum) : sum, lanes);
            }

            sums += p.M;
        }
    }

    /// <summary>What a gate lets pass: 0 where it is zero or below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Passed(V sum, V gate) => S.Select(S.LessEqual(gate, S.Zero), S.Zero, sum);
}
