using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>A test that needs MNIST; without it the test is skipped, and the reason says where it was looked for.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MnistFactAttribute : FactAttribute
{
    public MnistFactAttribute() => Skip = Missing;

    private static string? Missing { get; } =
        Enum.GetValues<DatasetPart>()
            .Select(part => Datasets.Find(KnownDataset.Mnist, part, DataEnvironment.OfThisProcess()))
            .FirstOrDefault(lookup => !lookup.Found)
            ?.Message;
}
