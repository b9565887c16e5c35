using Hybrid.Core;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>Convolution networks in the fluent form: shapes, counts that PyTorch and Keras print for the same network, and every refusal.</summary>
public sealed class FluentConvolutionTests
{
    private const string Axes = "give Model.Input as many, put it before Flatten, or give a row its axes with Unflatten.";
    private const string Reach = "Use a smaller kernel or dilation, or more padding.";
    private const string Counts = "Kernel, stride and dilation count elements from 1, padding from 0.";

    private static ModelBuilder Cnn => Model.Input(1, 28, 28).Conv2d(8, 5).ReLU().MaxPool2d(2).Conv2d(16, 5).ReLU().MaxPool2d(2).Flatten().Linear(10);

    [Fact]
    public void The_table_of_a_convolution_network()
    {
        var summary = ModelSummary.Of(Cnn.Build(1), 1, 28, 28);
        Assert.Equal(
            string.Join(
                "\n",
                "layer            output              parameters  multiply-adds",
                "input            [batch, 1, 28, 28]                           ",
                "net/0:Conv2d     [batch, 8, 24, 24]         208        115,200",
                "net/1:ReLU       [batch, 8, 24, 24]           0              0",
                "net/2:MaxPool2d  [batch, 8, 12, 12]           0              0",
                "net/3:Conv2d     [batch, 16, 8, 8]        3,216        204,800",
                "net/4:ReLU       [batch, 16, 8, 8]            0              0",
                "net/5:MaxPool2d  [batch, 16, 4, 4]            0              0",
                "net/6:Flatten    [batch, 256]                 0              0",
                "net/7:Linear     [batch, 10]              2,570          2,560",
                "total                                     5,994        322,560"
            ),
            summary.ToString()
        );
        Assert.Equal((5_994, 5_994), (summary.Parameters, summary.TrainableParameters));
    }

    [Fact]
    public void A_description_says_what_is_not_usual()
    {
        var images = Model
            .Input(768)
            .Unflatten(3, 16, 16)
            .Conv2d(8, 3, stride: 2, padding: 1, bias: false)
            .AvgPool2d(2, padding: 1)
            .MaxPool2d(3, 1, dilation: 2);
        Assert.Equal(
            """
            Input [768]
            Unflatten(3, 16, 16) [3, 16, 16]
            Conv2d(8, 3, stride: 2, padding: 1, bias: false) [8, 8, 8]
            AvgPool2d(2, padding: 1) [8, 5, 5]
            MaxPool2d(3, stride: 1, dilation: 2) [8, 1, 1]
            """.ReplaceLineEndings("\n"),
            images.ToString()
        );
        Assert.Null(((Conv2d)images.Build(1)[1]).Bias);
        Assert.Equal(Shape.Of(2, 8, 1, 1), images.Build(1).Forward(Tensor.Ones(Shape.Of(2, 768))).Shape);
        var lines = Model.Input(2, 30).Conv1d(4, 3, dilation: 2).MaxPool1d(2).AvgPool1d(3, 1, 1);
        Assert.Equal(
            """
            Input [2, 30]
            Conv1d(4, 3, dilation: 2) [4, 26]
            MaxPool1d(2) [4, 13]
            AvgPool1d(3, stride: 1, padding: 1) [4, 13]
            """.ReplaceLineEndings("\n"),
            lines.ToString()
        );
        Assert.Equal(Shape.Of(2, 4, 13), lines.Build(1).Forward(Tensor.Ones(Shape.Of(2, 2, 30))).Shape);
    }

    [Fact]
    public void Sizes_are_those_of_the_call()
    {
        int[] sizes = [2, 3];
        var model = Model.Input(6).Unflatten(sizes);
        sizes[0] = 9;
        Assert.Equal(Shape.Of(2, 3), ((Unflatten)model.Build(1)[0]).Sizes);
    }

    private static ModelBuilder Image => Model.Input(1, 28, 28);

    private static ModelBuilder Line => Model.Input(2, 4);

