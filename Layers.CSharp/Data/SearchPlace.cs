using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>A kind of place where data is looked for.</summary>
public sealed class SearchPlace
{
    private readonly bool directly;
    private readonly Func<DataEnvironment, IEnumerable<string>> roots;

    internal SearchPlace(string name, bool directly, Func<DataEnvironment, IEnumerable<string>> roots, string withoutFolder)
    {
        Name = name;
        this.directly = directly;
        this.roots = roots;
        WithoutFolder = withoutFolder;
    }

    /// <summary>What the place is called.</summary>
    public string Name { get; }

    /// <summary>Why there is no folder to look in, if there is none.</summary>
    internal string WithoutFolder { get; }

    /// <summary>The folders to look in, first to last, each once; they need not exist.</summary>
    /// <param name="environment">Where the program runs.</param>
    /// <param name="subfolder">The dataset's own folder.</param>
    /// <exception cref="DataException">The user named a folder that does not exist.</exception>
    public ImmutableArray<string> Folders(DataEnvironment environment, string subfolder) =>
        [
            .. roots(environment)
                .SelectMany(root => directly ? new[] { Path.Combine(root, subfolder), root } : [Path.Combine(root, subfolder)])
                .Distinct(),
        ];
}
