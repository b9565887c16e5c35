using System.Globalization;

namespace Hybrid.Benchmarks;

/// <summary>Writes lines: results to the output, remarks to the error stream.</summary>
internal static class Report
{
    /// <summary>A line of results, the same on every machine's culture.</summary>
    internal static void Line(FormattableString line) => Console.Out.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    /// <summary>A remark.</summary>
    internal static void Note(string line) => Console.Error.WriteLine(line);
}
