using System.Text;

namespace Hybrid.Examples.Output;

/// <summary>A table in plain text: columns aligned, two spaces apart, no line wider than it must be.</summary>
internal sealed class TextTable
{
    private readonly bool[] right;
    private readonly List<string[]> rows = [];

    /// <summary>Begins a table.</summary>
    /// <param name="headings">The columns; one that begins with <c>&gt;</c> is aligned to the right.</param>
    internal TextTable(params string[] headings)
    {
        right = [.. headings.Select(heading => heading.StartsWith('>'))];
        rows.Add([.. headings.Select(heading => heading.TrimStart('>'))]);
    }

    /// <summary>Adds a row.</summary>
    internal void Add(params string[] cells)
    {
        if (cells.Length != right.Length)
            throw new ArgumentException($"expected {right.Length} cells, got {cells.Length}", nameof(cells));
        rows.Add(cells);
    }

    /// <summary>The lines, the headings first.</summary>
    internal IEnumerable<string> Lines()
    {
        var widths = right.Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            var line = new StringBuilder();
            for (var column = 0; column < row.Length; column++)
            {
                if (column > 0)
                    line.Append("  ");
                line.Append(right[column] ? row[column].PadLeft(widths[column]) : row[column].PadRight(widths[column]));
            }
            yield return line.ToString().TrimEnd();
        }
    }
}
