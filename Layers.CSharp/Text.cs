using System.Globalization;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>How errors write numbers, names and types: the same in every culture.</summary>
internal static class Text
{
    /// <summary>A whole number.</summary>
    public static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The shortest text that reads back as the same number.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Lengths of axes as a shape writes them, also where they are no shape: <c>[-1, 28]</c>.</summary>
    public static string Lengths(IEnumerable<int> lengths) => $"[{string.Join(", ", lengths.Select(length => Number(length)))}]";

    /// <summary>The name of an element type as the documentation writes it, such as <c>float32</c>.</summary>
    public static string Name(ElementType type) => type.ToString().ToLowerInvariant();

    /// <summary>The name of a type without its generic arguments.</summary>
    public static string TypeName(Type type) => type.IsGenericType ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] : type.Name;

    /// <summary>The name of a member in a state dict: <c>RunningMean</c> and <c>_runningMean</c> are both <c>running_mean</c>.</summary>
    public static string SnakeCase(string name)
    {
        var text = new System.Text.StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var starts =
                i > 0
                && char.IsUpper(name[i])
                && name[i - 1] != '_'
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (starts)
                text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}
