using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers.Tests.Checking;

/// <summary>A hand-written affine layer whose backward can be broken in one place.</summary>
internal sealed class HandLinear(int inputs, int outputs, ElementType type = ElementType.Float64) : Module
{
    public Cell Weight { get; } = new("weight", new Generator(1).Normal(0, 1, Shape.Of(inputs, outputs), type));

    public Cell Bias { get; } = new("bias", new Generator(2).Normal(0, 1, Shape.Of(outputs), type));

    public Func<Tensor, Tensor, Tensor> WeightRule { get; set; } = (x, delta) => x.Transpose().MatMul(delta);

    public Func<Tensor, Tensor> BiasRule { get; set; } = delta => delta.Sum(0);

    public Func<Tensor, Tensor, Tensor> InputRule { get; set; } = (w, delta) => delta.MatMul(w.Transpose());

    public override Tensor BackwardDelta(Tensor input, Tensor delta) => InputRule(Weight.Value, delta);

    public override void BackwardUpdateGradient(Tensor input, Tensor delta)
    {
        Accumulate(Weight, WeightRule(input, delta));
        Accumulate(Bias, BiasRule(delta));
    }

    protected override Tensor Compute(Tensor x) => x.MatMul(Weight.Value) + Bias.Value;
}

/// <summary>A sigmoid that remembers its last result and uses it in the backward, whatever the input is: right once, and then stale.</summary>
internal sealed class StaleSigmoid : Module
{
    private Tensor? last;

    protected override Tensor Compute(Tensor x)
    {
        var y = x.Sigmoid();
        last ??= y;
        return y;
    }

    protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => [deltas[0] is { } delta ? delta * last! * (1.0 - last!) : null];
}

/// <summary>One affine map applied twice, whose gradient is counted once or twice.</summary>
internal sealed class Shared(bool twice) : Module
{
    public Cell Weight { get; } = new("weight", new Generator(3).Normal(0, 1, Shape.Of(3, 3), ElementType.Float64));

    protected override Tensor Compute(Tensor x) => x.MatMul(Weight.Value).MatMul(Weight.Value);

    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        var (x, delta, w) = (call.Inputs[0], deltas[0]!, Weight.Value);
        var hidden = delta.MatMul(w.Transpose());
        Accumulate(Weight, x.MatMul(w).Transpose().MatMul(delta));
        if (twice)
            Accumulate(Weight, x.Transpose().MatMul(hidden));
        return [hidden.MatMul(w.Transpose())];
    }
}

/// <summary>A layer with a parameter that it never uses.</summary>
internal sealed class Forgetful : Module
{
    public Cell Used { get; } = new("used", new Generator(4).Normal(0, 1, Shape.Of(3), ElementType.Float64));

    public Cell Unused { get; } = new("unused", new Generator(5).Normal(0, 1, Shape.Of(3), ElementType.Float64));

    protected override Tensor Compute(Tensor x) => x * Used.Value;
}

/// <summary>A layer whose backward is written with loops over arrays, outside of the graph.</summary>
internal sealed class LoopTanh : Module
{
    protected override Tensor Compute(Tensor x) => x.Tanh();

    protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        var (y, delta) = (call.Outputs[0].ToDoubles(), deltas[0]!.ToDoubles());
        var result = new double[y.Length];
        for (var i = 0; i < y.Length; i++)
            result[i] = delta[i] * (1 - (y[i] * y[i]));
        return [Tensor.From<double>(result, call.Inputs[0].Shape)];
    }
}

/// <summary>A layer that counts its forward passes in a buffer, as batch norm keeps its statistics.</summary>
internal sealed class Counting : Module
{
    public Cell Count { get; } = new("count", Tensor.Scalar(0, ElementType.Float64), trainable: false);

    protected override Tensor Compute(Tensor x)
    {
        Count.Set(Count.Value.To(ElementType.Float64) + 1.0);
        return x * 2.0;
    }

    protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => [deltas[0]! * 2.0];
}
