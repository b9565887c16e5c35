using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// A layer, or a network of layers: what it computes, the parameters it holds, and, if its author wrote one, a backward pass by hand.
/// </summary>
/// <remarks>
/// <para>
/// An author overrides <see cref="Compute(Tensor)"/> and is done: gradients are derived from the graph. A backward by hand is added in one
/// of two forms, and is then used by <c>loss.BackwardManual()</c>, by containers and by the checks: the form as taught,
/// <see cref="BackwardDelta"/> and <see cref="BackwardUpdateGradient"/> (in the manner of Torch7's <c>updateGradInput</c> and
/// <c>accGradParameters</c>), or the general form <see cref="Backward(Call, Tensor[])"/> for several inputs or saved state.
/// </para>
/// <para>
/// Parameters, buffers and inner modules are found by themselves: fields and properties of type <see cref="Cell"/> or
/// <see cref="Module"/>, or lists, arrays and dictionaries of them. A module may be used by any thread.
/// </para>
/// </remarks>
public abstract partial class Module
{
    // The module whose Compute runs on this thread, and its Call; what Current and the path of inner modules come from.
    [ThreadStatic]
    private static Module? running;

    [ThreadStatic]
    private static Call? runningCall;

    // What is told of every module that is entered on this thread, when it is left.
    [ThreadStatic]
    private static Action<Module, Call>? watcher;

    private ManualContract contract;
    private CallMemory memory = new();
    private Segment? segment;

    // Parameters, and those of its own alone, once they are known never to become others; and what every Call is given.
    private List<Cell>? all;
    private List<Cell>? own;
    private Func<Call, Tensor[], Tensor[]>? compute;
    private CustomRule? rule;

    /// <summary>Makes a module.</summary>
    protected Module() => contract = ManualContract.Of(GetType());

    /// <summary>
    /// The name in layer paths, in place of the type's name; null, the default, for that. A module that nothing contains is called
    /// <c>net</c> by default.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>Whether there is a backward by hand: its author's, or for a container that of every module in it.</summary>
    public virtual bool HasManualBackward => contract.Any;

    /// <summary>Whether it holds the same cells and modules for ever, and so do those.</summary>
    internal virtual bool IsFixed => ModuleStructure.IsFixed(GetType());

    /// <summary>The result for one input. Nothing is computed before someone needs its value.</summary>
    /// <param name="x">The input, <c>[batch, ...]</c>; each layer says more.</param>
    /// <exception cref="ShapeException">The input does not fit; the error has the layer path.</exception>
    public Tensor Forward(Tensor x) => Enter([x]).Outputs[0];

    /// <summary>The results for several inputs, for modules that take or give more than one tensor.</summary>
    /// <param name="inputs">The inputs, in the module's order.</param>
    /// <exception cref="ShapeException">The inputs do not fit; the error has the layer path.</exception>
    public Tensor[] Forward(Tensor[] inputs) => [.. Enter(inputs).Outputs];

    /// <summary>The result for one input, in tensor operations and calls of other modules. What an author writes.</summary>
    /// <param name="x">The input.</param>
    protected abstract Tensor Compute(Tensor x);

    /// <summary>The results for several inputs; by default those of <see cref="Compute(Tensor)"/>, for one.</summary>
    /// <param name="inputs">The inputs, in the module's order.</param>
    /// <exception cref="ShapeException">The module takes one input, and there are others.</exception>
    protected virtual Tensor[] Compute(Tensor[] inputs)
    {
        if (inputs.Length != 1)
            throw new ShapeException("forward", "one input", Text.Number(inputs.Length), Current.Path, "Override Compute(Tensor[]) to take several.");
        return [Compute(inputs[0])];
    }

