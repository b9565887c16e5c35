using System.Globalization;
using System.Runtime.CompilerServices;

namespace Hybrid.Examples.Output;

/// <summary>Text with numbers in it, the same in every culture.</summary>
internal static class Say
{
    /// <summary>A line.</summary>
    internal static string Line(ref DefaultInterpolatedStringHandler text) => string.Create(CultureInfo.InvariantCulture, ref text);

    /// <summary>How many of something, by its plural where there is not one: <c>1 step</c>, <c>50 steps</c>.</summary>
    internal static string Count(int count, string singular) => Line($"{count} {singular}{(count == 1 ? "" : "s")}");

    /// <summary>A difference or a bound: 0, or two digits and a power of ten.</summary>
    internal static string Small(double value) => value == 0 ? "0" : value.ToString("0.0e+00", CultureInfo.InvariantCulture);
}
