using Hybrid.Core;
using Hybrid.Layers;

namespace Hybrid.Benchmarks.Workloads;

/// <summary>Where examples come from.</summary>
internal enum DataSource
{
    /// <summary>The 60000 training images of MNIST, divided by 255, with their classes.</summary>
    Mnist,

    /// <summary>The 10000 test images of MNIST, divided by 255.</summary>
    MnistTest,

    /// <summary>The first 1437 digits that are part of Hybrid, divided by 16, with one-hot targets.</summary>
    Digits,

    /// <summary>Uniform noise with random classes.</summary>
    Noise,
}

/// <summary>The examples of a workload.</summary>
/// <param name="Source">Where they come from.</param>
/// <param name="Example">The shape of one.</param>
/// <param name="Count">How many there are; matters for noise only.</param>
internal sealed record DataSpec(DataSource Source, int[] Example, int Count = 0);

/// <summary>One thing that is measured, on our side and the peer's (peers/torch_peer.py has a row of the same name).</summary>
/// <param name="Name">Its name, such as W2-512.</param>
/// <param name="Model">The network, its first parameters drawn by the generator.</param>
/// <param name="Data">The examples.</param>
/// <param name="Batch">Examples in a step; null for all of them, without gathering.</param>
/// <param name="Loss">The loss; null for a workload of inference.</param>
/// <param name="Optimizer">The optimiser; null for a workload of inference.</param>
/// <param name="TargetIsInput">Whether the network is to give back its input.</param>
internal sealed record Workload(
    string Name,
    Func<Generator, Module> Model,
    DataSpec Data,
    int? Batch,
    Loss? Loss = null,
    Func<IEnumerable<Cell>, Optimizer>? Optimizer = null,
    bool TargetIsInput = false
)
{
    /// <summary>Whether there is a training step; inference otherwise.</summary>
    internal bool Trains => Loss is not null;
}
