using System.Collections.Immutable;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>One layer of a <see cref="ModelSummary"/>, as often as it is entered.</summary>
/// <param name="Path">The layer path, such as <c>net/0:Linear</c>.</param>
/// <param name="OutputShape">The shape of its first result for a batch of one example.</param>
/// <param name="Parameters">How many numbers its parameters have; 0 where a layer is entered again, as they were counted already.</param>
/// <param name="MultiplyAdds">How many products its matrix products and convolutions sum up, for one example.</param>
public sealed record LayerSummary(string Path, Shape OutputShape, long Parameters, long MultiplyAdds);

/// <summary>What a model is made of: layers with output shapes, parameters and multiply-adds. Nothing is computed.</summary>
public sealed class ModelSummary
{
    private ModelSummary(ImmutableArray<LayerSummary> layers, Shape input, long parameters, long trainable, long multiplyAdds) =>
        (Layers, InputShape, Parameters, TrainableParameters, MultiplyAdds) = (layers, input, parameters, trainable, multiplyAdds);

    /// <summary>The layers that hold no other layer, or hold parameters themselves, in the order in which they are left.</summary>
    public ImmutableArray<LayerSummary> Layers { get; }

    /// <summary>The shape of one example that goes in, without the batch.</summary>
    public Shape InputShape { get; }

    /// <summary>How many numbers the parameters have, shared ones once.</summary>
    public long Parameters { get; }

    /// <summary>How many of them are not frozen.</summary>
    public long TrainableParameters { get; }

    /// <summary>How many products the matrix products and convolutions of a forward pass sum up, for one example.</summary>
    public long MultiplyAdds { get; }

    /// <summary>Describes a model.</summary>
    /// <param name="model">The model, of one input.</param>
    /// <param name="inputShape">The shape of one example, without the batch: <c>1, 28, 28</c>.</param>
    /// <exception cref="ShapeException">The shape does not fit the model; the error has the layer path.</exception>
    public static ModelSummary Of(Module model, params int[] inputShape)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputShape);
        using var noGrad = Mode.NoGrad();
        using var evaluation = Mode.Evaluation();
        var parameters = model.Parameters();
        var type = parameters.FirstOrDefault()?.DType ?? ElementType.Float32;
        var counted = new HashSet<Cell>(ReferenceEqualityComparer.Instance);
        var layers = ImmutableArray.CreateBuilder<LayerSummary>();
        Tensor[] results = [];
        Module.Watched(
            (module, call) =>
            {
                results = [.. call.Outputs];
                var own = ModuleStructure.Parameters(module, own: true);
                if (own.Count > 0 || module.Children().Count == 0)
                {
                    var adds = Graph.MultiplyAdds([.. call.Outputs]) - Graph.MultiplyAdds([.. call.Inputs]);
                    layers.Add(new(call.Path, call.Outputs[0].Shape, own.Where(counted.Add).Sum(cell => cell.Shape.Size), adds));
                }
            },
            () => model.Forward(Tensor.Zeros(Shape.Of([1, .. inputShape]), type))
        );
        return new(
            layers.ToImmutable(),
            Shape.Of(inputShape),
            parameters.Sum(cell => cell.Shape.Size),
            parameters.Where(cell => cell.Trainable).Sum(cell => cell.Shape.Size),
            Graph.MultiplyAdds(results)
        );
    }

    /// <summary>The table, a line for each layer and one for the sums.</summary>
    public override string ToString()
    {
        var rows = Layers
            .Select(layer => new[] { layer.Path, Batch(layer.OutputShape), Grouped(layer.Parameters), Grouped(layer.MultiplyAdds) })
            .Prepend(["input", Batch(Shape.Of([1, .. InputShape.ToArray()])), "", ""])
            .Prepend(["layer", "output", "parameters", "multiply-adds"])
            .Append(["total", "", Grouped(Parameters), Grouped(MultiplyAdds)])
            .ToArray();
        var widths = Enumerable.Range(0, 4).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var lines = rows.Select(row =>
            $"{row[0].PadRight(widths[0])}  {row[1].PadRight(widths[1])}  {row[2].PadLeft(widths[2])}  {row[3].PadLeft(widths[3])}"
        );
        var frozen = Parameters - TrainableParameters;
        return string.Join("\n", frozen == 0 ? lines : lines.Append($"{Grouped(frozen)} of the parameters are frozen"));
    }

    private static string Batch(Shape shape) =>
        shape.Rank == 0 ? "[]" : $"[{string.Join(", ", shape.ToArray().Skip(1).Select(Plain).Prepend("batch"))}]";

    private static string Plain(int length) => Text.Number(length);

    private static string Grouped(long number) => number.ToString("N0", System.Globalization.CultureInfo.InvariantCulture);
}
