using System.Collections.Immutable;

namespace Hybrid.Layers.Data;

/// <summary>
/// What the search for data depends on outside its arguments. <see cref="OfThisProcess"/> takes it from the machine; tests
/// make their own, so that none needs to change the real one.
/// </summary>
/// <param name="Variables">The environment variables that matter; one that is empty counts as not set.</param>
/// <param name="CurrentFolder">The folder the program was started in.</param>
/// <param name="ApplicationFolder">The folder the program lies in.</param>
/// <param name="PlatformCacheFolder">Where this platform keeps what programs may fetch again, or empty if it has no such place.</param>
/// <param name="ShareFolder">The system's folder for data of packages, or empty.</param>
public sealed record DataEnvironment(
    ImmutableDictionary<string, string> Variables,
    string CurrentFolder,
    string ApplicationFolder,
    string PlatformCacheFolder,
    string ShareFolder
)
{
    /// <summary>The variable with the user's folder of data.</summary>
    public const string DataVariable = "HYBRID_DATA";

    /// <summary>The variable with the user's cache folder (XDG Base Directory Specification).</summary>
    public const string CacheVariable = "XDG_CACHE_HOME";

    /// <summary>Where Debian's packages put data (Filesystem Hierarchy Standard); <c>dataset-fashion-mnist</c> does.</summary>
    public const string DebianShareFolder = "/usr/share";

    /// <summary>The environment as it is now.</summary>
    public static DataEnvironment OfThisProcess() =>
        new(
            new[] { DataVariable, CacheVariable }.ToImmutableDictionary(name => name, name => Environment.GetEnvironmentVariable(name) ?? ""),
            Directory.GetCurrentDirectory(),
            AppContext.BaseDirectory,
            PlatformCache(),
            OperatingSystem.IsLinux() ? DebianShareFolder : ""
        );

    /// <summary>The value of a variable, or null if it is not set or empty.</summary>
    internal string? Variable(string name) => Variables.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

    private static string PlatformCache()
    {
        if (OperatingSystem.IsWindows())
            return Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (home.Length == 0)
            return "";
        return OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches") : Path.Combine(home, ".cache");
    }
}
