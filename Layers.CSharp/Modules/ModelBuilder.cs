using System.Collections.Immutable;
using System.Globalization;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// A network that is being described, layer by layer; see <see cref="Model.Input"/>. Immutable: each call gives a longer description, and the
/// shorter one may be continued in another way. Shapes are inferred and checked at each call, and no parameter exists before
/// <see cref="Build"/>. Shapes are those of one example, without the batch.
/// </summary>
public sealed partial class ModelBuilder
{
    private readonly ImmutableList<ModelStep> steps;

    internal ModelBuilder(Shape input, ImmutableList<ModelStep> steps) => (InputShape, this.steps) = (input, steps);

    /// <summary>The shape of one example that goes in.</summary>
    public Shape InputShape { get; }

    /// <summary>The shape that comes out for one example.</summary>
    public Shape OutputShape => steps.IsEmpty ? InputShape : steps[^1].Output;

    /// <summary>How many layers there are.</summary>
    public int Count => steps.Count;

    /// <summary><see cref="Layers.Linear"/> on the last axis: from <c>[.., n]</c> to <c>[.., outputs]</c>.</summary>
    /// <param name="outputs">The length of the result's last axis, at least 1.</param>
    /// <param name="bias">Whether there is a bias; true by default.</param>
    /// <exception cref="ShapeException">The number is below 1.</exception>
    public ModelBuilder Linear(int outputs, bool bias = true)
    {
        var name = Said("Linear", [outputs], ("bias", bias, true));
        if (outputs < 1)
            throw Refuse(name, "at least 1 output", Text.Number(outputs), "The number is that of the layer's results.");
        var input = OutputShape;
        if (input.Rank == 0)
            throw Refuse(name, "an example of at least one axis", input.ToString(), "The layer maps the last axis.");
        var output = Shape.Of([.. input.ToArray()[..^1], outputs]);
        return new(InputShape, steps.Add(new(name, input, output, (g, type) => new Linear(input[input.Rank - 1], outputs, bias, g, type))));
    }

    /// <summary><see cref="Layers.ReLU"/>, element by element.</summary>
    public ModelBuilder ReLU() => Add("ReLU()", static (_, _, _) => new ReLU());

    /// <summary><see cref="Layers.Sigmoid"/>, element by element.</summary>
    public ModelBuilder Sigmoid() => Add("Sigmoid()", static (_, _, _) => new Sigmoid());

    /// <summary><see cref="Layers.Tanh"/>, element by element.</summary>
    public ModelBuilder Tanh() => Add("Tanh()", static (_, _, _) => new Tanh());

    /// <summary><see cref="Layers.Softmax"/> along the last axis.</summary>
    public ModelBuilder Softmax() => Add("Softmax()", static (_, _, _) => new Softmax());

    /// <summary><see cref="Layers.LogSoftmax"/> along the last axis.</summary>
    public ModelBuilder LogSoftmax() => Add("LogSoftmax()", static (_, _, _) => new LogSoftmax());

    /// <summary><see cref="Layers.Flatten"/>: each example as one row.</summary>
    public ModelBuilder Flatten() => Add("Flatten()", static (_, _, _) => new Flatten());

    /// <summary><see cref="Layers.Unflatten"/>: the example's first axis as several, such as a row of pixels as an image.</summary>
    /// <param name="sizes">Their lengths, each at least 1: <c>Unflatten(1, 28, 28)</c>.</param>
    /// <exception cref="ShapeException">There is no length, one is below 1, or together they are not as long as the axis.</exception>
    public ModelBuilder Unflatten(params int[] sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        int[] own = [.. sizes];
        return Add(Said("Unflatten", own), (_, _, _) => new Unflatten(own));
    }

    /// <summary>A module of your own. It is used as it is: models built from this description twice share its parameters.</summary>
    /// <param name="module">A module of one input.</param>
    /// <exception cref="HybridException">The module refuses the shape that it would get.</exception>
    public ModelBuilder Then(Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return Add(Text.TypeName(module.GetType()), (_, _, _) => module);
    }

