using Xunit;

namespace Hybrid.Layers.Tests;

public sealed class ReductionTests
{
    [Fact]
    public void Mean_is_the_default()
    {
        Assert.Equal(Reduction.Mean, default(Reduction));
    }
}
