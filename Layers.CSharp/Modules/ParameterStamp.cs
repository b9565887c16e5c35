using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>Parameters and their versions at one moment. It holds no value and no graph.</summary>
/// <param name="parameters">The parameters.</param>
internal readonly struct ParameterStamp(List<Cell> parameters)
{
    /// <summary>What changes whenever one of them is written.</summary>
    public long Versions { get; } = Sum(parameters);

    /// <summary>Whether none of them was written since.</summary>
    public bool IsOfNow => Versions == Sum(parameters);

    // Writes only ever add to versions, so their sum changes whenever one does.
    private static long Sum(List<Cell> parameters)
    {
        long sum = 0;
        foreach (var parameter in parameters)
            sum += parameter.Version;
        return sum;
    }
}