    /// <summary>A module of your own that is made anew by each <see cref="Build"/>, and once with another generator to learn its shape.</summary>
    /// <param name="make">Makes the module from the shape of one example and a generator for its parameters.</param>
    /// <exception cref="HybridException">The module refuses the shape that it would get.</exception>
    public ModelBuilder Then(Func<Shape, Generator, Module> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        return Add("Then", (shape, generator, _) => make(shape, generator));
    }

    /// <summary>Makes the network. All parameters are drawn from one generator, first layer to last.</summary>
    /// <param name="seed">Where the numbers come from: a number, or a generator; by default no two networks are alike.</param>
    /// <param name="type">Float32, the default, or float64.</param>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    public Sequential Build(Generator? seed = null, ElementType type = ElementType.Float32)
    {
        if (type > ElementType.Float64)
            throw new ElementTypeException("Model", "float32 or float64", Text.Name(type), "Build", "Parameters are floating-point numbers.");
        seed ??= new Generator();
        return new Sequential([.. steps.Select(step => step.Make(seed, type))]);
    }

    /// <summary>The description, a line for each step, with shapes.</summary>
    public override string ToString() => string.Join("\n", steps.Select(step => $"{step.Name} {step.Output}").Prepend($"Input {InputShape}"));

    /// <summary>
    /// Adds a layer whose output shape the layer itself says: it is made once and entered with an example that is never computed. A
    /// new layer of the library is one call of this.
    /// </summary>
    /// <param name="name">As it was written, for errors.</param>
    /// <param name="make">Makes the layer from the shape of one example, a generator and the element type.</param>
    /// <param name="axes">The axes an example must have, such as <c>[channels, height, width]</c>; null for any.</param>
    private ModelBuilder Add(string name, Func<Shape, Generator, ElementType, Module> make, params string[]? axes)
    {
        var input = OutputShape;
        if (axes is { Length: > 0 } && input.Rank != axes.Length)
        {
            var advice = $"It takes {axes.Length} axes: give Model.Input as many, put it before Flatten, or give a row its axes with Unflatten.";
            throw Refuse(name, $"an example of shape [{string.Join(", ", axes)}]", input.ToString(), advice);
        }
        var batch = Inferred(name, Shape.Of([1, .. input.ToArray()]), make);
        if (batch.Rank == 0 || batch[0] != 1)
            throw Refuse(name, "a result of shape [batch, ...]", batch.ToString(), "A layer keeps the first axis, the batch.");
        var output = Shape.Of(batch.ToArray()[1..]);
        return new(InputShape, steps.Add(new(name, input, output, (g, type) => make(input, g, type))));
    }

    // A step as it was written; options are left out where they have their usual value.
    private static string Said(string layer, IEnumerable<int> numbers, params (string Name, object? Value, object? Usual)[] options)
    {
        var said = options.Where(option => !Equals(option.Value, option.Usual));
        var words = said.Select(option => string.Create(CultureInfo.InvariantCulture, $"{option.Name}: {option.Value}").ToLowerInvariant());
        return $"{layer}({string.Join(", ", numbers.Select(number => Text.Number(number)).Concat(words))})";
    }

    private Shape Inferred(string name, Shape batch, Func<Shape, Generator, ElementType, Module> make)
    {
        using var noGrad = Mode.NoGrad();
        using var evaluation = Mode.Evaluation();
        try
        {
            var module = make(OutputShape, new Generator(0), ElementType.Float32);
            var type = module.Parameters().FirstOrDefault()?.DType ?? ElementType.Float32;
            return module.Forward(Tensor.Zeros(batch, type)).Shape;
        }
        catch (ShapeException e)
        {
            throw Refuse(name, e.Expected, e.Got, e.Advice);
        }
    }

    private ShapeException Refuse(string name, string expected, string got, string advice) =>
        new("Model", expected, got, $"step {Text.Number(steps.Count + 1)}: {name}", advice);
}
