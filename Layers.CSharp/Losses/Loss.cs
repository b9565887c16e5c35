using System.Reflection;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// A measure of how far predictions are from targets, in two forms. As taught, targets first: <see cref="Forward"/> gives one value for
/// each example and <see cref="Backward"/> the gradient of their sum. As in PyTorch, by name: <c>loss.Of(input: scores, target: labels)</c>
/// gives one number, by default the mean.
/// </summary>
/// <remarks>
/// An author overrides <see cref="Compute"/>, and <see cref="Backward"/> too if it is to be differentiated by hand and checked. No gradient
/// flows to targets unless <see cref="BackwardTarget"/> says which.
/// </remarks>
public abstract class Loss
{
    private readonly bool manual;
    private readonly bool manualTarget;
    private readonly Func<Call, Tensor[], Tensor[]> compute;
    private readonly CustomRule? rule;

    /// <summary>Makes a loss.</summary>
    /// <param name="reduction">What <see cref="Of"/> makes of the values per example; the mean by default, as in PyTorch.</param>
    protected Loss(Reduction reduction = Reduction.Mean)
    {
        Reduction = reduction;
        manual = Overrides(nameof(Backward));
        manualTarget = Overrides(nameof(BackwardTarget));
        compute = (_, inputs) => [Values(inputs[0], inputs[1])];
        rule = manual ? Rule : null;
    }

    /// <summary>What <see cref="Of"/> makes of the values per example.</summary>
    public Reduction Reduction { get; }

    /// <summary>Whether there is a backward by hand.</summary>
    public bool HasManualBackward => manual;

    /// <summary>One value for each example, <c>[batch]</c>.</summary>
    /// <param name="y">The targets; each loss says which shapes it takes.</param>
    /// <param name="yhat">The predictions, <c>[batch, ...]</c>.</param>
    /// <exception cref="ShapeException">Targets and predictions do not fit together.</exception>
    public Tensor Forward(Tensor y, Tensor yhat)
    {
        ArgumentNullException.ThrowIfNull(y);
        ArgumentNullException.ThrowIfNull(yhat);
        var constant = manualTarget ? y : y.Detach();
        var call = Call.Enter(Text.TypeName(GetType()), [constant, yhat], [], compute, rule);
        return call.Outputs[0];
    }

    /// <summary>The gradient of the sum of <see cref="Forward"/>'s values with respect to the predictions, by hand.</summary>
    /// <param name="y">The targets.</param>
    /// <param name="yhat">The predictions, <c>[batch, ...]</c>.</param>
    /// <returns>A tensor of the predictions' shape; row i belongs to example i.</returns>
    /// <exception cref="TapeException">The loss has no backward by hand.</exception>
    public virtual Tensor Backward(Tensor y, Tensor yhat)
    {
        var name = Text.TypeName(GetType());
        throw new TapeException("manual backward", "a loss with a backward by hand", $"{name}, which has none", name, "Override Backward.");
    }

    /// <summary>The loss as one number, or one for each example, as the reduction says.</summary>
    /// <param name="input">The predictions, <c>[batch, ...]</c>.</param>
    /// <param name="target">The targets.</param>
    /// <returns>A scalar; with <see cref="Reduction.None"/> the values per example, <c>[batch]</c>.</returns>
    /// <exception cref="ShapeException">Targets and predictions do not fit together.</exception>
    public Tensor Of(Tensor input, Tensor target)
    {
        var values = Forward(target, input);
        return Reduction switch
        {
            Reduction.None => values,
            Reduction.Sum => values.Sum(),
            _ => values.Sum() / Divisor(target, input),
        };
    }

    /// <summary>One value for each example, <c>[batch]</c>, in tensor operations.</summary>
    /// <param name="y">The targets.</param>
    /// <param name="yhat">The predictions.</param>
    protected abstract Tensor Compute(Tensor y, Tensor yhat);

    /// <summary>The gradient of the sum of the values with respect to the targets, by hand; null, the default, if they are constants.</summary>
    /// <param name="y">The targets.</param>
    /// <param name="yhat">The predictions.</param>
    protected virtual Tensor? BackwardTarget(Tensor y, Tensor yhat) => null;

    /// <summary>What the sum is divided by for the mean: the number of examples by default.</summary>
    /// <param name="y">The targets.</param>
    /// <param name="yhat">The predictions.</param>
    protected virtual double Divisor(Tensor y, Tensor yhat) => yhat.Shape[0];

    /// <summary>Refuses targets and predictions that are not of one shape, <c>[batch, ...]</c>.</summary>
    private protected void RequireSameShape(Tensor y, Tensor yhat)
    {
        if (yhat.Rank == 0 || y.Shape != yhat.Shape)
        {
            var got = $"{y.Shape} and {yhat.Shape}";
            var advice = "Reshape one of them; losses never broadcast.";
            throw new ShapeException(
                Text.TypeName(GetType()),
                "targets and predictions of one shape [batch, ..]",
                got,
                Text.TypeName(GetType()),
                advice
            );
        }
    }

    /// <summary>The sum of each example's elements: <c>[batch, ...]</c> to <c>[batch]</c>.</summary>
    private protected static Tensor SumPerExample(Tensor x) => x.Rank == 1 ? x : x.Sum([.. Enumerable.Range(1, x.Rank - 1)]);

    private Tensor Values(Tensor y, Tensor yhat)
    {
        var values = Compute(y, yhat);
        if (values.Rank != 1 || yhat.Rank == 0 || values.Shape[0] != yhat.Shape[0])
        {
            var expected = $"one value for each example of predictions {yhat.Shape}, [batch]";
            throw new ShapeException(
                Text.TypeName(GetType()),
                expected,
                values.Shape.ToString(),
                Text.TypeName(GetType()),
                "Sum each example's elements in Compute."
            );
        }
        return values;
    }

    // Value i depends on row i alone, so its cotangent multiplies that row.
    private Tensor?[] Rule(Call call, Tensor?[] deltas)
    {
        if (deltas[0] is not { } delta)
            return [null, null];
        var (y, yhat) = (call.Inputs[0], call.Inputs[1]);
        return [PerRow(BackwardTarget(y, yhat), delta), PerRow(Backward(y, yhat), delta)];
    }

    private static Tensor? PerRow(Tensor? gradient, Tensor delta)
    {
        if (gradient is null)
            return null;
        var column = new int[gradient.Rank];
        Array.Fill(column, 1);
        column[0] = delta.Shape[0];
        return gradient * delta.Reshape(column);
    }

    private bool Overrides(string name)
    {
        const BindingFlags flags = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        return GetType().GetMethod(name, flags, [typeof(Tensor), typeof(Tensor)])!.DeclaringType != typeof(Loss);
    }
}
