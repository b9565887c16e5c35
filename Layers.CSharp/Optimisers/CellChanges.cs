using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>What the cells of one step become; all of them change at once.</summary>
public sealed class CellChanges
{
    private readonly List<Cell> cells = [];
    private readonly List<Tensor> values = [];

    internal CellChanges() { }

    /// <summary>Says what a cell becomes. Until the step is complete, reading it gives its value from before.</summary>
    /// <param name="cell">A cell, once a step.</param>
    /// <param name="value">Its new value, of its shape and type.</param>
    public void Set(Cell cell, Tensor value)
    {
        cells.Add(cell);
        values.Add(value);
    }

    internal void Report(Action<Cell, Tensor> set)
    {
        for (var i = 0; i < cells.Count; i++)
            set(cells[i], values[i]);
    }

    internal void Apply()
    {
        if (cells.Count > 0)
            Cell.SetAll(cells, values);
    }
}
