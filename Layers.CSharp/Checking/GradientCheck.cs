using Hybrid.Core;
using Hybrid.Core.Checking;
using Hybrid.Kernels;

namespace Hybrid.Layers.Checking;

/// <summary>
/// The check of a module's hand-written gradients: for every layer, and for every input and parameter of it, manual against automatic against
/// central differences. <c>Of</c> reports, <c>AssertAgrees</c> is for tests.
/// </summary>
/// <remarks>
/// Modules are checked on a float64 copy, so that nothing of the module changes: no running statistic, no random key, no gradient. A
/// layer that cannot run in float64 is checked as it is; its graph is then evaluated in float64.
/// </remarks>
public static class GradientCheck
{
    /// <summary>Checks a module on an input, with a seeded cotangent of its result.</summary>
    /// <param name="module">The layer or network.</param>
    /// <param name="input">The input, <c>[batch, ...]</c>; a small batch will do.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    /// <returns>One row for each input and parameter of each layer inside.</returns>
    public static CheckReport Of(Module module, Tensor input, CheckOptions? options = null) => Of(module, [input], options);

    /// <summary>Checks a module of several inputs, with seeded cotangents of its results.</summary>
    /// <param name="module">The layer or network.</param>
    /// <param name="inputs">The inputs, in the module's order.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    public static CheckReport Of(Module module, Tensor[] inputs, CheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(inputs);
        return InFloat64(
            module,
            inputs,
            (copy, tensors) =>
            {
                var call = copy.Enter(tensors);
                return call.Outputs.Length == 1 ? CallCheck.OfTape(call.Outputs[0], null, copy.Parameters(), options) : CallCheck.Of(call, options);
            }
        );
    }

    /// <summary>
    /// Checks a network and its loss: each layer at the state and with the gradient that the loss sends there, so that a disagreement is pinned to the
    /// layer that causes it, and the loss itself.
    /// </summary>
    /// <param name="module">The network.</param>
    /// <param name="loss">The loss; its reduction must not be None.</param>
    /// <param name="input">A small batch.</param>
    /// <param name="target">Its targets, as the loss takes them.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    public static CheckReport Of(Module module, Loss loss, Tensor input, Tensor target, CheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(target);
        return InFloat64(
            module,
            [input, target],
            (copy, tensors) => CallCheck.OfTape(loss.Of(copy.Forward(tensors[0]), tensors[1]), null, copy.Parameters(), options)
        );
    }

    /// <summary>Checks a loss's <see cref="Loss.Backward"/>.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="target">The targets.</param>
    /// <param name="prediction">The predictions, <c>[batch, ...]</c>.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    public static CheckReport Of(Loss loss, Tensor target, Tensor prediction, CheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(prediction);
        var values = loss.Forward(Widened(target), CallCheck.Track(Widened(prediction)));
        return CallCheck.OfTape(values, null, null, options);
    }

    /// <summary>Throws, with the table and the diagnosis as its message, unless the module's gradients agree; see <see cref="CheckReport.Succeeded"/>.</summary>
    /// <param name="module">The layer or network.</param>
    /// <param name="input">The input, <c>[batch, ...]</c>.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    /// <exception cref="GradientCheckException">A gradient is wrong, unreachable, or zero everywhere.</exception>
    public static void AssertAgrees(Module module, Tensor input, CheckOptions? options = null) => CallCheck.Assert(Of(module, input, options));

    /// <summary>Throws unless the gradients of a module of several inputs agree.</summary>
    /// <param name="module">The layer or network.</param>
    /// <param name="inputs">The inputs, in the module's order.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    /// <exception cref="GradientCheckException">A gradient is wrong, unreachable, or zero everywhere.</exception>
    public static void AssertAgrees(Module module, Tensor[] inputs, CheckOptions? options = null) => CallCheck.Assert(Of(module, inputs, options));

    /// <summary>Throws unless the gradients of a network and its loss agree.</summary>
    /// <param name="module">The network.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="input">A small batch.</param>
    /// <param name="target">Its targets.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    /// <exception cref="GradientCheckException">A gradient is wrong, unreachable, or zero everywhere.</exception>
    public static void AssertAgrees(Module module, Loss loss, Tensor input, Tensor target, CheckOptions? options = null) =>
        CallCheck.Assert(Of(module, loss, input, target, options));

    /// <summary>Throws unless a loss's gradients agree.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="target">The targets.</param>
    /// <param name="prediction">The predictions.</param>
    /// <param name="options">Seed and extent; null for the defaults.</param>
    /// <exception cref="GradientCheckException">A gradient is wrong, or zero everywhere.</exception>
    public static void AssertAgrees(Loss loss, Tensor target, Tensor prediction, CheckOptions? options = null) =>
        CallCheck.Assert(Of(loss, target, prediction, options));

    // A layer may hold constants of its own type, and then the copy cannot run.
    private static CheckReport InFloat64(Module module, Tensor[] inputs, Func<Module, Tensor[], CheckReport> check)
    {
        try
        {
            return check(module.Clone(ElementType.Float64), [.. inputs.Select(input => CallCheck.Track(Widened(input)))]);
        }
        catch (Exception e) when (e is ElementTypeException or NotSupportedException)
        {
            return check(module, [.. inputs.Select(CallCheck.Track)]);
        }
    }

    private static Tensor Widened(Tensor tensor) => tensor.DType == ElementType.Float32 ? tensor.To(ElementType.Float64) : tensor;
}
