using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Convolution;

/// <summary>What convolution and pooling layers start with, give and refuse; their gradients are tested with those of every layer.</summary>
public sealed class ConvolutionTests
{
    [Fact]
    public void Parameters_start_within_PyTorchs_bound()
    {
        var layer = new Conv2d(8, 16, (5, 3), seed: 1);
        Assert.Equal(Shape.Of(16, 8, 5, 3), layer.Weight.Shape);
        Assert.Equal(Shape.Of(16), layer.Bias!.Shape);
        var line = new Conv1d(4, 64, 9, seed: 1);
        Assert.Equal(Shape.Of(64, 4, 9), line.Weight.Shape);
        foreach (var (weight, bound) in new[] { (layer.Weight, 1 / Math.Sqrt(120)), (layer.Bias, 1 / Math.Sqrt(120)), (line.Weight, 1.0 / 6) })
        {
            var numbers = weight.Value.ToDoubles();
            Assert.All(numbers, number => Assert.InRange(number, -bound, bound));
            Assert.InRange(numbers.Max(Math.Abs), 0.8 * bound, bound);
        }
        Assert.Equal(layer.Weight.Value.ToDoubles(), new Conv2d(8, 16, (5, 3), seed: 1).Weight.Value.ToDoubles());
        Assert.Null(new Conv2d(1, 1, 2, bias: false).Bias);
    }

    [Fact]
    public void A_convolution_is_the_sum_that_it_says()
    {
        var layer = new Conv2d(2, 2, 2, seed: 1, type: ElementType.Float64);
        var x = Numbers.Normal(1, 1, 2, 3, 3);
        var (image, weight, bias) = (x.ToDoubles(), layer.Weight.Value.ToDoubles(), layer.Bias!.Value.ToDoubles());
        var expected =
            from f in Enumerable.Range(0, 2)
            from row in Enumerable.Range(0, 2)
            from column in Enumerable.Range(0, 2)
            select bias[f]
                + Enumerable.Range(0, 8).Sum(tap => weight[(f * 8) + tap] * image[(tap / 4 * 9) + ((row + (tap / 2 % 2)) * 3) + column + (tap % 2)]);
        Numbers.AssertClose([.. expected], layer.Forward(x).ToDoubles(), 1e-14, "conv");
    }

    [Fact]
    public void Pools_give_what_they_say()
    {
        var x = Tensor.From([1f, 5, 2, 0, 3, 4, 8, 7, 9, 6, -1, -2, 0, 1, -4, -3], 1, 1, 4, 4);
        Assert.Equal([5f, 8, 9, -1], new MaxPool2d(2).Forward(x).ToArray<float>());
        Assert.Equal([3.25f, 4.25f, 4, -2.5f], new AvgPool2d(2).Forward(x).ToArray<float>());
        Assert.Equal([3f, 9, 9, 9], new MaxPool2d((3, 1), (1, 4), (1, 0)).Forward(x).ToArray<float>());
        var line = Tensor.From([1f, 5, 2, 0, 3], 1, 1, 5);
        Assert.Equal([5f, 2], new MaxPool1d(2).Forward(line).ToArray<float>());
        Assert.Equal([2f, 7 / 3f, 1], new AvgPool1d(3, 2, 1).Forward(line).ToArray<float>());
    }

    [Fact]
    public void The_first_of_equals_takes_all_of_the_gradient_by_hand_too()
    {
        var x = Tensor.From([2.0, 2, 1, 2, 2, 2, 0, 2, 0], 1, 1, 3, 3);
        foreach (var layer in new[] { new MaxPool2d(2, 1), new MaxPool2d(3, 2, 1) })
        {
            var cotangent = Numbers.Normal(1, layer.Forward(x).Shape.ToArray());
            var automatic = GradientWays.BySweep(layer, x, cotangent, manual: false)[0];
            Numbers.AssertClose(automatic, GradientWays.BySweep(layer, x, cotangent, manual: true)[0], 1e-15, "ties");
            Assert.Contains(automatic, value => value == 0);
        }
    }

