using Hybrid.Core;
using Hybrid.Layers.Tests.Support;

namespace Hybrid.Layers.Tests.Losses;

/// <summary>Targets and predictions to try a loss on, and its values per example by a scalar formula.</summary>
internal sealed record LossCase(string Name, Type Loss, Tensor Y, Tensor Yhat, Func<double[], double[], int, double> Example)
{
    private static readonly int[] Labels = [2, 0, 1, 2];

    /// <summary>Cases of every loss of the library, found by reflection; one without cases is an error.</summary>
    public static IEnumerable<LossCase> All()
    {
        var known = Cases().ToArray();
        var losses = typeof(Loss).Assembly.GetExportedTypes().Where(type => !type.IsAbstract && typeof(Loss).IsAssignableFrom(type));
        foreach (var loss in losses)
        {
            if (!known.Any(c => c.Loss == loss))
                throw new InvalidOperationException($"{loss.Name} needs cases in LossCase");
        }
        return known;
    }

    public static IEnumerable<object[]> Names() => All().Select(c => new object[] { c.Name });

    public static LossCase Called(string name) => All().Single(c => c.Name == name);

    public Loss Make(Reduction reduction = Reduction.Mean) => (Loss)Activator.CreateInstance(Loss, reduction)!;

    private static IEnumerable<LossCase> Cases()
    {
        yield return Mse("mse, vector", 4);
        yield return Mse("mse, matrix", 4, 3);
        yield return Mse("mse, images", 2, 1, 3, 2);
        yield return Bce("bce, vector", 4);
        yield return Bce("bce, matrix", 4, 3);
        var scores = Numbers.Normal(3, 4, 3);
        yield return new("cross-entropy, int32 labels", typeof(CrossEntropyLoss), Tensor.From(Labels), scores, (y, s, i) => Nll(s, i, (int)y[i]));
        yield return new(
            "cross-entropy, uint8 labels",
            typeof(CrossEntropyLoss),
            Tensor.From(Array.ConvertAll(Labels, label => (byte)label)),
            scores,
            (y, s, i) => Nll(s, i, (int)y[i])
        );
        yield return Rows("cross-entropy, one-hot", Tensor.From(Labels).OneHot(3, Kernels.ElementType.Float64), scores);
        yield return Rows("cross-entropy, integer one-hot", Tensor.From(Labels).OneHot(3).To(Kernels.ElementType.Int32), scores);
        yield return Rows("cross-entropy, probabilities", Numbers.Normal(4, 4, 3).Softmax(-1), scores);
        yield return Rows("cross-entropy, rows that do not sum to one", Numbers.Uniform(5, 0, 2, 4, 3), scores);
        yield return new("nll", typeof(NLLLoss), Tensor.From(Labels), scores.LogSoftmax(-1), (y, s, i) => -s[(3 * i) + (int)y[i]]);
    }

    private static LossCase Mse(string name, params int[] shape) =>
        new(
            name,
            typeof(MSELoss),
            Numbers.Normal(1, shape),
            Numbers.Normal(2, shape),
            (y, p, i) => Sum(y, shape[0], i, j => Math.Pow(p[j] - y[j], 2))
        );

    private static LossCase Bce(string name, params int[] shape) =>
        new(
            name,
            typeof(BCELoss),
            Numbers.Uniform(1, 0, 1, shape),
            Numbers.Uniform(2, 0.05, 0.95, shape),
            (y, p, i) => Sum(y, shape[0], i, j => -(y[j] * Math.Log(p[j])) - ((1 - y[j]) * Math.Log(1 - p[j])))
        );

    private static LossCase Rows(string name, Tensor y, Tensor scores) =>
        new(name, typeof(CrossEntropyLoss), y, scores, (t, s, i) => Enumerable.Range(0, 3).Sum(c => t[(3 * i) + c] * Nll(s, i, c)));

    private static double Nll(double[] scores, int row, int label)
    {
        var total = Enumerable.Range(0, 3).Sum(c => Math.Exp(scores[(3 * row) + c]));
        return Math.Log(total) - scores[(3 * row) + label];
    }

    private static double Sum(double[] y, int batch, int row, Func<int, double> element)
    {
        var each = y.Length / batch;
        return Enumerable.Range(row * each, each).Sum(element);
    }
}
