using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>Where data is looked for. The order is a list; each place says for itself which folders it means.</summary>
public static class DataFolders
{
    private const string SolutionFile = "Hybrid.sln";
    private const string CompressedEnding = ".gz";

    /// <summary>The places, first to last.</summary>
    public static ImmutableArray<SearchPlace> SearchOrder { get; } =
    [
        new(DataEnvironment.DataVariable, true, UserFolder, "not set"),
        new("development layout", false, DevelopmentFolders, $"no {SolutionFile} above this program"),
        new("cache", false, CacheFolder, "this user has none"),
        new("system", false, SystemFolder, "this system has none"),
    ];

    /// <summary>
    /// Looks for files that lie together in one folder, each plain or with <c>.gz</c>. A folder that lacks one of them is
    /// passed over; a folder named by HYBRID_DATA that does not exist is an error.
    /// </summary>
    /// <param name="dataset">What is looked for, in the words of the answer.</param>
    /// <param name="subfolder">The subfolder of each place to look in.</param>
    /// <param name="files">The names of the files, without <c>.gz</c>.</param>
    /// <param name="environment">Where the program runs.</param>
    /// <exception cref="DataException">HYBRID_DATA names a folder that does not exist.</exception>
    public static DataLookup Find(string dataset, string subfolder, ImmutableArray<string> files, DataEnvironment environment) =>
        Find(dataset, subfolder, files, environment, _ => null);

    /// <summary>As above; the last argument may refuse files that were found, by saying why.</summary>
    internal static DataLookup Find(
        string dataset,
        string subfolder,
        ImmutableArray<string> files,
        DataEnvironment environment,
        Func<ImmutableArray<string>, string?> refuse
    )
    {
        var looked = ImmutableArray.CreateBuilder<LookedIn>();
        foreach (var place in SearchOrder)
        {
            var folders = place.Folders(environment, subfolder);
            if (folders.IsEmpty)
                looked.Add(new(place.Name, null, place.WithoutFolder));
            foreach (var folder in folders)
            {
                var (found, lacks) = FilesIn(folder, files);
                var outcome = lacks ?? refuse(found);
                looked.Add(new(place.Name, folder, outcome ?? LookedIn.FoundHere));
                if (outcome is null)
                    return new(dataset, files, looked.ToImmutable(), found);
            }
        }
        return new(dataset, files, looked.ToImmutable(), []);
    }

    /// <summary>The paths of all the files, or what is missing.</summary>
    private static (ImmutableArray<string> Found, string? Lacks) FilesIn(string folder, ImmutableArray<string> files)
    {
        if (!Directory.Exists(folder))
            return ([], "no such folder");
        var found = ImmutableArray.CreateBuilder<string>();
        foreach (var file in files)
        {
            var plain = Path.Combine(folder, file);
            var path = new[] { plain, plain + CompressedEnding }.FirstOrDefault(File.Exists);
            if (path is null)
                return ([], $"lacks {file}");
            found.Add(path);
        }
        return (found.ToImmutable(), null);
    }

    private static IEnumerable<string> UserFolder(DataEnvironment environment)
    {
        if (environment.Variable(DataEnvironment.DataVariable) is not { } named)
            yield break;
        var folder = Path.GetFullPath(named, environment.CurrentFolder);
        if (!Directory.Exists(folder))
        {
            const string advice = "Set it to the folder that holds your data, or unset it.";
            throw new DataException(DataEnvironment.DataVariable, null, "a folder that exists", folder, advice);
        }
        yield return folder;
    }

    /// <summary><c>shared/datasets</c> beside the repository, found from the current folder and from the program's own.</summary>
    private static IEnumerable<string> DevelopmentFolders(DataEnvironment environment)
    {
        foreach (var start in new[] { environment.CurrentFolder, environment.ApplicationFolder })
        {
            if (RepositoryAbove(start) is { Parent: { } beside })
                yield return Path.Combine(beside.FullName, "shared", "datasets");
        }
    }

    private static DirectoryInfo? RepositoryAbove(string start)
    {
        var folder = new DirectoryInfo(Path.TrimEndingDirectorySeparator(start));
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, SolutionFile)))
            folder = folder.Parent;
        return folder;
    }

    /// <summary>The variable's folder if it is absolute (the specification has others ignored), else the platform's.</summary>
    internal static string? CacheFolderOf(DataEnvironment environment)
    {
        var named = environment.Variable(DataEnvironment.CacheVariable);
        var cache = named is not null && Path.IsPathFullyQualified(named) ? named : environment.PlatformCacheFolder;
        return cache.Length > 0 ? Path.Combine(cache, "hybrid") : null;
    }

    private static IEnumerable<string> CacheFolder(DataEnvironment environment) => CacheFolderOf(environment) is { } folder ? [folder] : [];

    private static IEnumerable<string> SystemFolder(DataEnvironment environment)
    {
        if (environment.ShareFolder.Length > 0)
            yield return Path.Combine(environment.ShareFolder, "datasets");
    }
}
