using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <content>What a module holds: parameters, buffers, inner modules, and its state as a value.</content>
public abstract partial class Module
{
    private Dictionary<Module, string>? keys;

    /// <summary>
    /// The parameters of this module and of all modules in it, frozen ones included: base class first, in the order of declaration, and each
    /// once, even if it is shared.
    /// </summary>
    public IReadOnlyList<Cell> Parameters() => ModuleStructure.Parameters(this);

    /// <summary>The parameters as <see cref="Parameters"/> lists them, with their names such as <c>0.weight</c>.</summary>
    public IReadOnlyList<(string Name, Cell Cell)> NamedParameters() => [.. ModuleStructure.Cells(this).Where(named => named.Cell.IsParameter)];

    /// <summary>The cells that are state and no parameters: running statistics, random keys. They were made with <c>trainable: false</c>.</summary>
    public IReadOnlyList<(string Name, Cell Cell)> NamedBuffers() => [.. ModuleStructure.Cells(this).Where(named => !named.Cell.IsParameter)];

    /// <summary>The modules directly inside of this one, each once, with their names.</summary>
    public IReadOnlyList<(string Name, Module Module)> Children() =>
        [
            .. ModuleStructure
                .Parts(this)
                .Where(part => part.Part is Module)
                .Select(part => (part.Name, (Module)part.Part))
                .DistinctBy(child => child.Item2, (IEqualityComparer<Module>)ReferenceEqualityComparer.Instance),
        ];

    /// <summary>Forgets the gradients of all parameters.</summary>
    public void ZeroGrad()
    {
        foreach (var parameter in Parameters())
            parameter.ZeroGrad();
    }

    /// <summary>
    /// Gradient descent as taught: each parameter that has a gradient and is not frozen becomes <c>p - step * p.Grad</c>. All of them change
    /// at once, or, if computing one of them fails, none.
    /// </summary>
    /// <param name="step">The learning rate. It is a host number, so that changing it compiles nothing.</param>
    public void UpdateParameters(double step)
    {
        var moving = Parameters().Where(cell => cell.Trainable && cell.Grad is not null).ToArray();
        var steps = new Dictionary<ElementType, Tensor>();
        foreach (var cell in moving)
            steps.TryAdd(cell.DType, Tensor.Scalar(step, cell.DType));
        Cell.SetAll(moving, [.. moving.Select(cell => cell.Value - (steps[cell.DType] * cell.Grad))]);
    }

    /// <summary>Excludes all parameters from training: no gradient flows to them, and optimisers leave them alone.</summary>
    public void Freeze() => SetTrainable(false);

    /// <summary>Undoes <see cref="Freeze"/>. Buffers are not touched.</summary>
    public void Unfreeze() => SetTrainable(true);

    /// <summary>
    /// All parameters and buffers as they are now, in the order of <see cref="Parameters"/>, by name such as <c>0.weight</c>. What is trained
    /// later does not change it.
    /// </summary>
    public StateDict StateDict() => Layers.StateDict.Of(ModuleStructure.Cells(this));

    /// <summary>Replaces all parameters and buffers by those of a state dict. If anything does not fit, nothing changes.</summary>
    /// <param name="state">Values by name, as <see cref="StateDict"/> gives them; shapes and element types must be the module's.</param>
    /// <param name="strict">
    /// Whether every name of the module must be there and no other; true by default. Without it only the names that both have are loaded.
    /// </param>
    /// <exception cref="CellException">
    /// Names are missing or unexpected, or shapes or element types differ: all of it in one message.
    /// </exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state, bool strict = true) =>
        Layers.StateDict.Load("LoadStateDict", ModuleStructure.Cells(this), state, strict);

    /// <summary>
    /// A copy of this module with parameters and buffers of its own, converted to an element type: a float64 copy for checks. What is shared
    /// within the module is shared within the copy; what is not a cell, a module or a collection of them is the same object in both.
    /// Integer buffers keep their type, and no gradient is copied.
    /// </summary>
    /// <param name="type">Float32 or Float64.</param>
    /// <exception cref="ElementTypeException">The type is not a floating-point type.</exception>
    /// <exception cref="NotSupportedException">A module holds others in a collection that cannot be copied.</exception>
    public Module Clone(ElementType type)
    {
        if (type > ElementType.Float64)
            throw new ElementTypeException("Clone", "float32 or float64", Text.Name(type), "", "Parameters are floating-point numbers.");
        return new ModuleCopy(type).Of(this);
    }

    /// <summary>A copy of this module; see <see cref="Clone(ElementType)"/>. Every parameter keeps its element type.</summary>
    public Module Clone() => new ModuleCopy(null).Of(this);

    /// <summary>A copy without the original's Calls, whose fields are still the original's.</summary>
    internal Module ShallowCopy()
    {
        var copy = (Module)MemberwiseClone();
        copy.Forget();
        copy.keys = null;
        return copy;
    }

    /// <summary>What this module calls one in it; null if it is not in here.</summary>
    private string? KeyOf(Module child)
    {
        var known = keys;
        if (known is null || !known.TryGetValue(child, out var key))
        {
            known = new(ReferenceEqualityComparer.Instance);
            foreach (var (name, module) in Children())
                known[module] = name;
            keys = known;
            known.TryGetValue(child, out key);
        }
        return key;
    }

    private void SetTrainable(bool trainable)
    {
        foreach (var parameter in Parameters())
            parameter.Trainable = trainable;
    }
}