    /// <summary>The gradient with respect to the input; touches no parameter's gradient.</summary>
    /// <remarks>
    /// The Call that <see cref="Forward(Tensor)"/> made for this very input is used, if training mode and parameters are still what they were;
    /// otherwise the module is entered once more. Inside <see cref="Mode.NoGrad"/> no Call is kept.
    /// </remarks>
    /// <param name="input">What <see cref="Forward(Tensor)"/> was given.</param>
    /// <param name="delta">The gradient with respect to the result, of the result's shape.</param>
    /// <returns>A gradient of the input's shape.</returns>
    /// <exception cref="TapeException">There is no backward by hand.</exception>
    /// <exception cref="ShapeException">The delta has another shape than the result.</exception>
    public virtual Tensor BackwardDelta(Tensor input, Tensor delta)
    {
        RefuseBaseCall(contract.Delta);
        var call = CallFor(input, delta);
        return Sweep(call, [delta], static (_, _) => { })[0] ?? input * 0.0;
    }

    /// <summary>Adds the gradients with respect to the parameters to their <see cref="Cell.Grad"/>.</summary>
    /// <remarks>See <see cref="BackwardDelta"/> for which Call is used.</remarks>
    /// <param name="input">What <see cref="Forward(Tensor)"/> was given.</param>
    /// <param name="delta">The gradient with respect to the result, of the result's shape.</param>
    /// <exception cref="TapeException">There is no backward by hand.</exception>
    /// <exception cref="ShapeException">The delta has another shape than the result.</exception>
    public virtual void BackwardUpdateGradient(Tensor input, Tensor delta)
    {
        RefuseBaseCall(contract.Update);
        if (!contract.Delta || contract.General || Parameters().Count > 0)
            Sweep(CallFor(input, delta), [delta], null);
    }

    /// <summary>
    /// The general form of a backward by hand: the gradients with respect to the inputs, from those with respect to the outputs. Gradients
    /// of parameters are reported by <see cref="Accumulate"/>. By default made of the two one-input methods.
    /// </summary>
    /// <param name="call">Inputs, outputs, the parameters' values then, and what <see cref="Compute(Tensor)"/> saved.</param>
    /// <param name="deltas">The gradient with respect to each output; null where none flows.</param>
    /// <returns>One gradient for each input, of its shape; null for none.</returns>
    protected virtual Tensor?[] Backward(Call call, Tensor?[] deltas)
    {
        if (call.Inputs.Length != 1)
            throw Incomplete("Backward(Call, Tensor[])", "a module of several inputs without it");
        if (!contract.Delta)
            throw Incomplete("BackwardDelta", "a module with BackwardUpdateGradient alone");
        if (deltas[0] is not { } delta)
            return [null];
        if (contract.Update)
            BackwardUpdateGradient(call.Inputs[0], delta);
        else if (call.Parameters.Length > 0)
            throw Incomplete("BackwardUpdateGradient", $"a module of {call.Parameters.Length} parameters with BackwardDelta alone");
        return [BackwardDelta(call.Inputs[0], delta)];

        TapeException Incomplete(string expected, string got) =>
            new("manual backward", expected, got, call.Path, "Override it as well, or neither, to leave gradients to the automatic path.");
    }

    /// <summary>
    /// Reports a gradient of a parameter from a backward by hand: it is added to the sweep that is under way, or else to the parameter's
    /// <see cref="Cell.Grad"/>. A frozen parameter gets none, as on the automatic path.
    /// </summary>
    /// <param name="parameter">A parameter of this module.</param>
    /// <param name="gradient">A gradient of the parameter's shape.</param>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    protected static void Accumulate(Cell parameter, Tensor gradient)
    {
        if (parameter.Trainable)
            parameter.Accumulate(gradient);
    }

    /// <summary>
    /// The Call of the module whose <see cref="Compute(Tensor)"/> runs on this thread: its <see cref="Call.Path"/> for errors, and
    /// <see cref="Call.Saved"/> for what the backward by hand wants to keep.
    /// </summary>
    /// <exception cref="InvalidOperationException">None is running.</exception>
    protected static Call Current =>
        runningCall ?? throw new InvalidOperationException("No module is being computed on this thread: use Current inside Compute.");

    /// <summary>Enters the module: makes a Call, and remembers it for the manual contract.</summary>
    internal Call Enter(Tensor[] inputs)
    {
        foreach (var input in inputs)
            ArgumentNullException.ThrowIfNull(input, nameof(inputs));
        var call = Call.Enter(
            SegmentIn(running),
            inputs,
            contract.Any ? AllParameters() : OwnParameters(),
            compute ??= Run,
            contract.Any ? rule ??= (entered, deltas) => Checked(entered, Backward(entered, deltas)) : null
        );
        if (inputs.Length == 1 && Mode.IsRecording && HasManualBackward)
            memory.Remember(inputs[0], new RecordedCall(call, new ParameterStamp(AllParameters()), Mode.IsTraining, Mode.Compilation));
        watcher?.Invoke(this, call);
        return call;
    }

