using Hybrid.Core;

namespace Hybrid.Layers.Tests.Support;

/// <summary>
/// The gradients of <c>sum(module(x) * c)</c> with respect to x and every parameter, each way in a graph of its own, and by central differences.
/// </summary>
internal static class GradientWays
{
    /// <summary>Names of what is differentiated by: the input, and the parameters.</summary>
    public static string[] Names(Module module) => ["input", .. module.NamedParameters().Select(named => named.Name)];

    /// <summary>By a sweep, automatic or manual.</summary>
    public static double[][] BySweep(Module module, Tensor x, Tensor cotangent, bool manual)
    {
        var input = new Cell("input", x.Detach());
        module.ZeroGrad();
        var loss = (module.Forward(input.Value) * cotangent).Sum();
        if (manual)
            loss.BackwardManual();
        else
            loss.Backward();
        return [Of(input), .. module.Parameters().Select(Of)];
    }

    /// <summary>By the one-input methods of the manual contract.</summary>
    public static double[][] ByHand(Module module, Tensor x, Tensor cotangent, bool forwardFirst = true)
    {
        module.ZeroGrad();
        if (forwardFirst)
            module.Forward(x);
        module.BackwardUpdateGradient(x, cotangent);
        var delta = module.BackwardDelta(x, cotangent);
        return [delta.ToDoubles(), .. module.Parameters().Select(Of)];
    }

    /// <summary>By central differences in float64.</summary>
    public static double[][] ByDifferences(Module module, Tensor x, Tensor cotangent, double h = 1e-6)
    {
        var input = new Cell("input", x.Detach());
        return [.. new[] { input }.Concat(module.Parameters()).Select(cell => Differences(cell, Value, h))];

        double Value()
        {
            using var _ = Mode.NoGrad();
            return (module.Forward(input.Value) * cotangent).Sum().Item();
        }
    }

    /// <summary>Central differences of a function by the elements of a cell.</summary>
    public static double[] Differences(Cell cell, Func<double> value, double h)
    {
        var at = cell.Value.ToArray<double>();
        var slopes = new double[at.Length];
        for (var i = 0; i < at.Length; i++)
        {
            slopes[i] = (Moved(i, h) - Moved(i, -h)) / (2 * h);
        }
        cell.Set(Tensor.From<double>(at, cell.Shape));
        return slopes;

        double Moved(int i, double by)
        {
            var moved = (double[])at.Clone();
            moved[i] += by;
            cell.Set(Tensor.From<double>(moved, cell.Shape));
            return value();
        }
    }

    private static double[] Of(Cell cell) => cell.Grad?.ToDoubles() ?? new double[cell.Shape.Size];
}
