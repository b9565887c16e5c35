using System.Runtime.CompilerServices;

namespace Hybrid.Kernels;

/// <summary>The compiled tiles for one register width and element type.</summary>
internal static unsafe class WindowTiles<S, V, T>
    where S : ISimd<V, T>
    where V : unmanaged
    where T : unmanaged
{
    /// <summary>Places of a full tile of a correlation.</summary>
    public const int Places = 3;

    /// <summary>Taps of a full tile of a weight gradient.</summary>
    public const int Taps = 5;

    /// <summary>Outputs of a full tile of a correlation: 24 accumulators of 32 registers at 512 bits, else 12 of 16.</summary>
    public static readonly int Outputs = sizeof(V) == 64 ? 8 : 4;

    /// <summary>Filters of a full tile of a weight gradient: 20 accumulators of 32 registers at 512 bits, else 10 of 16.</summary>
    public static readonly int Filters = sizeof(V) == 64 ? 4 : 2;

    private static readonly nint[] Correlations = GC.AllocateArray<nint>(9 * 4, pinned: true);
    private static readonly nint[] Weights = GC.AllocateArray<nint>(5 * 6, pinned: true);

    static WindowTiles()
    {
        AddCorrelations<Size1>();
        AddCorrelations<Size2>();
        AddCorrelations<Size3>();
        AddCorrelations<Size4>();
        AddCorrelations<Size5>();
        AddCorrelations<Size6>();
        AddCorrelations<Size7>();
        AddCorrelations<Size8>();
        AddWeights<Size1>();
        AddWeights<Size2>();
        AddWeights<Size3>();
        AddWeights<Size4>();
    }

    /// <summary>
    /// The loops for 1 to <see cref="Outputs"/> outputs, by the number of places, 1 to <see cref="Places"/>: a <c>delegate*&lt;CorrelationTile*, void></c> each.
    /// </summary>
    public static nint* Correlation(int outputs) => (nint*)Unsafe.AsPointer(ref Correlations[outputs * 4]);

    /// <summary>The loops for 1 to <see cref="Filters"/> filters, by the number of taps, 1 to <see cref="Taps"/>: a <c>delegate*&lt;WeightTile*, void></c> each.</summary>
    public static nint* Weight(int filters) => (nint*)Unsafe.AsPointer(ref Weights[filters * 6]);

    private static void AddCorrelations<R>()
        where R : unmanaged, ISize
    {
        Correlations[(sizeof(R) * 4) + 1] = (nint)(delegate* <CorrelationTile*, void>)&CorrelationLoop<S, V, T, R, Size1>.Run;
        Correlations[(sizeof(R) * 4) + 2] = (nint)(delegate* <CorrelationTile*, void>)&CorrelationLoop<S, V, T, R, Size2>.Run;
        Correlations[(sizeof(R) * 4) + 3] = (nint)(delegate* <CorrelationTile*, void>)&CorrelationLoop<S, V, T, R, Size3>.Run;
    }

    private static void AddWeights<R>()
        where R : unmanaged, ISize
    {
        Weights[(sizeof(R) * 6) + 1] = (nint)(delegate* <WeightTile*, void>)&WeightLoop<S, V, T, R, Size1>.Run;
        Weights[(sizeof(R) * 6) + 2] = (nint)(delegate* <WeightTile*, void>)&WeightLoop<S, V, T, R, Size2>.Run;
        Weights[(sizeof(R) * 6) + 3] = (nint)(delegate* <WeightTile*, void>)&WeightLoop<S, V, T, R, Size3>.Run;
        Weights[(sizeof(R) * 6) + 4] = (nint)(delegate* <WeightTile*, void>)&WeightLoop<S, V, T, R, Size4>.Run;
        Weights[(sizeof(R) * 6) + 5] = (nint)(delegate* <WeightTile*, void>)&WeightLoop<S, V, T, R, Size5>.Run;
    }
}
