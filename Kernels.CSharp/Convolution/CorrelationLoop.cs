using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>One tile of a <see cref="Correlation"/>: some outputs at up to three neighbouring places. Steps are in bytes.</summary>
internal struct CorrelationTile
{
    /// <summary>The first place in the packed source.</summary>
    public nint Source;

    /// <summary>From a place to the next.</summary>
    public long SourceStep;

    /// <summary>The first output at the first place.</summary>
    public nint Target;
    public long TargetStep;

    /// <summary>From an output to the next.</summary>
    public long TargetPlaneStep;

    /// <summary>Where each tap's factor stands, from the place on.</summary>
    public nint Offsets;

    /// <summary>The outputs' weights, tap by tap.</summary>
    public nint Weights;

    /// <summary>A number to add to each output at last; -0 changes nothing.</summary>
    public nint Bias;

    /// <summary>Whether results are rectified.</summary>
    public bool Rectify;

    /// <summary>The taps are [planes, rows, columns], of which these rows and columns are used.</summary>
    public int Planes;
    public int PlaneTaps;
    public int RowTaps;
    public int FirstRow;
    public int Rows;
    public int FirstColumn;
    public int Columns;
}

/// <summary>
/// Sums of products over taps for <typeparamref name="R"/> outputs (1 to 8) at <typeparamref name="N"/> places (1 to 3), a register of
/// images each. Every sum is one chain of fused multiply-adds over the taps in order, from zero on.
/// </summary>
internal static unsafe class CorrelationLoop<S, V, T, R, N>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where R : unmanaged, ISize
    where N : unmanaged, ISize
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(CorrelationTile* tile)
    {
        V c0a = S.Zero;
        V c0b = S.Zero;
        V c0c = S.Zero;
        V c1a = S.Zero;
        V c1b = S.Zero;
        V c1c = S.Zero;
        V c2a = S.Zero;
        V c2b = S.Zero;
        V c2c = S.Zero;
        V c3a = S.Zero;
        V c3b = S.Zero;
        V c3c = S.Zero;
        V c4a = S.Zero;
        V c4b = S.Zero;
        V c4c = S.Zero;
        V c5a = S.Zero;
        V c5b = S.Zero;
        V c5c = S.Zero;
        V c6a = S.Zero;
        V c6b = S.Zero;
        V c6c = S.Zero;
        V c7a = S.Zero;
        V c7b = S.Zero;
        V c7c = S.Zero;
        byte* xa = (byte*)tile->Source;
        byte* xb = xa + tile->SourceStep;
        byte* xc = xb + tile->SourceStep;
        int rows = tile->Rows;
        int columns = tile->Columns;
        if (columns == tile->RowTaps)
        {
            // Whole rows follow one another.
            columns *= rows;
            rows = columns == 0 ? 0 : 1;
        }

        // Steps to the next row of the window and to the next plane, in taps.
        long rowStep = tile->RowTaps;
        long planeStep = tile->PlaneTaps - (rows * rowStep);
        long first = (tile->FirstRow * rowStep) + tile->FirstColumn;
        long* start = (long*)tile->Offsets + first;
        T* weights = (T*)tile->Weights + (first * sizeof(R));
        for (int plane = tile->Planes; plane > 0; plane--)
        {
            for (int row = rows; row > 0; row--)
            {
                long* end = start + columns;
                for (long* offset = start; offset < end; offset++)
                {
                    long at = *offset;
                    V a = S.Load((T*)(xa + at));
                    V b = sizeof(N) > 1 ? S.Load((T*)(xb + at)) : S.Zero;
                    V c = sizeof(N) > 2 ? S.Load((T*)(xc + at)) : S.Zero;
                    V w = S.Broadcast(weights[0]);
                    c0a = S.Fma(a, w, c0a);
                    c0b = sizeof(N) > 1 ? S.Fma(b, w, c0b) : c0b;
                    c0c = sizeof(N) > 2 ? S.Fma(c, w, c0c) : c0c;

                    if (sizeof(R) > 1)
                    {
                        w = S.Broadcast(weights[1]);
                        c1a = S.Fma(a, w, c1a);
                        c1b = sizeof(N) > 1 ? S.Fma(b, w, c1b) : c1b;
                        c1c = sizeof(N) > 2 ? S.Fma(c, w, c1c) : c1c;
                    }

                    if (sizeof(R) > 2)
                    {
                        w = S.Broadcast(weights[2]);
                        c2a = S.Fma(a, w, c2a);
                        c2b = sizeof(N) > 1 ? S.Fma(b, w, c2b) : c2b;
                        c2c = sizeof(N) > 2 ? S.Fma(c, w, c2c) : c2c;
                    }

                    if (sizeof(R) > 3)
                    {
                        w = S.Broadcast(weights[3]);
                        c3a = S.Fma(a, w, c3a);
                        c3b = sizeof(N) > 1 ? S.Fma(b, w, c3b) : c3b;
                        c3c = sizeof(N) > 2 ? S.Fma(c, w, c3c) : c3c;
                    }

                    if (sizeof(R) > 4)
                    {
                        w = S.Broadcast(weights[4]);
                        c4a = S.Fma(a, w, c4a);
                        c4b = sizeof(N) > 1 ? S.Fma(b, w, c4b) : c4b;
                        c4c = sizeof(N) > 2 ? S.Fma(c, w, c4c) : c4c;
                    }

                    if (sizeof(R) > 5)
                    {
                        w = S.Broadcast(weights[5]);
                        c5a = S.Fma(a, w, c5a);
                        c5b = sizeof(N) > 1 ? S.Fma(b, w, c5b) : c5b;
                        c5c = sizeof(N) > 2 ? S.Fma(c, w, c5c) : c5c;
                    }

                    if (sizeof(R) > 6)
                    {
                        w = S.Broadcast(weights[6]);
                        c6a = S.Fma(a, w, c6a);
                        c6b = sizeof(N) > 1 ? S.Fma(b, w, c6b) : c6b;
                        c6c = sizeof(N) > 2 ? S.Fma(c, w, c6c) : c6c;
                    }

                    if (sizeof(R) > 7)
                    {
                        w = S.Broadcast(weights[7]);
                        c7a = S.Fma(a, w, c7a);
                        c7b = sizeof(N) > 1 ? S.Fma(b, w, c7b) : c7b;
                        c7c = sizeof(N) > 2 ? S.Fma(c, w, c7c) : c7c;
                    }

                    weights += sizeof(R);
                }

                start += rowStep;
                weights += (rowStep - columns) * sizeof(R);
            }

            start += planeStep;
            weights += planeStep * sizeof(R);
        }

        Results to = new((byte*)tile->Target, tile->TargetStep, tile->TargetPlaneStep, (T*)tile->Bias);
        if (tile->Rectify)
        {
            Store(to, 0, true, c0a, c0b, c0c);
            Store(to, 1, true, c1a, c1b, c1c);
            Store(to, 2, true, c2a, c2b, c2c);
            Store(to, 3, true, c3a, c3b, c3c);
            Store(to, 4, true, c4a, c4b, c4c);
            Store(to, 5, true, c5a, c5b, c5c);
            Store(to, 6, true, c6a, c6b, c6c);
            Store(to, 7, true, c7a, c7b, c7c);
        }
        else
        {
            Store(to, 0, false, c0a, c0b, c0c);
            Store(to, 1, false, c1a, c1b, c1c);
            Store(to, 2, false, c2a, c2b, c2c);
            Store(to, 3, false, c3a, c3b, c3c);
            Store(to, 4, false, c4a, c4b, c4c);
            Store(to, 5, false, c5a, c5b, c5c);
            Store(to, 6, false, c6a, c6b, c6c);
            Store(to, 7, false, c7a, c7b, c7c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in Results to, int output, [ConstantExpected] bool rectify, V a, V b, V c)
    {
        if (output >= sizeof(R))
        {
            return;
        }

        V bias = S.Broadcast(to.Bias[output]);
        byte* target = to.First + (output * to.PlaneStep);
        Store(target, rectify, S.Add(a, bias));
        if (sizeof(N) > 1)
        {
            Store(target + to.Step, rectify, S.Add(b, bias));
        }

        if (sizeof(N) > 2)
        {
            Store(target + (2 * to.Step), rectify, S.Add(c, bias));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(byte* target, [ConstantExpected] bool rectify, V sum) =>
        S.Store((T*)target, rectify ? ReluFunction<T>.Invoke<S, V>(sum) : sum);

    /// <summary>What a tile says of its results, in registers: storing through one pointer makes the compiler read all others again.</summary>
    private readonly struct Results(byte* first, long step, long planeStep, T* bias)
    {
        public readonly byte* First = first;
        public readonly long Step = step;
        public readonly long PlaneStep = planeStep;
        public readonly T* Bias = bias;
    }
}
