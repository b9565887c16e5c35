using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>The state of a module or optimiser as a value: tensors by name, in order. Immutable; training does not change it.</summary>
public sealed class StateDict : IReadOnlyDictionary<string, Tensor>
{
    private readonly OrderedDictionary<string, Tensor> entries;

    /// <summary>Makes a state dict, in the given order.</summary>
    /// <param name="entries">Names and values.</param>
    /// <exception cref="ArgumentException">A name comes twice.</exception>
    public StateDict(IEnumerable<KeyValuePair<string, Tensor>> entries) => this.entries = new(entries, StringComparer.Ordinal);

    /// <summary>How many tensors there are.</summary>
    public int Count => entries.Count;

    /// <summary>The names, in order.</summary>
    public IEnumerable<string> Keys => entries.Keys;

    /// <summary>The tensors, in the order of their names.</summary>
    public IEnumerable<Tensor> Values => entries.Values;

    /// <summary>The tensor of a name.</summary>
    /// <param name="key">A name such as <c>0.weight</c>.</param>
    /// <exception cref="KeyNotFoundException">There is no such name.</exception>
    public Tensor this[string key] => entries[key];

    /// <summary>Whether there is a tensor of a name.</summary>
    /// <param name="key">A name such as <c>0.weight</c>.</param>
    public bool ContainsKey(string key) => entries.ContainsKey(key);

    /// <summary>The tensor of a name, if there is one.</summary>
    /// <param name="key">A name such as <c>0.weight</c>.</param>
    /// <param name="value">The tensor; null if there is none.</param>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out Tensor value) => entries.TryGetValue(key, out value);

    /// <summary>Names and tensors, in order.</summary>
    public IEnumerator<KeyValuePair<string, Tensor>> GetEnumerator() => entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The values of cells now, as constants of any later computation.</summary>
    internal static StateDict Of(IEnumerable<(string Name, Cell Cell)> cells)
    {
        var named = cells.ToArray();
        var twice = named.GroupBy(entry => entry.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
        {
            var advice = "Give one of the two members another name with StateName.";
            throw new CellException("StateDict", "a name for each cell", $"'{twice.Key}' twice", "", advice);
        }
        return new(named.Select(entry => KeyValuePair.Create(entry.Name, entry.Cell.Value.Detach())));
    }

    /// <summary>Writes the values of a state dict to cells, all or none.</summary>
    internal static void Load(
        string operation,
        IReadOnlyCollection<(string Name, Cell Cell)> cells,
        IReadOnlyDictionary<string, Tensor> state,
        bool strict
    )
    {
        ArgumentNullException.ThrowIfNull(state);
        var names = cells.Select(entry => entry.Name).ToHashSet(StringComparer.Ordinal);
        var problems = new List<string>();
        if (strict)
        {
            problems.AddRange(cells.Where(entry => !state.ContainsKey(entry.Name)).Select(entry => $"no '{entry.Name}'"));
            problems.AddRange(state.Keys.Where(name => !names.Contains(name)).Select(name => $"'{name}', which the target has not"));
        }
        var present = cells.Where(entry => state.ContainsKey(entry.Name)).ToArray();
        foreach (var (name, cell) in present)
        {
            var value = state[name];
            if (value.Shape != cell.Shape)
                problems.Add($"'{name}' of shape {value.Shape} for {cell.Shape}");
            if (value.DType != cell.DType)
                problems.Add($"'{name}' of type {Text.Name(value.DType)} for {Text.Name(cell.DType)}");
        }
        if (problems.Count > 0)
        {
            var advice = "Nothing was changed. Load it into a model of the same layers, or with strict: false to skip names that differ.";
            throw new CellException(operation, "a state dict that fits", string.Join("; ", problems), "", advice);
        }
        Cell.SetAll([.. present.Select(entry => entry.Cell)], [.. present.Select(entry => state[entry.Name])]);
    }
}
