using Hybrid.Core;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;

namespace Hybrid.Examples.Runs;

/// <summary>
/// Section 5's checks: each function written by hand against the autograd path, on random tensors, for equality of every bit. The two
/// are built and run apart, and the forward and loss checks use the modules of the library.
/// </summary>
internal static class HandMlpChecks
{
    private const int Batch = 37;
    private const int Inputs = 64;
    private const int Hidden = 50;
    private const int Outputs = 10;

    /// <summary>All checks, one result a tensor.</summary>
    internal static IReadOnlyList<EqualityCheck> Run(ElementType type, int seed)
    {
        var random = new Generator((ulong)seed);
        return [.. Functions(random, type), .. Steps(random, type), .. Passes(random, type)];
    }

    private static IEnumerable<EqualityCheck> Functions(Generator random, ElementType type)
    {
        var x = random.Normal(0, 1, Shape.Of(Batch, Outputs), type);
        var t = random.Normal(0, 1, Shape.Of(Batch, Outputs), type);
        yield return EqualityCheck.Of("Sigma", "value", HandMlp.Sigma(x), new Tanh().Forward(x));
        yield return EqualityCheck.Of("DSigma", "derivative", HandMlp.DSigma(x), Autodiff.Grad(s => HandMlp.Sigma(s).Sum()).Invoke(x));
        yield return EqualityCheck.Of("Loss", "value", HandMlp.Loss(x, t), new MSELoss(Reduction.Sum).Of(input: x, target: t));
        yield return EqualityCheck.Of("DLoss", "gradient", HandMlp.DLoss(x, t), Autodiff.Grad(v => HandMlp.Loss(v, t)).Invoke(x));
    }

    private static IEnumerable<EqualityCheck> Steps(Generator random, ElementType type)
    {
        var layer = new Linear(Inputs, Hidden, seed: random, type: type);
        var (w, b) = (layer.Weight.Value, layer.Bias!.Value);
        var x = random.Normal(0, 1, Shape.Of(Batch, Inputs), type);
        var dy = random.Normal(0, 1, Shape.Of(Batch, Hidden), type);
        var (s, y) = HandMlp.ForwardStep(w, b, x);
        yield return EqualityCheck.Of("ForwardStep", "s", s, layer.Forward(x));
        yield return EqualityCheck.Of("ForwardStep", "x", y, new Sequential(layer, new Tanh()).Forward(x));
        var hand = HandMlp.BackwardStep(w, x, s.Eval(), dy);
        var automatic = Autodiff.Grad((Tensor[] v) => (HandMlp.ForwardStep(v[0], v[1], v[2]).X * dy).Sum()).Invoke([w, b, x]);
        yield return EqualityCheck.Of("BackwardStep", "dW", hand.DW, automatic[0]);
        yield return EqualityCheck.Of("BackwardStep", "db", hand.Db, automatic[1]);
        yield return EqualityCheck.Of("BackwardStep", "dx", hand.Dx, automatic[2]);
    }

    private static IEnumerable<EqualityCheck> Passes(Generator random, ElementType type)
    {
        var net = new Sequential(
            new Linear(Inputs, Hidden, seed: random, type: type),
            new Tanh(),
            new Linear(Hidden, Outputs, seed: random, type: type),
            new Tanh()
        );
        var hand = (Sequential)net.Clone();
        var x = random.Normal(0, 1, Shape.Of(Batch, Inputs), type);
        var t = random.Normal(0, 1, Shape.Of(Batch, Outputs), type);
        var pass = HandMlp.ForwardPass(hand.Parameters(), x);
        Tensor[] byHand = [pass.S1, pass.X1, pass.S2, pass.X2];
        var automatic = x;
        string[] names = ["s1", "x1", "s2", "x2"];
        for (var i = 0; i < names.Length; i++)
        {
            automatic = net[i].Forward(automatic);
            yield return EqualityCheck.Of("ForwardPass", names[i], byHand[i], automatic);
        }
        for (var pass2 = 1; pass2 <= 2; pass2++)
        {
            HandMlp.BackwardPass(hand.Parameters(), x, t, pass);
            new MSELoss(Reduction.Sum).Of(input: net.Forward(x), target: t).Backward();
            var title = pass2 == 1 ? "BackwardPass" : "BackwardPass twice";
            foreach (var ((name, mine), theirs) in new[] { "dW1", "db1", "dW2", "db2" }.Zip(hand.Parameters()).Zip(net.Parameters()))
                yield return EqualityCheck.Of(title, name, mine.Grad, theirs.Grad);
        }
    }
}

/// <summary>One tensor computed in two ways that must give the same bits.</summary>
/// <param name="Function">The function that was checked.</param>
/// <param name="Tensor">Which of its results.</param>
/// <param name="Elements">How many elements were compared.</param>
/// <param name="Different">How many differ.</param>
/// <param name="Largest">The largest difference, divided by the largest value.</param>
internal sealed record EqualityCheck(string Function, string Tensor, int Elements, int Different, double Largest)
{
    /// <summary>Whether all elements are equal.</summary>
    internal bool Equal => Different == 0;

    /// <summary>Computes both, in separate runs, and compares them.</summary>
    internal static EqualityCheck Of(string function, string tensor, Tensor hand, Tensor automatic)
    {
        if (hand.Shape != automatic.Shape)
            throw new InvalidOperationException($"{function} {tensor}: shapes {hand.Shape} and {automatic.Shape}");
        var (a, b) = (hand.ToDoubles(), automatic.ToDoubles());
        var different = a.Zip(b).Count(pair => !pair.First.Equals(pair.Second));
        var largest = a.Max(Math.Abs);
        var apart = a.Zip(b, (left, right) => Math.Abs(left - right)).Max();
        return new(function, tensor, a.Length, different, apart == 0 ? 0 : apart / largest);
    }

    /// <summary>The table of some checks.</summary>
    internal static IEnumerable<string> Table(IEnumerable<EqualityCheck> checks)
    {
        var table = new TextTable("function", "tensor", ">elements", ">different", ">by at most", "verdict");
        foreach (var check in checks)
        {
            table.Add(
                check.Function,
                check.Tensor,
                Say.Line($"{check.Elements}"),
                Say.Line($"{check.Different}"),
                Say.Small(check.Largest),
                check.Equal ? "equal" : "DIFFERENT"
            );
        }
        return table.Lines();
    }
}
