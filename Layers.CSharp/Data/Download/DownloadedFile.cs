namespace Hybrid.Layers.Data;

/// <summary>A file that is in its folder, whole and checked.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="WasThere">Whether it was there before.</param>
public sealed record DownloadedFile(string Path, bool WasThere);
