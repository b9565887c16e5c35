using Hybrid.Core;
using Hybrid.Layers;
using Hybrid.Layers.Checking;

namespace Hybrid.Examples.Runs;

/// <summary>One of the three ways from a batch to the gradients of its mean loss.</summary>
/// <param name="Name">The word for it on the command line.</param>
/// <param name="Way">What the checks call it.</param>
/// <param name="Gradients">Adds the gradients to those of the network's parameters, and returns the mean loss.</param>
internal sealed record GradientPath(string Name, TrainingWay Way, Func<Module, Loss, Batch, Tensor> Gradients)
{
    /// <summary>The modules alone, by hand, as in a library before autograd.</summary>
    internal static GradientPath Manual { get; } = new("manual", TrainingWay.Modules, ByHand);

    /// <summary>A sweep of the tape, which crosses each layer by the backward that its author wrote.</summary>
    internal static GradientPath TapeManual { get; } =
        new("tape-manual", TrainingWay.ManualTape, (net, loss, batch) => Swept(net, loss, batch, mean => mean.BackwardManual()));

    /// <summary>A sweep of the tape by the derivatives of its operations.</summary>
    internal static GradientPath Automatic { get; } =
        new("automatic", TrainingWay.AutomaticTape, (net, loss, batch) => Swept(net, loss, batch, mean => mean.Backward()));

    /// <summary>All three.</summary>
    internal static IReadOnlyList<GradientPath> All { get; } = [Manual, TapeManual, Automatic];

    /// <summary>The path of a name, or all of them for <c>all</c>.</summary>
    internal static IReadOnlyList<GradientPath> Named(string name) => name == "all" ? All : [All.Single(path => path.Name == name)];

    /// <summary>One step of gradient descent.</summary>
    /// <returns>The mean loss before the step.</returns>
    internal Tensor Step(Module net, Loss loss, Batch batch, double learningRate)
    {
        net.ZeroGrad();
        var mean = Gradients(net, loss, batch);
        net.UpdateParameters(learningRate);
        return mean;
    }

    private static Tensor ByHand(Module net, Loss loss, Batch batch)
    {
        var scores = net.Forward(batch.Images);
        var delta = loss.Backward(batch.Labels, scores) / batch.Count;
        net.BackwardUpdateGradient(batch.Images, delta);
        return loss.Forward(batch.Labels, scores).Sum() / batch.Count;
    }

    private static Tensor Swept(Module net, Loss loss, Batch batch, Action<Tensor> sweep)
    {
        var mean = loss.Of(input: net.Forward(batch.Images), target: batch.Labels);
        sweep(mean);
        return mean;
    }
}

/// <summary>Images and their classes.</summary>
/// <param name="Images">The images, <c>[count, pixels]</c>.</param>
/// <param name="Labels">Their classes, int32 <c>[count]</c>.</param>
internal sealed record Batch(Tensor Images, Tensor Labels)
{
    /// <summary>How many images there are.</summary>
    internal int Count => Labels.Shape[0];
}
