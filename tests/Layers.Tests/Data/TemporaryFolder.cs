namespace Hybrid.Layers.Tests.Data;

/// <summary>A folder of its own for one test, deleted after it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("hybrid-data-").FullName;

    public string Folder(params string[] names) => Directory.CreateDirectory(System.IO.Path.Combine([Path, .. names])).FullName;

    public string Write(string name, params byte[] bytes)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