    [Fact]
    public void The_last_takes_the_gradient_of_what_is_not_a_number_by_hand()
    {
        var x = Tensor.From([1, double.NaN, 2, 3, 4, 0], 1, 1, 2, 3);
        var gradient = GradientWays.BySweep(new MaxPool2d((2, 1)), x, Tensor.From([5.0, 6, 7], 1, 1, 1, 3), manual: true)[0];
        Assert.Equal([0.0, 0, 7, 5, 6, 0], gradient);
    }

    [Fact]
    public void A_gradient_by_hand_may_be_all_that_is_asked_for()
    {
        var layer = new Conv2d(1, 4, 3, seed: 1, type: ElementType.Float64);
        var x = Numbers.Normal(1, 16, 1, 8, 8);
        var loss = layer.Forward(x).Square().Sum();
        loss.Backward();
        var automatic = layer.Weight.Grad!.ToDoubles();
        layer.Weight.ZeroGrad();
        var y = layer.Forward(x).Eval();
        layer.BackwardUpdateGradient(x, 2.0 * y);
        Numbers.AssertClose(automatic, layer.Weight.Grad!.ToDoubles(), 1e-12, "by the layer");
        layer.Weight.ZeroGrad();
        loss = layer.Forward(x).Square().Sum();
        loss.Item();
        loss.BackwardManual();
        Numbers.AssertClose(automatic, layer.Weight.Grad!.ToDoubles(), 1e-12, "after the loss was read");
    }

    [Fact]
    public void The_last_takes_nothing_where_it_is_padding()
    {
        var x = Tensor.From([0.0, 1, 2, double.NaN], 1, 1, 2, 2);
        var gradient = GradientWays.BySweep(new MaxPool2d(2, 2, 1), x, Tensor.From([1.0, 2, 3, 4], 1, 1, 2, 2), manual: true)[0];
        Assert.Equal([1.0, 2, 3, 0], gradient);
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_its_place()
    {
        var net = new Sequential(new Tanh(), new Conv2d(3, 4, 5));
        Refuses(
            "conv2d: expected an input of 3 channels, as the weights [4, 3, 5, 5] have, got 1 in [2, 1, 9, 9] (in net/1:Conv2d). Axis 1 holds the channels; check the number of input channels of the layer.",
            () => net.Forward(Zeros(2, 1, 9, 9))
        );
        Refuses(
            "conv2d: expected a width of at least 5, as the window reaches over 5, got 4 in [2, 3, 9, 4] (in net/1:Conv2d). Use a smaller kernel or dilation, or more padding.",
            () => net.Forward(Zeros(2, 3, 9, 4))
        );
        Refuses(
            "conv1d: expected a tensor [batch, channels, length], got [2, 9] (in net). Reshape it first; a single signal has one channel.",
            () => new Conv1d(1, 1, 3).Forward(Zeros(2, 9))
        );
        Refuses(
            "maxPool2d: expected a tensor [batch, channels, height, width], got [2, 9] (in net/1:MaxPool2d). Reshape it first; images in grey have one channel.",
            () => new Sequential(new Flatten(), new MaxPool2d(2)).Forward(Zeros(2, 1, 3, 3))
        );
        Refuses("Conv2d: expected at least 1 channel and 1 filter, got 0 and 3. Images in grey have one channel.", () => new Conv2d(0, 3, 2));
        Refuses(
            "Conv2d: expected a stride of at least 1, got 0. Kernel, stride and dilation count elements from 1, padding from 0.",
            () => new Conv2d(1, 1, 2, stride: 0)
        );
        Refuses(
            "Conv2d: expected a kernel of at least 1, got 2 x 0. Kernel, stride and dilation count elements from 1, padding from 0.",
            () => new Conv2d(1, 1, (2, 0))
        );
        Refuses(
            "AvgPool1d: expected a padding of at least 0, got -1. Kernel, stride and dilation count elements from 1, padding from 0.",
            () => new AvgPool1d(2, padding: -1)
        );
        Refuses(
            "MaxPool2d: expected a dilation of at least 1, got 0. Kernel, stride and dilation count elements from 1, padding from 0.",
            () => new MaxPool2d(2, dilation: 0)
        );
    }

    private static Tensor Zeros(params int[] shape) => Tensor.Zeros(Shape.Of(shape));

    private static void Refuses(string text, Func<object> build) => Assert.Equal(text, Assert.Throws<ShapeException>(build).Message);
}