    private static readonly Dictionary<string, (Func<ModelBuilder> Describe, string Message)> Wrong = new()
    {
        ["convolution after Flatten"] = (
            () => Image.Flatten().Conv2d(8, 5),
            $"Model: expected an example of shape [channels, height, width], got [784] (in step 2: Conv2d(8, 5)). It takes 3 axes: {Axes}"
        ),
        ["pooling after Flatten"] = (
            () => Image.Conv2d(8, 5).Flatten().MaxPool2d(2),
            $"Model: expected an example of shape [channels, height, width], got [4608] (in step 3: MaxPool2d(2)). It takes 3 axes: {Axes}"
        ),
        ["pooling of rows"] = (
            () => Model.Input(784).AvgPool2d(2),
            $"Model: expected an example of shape [channels, height, width], got [784] (in step 1: AvgPool2d(2)). It takes 3 axes: {Axes}"
        ),
        ["two axes for lines"] = (
            () => Model.Input(1, 100).Conv2d(8, 5),
            $"Model: expected an example of shape [channels, height, width], got [1, 100] (in step 1: Conv2d(8, 5)). It takes 3 axes: {Axes}"
        ),
        ["Conv1d on images"] = (
            () => Image.Conv1d(8, 5),
            $"Model: expected an example of shape [channels, length], got [1, 28, 28] (in step 1: Conv1d(8, 5)). It takes 2 axes: {Axes}"
        ),
        ["MaxPool1d on images"] = (
            () => Image.MaxPool1d(2),
            $"Model: expected an example of shape [channels, length], got [1, 28, 28] (in step 1: MaxPool1d(2)). It takes 2 axes: {Axes}"
        ),
        ["AvgPool1d on images"] = (
            () => Image.AvgPool1d(2),
            $"Model: expected an example of shape [channels, length], got [1, 28, 28] (in step 1: AvgPool1d(2)). It takes 2 axes: {Axes}"
        ),
        ["kernel higher than the image"] = (
            () => Model.Input(1, 4, 28).Conv2d(8, 5),
            $"Model: expected a height of at least 5, as the window reaches over 5, got 4 in [1, 1, 4, 28] (in step 1: Conv2d(8, 5)). {Reach}"
        ),
        ["kernel wider than the image"] = (
            () => Model.Input(1, 28, 4).Conv2d(8, 5),
            $"Model: expected a width of at least 5, as the window reaches over 5, got 4 in [1, 1, 28, 4] (in step 1: Conv2d(8, 5)). {Reach}"
        ),
        ["dilated kernel"] = (
            () => Image.Conv2d(8, 15, dilation: 2),
            "Model: expected a height of at least 29, as the window reaches over 29, got 28 in [1, 1, 28, 28] "
                + $"(in step 1: Conv2d(8, 15, dilation: 2)). {Reach}"
        ),
        ["too little padding"] = (
            () => Model.Input(1, 2, 2).Conv2d(8, 5, padding: 1),
            "Model: expected a height of at least 3, as the window reaches over 5 less 2 of padding, got 2 in [1, 1, 2, 2] "
                + $"(in step 1: Conv2d(8, 5, padding: 1)). {Reach}"
        ),
        ["pool larger than what is left"] = (
            () => Image.MaxPool2d(2).MaxPool2d(15),
            $"Model: expected a height of at least 15, as the window reaches over 15, got 14 in [1, 1, 14, 14] (in step 2: MaxPool2d(15)). {Reach}"
        ),
        ["mean over more than the image"] = (
            () => Image.AvgPool2d(29),
            $"Model: expected a height of at least 29, as the window reaches over 29, got 28 in [1, 1, 28, 28] (in step 1: AvgPool2d(29)). {Reach}"
        ),
        ["kernel longer than the line"] = (
            () => Line.Conv1d(8, 5),
            $"Model: expected a length of at least 5, as the window reaches over 5, got 4 in [1, 2, 4] (in step 1: Conv1d(8, 5)). {Reach}"
        ),
        ["MaxPool1d longer than the line"] = (
            () => Line.MaxPool1d(5),
            $"Model: expected a length of at least 5, as the window reaches over 5, got 4 in [1, 2, 4] (in step 1: MaxPool1d(5)). {Reach}"
        ),
        ["AvgPool1d longer than the line"] = (
            () => Line.AvgPool1d(5),
            $"Model: expected a length of at least 5, as the window reaches over 5, got 4 in [1, 2, 4] (in step 1: AvgPool1d(5)). {Reach}"
        ),
        ["a maximum of padding alone"] = (
            () => Image.MaxPool2d(2, padding: 2),
            "Model: expected an element of the input under each place of the window, got padding alone at place 0 of the height of [1, 1, 28, 28] "
                + "(in step 1: MaxPool2d(2, padding: 2)). Padding is at most half of the kernel as a rule."
        ),
        ["no filter"] = (
            () => Image.Conv2d(0, 5),
            "Model: expected at least 1 channel and 1 filter, got 1 and 0 (in step 1: Conv2d(0, 5)). Images in grey have one channel."
        ),
        ["no filter on lines"] = (
            () => Line.Conv1d(0, 3),
            "Model: expected at least 1 channel and 1 filter, got 2 and 0 (in step 1: Conv1d(0, 3)). A single signal has one channel."
        ),
        ["no kernel"] = (() => Image.Conv2d(8, 0), $"Model: expected a kernel of at least 1, got 0 (in step 1: Conv2d(8, 0)). {Counts}"),
        ["no kernel to pool"] = (() => Line.MaxPool1d(0), $"Model: expected a kernel of at least 1, got 0 (in step 1: MaxPool1d(0)). {Counts}"),
        ["no stride"] = (
            () => Image.MaxPool2d(2, stride: 0),
            $"Model: expected a stride of at least 1, got 0 (in step 1: MaxPool2d(2, stride: 0)). {Counts}"
        ),
        ["negative padding"] = (
            () => Image.AvgPool2d(2, padding: -1),
            $"Model: expected a padding of at least 0, got -1 (in step 1: AvgPool2d(2, padding: -1)). {Counts}"
        ),
        ["no dilation"] = (
            () => Image.Conv2d(8, 5, dilation: 0),
            $"Model: expected a dilation of at least 1, got 0 (in step 1: Conv2d(8, 5, dilation: 0)). {Counts}"
        ),
        ["channels of a module of one's own"] = (
            () => Image.Conv2d(8, 5).Then(new Conv2d(3, 4, 3)),
            "Model: expected an input of 3 channels, as the weights [4, 3, 3, 3] have, got 8 in [1, 8, 24, 24] (in step 2: Conv2d). "
                + "Axis 1 holds the channels; check the number of input channels of the layer."
        ),
        ["sizes that do not divide the row"] = (
            () => Model.Input(784).Unflatten(1, 28, 27),
            "Model: expected an input of shape [batch, 756, ...], got [1, 784] (in step 1: Unflatten(1, 28, 27)). "
                + "The layer divides axis 1 into [1, 28, 27]."
        ),
        ["no sizes"] = (
            () => Model.Input(784).Unflatten(),
            "Model: expected at least one axis, with lengths of at least 1, got [] (in step 1: Unflatten()). "
                + "Leave the batch out: Unflatten(1, 28, 28)."
        ),
    };

    public static TheoryData<string> Refusals() => [.. Wrong.Keys];

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_does_not_fit_is_refused_at_the_call(string which) =>
        Assert.Equal(Wrong[which].Message, Assert.Throws<ShapeException>(Wrong[which].Describe).Message);
}
