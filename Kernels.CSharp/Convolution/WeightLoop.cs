using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>One tile of a weight gradient: some filters and up to five taps, over some rows of places. Steps are in bytes.</summary>
internal unsafe struct WeightTile
{
    /// <summary>The first filter's gradient at the first place.</summary>
    public nint Gradients;

    /// <summary>From a filter to the next.</summary>
    public long GradientPlaneStep;

    /// <summary>From a place to the next; rows have no gaps.</summary>
    public long GradientStep;

    /// <summary>The image under the first place's window.</summary>
    public nint Source;
    public long SourceStep;
    public long SourceRowStep;

    /// <summary>Where the taps stand from there on.</summary>
    public long* Offsets;
    public int Rows;
    public int Columns;

    /// <summary>The sums of each lane, [filters, taps, lanes], which the tile goes on with.</summary>
    public nint Sums;
    public long SumsRowStep;
    public long SumsStep;
}

/// <summary>
/// Goes on with the sums of gradient times image over places in order, for <typeparamref name="R"/> filters (1 to 4) and
/// <typeparamref name="N"/> taps (1 to 5); a lane for each image.
/// </summary>
internal static unsafe class WeightLoop<S, V, T, R, N>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
    where R : unmanaged, ISize
    where N : unmanaged, ISize
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(WeightTile* tile)
    {
        V c0a = First(tile, 0, 0);
        V c0b = First(tile, 0, 1);
        V c0c = First(tile, 0, 2);
        V c0d = First(tile, 0, 3);
        V c0e = First(tile, 0, 4);
        V c1a = First(tile, 1, 0);
        V c1b = First(tile, 1, 1);
        V c1c = First(tile, 1, 2);
        V c1d = First(tile, 1, 3);
        V c1e = First(tile, 1, 4);
        V c2a = First(tile, 2, 0);
        V c2b = First(tile, 2, 1);
        V c2c = First(tile, 2, 2);
        V c2d = First(tile, 2, 3);
        V c2e = First(tile, 2, 4);
        V c3a = First(tile, 3, 0);
        V c3b = First(tile, 3, 1);
        V c3c = First(tile, 3, 2);
        V c3d = First(tile, 3, 3);
        V c3e = First(tile, 3, 4);
        byte* g0 = (byte*)tile->Gradients;
        byte* g1 = g0 + tile->GradientPlaneStep;
        byte* g2 = g1 + tile->GradientPlaneStep;
        byte* g3 = g2 + tile->GradientPlaneStep;
        byte* row = (byte*)tile->Source;
        long sourceStep = tile->SourceStep;
        long gradientStep = tile->GradientStep;
        long* offsets = tile->Offsets;
        for (int i = 0; i < tile->Rows; i++)
        {
            byte* xa = row + offsets[0];
            byte* xb = sizeof(N) > 1 ? row + offsets[1] : row;
            byte* xc = sizeof(N) > 2 ? row + offsets[2] : row;
            byte* xd = sizeof(N) > 3 ? row + offsets[3] : row;
            byte* xe = sizeof(N) > 4 ? row + offsets[4] : row;
            long at = 0;
            for (int j = tile->Columns; j > 0; j--)
            {
                V p = S.Load((T*)g0);
                V q = sizeof(R) > 1 ? S.Load((T*)g1) : S.Zero;
                V r = sizeof(R) > 2 ? S.Load((T*)g2) : S.Zero;
                V s = sizeof(R) > 3 ? S.Load((T*)g3) : S.Zero;
                V x = S.Load((T*)(xa + at));
                c0a = S.Fma(x, p, c0a);
                c1a = sizeof(R) > 1 ? S.Fma(x, q, c1a) : c1a;
                c2a = sizeof(R) > 2 ? S.Fma(x, r, c2a) : c2a;
                c3a = sizeof(R) > 3 ? S.Fma(x, s, c3a) : c3a;

                if (sizeof(N) > 1)
                {
                    x = S.Load((T*)(xb + at));
                    c0b = S.Fma(x, p, c0b);
                    c1b = sizeof(R) > 1 ? S.Fma(x, q, c1b) : c1b;
                    c2b = sizeof(R) > 2 ? S.Fma(x, r, c2b) : c2b;
                    c3b = sizeof(R) > 3 ? S.Fma(x, s, c3b) : c3b;
                }

                if (sizeof(N) > 2)
                {
                    x = S.Load((T*)(xc + at));
                    c0c = S.Fma(x, p, c0c);
                    c1c = sizeof(R) > 1 ? S.Fma(x, q, c1c) : c1c;
                    c2c = sizeof(R) > 2 ? S.Fma(x, r, c2c) : c2c;
                    c3c = sizeof(R) > 3 ? S.Fma(x, s, c3c) : c3c;
                }

                if (sizeof(N) > 3)
                {
                    x = S.Load((T*)(xd + at));
                    c0d = S.Fma(x, p, c0d);
                    c1d = sizeof(R) > 1 ? S.Fma(x, q, c1d) : c1d;
                    c2d = sizeof(R) > 2 ? S.Fma(x, r, c2d) : c2d;
                    c3d = sizeof(R) > 3 ? S.Fma(x, s, c3d) : c3d;
                }

                if (sizeof(N) > 4)
                {
                    x = S.Load((T*)(xe + at));
                    c0e = S.Fma(x, p, c0e);
                    c1e = sizeof(R) > 1 ? S.Fma(x, q, c1e) : c1e;
                    c2e = sizeof(R) > 2 ? S.Fma(x, r, c2e) : c2e;
                    c3e = sizeof(R) > 3 ? S.Fma(x, s, c3e) : c3e;
                }

                at += sourceStep;
                g0 += gradientStep;
                g1 += gradientStep;
                g2 += gradientStep;
                g3 += gradientStep;
            }

            row += tile->SourceRowStep;
        }

        Last(tile, 0, 0, c0a);
        Last(tile, 0, 1, c0b);
        Last(tile, 0, 2, c0c);
        Last(tile, 0, 3, c0d);
        Last(tile, 0, 4, c0e);
        Last(tile, 1, 0, c1a);
        Last(tile, 1, 1, c1b);
        Last(tile, 1, 2, c1c);
        Last(tile, 1, 3, c1d);
        Last(tile, 1, 4, c1e);
        Last(tile, 2, 0, c2a);
        Last(tile, 2, 1, c2b);
        Last(tile, 2, 2, c2c);
        Last(tile, 2, 3, c2d);
        Last(tile, 2, 4, c2e);
        Last(tile, 3, 0, c3a);
        Last(tile, 3, 1, c3b);
        Last(tile, 3, 2, c3c);
        Last(tile, 3, 3, c3d);
        Last(tile, 3, 4, c3e);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V First(WeightTile* tile, int row, int tap) => row < sizeof(R) && tap < sizeof(N) ? S.Load(Sum(tile, row, tap)) : S.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Last(WeightTile* tile, int row, int tap, V sum)
    {
        if (row < sizeof(R) && tap < sizeof(N))
        {
            S.Store(Sum(tile, row, tap), sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T* Sum(WeightTile* tile, int row, int tap) => (T*)(tile->Sums + (nint)((row * tile->SumsRowStep) + (tap * tile->SumsStep)));
}
