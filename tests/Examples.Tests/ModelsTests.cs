using Hybrid.Core;
using Hybrid.Examples.Runs;
using Hybrid.Layers;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The networks of the curriculum, by the images they are for: what comes before the last layer, and how much is learned.</summary>
public sealed class ModelsTests
{
    [Theory]
    [InlineData("softmax", 28, 784, 7_850)]
    [InlineData("mlp", 28, 128, 101_770)]
    [InlineData("mlp", 16, 128, (256 * 128) + 128 + 1_290)]
    [InlineData("mlp", 8, 128, 9_610)]
    [InlineData("cnn", 28, 256, 208 + 3_216 + 2_570)]
    [InlineData("cnn", 16, 16, 208 + 3_216 + 170)]
    [InlineData("cnn", 8, 64, 80 + 1_168 + 650)]
    public void A_network_has_the_curriculums_sizes(string name, int side, int features, long parameters)
    {
        var net = Models.Named(name).Single().Describe(new ImageShape(1, side, side), 10).Build(seed: 1);

        Assert.Equal(Shape.Of(3, 10), net.Forward(Tensor.Zeros(Shape.Of(3, side * side))).Shape);
        Assert.Equal(features, ((Linear)net[net.Count - 1]).Inputs);
        Assert.Equal(parameters, net.Parameters().Sum(cell => cell.Shape.Size));
    }

    [Fact]
    public void Colours_are_channels()
    {
        var net = Models.Named("cnn").Single().Describe(new ImageShape(3, 28, 32), 4).Build(seed: 1);

        Assert.Equal(Shape.Of(1, 3, 28, 32), net[0].Forward(Tensor.Zeros(Shape.Of(1, 3 * 28 * 32))).Shape);
        Assert.Equal(16 * 4 * 5, ((Linear)net[net.Count - 1]).Inputs);
    }
}
