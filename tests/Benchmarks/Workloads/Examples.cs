using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>Inputs and targets in memory, float32 and int32.</summary>
/// <param name="Inputs">The examples, <c>[count, ...]</c>.</param>
/// <param name="Targets">Their classes, <c>[count]</c>, or rows of targets.</param>
internal sealed record Examples(Tensor Inputs, Tensor Targets)
{
    /// <summary>How many there are.</summary>
    internal int Count => Inputs.Shape[0];

    /// <summary>Loads or makes the examples.</summary>
    /// <exception cref="DataException">MNIST is not found, or damaged.</exception>
    internal static Examples Load(DataSpec spec) =>
        spec.Source switch
        {
            DataSource.Mnist => Images(Datasets.Mnist(DatasetPart.Train), spec.Example),
            DataSource.MnistTest => Images(Datasets.Mnist(DatasetPart.Test), spec.Example),
            DataSource.Digits => Digits(spec.Example),
            _ => Noise(spec.Example, spec.Count),
        };

    /// <summary>The folder that MNIST is read from.</summary>
    /// <exception cref="BenchmarkException">It is not found.</exception>
    internal static string MnistFolder()
    {
        var lookup = Datasets.Find(KnownDataset.Mnist, DatasetPart.Train, DataEnvironment.OfThisProcess());
        return lookup.Found
            ? Path.GetDirectoryName(Path.GetFullPath(lookup.Files[0]))!
            : throw new BenchmarkException(lookup.Message, ExitCodes.Missing);
    }

    private static Examples Images(ImageDataset data, int[] example)
    {
        var pixels = Tensor.From<byte>(data.Images.AsSpan(), Shape.Of([data.Count, .. example])).To(ElementType.Float32) / data.PixelMaximum;
        return new(pixels.Eval(), Classes(data));
    }

    private static Examples Digits(int[] example)
    {
        var all = Images(Datasets.Digits().SplitInOrder(Datasets.DigitsTrainCount).Train, example);
        return new(all.Inputs, all.Targets.OneHot(10).Eval());
    }

    private static Examples Noise(int[] example, int count)
    {
        var random = new Random(1);
        var classes = Enumerable.Range(0, count).Select(_ => random.Next(10)).ToArray();
        return new(new Generator(1).Uniform(0, 1, Shape.Of([count, .. example])).Eval(), Tensor.From(classes, Shape.Of(count)));
    }

    private static Tensor Classes(ImageDataset data) => Tensor.From(data.Labels.Select(label => (int)label).ToArray(), Shape.Of(data.Count));
}
