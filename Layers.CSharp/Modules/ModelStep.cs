using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>One step of a <see cref="ModelBuilder"/>: a layer that is not made yet, between known shapes.</summary>
/// <param name="Name">As it was written, such as <c>Linear(10)</c>.</param>
/// <param name="Input">The shape of one example that goes in, without the batch.</param>
/// <param name="Output">The shape that comes out, without the batch.</param>
/// <param name="Make">Makes the layer; its parameters come from the generator.</param>
internal sealed record ModelStep(string Name, Shape Input, Shape Output, Func<Generator, ElementType, Module> Make);
