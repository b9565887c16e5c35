using Hybrid.Core;
using Hybrid.Kernels;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>
/// One network in four forms: composed of modules, described fluently, as a class of its own, and as a function of declared parameters, which
/// is F#'s form. All are one graph, with the same bits.
/// </summary>
public sealed class FormsTests
{
    /// <param name="Hash">The hash of the graph to the results; tests/Core.Tests/GraphTests.fs asserts the same of F# functions.</param>
    /// <param name="Input">The shape of a batch.</param>
    /// <param name="Fluent">The network, described.</param>
    /// <param name="Composed">The network, composed.</param>
    /// <param name="Subclassed">The network as a class.</param>
    /// <param name="Function">The network as a function of its parameters and the input.</param>
    private sealed record Network(
        string Hash,
        Shape Input,
        ModelBuilder Fluent,
        Func<Generator, Module> Composed,
        Func<Generator, Module> Subclassed,
        Func<Cell[], Tensor, Tensor> Function
    );

    private static readonly Dictionary<string, Network> Networks = new()
    {
        ["dense"] = new(
            "0f01d33af2dae20d",
            Shape.Of(4, 1, 2, 3),
            Model.Input(1, 2, 3).Flatten().Linear(5).ReLU().Linear(4).Tanh().Linear(3),
            g => new Sequential(
                new Flatten(),
                new Linear(6, 5, seed: g),
                new ReLU(),
                new Linear(5, 4, seed: g),
                new Tanh(),
                new Linear(4, 3, seed: g)
            ),
            g => new Dense(g),
            (cells, x) =>
            {
                var z = (x.Reshape(4, 6).MatMul(cells[0].Value.Transpose()) + cells[1].Value).Relu();
                z = (z.MatMul(cells[2].Value.Transpose()) + cells[3].Value).Tanh();
                return z.MatMul(cells[4].Value.Transpose()) + cells[5].Value;
            }
        ),
        ["convolution"] = new(
            "56f8f084f63f73ba",
            Shape.Of(4, 1, 28, 28),
            Model.Input(1, 28, 28).Conv2d(8, 5).ReLU().MaxPool2d(2).Conv2d(16, 5).ReLU().MaxPool2d(2).Flatten().Linear(10),
            g => new Sequential(
                new Conv2d(1, 8, 5, seed: g),
                new ReLU(),
                new MaxPool2d(2),
                new Conv2d(8, 16, 5, seed: g),
                new ReLU(),
                new MaxPool2d(2),
                new Flatten(),
                new Linear(256, 10, seed: g)
            ),
            g => new Convolutional(g),
            (cells, x) =>
            {
                var z = (x.Conv2d(cells[0].Value) + cells[1].Value.Reshape(8, 1, 1)).Relu().MaxPool2d(2);
                z = (z.Conv2d(cells[2].Value) + cells[3].Value.Reshape(16, 1, 1)).Relu().MaxPool2d(2);
                return z.Reshape(4, 256).MatMul(cells[4].Value.Transpose()) + cells[5].Value;
            }
        ),
    };

    public static TheoryData<string> Names() => [.. Networks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Composed_fluent_subclassed_and_functional_networks_are_one_graph_with_the_same_bits(string name)
    {
        var network = Networks[name];
        var x = new Generator(5).Normal(0, 1, network.Input);
        var composed = network.Composed(new Generator(7));
        var cells = composed.Parameters().Select(cell => new Cell(cell.Name, cell.Value.Detach())).ToArray();
        var forms = new[]
        {
            Seen.Of(composed.Forward, composed.Parameters(), x),
            Of(network.Fluent.Build(seed: 7)),
            Of(network.Subclassed(new Generator(7))),
            Seen.Of(input => network.Function(cells, input), cells, x),
        };
        Assert.All(forms, form => Assert.Equal(network.Hash, form.Hash));
        Assert.All(forms, form => Assert.Equal((forms[0].WholeHash, forms[0].Loss), (form.WholeHash, form.Loss)));
        Assert.All(forms, form => Assert.Equal(forms[0].Results, form.Results));
        Assert.All(forms, form => Assert.Equal(forms[0].Gradients, form.Gradients));
        Assert.All(forms[0].Gradients, gradient => Assert.Contains(gradient, bits => bits != 0));

        Seen Of(Module module) => Seen.Of(module.Forward, module.Parameters(), x);
    }

    /// <summary>What one form gives: the graphs to the results, and to loss and gradients; numbers by their bits, as equal ones may differ in a zero's sign.</summary>
    private sealed record Seen(string Hash, string WholeHash, int Loss, int[] Results, int[][] Gradients)
    {
        public static Seen Of(Func<Tensor, Tensor> forward, IReadOnlyList<Cell> parameters, Tensor x)
        {
            var output = forward(x);
            var loss = new CrossEntropyLoss().Of(output, Tensor.From([0, 2, 1, 2]));
            loss.Backward();
            var gradients = parameters.Select(cell => cell.Grad).ToArray();
            return new(Graph.Hash(output), Graph.Hash([loss, .. gradients]), Bits(loss)[0], Bits(output), [.. gradients.Select(Bits)]);
        }

        private static int[] Bits(Tensor tensor) => Array.ConvertAll(tensor.ToArray<float>(), BitConverter.SingleToInt32Bits);
    }

    private sealed class Dense(Generator generator) : Module
    {
        private readonly Linear first = new(6, 5, seed: generator);
        private readonly Linear second = new(5, 4, seed: generator);
        private readonly Linear third = new(4, 3, seed: generator);

        protected override Tensor Compute(Tensor x) => third.Forward(second.Forward(first.Forward(x.Reshape(x.Shape[0], 6)).Relu()).Tanh());
    }

    private sealed class Convolutional(Generator generator) : Module
    {
        private readonly Conv2d first = new(1, 8, 5, seed: generator);
        private readonly Conv2d second = new(8, 16, 5, seed: generator);
        private readonly Linear third = new(256, 10, seed: generator);

        protected override Tensor Compute(Tensor x)
        {
            var z = second.Forward(first.Forward(x).Relu().MaxPool2d(2)).Relu().MaxPool2d(2);
            return third.Forward(z.Reshape(x.Shape[0], 256));
        }
    }
}
