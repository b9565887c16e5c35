using FsCheck;
using FsCheck.Fluent;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>R14: parameters are found by themselves.</summary>
public sealed class ModuleStructureTests
{
    [Fact]
    public void Parameters_are_found_base_class_first_in_declaration_order_each_once()
    {
        var model = new Derived();
        string[] expected =
        [
            "hidden_in_base",
            "in_base",
            "list.0",
            "list.1",
            "layers.0.weight",
            "layers.1.weight",
            "layers.1.bias",
            "by_key.a.weight",
            "by_key.b.weight",
            "weight",
            "renamed",
            "flat.0.weight",
            "0.scale",
        ];
        Assert.Equal(expected, model.NamedParameters().Select(named => named.Name));
        Assert.Equal(["running_mean"], model.NamedBuffers().Select(named => named.Name));
        Assert.Equal(model.NamedParameters().Select(named => named.Cell), model.Parameters());
        Assert.Equal(model.Parameters().Count, model.Parameters().Distinct().Count());
        Assert.Equal(["layers.0", "layers.1", "by_key.a", "by_key.b", "flat", "0"], model.Children().Select(child => child.Name));
    }

    [Fact]
    public void Sequentials_name_by_index()
    {
        var net = new Sequential(new Linear(2, 3), new Sequential(new ReLU(), new Linear(3, 1, bias: false)));
        Assert.Equal(["0.weight", "0.bias", "1.1.weight"], net.NamedParameters().Select(named => named.Name));
        Assert.Equal(["0.weight", "0.bias", "1.1.weight"], net.Parameters().Select(cell => cell.Name));
        Assert.Equal(["0", "1"], net.Children().Select(child => child.Name));
    }

    [Fact]
    public void Two_members_of_one_name_are_refused()
    {
        var error = Assert.Throws<CellException>(() => new SameName().StateDict());
        Assert.Equal(
            "StateDict: expected a name for each cell, got 'weight' twice. Give one of the two members another name with StateName.",
            error.Message
        );
    }

    [Fact]
    public void Paths_name_layers_where_they_stand()
    {
        var x = Numbers.Normal(1, 4, 5);
        (string Path, Module Module)[] cases =
        [
            ("net", new Linear(2, 2)),
            ("classifier", new Linear(2, 2) { Name = "classifier" }),
            ("net/1:Linear", new Sequential(new Tanh(), new Linear(2, 2))),
            ("net/0:Sequential/0:Linear", new Sequential(new Sequential(new Linear(2, 2)))),
            ("net/0:head", new Sequential(new Linear(2, 2) { Name = "head" })),
            ("net/layers.1:Linear", new Holds()),
        ];
        foreach (var (path, module) in cases)
        {
            var error = Assert.Throws<ShapeException>(() => module.Forward(x));
            Assert.Equal(path, error.Path);
        }
        Assert.Equal(
            "Linear: expected an input of shape [.., 2], got [4, 5] (in net/1:Linear). The layer maps the last axis, from 2 to 2.",
            Assert.Throws<ShapeException>(() => cases[2].Module.Forward(x)).Message
        );
        Assert.Equal(
            "Linear: expected float32, got float64 (in net). Types never mix silently: convert the input with To, or the model with Clone.",
            Assert.Throws<ElementTypeException>(() => new Linear(5, 2).Forward(x)).Message
        );
        Assert.Equal(
            "Linear: expected at least 1 input and 1 output, got 0 and 3. Sizes are those of the last axis.",
            Assert.Throws<ShapeException>(() => new Linear(0, 3)).Message
        );
        Assert.Equal(
            "Flatten: expected an input of shape [batch, ...], got [] (in net). The first axis is the batch.",
            Assert.Throws<ShapeException>(() => new Flatten().Forward(Tensor.Scalar(1))).Message
        );
    }

    [Fact]
    public void Frozen_parameters_stay_parameters_and_do_not_move()
    {
        var net = new Sequential(
            new Linear(2, 2, seed: 1, type: ElementType.Float64),
            new Tanh(),
            new Linear(2, 1, seed: 2, type: ElementType.Float64)
        );
        net[0].Freeze();
        Assert.Equal(4, net.Parameters().Count);
        Assert.Empty(net.NamedBuffers());
        var before = net.StateDict();
        net.Forward(Numbers.Normal(2, 3, 2)).Sum().Backward();
        Assert.Null(net.Parameters()[0].Grad);
        var x = Numbers.Normal(2, 3, 2);
        net.BackwardUpdateGradient(x, Tensor.Ones(Shape.Of(3, 1), ElementType.Float64));
        Assert.Null(net.Parameters()[0].Grad);
        Assert.NotNull(net.Parameters()[2].Grad);
        net.UpdateParameters(0.1);
        Assert.Equal(before["0.weight"].ToDoubles(), net.StateDict()["0.weight"].ToDoubles());
        Assert.NotEqual(before["2.weight"].ToDoubles(), net.StateDict()["2.weight"].ToDoubles());
        net.Unfreeze();
        Assert.All(net.Parameters(), parameter => Assert.True(parameter.Trainable));
    }

