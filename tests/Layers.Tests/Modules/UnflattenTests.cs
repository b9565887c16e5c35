using Hybrid.Core;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>What Unflatten gives and refuses; its gradients are tested with those of every layer.</summary>
public sealed class UnflattenTests
{
    [Theory]
    [InlineData(new[] { 2, 12 }, new[] { 3, 2, 2 }, new[] { 2, 3, 2, 2 })]
    [InlineData(new[] { 2, 6, 5 }, new[] { 3, 2 }, new[] { 2, 3, 2, 5 })]
    [InlineData(new[] { 3, 4 }, new[] { 4 }, new[] { 3, 4 })]
    [InlineData(new[] { 0, 4 }, new[] { 2, 2 }, new[] { 0, 2, 2 })]
    public void Axis_1_becomes_the_sizes_and_the_elements_keep_their_order(int[] input, int[] sizes, int[] expected)
    {
        var x = Numbers.Normal(1, input);
        var y = new Unflatten(sizes).Forward(x);
        Assert.Equal(Shape.Of(expected), y.Shape);
        Assert.Equal(x.ToDoubles(), y.ToDoubles());
    }

    [Fact]
    public void The_sizes_are_those_of_the_beginning()
    {
        int[] sizes = [2, 3];
        var layer = new Unflatten(sizes);
        sizes[0] = 9;
        Assert.Equal(Shape.Of(2, 3), layer.Sizes);
    }

    public static TheoryData<int[], int[], string> Refusals() =>
        new()
        {
            { [], [2, 6], "Unflatten: expected at least one axis, with lengths of at least 1, got []. Leave the batch out: Unflatten(1, 28, 28)." },
            {
                [-1, 28],
                [2, 28],
                "Unflatten: expected at least one axis, with lengths of at least 1, got [-1, 28]. Leave the batch out: Unflatten(1, 28, 28)."
            },
            {
                [1, 2, 3],
                [2, 7],
                "Unflatten: expected an input of shape [batch, 6, ...], got [2, 7] (in net). The layer divides axis 1 into [1, 2, 3]."
            },
            { [2, 3], [6], "Unflatten: expected an input of shape [batch, 6, ...], got [6] (in net). The layer divides axis 1 into [2, 3]." },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_does_not_fit_is_refused(int[] sizes, int[] input, string message) =>
        Assert.Equal(message, Assert.Throws<ShapeException>(() => new Unflatten(sizes).Forward(Tensor.Ones(Shape.Of(input)))).Message);
}
