using Hybrid.Core;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>The arithmetic that a step's definition asks for; products of ours may go without terms that are zero.</summary>
internal static class Arithmetic
{
    /// <summary>
    /// Floating-point operations of a step's products and convolutions, two for each multiply-add; the rest is left out. A training step has three products where
    /// inference has one (values, gradients of the weights and of the input), but that nobody asks for the gradient of the network's input.
    /// </summary>
    internal static double Operations(Workload workload, Examples examples)
    {
        var net = workload.Model(new Generator(0));
        var result = net.Forward(examples.Inputs.Slice(0, 0, workload.Batch ?? examples.Count));
        double[] forward = [.. Tape.Of(result).Calls.Select(Forward).Where(operations => operations > 0)];
        return workload.Trains ? (3 * forward.Sum()) - forward[0] : forward.Sum();
    }

    // A layer's weights are [out, ...]: each element of the result is a sum of as many terms as a row of them has.
    private static double Forward(Call call) =>
        call.Parameters.FirstOrDefault(parameter => parameter.Shape.Rank > 1) is { } weights
            ? 2.0 * call.Outputs[0].Shape.Size * (weights.Shape.Size / weights.Shape[0])
            : 0;
}