    [Fact]
    public void A_gradient_from_before_freezing_moves_nothing()
    {
        var layer = new Linear(2, 2, seed: 1, type: ElementType.Float64);
        var before = layer.StateDict();
        layer.Forward(Numbers.Normal(2, 3, 2)).Sum().Backward();
        layer.Freeze();
        layer.UpdateParameters(0.1);
        Assert.All(before, entry => Assert.Equal(entry.Value.ToDoubles(), layer.StateDict()[entry.Key].ToDoubles()));
    }

    [Fact]
    public void Shared_parameters_have_one_name_and_stay_shared_in_a_copy()
    {
        var model = new Shares();
        Assert.Equal(["weight", "0.bias", "bias"], model.NamedParameters().Select(named => named.Name));
        Assert.Equal(model.NamedParameters().Select(named => named.Cell), model.Parameters());
        var copy = (Shares)model.Clone();
        Assert.Same(copy.Weight, copy.Inner.Weight);
        Assert.NotSame(model.Weight, copy.Weight);
        Assert.Equal(3, copy.Parameters().Count);
    }

    [Fact]
    public void Unfreezing_does_not_make_buffers_trainable()
    {
        var model = new Derived();
        model.Freeze();
        model.Unfreeze();
        Assert.All(model.NamedBuffers(), named => Assert.False(named.Cell.Trainable));
    }

    [Fact]
    public void Copies_share_nothing_with_the_original_and_what_is_shared_within()
    {
        var shared = new Linear(2, 2, seed: 1);
        var net = new Sequential(shared, new Tanh(), shared, new Derived());
        var copy = (Sequential)net.Clone(ElementType.Float64);
        Assert.Same(copy[0], copy[2]);
        Assert.Empty(net.Parameters().Intersect(copy.Parameters()));
        Assert.Equal(net.NamedParameters().Select(named => named.Name), copy.NamedParameters().Select(named => named.Name));
        Assert.All(copy.Parameters(), parameter => Assert.Equal(ElementType.Float64, parameter.DType));
        Assert.All(net.StateDict(), entry => Assert.Equal(entry.Value.ToDoubles(), copy.StateDict()[entry.Key].ToDoubles()));
        var before = net.StateDict();
        copy.Forward(Numbers.Normal(3, 2, 2)).Sum().Backward();
        copy.UpdateParameters(1);
        Assert.All(before, entry => Assert.Equal(entry.Value.ToDoubles(), net.StateDict()[entry.Key].ToDoubles()));
        Assert.All(net.Parameters(), parameter => Assert.Null(parameter.Grad));
        Assert.Equal(
            "Clone: expected float32 or float64, got int32. Parameters are floating-point numbers.",
            Assert.Throws<ElementTypeException>(() => net.Clone(ElementType.Int32)).Message
        );
    }

    [Fact]
    public void A_copy_keeps_frozen_parameters_frozen()
    {
        var layer = new Linear(2, 2);
        layer.Freeze();
        var copy = layer.Clone();
        Assert.All(copy.Parameters(), parameter => Assert.False(parameter.Trainable));
        Assert.Equal(2, copy.Parameters().Count);
        Assert.Equal(ElementType.Float32, copy.Parameters()[0].DType);
    }

