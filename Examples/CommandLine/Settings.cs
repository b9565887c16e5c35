using System.Globalization;
using Hybrid.Kernels;

namespace Hybrid.Examples.CommandLine;

/// <summary>What the user asked for. The texts have passed the option table, so reading them cannot fail.</summary>
internal sealed class Settings(string command, IReadOnlyDictionary<string, string> values, IReadOnlySet<string> given)
{
    /// <summary>The command.</summary>
    internal string Command => command;

    /// <summary>The data; null if it was left to the command.</summary>
    internal string? Data => Text(OptionTable.Data);

    /// <summary>The model, or <c>all</c>.</summary>
    internal string Model => Text(OptionTable.Model)!;

    /// <summary>The path, or <c>all</c>.</summary>
    internal string Path => Text(OptionTable.Path)!;

    /// <summary>The element type.</summary>
    internal ElementType Precision => PrecisionName == "float32" ? ElementType.Float32 : ElementType.Float64;

    /// <summary>The element type as the user writes it.</summary>
    internal string PrecisionName => Text(OptionTable.Precision)!;

    /// <summary>The number of passes.</summary>
    internal int Epochs => WholeNumber(OptionTable.Epochs);

    /// <summary>Images in a step; null if the command takes all of them.</summary>
    internal int? Batch => Text(OptionTable.Batch) is null ? null : WholeNumber(OptionTable.Batch);

    /// <summary>The learning rate; null if it was left to the command.</summary>
    internal double? LearningRate => Text(OptionTable.LearningRate) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>Threads that compute; null if the command computes nothing.</summary>
    internal int? Threads => Text(OptionTable.Threads) is null ? null : WholeNumber(OptionTable.Threads);

    /// <summary>Start of all that is random.</summary>
    internal int Seed => WholeNumber(OptionTable.Seed);

    /// <summary>Where the results go as JSON; null for nowhere.</summary>
    internal string? Json => Text(OptionTable.Json);

    /// <summary>The word for the dataset to download.</summary>
    internal string Dataset => Text(OptionTable.Dataset)!;

    /// <summary>Where to download it from; null for where it is known to be.</summary>
    internal Uri? Mirror => Text(OptionTable.Mirror) is { } text ? new(text) : null;

    /// <summary>Whether the user wrote an option, rather than leaving it to its default.</summary>
    internal bool IsGiven(OptionSpec option) => given.Contains(option.Name);

    /// <summary>All options as they stand, for the results: names without dashes.</summary>
    internal IReadOnlyDictionary<string, string> Written() => values.ToDictionary(pair => pair.Key.TrimStart('-'), pair => pair.Value);

    private string? Text(OptionSpec option) => values.GetValueOrDefault(option.Name);

    private int WholeNumber(OptionSpec option) => int.Parse(Text(option)!, CultureInfo.InvariantCulture);
}
