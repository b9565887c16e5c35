using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Training;

public sealed class DataLoaderTests
{
    [Fact]
    public void Images_are_scaled_when_they_are_gathered()
    {
        var set = new ImageDataset(
            "set",
            [.. Enumerable.Range(0, 20).Select(i => (byte)i)],
            new ImageShape(1, 2, 2),
            [0, 1, 2, 0, 1],
            ["a", "b", "c"],
            pixelMaximum: 20
        );
        foreach (var type in new[] { ElementType.Float32, ElementType.Float64 })
        {
            var batches = new DataLoader(set, batchSize: 2, type: type).ToArray();
            Assert.Equal([2, 2, 1], batches.Select(batch => batch.X.Shape[0]));
            var (x, y) = batches[1];
            Assert.Equal(Shape.Of(2, 1, 2, 2), x.Shape);
            Assert.Equal((type, ElementType.Int32), (x.DType, y.DType));
            Assert.Equal([2, 0], y.ToArray<int>());
            var expected = Enumerable.Range(8, 8).Select(pixel => type == ElementType.Float32 ? pixel / 20f : pixel / 20.0);
            Assert.Equal(expected, x.ToDoubles());
        }
        Assert.Equal(3, new DataLoader(set, batchSize: 2).Count);
        Assert.Equal(2, new DataLoader(set, batchSize: 2, dropLast: true).Count);
        Assert.Equal(5, new DataLoader(set).Count);
    }

    [Fact]
    public void Every_epoch_has_every_example_once_and_an_order_of_its_own()
    {
        var x = Tensor.From([.. Enumerable.Range(0, 60).Select(i => (double)i)], 20, 3);
        var y = Tensor.From([.. Enumerable.Range(0, 20)], 20);
        var plain = new DataLoader(x, y, batchSize: 6);
        Assert.Equal(Enumerable.Range(0, 20), Labels(plain));
        Assert.Equal(Enumerable.Range(0, 20), Labels(plain));
        var shuffled = new DataLoader(x, y, batchSize: 6, shuffleSeed: 1);
        var (first, second) = (Labels(shuffled), Labels(shuffled));
        Assert.NotEqual(first, second);
        Assert.Equal(Enumerable.Range(0, 20), first.Order());
        Assert.Equal(Enumerable.Range(0, 20), second.Order());
        Assert.Equal(first, Labels(new DataLoader(x, y, batchSize: 6, shuffleSeed: 1)));
        Assert.Equal(second, shuffled.Epoch(1).SelectMany(batch => batch.Y.ToArray<int>()));
        foreach (var (rows, labels) in shuffled.Epoch(7))
            Assert.Equal(labels.ToArray<int>().SelectMany(i => new double[] { 3 * i, (3 * i) + 1, (3 * i) + 2 }), rows.ToArray<double>());
    }

    [Fact]
    public void Tensors_keep_their_type_but_bytes_become_pixels_and_labels_int32()
    {
        var bytes = Tensor.From(new byte[] { 0, 51, 102, 255 }, 2, 2);
        var (x, y) = new DataLoader(bytes, Tensor.From(new byte[] { 3, 4 }), batchSize: 2).Single();
        Assert.Equal([0f, 0.2f, 0.4f, 1f], x.ToArray<float>());
        Assert.Equal([3, 4], y.ToArray<int>());
        var targets = Tensor.From(new[] { 1f, 2, 3, 4 }, 2, 2);
        Assert.Equal([1f, 2, 3, 4], new DataLoader(targets, targets, batchSize: 2).Single().Y.ToArray<float>());
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        var (x, y) = (Tensor.From(new double[6], 3, 2), Tensor.From(new[] { 0, 1, 2 }));
        (Action Act, string Message)[] cases =
        [
            (
                () => _ = new DataLoader(x, Tensor.From(new[] { 0, 1 })),
                "DataLoader: expected as many targets as inputs, at least one, got [3, 2] and [2]. The first axis of both is the examples."
            ),
            (
                () => _ = new DataLoader(x, y, classes: 2),
                "DataLoader: expected labels from 0 to 1, got 2 at [2]. Check the labels, or the number of classes."
            ),
            (
                () => _ = new DataLoader(x, x, classes: 2),
                "DataLoader: expected class numbers [count] of type int32 or uint8, got float64 of shape [3, 2]. Leave classes out for other targets."
            ),
            (() => _ = new DataLoader(y, y), "DataLoader: expected inputs of type float32, float64 or uint8, got int32. Convert them with To."),
            (
                () => _ = new DataLoader(x, x.EqualTo(x)),
                "DataLoader: expected targets of type int32, uint8, float32 or float64, got bool. Convert them with To."
            ),
            (
                () => _ = new DataLoader(Tensor.From(new byte[3], 3, 1), y, type: ElementType.Int32),
                "DataLoader: expected images as float32 or float64, got int32. Leave the type out for float32."
            ),
        ];
        foreach (var (act, message) in cases)
            Assert.Equal(message, Assert.ThrowsAny<HybridException>(act).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new DataLoader(x, y, batchSize: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DataLoader(x, y, batchSize: 4, dropLast: true));
    }

    [Fact]
    public void Accuracy_counts_rows_whose_largest_score_is_at_the_label()
    {
        var scores = Tensor.From(new[] { 1f, 2, 0, 3, 3, 1, 0, 0, 1, 5, 0, 0 }, 4, 3);
        Assert.Equal(0.75, Accuracy.Of(scores, Tensor.From(new[] { 1, 0, 2, 1 })));
        Assert.Equal(0.5, Accuracy.Of(scores, Tensor.From(new byte[] { 1, 1, 2, 1 })));
        Assert.Equal(1, Accuracy.Of(scores, Tensor.From(new[] { 1, 0, 2, 0 }).OneHot(3)));
        Assert.Equal(3, Accuracy.Correct(scores, Tensor.From(new[] { 1, 0, 2, 1 })));
        Assert.Equal(
            "Accuracy: expected at least one row, got [0, 3] (in Accuracy). The fraction of nothing is not a number.",
            Assert.Throws<ShapeException>(() => Accuracy.Of(Tensor.Zeros(Shape.Of(0, 3)), Tensor.From(Array.Empty<int>()))).Message
        );
        Assert.Throws<ShapeException>(() => Accuracy.Of(scores, Tensor.From(new[] { 1 })));
    }

    private static int[] Labels(DataLoader loader) => [.. loader.SelectMany(batch => batch.Y.ToArray<int>())];
}
