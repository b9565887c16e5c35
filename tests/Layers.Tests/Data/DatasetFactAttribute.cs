using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Data;

/// <summary>A test that needs a dataset which Hybrid does not ship; without it the test is skipped, and the reason says where it was looked for.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class DatasetFactAttribute : FactAttribute
{
    public DatasetFactAttribute(string name)
    {
        var dataset = KnownDataset.All.Single(known => known.Name == name);
        var missing = Enum.GetValues<DatasetPart>()
            .Select(part => Datasets.Find(dataset, part, DataEnvironment.OfThisProcess()))
            .FirstOrDefault(lookup => !lookup.Found);
        if (missing is not null)
            Skip = missing.Message;
    }
}
