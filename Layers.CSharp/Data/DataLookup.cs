using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>The answer of a search: the files, or every place that does not have them and why.</summary>
public sealed class DataLookup
{
    internal DataLookup(string dataset, ImmutableArray<string> wanted, ImmutableArray<LookedIn> looked, ImmutableArray<string> files)
    {
        Dataset = dataset;
        Wanted = wanted;
        Looked = looked;
        Files = files;
    }

    /// <summary>What was looked for.</summary>
    public string Dataset { get; }

    /// <summary>The names of its files, without <c>.gz</c>.</summary>
    public ImmutableArray<string> Wanted { get; }

    /// <summary>Where it was looked for, first to last, up to where it was found.</summary>
    public ImmutableArray<LookedIn> Looked { get; }

    /// <summary>The files in the order of <see cref="Wanted"/>, or none if not all were found in one folder.</summary>
    public ImmutableArray<string> Files { get; }

    /// <summary>Whether it was found.</summary>
    public bool Found => !Files.IsEmpty;

    /// <summary>One line for people: where it is, or where it was looked for and what to do.</summary>
    public string Message =>
        Found
            ? $"{Dataset} was found in {Looked[^1].Folder}"
            : $"{Dataset} was not found (looked in {Places}); set {DataEnvironment.DataVariable} to the folder that holds {WantedInWords}, plain or .gz";

    internal DataException NotFound() =>
        new(
            Dataset,
            null,
            $"{WantedInWords} in one folder",
            $"none that has them (looked in {Places})",
            $"Set {DataEnvironment.DataVariable} to the folder that holds them, plain or .gz."
        );

    private string Places => string.Join("; ", Looked);

    private string WantedInWords => string.Join(" and ", Wanted);
}
