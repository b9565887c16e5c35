using System.Text.Json;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Optimisers;

/// <summary>Twenty steps of PyTorch, every parameter after every step, by every way to train.</summary>
public sealed class TrajectoryTests
{
    private const double Tolerance = 1e-12;

    public static IEnumerable<object[]> Cases() =>
        from name in Conformance.Trajectories()
        from way in new[] { "automatic", "manual", "by hand", "compiled" }
        select new object[] { name, way };

    [Fact]
    public void No_trajectory_is_left_out() => Assert.True(Conformance.Trajectories().Length >= 20);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_parameter_after_every_step_is_PyTorchs(string name, string way)
    {
        var stored = Conformance.Read($"trajectories/{name}");
        var net = Network(stored);
        var optimizer = Optimiser(stored, net);
        var x = Conformance.AsTensor(stored.GetProperty("inputs"));
        var y = Conformance.AsTensor(stored.GetProperty("targets"));
        var loss = new CrossEntropyLoss();
        var step = way switch
        {
            "automatic" => () => ByTape(manual: false),
            "manual" => () => ByTape(manual: true),
            "by hand" => ByHand,
            _ => Compiled(),
        };
        var losses = Conformance.AsTensor(stored.GetProperty("losses")).ToDoubles();
        var expected = net.NamedParameters()
            .Select(named =>
                (named.Name, named.Cell, Values: Conformance.AsTensor(stored.GetProperty("parameters").GetProperty(named.Name)).ToDoubles())
            )
            .ToArray();
        Assert.Equal(20, losses.Length);
        for (var k = 0; k < losses.Length; k++)
        {
            Assert.Equal(losses[k], step(), Tolerance);
            foreach (var (parameter, cell, values) in expected)
            {
                var size = (int)cell.Shape.Size;
                Numbers.AssertClose(values[(k * size)..((k + 1) * size)], cell.Value.ToDoubles(), Tolerance, $"{name}, {way}, {parameter}, step {k}");
            }
        }

        Func<double> Compiled()
        {
            var function = new CompiledFunction(inputs =>
            {
                optimizer.ZeroGrad();
                var value = loss.Of(net.Forward(inputs[0]), inputs[1]);
                value.Backward();
                optimizer.Step();
                return [value];
            });
            return () => function.Invoke(x, y)[0].Item();
        }

        double ByTape(bool manual)
        {
            optimizer.ZeroGrad();
            var value = loss.Of(net.Forward(x), y);
            if (manual)
                value.BackwardManual();
            else
                value.Backward();
            optimizer.Step();
            return value.Item();
        }

        double ByHand()
        {
            net.ZeroGrad();
            var yhat = net.Forward(x);
            var value = loss.Forward(y, yhat).Mean();
            net.BackwardUpdateGradient(x, loss.Backward(y, yhat) / x.Shape[0]);
            optimizer.Step();
            return value.Item();
        }
    }

    /// <summary>Plain gradient descent as taught, without an optimiser.</summary>
    [Fact]
    public void UpdateParameters_is_plain_SGD()
    {
        var stored = Conformance.Read("trajectories/mlp-sgd");
        var net = Network(stored);
        var x = Conformance.AsTensor(stored.GetProperty("inputs"));
        var y = Conformance.AsTensor(stored.GetProperty("targets"));
        var rate = stored.GetProperty("settings").GetProperty("lr").GetDouble();
        for (var k = 0; k < 20; k++)
        {
            net.ZeroGrad();
            net.BackwardUpdateGradient(x, new CrossEntropyLoss().Backward(y, net.Forward(x)));
            net.UpdateParameters(rate / x.Shape[0]);
        }
        var last = Conformance.AsTensor(stored.GetProperty("parameters").GetProperty("2.weight")).ToDoubles()[^20..];
        Numbers.AssertClose(last, net.Parameters()[2].Value.ToDoubles(), Tolerance, "weight");
    }

    private static Sequential Network(JsonElement stored)
    {
        var net = new Sequential([
            .. stored
                .GetProperty("layers")
                .EnumerateArray()
                .Select(layer =>
                    layer[0].GetString() == "linear"
                        ? (Module)new Linear(layer[1].GetInt32(), layer[2].GetInt32(), type: ElementType.Float64)
                        : new Tanh()
                ),
        ]);
        net.LoadStateDict(
            new StateDict(
                stored.GetProperty("initial").EnumerateObject().Select(entry => KeyValuePair.Create(entry.Name, Conformance.AsTensor(entry.Value)))
            )
        );
        return net;
    }

    private static Optimizer Optimiser(JsonElement stored, Module net)
    {
        var settings = stored.GetProperty("settings");
        var parameters = net.Parameters();
        var (lr, decay) = (Number("lr"), Number("weight_decay"));
        return stored.GetProperty("function").GetString() switch
        {
            "torch.optim.SGD" => new SGD(
                parameters,
                lr,
                Number("momentum"),
                Number("dampening"),
                decay,
                settings.GetProperty("nesterov").GetBoolean()
            ),
            "torch.optim.Adam" => new Adam(parameters, lr, Beta(0), Beta(1), Number("eps"), decay),
            "torch.optim.AdamW" => new AdamW(parameters, lr, Beta(0), Beta(1), Number("eps"), decay),
            "torch.optim.RMSprop" => new RMSprop(parameters, lr, Number("alpha"), Number("eps"), decay, Number("momentum")),
            var other => throw new NotSupportedException(other),
        };

        double Number(string option) => settings.GetProperty(option).GetDouble();

        double Beta(int index) => settings.GetProperty("betas")[index].GetDouble();
    }
}
