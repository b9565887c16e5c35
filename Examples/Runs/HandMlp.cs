using Hybrid.Core;

namespace Hybrid.Examples.Runs;

/// <summary>
/// A network of two tanh layers with its gradient worked out by hand, in the functions of section 5 of the curriculum. A batch is a
/// matrix with an example in each row; losses and gradients are sums over it.
/// </summary>
internal static class HandMlp
{
    /// <summary>The activation.</summary>
    internal static Tensor Sigma(Tensor x) => x.Tanh();

    /// <summary>The derivative of the activation.</summary>
    internal static Tensor DSigma(Tensor x) => 1.0 - x.Tanh().Square();

    /// <summary>The squared error of each example, summed over the batch.</summary>
    /// <param name="v">What the network gives.</param>
    /// <param name="t">What it should give.</param>
    internal static Tensor Loss(Tensor v, Tensor t) => (v - t).Square().Sum(1).Sum();

    /// <summary>The gradient of <see cref="Loss"/> with respect to what the network gives.</summary>
    internal static Tensor DLoss(Tensor v, Tensor t) => 2.0 * (v - t);

    /// <summary>One layer: <c>s = x W' + b</c> and its activation.</summary>
    /// <param name="w">The weight, <c>[outputs, inputs]</c>.</param>
    /// <param name="b">The bias, <c>[outputs]</c>.</param>
    /// <param name="x">The input, <c>[batch, inputs]</c>.</param>
    internal static (Tensor S, Tensor X) ForwardStep(Tensor w, Tensor b, Tensor x)
    {
        var s = x.MatMul(w.Transpose()) + b;
        return (s, Sigma(s));
    }

    /// <summary>Both layers: what each gives before and after its activation.</summary>
    internal static (Tensor S1, Tensor X1, Tensor S2, Tensor X2) ForwardPass(Tensor w1, Tensor b1, Tensor w2, Tensor b2, Tensor x)
    {
        var (s1, x1) = ForwardStep(w1, b1, x);
        var (s2, x2) = ForwardStep(w2, b2, x1);
        return (s1, x1, s2, x2);
    }

    /// <summary>Both layers, on parameters as they are now.</summary>
    internal static (Tensor S1, Tensor X1, Tensor S2, Tensor X2) ForwardPass(IReadOnlyList<Cell> parameters, Tensor x) =>
        ForwardPass(parameters[0].Value, parameters[1].Value, parameters[2].Value, parameters[3].Value, x);

    /// <summary>One layer backward: from the gradient with respect to what it gives to those of its weight, bias and input.</summary>
    /// <param name="w">The weight, <c>[outputs, inputs]</c>.</param>
    /// <param name="x">The input, <c>[batch, inputs]</c>.</param>
    /// <param name="s">What came before the activation, <c>[batch, outputs]</c>.</param>
    /// <param name="dy">The gradient with respect to what the layer gives, <c>[batch, outputs]</c>.</param>
    internal static (Tensor DW, Tensor Db, Tensor Dx) BackwardStep(Tensor w, Tensor x, Tensor s, Tensor dy)
    {
        var ds = dy * DSigma(s);
        return (ds.Transpose().MatMul(x), ds.Sum(0), ds.MatMul(w));
    }

    /// <summary>Both layers backward, from the loss; the parameters' gradients are added to those they have.</summary>
    /// <param name="parameters">Weight and bias of the first layer, then of the second.</param>
    /// <param name="x">The input.</param>
    /// <param name="t">What the network should give.</param>
    /// <param name="pass">What <see cref="ForwardPass"/> gave.</param>
    internal static void BackwardPass(IReadOnlyList<Cell> parameters, Tensor x, Tensor t, (Tensor S1, Tensor X1, Tensor S2, Tensor X2) pass)
    {
        var second = BackwardStep(parameters[2].Value, pass.X1, pass.S2, DLoss(pass.X2, t));
        var first = BackwardStep(parameters[0].Value, x, pass.S1, second.Dx);
        parameters[0].Accumulate(first.DW);
        parameters[1].Accumulate(first.Db);
        parameters[2].Accumulate(second.DW);
        parameters[3].Accumulate(second.Db);
    }
}
