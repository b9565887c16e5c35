using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// The affine map <c>y = x W' + b</c>, from <c>[.., inputs]</c> to <c>[.., outputs]</c>; with <c>bias: false</c> the linear one.
/// </summary>
/// <remarks>
/// Weight and bias start uniform in ±1/sqrt(inputs), as those of PyTorch's <c>nn.Linear</c> do. The numbers are drawn in float64 and rounded:
/// the same seed gives the same layer in both precisions, up to that rounding.
/// </remarks>
public sealed class Linear : Module
{
    /// <summary>Makes a layer with random parameters.</summary>
    /// <param name="inputs">The length of the input's last axis, at least 1.</param>
    /// <param name="outputs">The length of the result's last axis, at least 1.</param>
    /// <param name="bias">Whether there is a bias; true by default.</param>
    /// <param name="seed">Where the numbers come from: a number, or a generator shared by several layers; by default no two layers are alike.</param>
    /// <param name="type">Float32, the default, or float64.</param>
    /// <exception cref="ShapeException">A size is below 1.</exception>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Linear(int inputs, int outputs, bool bias = true, Generator? seed = null, ElementType type = ElementType.Float32)
    {
        if (inputs < 1 || outputs < 1)
        {
            var got = $"{Text.Number(inputs)} and {Text.Number(outputs)}";
            throw new ShapeException("Linear", "at least 1 input and 1 output", got, "", "Sizes are those of the last axis.");
        }
        seed ??= new Generator();
        var bound = 1 / Math.Sqrt(inputs);
        Weight = new Cell("weight", seed.Uniform(-bound, bound, Shape.Of(outputs, inputs), type));
        Bias = bias ? new Cell("bias", seed.Uniform(-bound, bound, Shape.Of(outputs), type)) : null;
    }

    /// <summary>The weight W, <c>[outputs, inputs]</c>.</summary>
    public Cell Weight { get; }

    /// <summary>The bias b, <c>[outputs]</c>; null if there is none.</summary>
    public Cell? Bias { get; }

    /// <summary>The length of the input's last axis.</summary>
    public int Inputs => Weight.Shape[1];

    /// <summary>The length of the result's last axis.</summary>
    public int Outputs => Weight.Shape[0];

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        if (x.Rank == 0 || x.Shape[x.Rank - 1] != Inputs)
        {
            var advice = $"The layer maps the last axis, from {Inputs} to {Outputs}.";
            throw new ShapeException("Linear", $"an input of shape [.., {Inputs}]", x.Shape.ToString(), Current.Path, advice);
        }
        if (x.DType != Weight.DType)
        {
            var advice = "Types never mix silently: convert the input with To, or the model with Clone.";
            throw new ElementTypeException("Linear", Text.Name(Weight.DType), Text.Name(x.DType), Current.Path, advice);
        }
        var y = x.MatMul(Weight.Value.Transpose());
        return Bias is null ? y : y + Bias.Value;
    }

    /// <summary>By hand: delta W for the input, delta' x for the weight, and the column sums of delta for the bias.</summary>
    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null];
        var rows = AsRows(delta, Outputs);
        Accumulate(Weight, rows.Transpose().MatMul(AsRows(call.Inputs[0], Inputs)));
        if (Bias is not null)
            Accumulate(Bias, rows.Sum(0));
        return [delta.MatMul(call.ParameterValues[0])];
    }

    // A matrix of rows of the last axis.
    private static Tensor AsRows(Tensor x, int length) => x.Rank == 2 ? x : x.Reshape((int)(x.Size / length), length);
}
