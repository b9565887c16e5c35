using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// Modules one after another: each gets the result of the one before. Its modules are named by index, their parameters <c>0.weight</c> and
/// so on. Tapes look through it to the modules inside.
/// </summary>
public class Sequential : Module
{
    [StateName("")]
    private readonly Module[] modules;

    /// <summary>Chains modules; with none, the result is the input.</summary>
    /// <param name="modules">The modules, first to last; one may come more than once, and then shares its parameters with itself.</param>
    public Sequential(params Module[] modules)
    {
        ArgumentNullException.ThrowIfNull(modules);
        foreach (var module in modules)
            ArgumentNullException.ThrowIfNull(module, nameof(modules));
        this.modules = [.. modules];
        foreach (var (name, cell) in ModuleStructure.Cells(this))
            cell.Name = name;
    }

    /// <summary>How many modules there are.</summary>
    public int Count => modules.Length;

    /// <summary>The module at an index, counted from 0.</summary>
    /// <param name="index">The index.</param>
    public Module this[int index] => modules[index];

    /// <summary>Whether every module in it has a backward by hand, or this one has one of its own.</summary>
    public override bool HasManualBackward => base.HasManualBackward || Array.TrueForAll(modules, static module => module.HasManualBackward);

    /// <summary>Its array is never written; a class derived from this one may hold more.</summary>
    internal override bool IsFixed => GetType() == typeof(Sequential) && Array.TrueForAll(modules, static module => module.IsFixed);

    /// <inheritdoc/>
    protected override Tensor Compute(Tensor x)
    {
        var calls = new Call[modules.Length];
        for (var i = 0; i < calls.Length; i++)
        {
            calls[i] = modules[i].Enter([x]);
            x = calls[i].Outputs[0];
        }
        Current.Saved = calls;
        return x;
    }

    /// <summary>Last module to first, each with the Call of this pass: a number of steps that is linear in the depth of nesting.</summary>
    internal override Tensor?[] Sweep(Call call, Tensor?[] deltas, Action<Cell, Tensor>? accumulate)
    {
        if (call.HasRule)
            return base.Sweep(call, deltas, accumulate);
        var calls = (Call[])call.Saved;
        for (var i = calls.Length - 1; i >= 0; i--)
            deltas = modules[i].Sweep(calls[i], deltas, accumulate);
        return deltas;
    }
}
