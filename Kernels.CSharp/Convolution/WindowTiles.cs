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

    private static readonly nint[] Correlations = new nint[9 * 4];
    private static readonly nint[] Weights = new nint[5 * 6];

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

    /// <summary>The loop for 1 to <see cref="Outputs"/> outputs at 1 to <see cref="Places"/> places.</summary>
    public static delegate* <CorrelationTile*, void> Correlation(int outputs, int places) =>
        (delegate* <CorrelationTile*, void>)Correlations[(outputs * 4) + places];

    /// <summary>The loop for 1 to <see cref="Filters"/> filters and 1 to <see cref="Taps"/> taps.</summary>
    public static delegate* <WeightTile*, void> Weight(int filters, int taps) => (delegate* <WeightTile*, void>)Weights[(filters * 6) + taps];

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
