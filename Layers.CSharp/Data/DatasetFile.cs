namespace Hybrid.Layers.Data;

/// <summary>A file of a known dataset.</summary>
/// <param name="Name">Its name without <c>.gz</c>.</param>
/// <param name="Sha256">SHA-256 of its content before compression, in lower-case hexadecimal.</param>
public sealed record DatasetFile(string Name, string Sha256);