    private Tensor[] Run(Call entered, Tensor[] inputs)
    {
        var (outer, outerCall) = (running, runningCall);
        (running, runningCall) = (this, entered);
        try
        {
            return Compute(inputs);
        }
        finally
        {
            (running, runningCall) = (outer, outerCall);
        }
    }

    private List<Cell> AllParameters() => all ?? (IsFixed ? all = ModuleStructure.Parameters(this) : ModuleStructure.Parameters(this));

    private List<Cell> OwnParameters() =>
        own ?? (IsFixed ? own = ModuleStructure.Parameters(this, own: true) : ModuleStructure.Parameters(this, own: true));

    /// <summary>Runs an action, and tells a watcher of every module that it enters on this thread, inner ones first.</summary>
    internal static void Watched(Action<Module, Call> watch, Action action)
    {
        var outer = watcher;
        watcher = watch;
        try
        {
            action();
        }
        finally
        {
            watcher = outer;
        }
    }

    /// <summary>
    /// Runs the backward by hand of a Call of this module. Parameters' gradients go to <paramref name="accumulate"/>, or where
    /// <see cref="Cell.Accumulate"/> puts them if it is null. Containers chain their children's Calls.
    /// </summary>
    internal virtual Tensor?[] Sweep(Call call, Tensor?[] deltas, Action<Cell, Tensor>? accumulate) => call.Backward(deltas, accumulate);

    /// <summary>Forgets what belongs to the module that this one was copied from.</summary>
    private void Forget() => (memory, all, own, compute, rule) = (new(), null, null, null, null);

    // The base class would come back to the override that called it.
    private void RefuseBaseCall(bool overridden)
    {
        if (overridden && !contract.General)
            throw new InvalidOperationException($"{Text.TypeName(GetType())} overrides this method: the base class has no gradient to offer.");
    }

    // How the path names this module inside of the one that is being computed.
    private string SegmentIn(Module? parent)
    {
        if (parent is null)
            return Name ?? "net";
        var name = Name ?? Text.TypeName(GetType());
        var key = parent.KeyOf(this);
        if (string.IsNullOrEmpty(key))
            return name;
        var known = segment;
        if (known is null || !ReferenceEquals(known.Key, key) || !ReferenceEquals(known.Name, name))
            segment = known = new(key, name, $"{key}:{name}");
        return known.Text;
    }

    private Call CallFor(Tensor input, Tensor delta)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(delta);
        var call = memory.Find(input) is { IsOfNow: true } known ? known.Call : Enter([input]);
        var output = call.Outputs[0].Shape;
        if (delta.Shape != output)
        {
            var advice = "A delta is the gradient with respect to the result, and has its shape.";
            throw new ShapeException("manual backward", $"a delta of shape {output}", delta.Shape.ToString(), call.Path, advice);
        }
        return call;
    }

    private static Tensor?[] Checked(Call call, Tensor?[] gradients)
    {
        var inputs = call.Inputs;
        if (gradients.Length != inputs.Length)
        {
            var expected = $"one gradient for each of the {inputs.Length} inputs";
            throw new ShapeException(
                "manual backward",
                expected,
                Text.Number(gradients.Length),
                call.Path,
                "Return null for an input that has no gradient."
            );
        }
        for (var i = 0; i < inputs.Length; i++)
        {
            if (gradients[i] is { } gradient && gradient.Shape != inputs[i].Shape)
            {
                var expected = $"a gradient of shape {inputs[i].Shape}, that of input {i}";
                throw new ShapeException("manual backward", expected, gradient.Shape.ToString(), call.Path, "A gradient has the shape of its input.");
            }
        }
        return gradients;
    }

    // The text that names a module inside of its parent, made once.
    private sealed record Segment(string Key, string Name, string Text);
}
