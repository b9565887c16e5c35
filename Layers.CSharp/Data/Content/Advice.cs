namespace Hybrid.Layers.Data;

/// <summary>What to do about a file, in the words that several errors share.</summary>
internal static class Advice
{
    public const string CutOff = "The file is cut off: fetch it again.";
    public const string Damaged = "The file is damaged: fetch it again.";
    public const string TooLong = "The file has bytes after its data: fetch it again, or correct its header.";
}
