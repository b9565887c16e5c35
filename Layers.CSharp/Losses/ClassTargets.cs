using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>Checks of predictions <c>[batch, classes]</c> and the targets that go with them.</summary>
internal static class ClassTargets
{
    /// <summary>Refuses anything but class numbers <c>[batch]</c> or rows <c>[batch, classes]</c>.</summary>
    public static void Require(string loss, string what, Tensor y, Tensor yhat)
    {
        if (y.Rank != 1)
            RequireRows(loss, what, y, yhat);
        else
            RequireNumbers(loss, what, y, yhat);
    }

    /// <summary>Refuses anything but class numbers <c>[batch]</c>.</summary>
    public static void RequireNumbers(string loss, string what, Tensor y, Tensor yhat)
    {
        RequireMatrix(loss, what, yhat);
        if (y.Rank != 1 || y.Shape[0] != yhat.Shape[0])
        {
            var advice = "The first axis of both is the batch.";
            throw new ShapeException(loss, $"a class number for each row of {what} {yhat.Shape}", y.Shape.ToString(), loss, advice);
        }
        if (y.DType is not (ElementType.Int32 or ElementType.UInt8))
        {
            var advice = "Convert them with To(int32), or give one row of probabilities for each example where the loss takes them.";
            throw new ElementTypeException(loss, "class numbers of type int32 or uint8", Text.Name(y.DType), loss, advice);
        }
    }

    private static void RequireRows(string loss, string what, Tensor y, Tensor yhat)
    {
        RequireMatrix(loss, what, yhat);
        if (y.Shape != yhat.Shape)
        {
            var expected = $"class numbers [{yhat.Shape[0]}] or rows {yhat.Shape}, as the {what} are";
            throw new ShapeException(loss, expected, y.Shape.ToString(), loss, "The first axis of both is the batch.");
        }
    }

    private static void RequireMatrix(string loss, string what, Tensor yhat)
    {
        if (yhat.Rank != 2)
            throw new ShapeException(
                loss,
                $"{what} of shape [batch, classes]",
                yhat.Shape.ToString(),
                loss,
                "Reshape them: one row for each example."
            );
    }
}