    [Fact]
    public void Any_nesting_names_every_parameter_once_and_loads_its_own_state()
    {
        var nets =
            from sizes in Gen.Choose(1, 4).ArrayOf(6)
            from depth in Gen.Choose(0, 3)
            select Nest([.. sizes.Take(3).Select((size, i) => (Module)new Linear(2, 2, bias: size % 2 == 0, seed: (ulong)i)), new Tanh()], depth);
        var property = Prop.ForAll(
            nets.ToArbitrary(),
            net =>
            {
                var names = net.NamedParameters().Select(named => named.Name).ToArray();
                var state = net.StateDict();
                var copy = net.Clone();
                foreach (var parameter in copy.Parameters())
                    parameter.Set(parameter.Value + 1.0);
                copy.LoadStateDict(state);
                return names.Distinct().Count() == names.Length
                    && names.SequenceEqual(state.Keys)
                    && copy.StateDict().All(entry => entry.Value.ToDoubles().SequenceEqual(state[entry.Key].ToDoubles()));
            }
        );
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(50), property);
    }

    [Fact]
    public void Initial_values_are_PyTorchs_bounds_and_a_function_of_the_seed()
    {
        var (single, twice, other) = (
            new Linear(50, 40, seed: 7),
            new Linear(50, 40, seed: 7, type: ElementType.Float64),
            new Linear(50, 40, seed: 8)
        );
        var bound = 1 / Math.Sqrt(50);
        var exact = twice.Weight.Value.ToDoubles();
        Assert.Equal(exact.Select(value => (float)value), single.Weight.Value.ToArray<float>());
        Assert.NotEqual(single.Weight.Value.ToDoubles(), other.Weight.Value.ToDoubles());
        Assert.All(exact.Concat(twice.Bias!.Value.ToDoubles()), value => Assert.InRange(value, -bound, bound));
        Assert.InRange(exact.Average(), -0.05 * bound, 0.05 * bound);
        Assert.InRange(exact.Max(), 0.99 * bound, bound);
        Assert.InRange(exact.Select(value => value * value).Average() / (bound * bound), 0.31, 0.36);
        Assert.NotEqual(exact.Take(40), twice.Bias.Value.ToDoubles());
        Assert.NotEqual(new Linear(3, 3).Weight.Value.ToDoubles(), new Linear(3, 3).Weight.Value.ToDoubles());

        Generator shared = 7;
        Assert.Equal(single.Weight.Value.ToDoubles(), new Linear(50, 40, seed: shared).Weight.Value.ToDoubles());
        Assert.NotEqual(single.Weight.Value.ToDoubles(), new Linear(50, 40, seed: shared).Weight.Value.ToDoubles());
    }

    private static Sequential Nest(Module[] modules, int depth) =>
        depth == 0 ? new Sequential(modules) : new Sequential(modules[0], Nest(modules[1..], 0), new Sequential(Nest([new Linear(2, 2)], depth - 1)));

    private class Base : Module
    {
        private readonly Cell _hiddenInBase;

        public Cell InBase { get; } = Named();

        public Base() => _hiddenInBase = Named();

        public Tensor Use() => _hiddenInBase.Value;

        protected override Tensor Compute(Tensor x) => x;

        protected static Cell Named() => new("", Tensor.Scalar(1));
    }

    private sealed class Derived : Base
    {
        public static readonly Cell NotOfAnInstance = Named();
        private readonly Cell[] list = [Named(), Named()];
        private readonly IReadOnlyList<Linear> layers = new Linear[] { new(2, 2, bias: false), new(2, 2) };
        private readonly Dictionary<string, Module> byKey = new() { ["b"] = new Linear(1, 1, bias: false), ["a"] = new Linear(1, 1, bias: false) };

        public Cell Weight { get; } = Named();

        [StateName("renamed")]
        public Cell Other { get; } = Named();

        public Cell? Nothing { get; }

        public Cell RunningMean { get; } = new("", Tensor.Scalar(0), trainable: false);

        public Sequential Flat { get; } = new(new Linear(1, 1, bias: false));

        [StateName("")]
        public List<Module> Unnamed { get; } = [new Primary(Named())];

        public Cell Again => list[0];

        public Tensor[] NotCells { get; } = [Tensor.Scalar(1)];

        public IEnumerable<int> Endless { get; } = Forever();

        public int Held => layers.Count + byKey.Count;

        private static IEnumerable<int> Forever()
        {
            for (var i = 0; ; i++)
                yield return i;
        }
    }

    private sealed class Primary(Cell scale) : Module
    {
        protected override Tensor Compute(Tensor x) => x * scale.Value;
    }

    private class SameNameBase : Module
    {
        private readonly Cell weight = new("", Tensor.Scalar(1));

        public Tensor Use() => weight.Value;

        protected override Tensor Compute(Tensor x) => x;
    }

    private sealed class SameName : SameNameBase
    {
        private readonly Cell weight = new("", Tensor.Scalar(2));

        public Tensor UseToo() => weight.Value;
    }

    private sealed class Pair(Cell weight) : Module
    {
        public Cell Weight { get; } = weight;

        [StateName("0.bias")]
        public Cell Bias { get; } = new("", Tensor.Scalar(1));

        protected override Tensor Compute(Tensor x) => x;
    }

    private sealed class Shares : Module
    {
        public Shares()
        {
            Weight = new("", Tensor.Scalar(1));
            Inner = new(Weight);
            Again = Weight;
        }

        public Cell Weight { get; }

        [StateName("")]
        public Pair Inner { get; }

        public Cell Again { get; }

        public Cell Bias { get; } = new("", Tensor.Scalar(1));

        protected override Tensor Compute(Tensor x) => x;
    }

    private sealed class Holds : Module
    {
        private readonly List<Module> layers = [new Tanh(), new Linear(2, 2)];

        protected override Tensor Compute(Tensor x) => layers[1].Forward(layers[0].Forward(x));
    }
}
