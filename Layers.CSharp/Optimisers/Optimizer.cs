using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// Moves parameters by their gradients. Everything it remembers is in cells, the learning rate and the step counts too: a step can be part
/// of a compiled function, a schedule compiles nothing, and all cells of a step change at once or, if it fails, not at all.
/// </summary>
/// <remarks>
/// <para>Running means of gradients are flushed (<see cref="Tensor.Flush"/>) here and should be in an author's optimiser: weights of inputs
/// that are rarely lit get no gradient for hundreds of steps, and means that decay to subnormal numbers stay there and make every step slower.</para>
/// An author declares state with <see cref="AddState"/> and <see cref="AddStepCounts"/> in the constructor and writes <see cref="Update"/>.
/// One thread at a time may step.
/// </remarks>
public abstract class Optimizer
{
    private readonly Cell[] parameters;
    private readonly Cell learningRate;
    private readonly List<(string Name, Cell[] Cells)> states = [];
    private readonly CellRule?[] rules;

    /// <summary>Makes an optimiser.</summary>
    /// <param name="parameters">What it moves, such as <see cref="Module.Parameters"/>; one that comes twice counts once.</param>
    /// <param name="lr">The learning rate, at least 0.</param>
    /// <exception cref="ValueException">There is no parameter, or the learning rate is negative or not a number.</exception>
    /// <exception cref="ElementTypeException">A parameter is not of a floating-point type.</exception>
    protected Optimizer(IEnumerable<Cell> parameters, double lr)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        this.parameters = [.. parameters.Distinct((IEqualityComparer<Cell>)ReferenceEqualityComparer.Instance)];
        if (this.parameters.Length == 0)
            throw new ValueException(Title, "at least one parameter", "none", "", "Pass the Parameters() of a module.");
        foreach (var parameter in this.parameters)
        {
            if (parameter.DType > ElementType.Float64)
            {
                var got = $"'{parameter.Name}' of type {Text.Name(parameter.DType)}";
                throw new ElementTypeException(Title, "parameters of type float32 or float64", got, "", "Only floating-point numbers can be moved.");
            }
        }
        rules = new CellRule?[this.parameters.Length];
        learningRate = new Cell("lr", Float64(Checked(lr)), trainable: false);
    }

    /// <summary>The parameters, in the order given, each once.</summary>
    public IReadOnlyList<Cell> Parameters => parameters;

    /// <summary>The learning rate. It may be set at any time, also inside a compiled function; reading it there is refused.</summary>
    /// <exception cref="ValueException">It is negative or not a number.</exception>
    public double LearningRate
    {
        get => learningRate.Value.Item();
        set => learningRate.Set(Float64(Checked(value)));
    }

    /// <summary>Forgets the gradients of all parameters.</summary>
    public void ZeroGrad()
    {
        foreach (var parameter in parameters)
            parameter.ZeroGrad();
    }

    /// <summary>
    /// Moves every parameter by its gradient; those that have none, and frozen ones, stay where they are, and so does their state.
    /// </summary>
    public void Step()
    {
        var active = new List<CellRule>(parameters.Length);
        var gradients = new List<Tensor>(parameters.Length);
        var changes = new CellChanges();
        for (var i = 0; i < parameters.Length; i++)
        {
            var parameter = parameters[i];
            if (!parameter.Trainable || parameter.Grad is not { } gradient)
                continue;
            if (!IsFixed)
            {
                Update(i, gradient, learningRate.Value, changes);
                continue;
            }
            active.Add(rules[i] ??= RuleOf(i));
            gradients.Add(gradient);
        }
        CellRule.SetAll(active, gradients);
        changes.Apply();
    }

    /// <summary>
    /// Learning rate and state, by name such as <c>lr</c> and <c>0.momentum_buffer</c>, the number being the parameter's. What happens later
    /// does not change it.
    /// </summary>
    public StateDict StateDict() => Layers.StateDict.Of(StateCells());

    /// <summary>Replaces learning rate and state by those of a state dict. If anything does not fit, nothing changes.</summary>
    /// <param name="state">Values by name, as <see cref="StateDict"/> gives them.</param>
    /// <exception cref="CellException">Names are missing or unexpected, or shapes or types differ: all of it in one message.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state) =>
        Layers.StateDict.Load($"{Title}.LoadStateDict", StateCells(), state, strict: true);

    /// <summary>Says what one parameter and its state become.</summary>
    /// <param name="index">The parameter's place in <see cref="Parameters"/> and in every state.</param>
    /// <param name="gradient">Its gradient, of its shape and type.</param>
    /// <param name="rate">The learning rate, a float64 scalar.</param>
    /// <param name="changes">Where new values are reported.</param>
    protected abstract void Update(int index, Tensor gradient, Tensor rate, CellChanges changes);

    /// <summary>
    /// Whether <see cref="Update"/> does the same operations with the same numbers at every step, so that it need not run at each: what it
    /// does for a parameter is then written down once. False by default; what changes nevertheless is in cells.
    /// </summary>
    protected virtual bool IsFixed => false;

    /// <summary>Declares a state tensor for each parameter, of its shape and type, zero at the start.</summary>
    /// <param name="name">Its name in the state dict.</param>
    protected Cell[] AddState(string name) => Declare(name, parameter => Tensor.Zeros(parameter.Shape, parameter.DType));

    /// <summary>Declares a step count for each parameter: a float64 scalar, zero at the start, called <c>step</c>.</summary>
    protected Cell[] AddStepCounts() => Declare("step", _ => Float64(0));

    /// <summary>A scalar as another type; itself if it is that already.</summary>
    /// <param name="value">A scalar, such as the learning rate.</param>
    /// <param name="type">A type, such as the parameter's.</param>
    protected static Tensor As(Tensor value, ElementType type) => value.DType == type ? value : value.To(type);

    /// <summary>A float64 scalar; a host number, so that changing it compiles nothing.</summary>
    /// <param name="value">The number.</param>
    protected static Tensor Float64(double value) => Tensor.Scalar(value, ElementType.Float64);

    /// <summary>Refuses an option that is out of range.</summary>
    private protected void Require(bool holds, string expected, double got, string advice)
    {
        if (!holds)
            throw new ValueException(Title, expected, Text.Number(got), "", advice);
    }

    private CellRule RuleOf(int index) =>
        new(
            (gradient, set) =>
            {
                var changes = new CellChanges();
                Update(index, gradient, learningRate.Value, changes);
                changes.Report(set);
            }
        );

    private string Title => Text.TypeName(GetType());

    private double Checked(double lr)
    {
        Require(lr >= 0 && double.IsFinite(lr), "a learning rate of at least 0", lr, "A usual rate is between 1e-4 and 1.");
        return lr;
    }

    private Cell[] Declare(string name, Func<Cell, Tensor> initial)
    {
        var cells = Array.ConvertAll(parameters, parameter => new Cell($"{parameter.Name} {name}", initial(parameter), trainable: false));
        states.Add((name, cells));
        return cells;
    }

    private List<(string Name, Cell Cell)> StateCells()
    {
        var cells = new List<(string, Cell)> { ("lr", learningRate) };
        for (var i = 0; i < parameters.Length; i++)
            cells.AddRange(states.Select(state => ($"{Text.Number(i)}.{state.Name}", state.Cells[i])));
        return cells;
    }
}
