using System.Runtime.InteropServices;
using System.Text.Json;
using Hybrid.Core;

namespace Hybrid.Layers.Tests.Support;

/// <summary>PyTorch's numbers, as tests/Conformance/README.md describes them.</summary>
internal static class Conformance
{
    private static readonly string Root = FindRoot();

    /// <summary>The names of the trajectories.</summary>
    public static string[] Trajectories() =>
        [
            .. Directory
                .GetFiles(Path.Combine(Root, "trajectories"), "*.json")
                .Select(file => Path.GetFileNameWithoutExtension(file))
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>A file of the folder, parsed.</summary>
    public static JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Root, $"{name}.json"))).RootElement;

    /// <summary>A stored tensor.</summary>
    public static Tensor AsTensor(JsonElement stored)
    {
        var shape = Shape.Of([.. stored.GetProperty("shape").EnumerateArray().Select(length => length.GetInt32())]);
        var bytes = stored.GetProperty("data").GetBytesFromBase64();
        return stored.GetProperty("type").GetString() switch
        {
            "float64" => Tensor.From<double>(MemoryMarshal.Cast<byte, double>(bytes), shape),
            "int32" => Tensor.From<int>(MemoryMarshal.Cast<byte, int>(bytes), shape),
            var type => throw new NotSupportedException(type),
        };
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var data = Path.Combine(folder.FullName, "tests", "Conformance", "data");
            if (Directory.Exists(data))
                return data;
        }
        throw new DirectoryNotFoundException("tests/Conformance/data is not above the test program");
    }
}
