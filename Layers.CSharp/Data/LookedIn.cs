namespace Hybrid.Layers.Data;

/// <summary>One folder where data was looked for.</summary>
/// <param name="Place">What the place is called in <see cref="DataFolders.SearchOrder"/>.</param>
/// <param name="Folder">The folder, or null if the place has none here.</param>
/// <param name="Outcome"><c>found</c>, or why the data is not there.</param>
public sealed record LookedIn(string Place, string? Folder, string Outcome)
{
    /// <summary>The outcome of the folder that has the data.</summary>
    public const string FoundHere = "found";

    /// <summary>The folder, or the place without one, and the outcome.</summary>
    public override string ToString() => $"{Folder ?? Place}: {Outcome}";
}
