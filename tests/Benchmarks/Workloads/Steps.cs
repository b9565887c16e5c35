using Hybrid.Core;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>
/// Our steps. A training step gathers a batch by shuffled index, computes forward and loss, clears gradients, sweeps back and updates; a
/// step of inference computes one batch. Shuffling is part of the time, as in any loop; evaluation is part of the step.
/// </summary>
internal static class Steps
{
    /// <summary>The tape with derived rules, the tape with the layers' own rules, and the whole step as one compiled function.</summary>
    internal static IReadOnlyList<string> Paths { get; } = ["automatic", "manual", "compiled"];

    /// <summary>Makes a network and returns what does one step on it.</summary>
    internal static Action Create(Workload workload, string path, Examples examples)
    {
        var net = workload.Model(new Generator(0));
        return workload.Trains ? Training(workload, path, examples, net) : Inference(workload, path, examples, net);
    }

    private static Action Training(Workload workload, string path, Examples examples, Module net)
    {
        var (loss, optimizer) = (workload.Loss!, workload.Optimizer!(net.Parameters()));
        var indices = workload.Batch is { } batch ? Batches(examples.Count, batch) : null;
        if (path == "compiled")
        {
            var function = new CompiledFunction(arguments =>
            {
                var value = Value(arguments.Length > 0 ? arguments[0] : null);
                value.Backward();
                optimizer.Step();
                optimizer.ZeroGrad(); // At the end: a gradient that is left would be an output.
                return [value];
            });
            return indices is null ? () => function.Invoke() : () => function.Invoke(Next(indices));
        }
        return () =>
        {
            var value = Value(indices is null ? null : Next(indices));
            optimizer.ZeroGrad();
            if (path == "manual")
                value.BackwardManual();
            else
                value.Backward();
            optimizer.Step();
        };

        Tensor Value(Tensor? index)
        {
            var x = index is null ? examples.Inputs : examples.Inputs.Gather(index);
            if (workload.TargetIsInput)
                return loss.Of(input: net.Forward(x), target: x);
            return loss.Of(input: net.Forward(x), target: index is null ? examples.Targets : examples.Targets.Gather(index));
        }
    }

    private static Action Inference(Workload workload, string path, Examples examples, Module net)
    {
        // The peer has its batches cut beforehand as well.
        var batch = workload.Batch ?? examples.Count;
        var inputs = new Tensor[examples.Count / batch];
        for (var i = 0; i < inputs.Length; i++)
            inputs[i] = examples.Inputs.Slice(0, i * batch, (i + 1) * batch).Eval();
        var function = path == "compiled" ? new CompiledFunction(arguments => [net.Forward(arguments[0])]) : null;
        var next = 0;
        return () =>
        {
            using var recording = Mode.NoGrad();
            var x = inputs[next];
            next = (next + 1) % inputs.Length;
            if (function is null)
                net.Forward(x).Eval();
            else
                function.Invoke(x);
        };
    }

    private static Tensor Next(IEnumerator<int[]> indices)
    {
        indices.MoveNext();
        return Tensor.From(indices.Current, indices.Current.Length);
    }

    private static IEnumerator<int[]> Batches(int count, int batch)
    {
        var order = new BatchOrder(count, batch, shuffleSeed: 0, dropLast: true);
        for (var epoch = 0; ; epoch++)
        {
            foreach (var indices in order.Epoch(epoch))
                yield return indices;
        }
    }
}
