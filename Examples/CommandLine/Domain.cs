using System.Globalization;

namespace Hybrid.Examples.CommandLine;

/// <summary>The values that an option takes.</summary>
/// <param name="Placeholder">What stands for the value in the help, such as <c>mnist|fashion|digits</c>.</param>
/// <param name="InWords">The values in words, to stand after "expected".</param>
/// <param name="Accepts">Whether a text is one of them.</param>
internal sealed record Domain(string Placeholder, string InWords, Func<string, bool> Accepts)
{
    /// <summary>A few words.</summary>
    internal static Domain OneOf(params string[] words) =>
        new(string.Join('|', words), InSentence(words), text => words.Contains(text, StringComparer.Ordinal));

    /// <summary>A whole number in a range, both ends included.</summary>
    internal static Domain WholeNumber(int minimum, int maximum) =>
        new(
            "N",
            string.Create(CultureInfo.InvariantCulture, $"a whole number from {minimum} to {maximum}"),
            text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum
        );

    /// <summary>A number above 0, up to a largest one.</summary>
    internal static Domain PositiveNumber(double maximum) =>
        new(
            "X",
            string.Create(CultureInfo.InvariantCulture, $"a number above 0 and up to {maximum}"),
            text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= maximum
        );

    /// <summary>The path of a file; whether it can be written is seen when the command starts.</summary>
    internal static Domain FilePath { get; } = new("FILE", "the path of a file", text => !string.IsNullOrWhiteSpace(text));

    /// <summary>The address of a folder on the web.</summary>
    internal static Domain WebFolder { get; } =
        new(
            "URL",
            "an http or https address that ends with a slash",
            text =>
                Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" && address.AbsolutePath.EndsWith('/')
        );

    private static string InSentence(string[] words) => words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}";
}
