namespace Hybrid.Core

open System
open Hybrid.Kernels

/// The operations of tensors as functions, the tensor last, for pipelines: `x |> Tensor.matmul w |> Tensor.relu |> Tensor.sum`.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Tensor =
    /// A vector `[n]` of float64 numbers.
    let vector (values: float seq) = Tensor.From(Array.ofSeq values)

    /// A matrix `[rows, columns]` of float64 numbers. Throws ShapeException if the rows differ in length.
    let matrix (rows: float seq seq) =
        let rows = rows |> Seq.map Array.ofSeq |> Array.ofSeq
        let columns = if rows.Length = 0 then 0 else rows[0].Length

        match rows |> Array.tryFindIndex (fun r -> r.Length <> columns) with
        | Some i ->
            raise (
                ShapeException(
                    "matrix",
                    $"rows of {columns} numbers, as the first",
                    $"{rows[i].Length} in row {i}",
                    "",
                    "Give every row as many numbers."
                )
            )
        | None -> Tensor.From(Array.concat rows, rows.Length, columns)

    /// A float64 matrix `[rows, columns]` of a .NET array of two axes; `Tensor.From` takes other element types.
    let ofArray2D (values: float[,]) = Tensor.From values

    /// A tensor of two axes as a .NET array of float64, whatever its element type. Throws ShapeException if there are not two axes.
    let toArray2D (x: Tensor) : float[,] = x.To(ElementType.Float64).ToArray2D()

    /// All zeros, float64.
    let zeros (shape: int list) =
        Tensor.Zeros(Shape.Of(Array.ofList shape), ElementType.Float64)

    /// All ones, float64.
    let ones (shape: int list) =
        Tensor.Ones(Shape.Of(Array.ofList shape), ElementType.Float64)

    /// Element by element, a function of the index.
    let init (shape: int list) (f: int -> float) =
        let shape = Shape.Of(Array.ofList shape)
        Tensor.From(ReadOnlySpan(Array.init (int shape.Size) f), shape)

    /// The value as float64 numbers, row-major.
    let values (x: Tensor) = x.ToDoubles()

    /// The only element.
    let item (x: Tensor) = x.Item()

    /// The value computed now.
    let eval (x: Tensor) = x.Eval()

    /// e to the power of each element.
    let exp (x: Tensor) = x.Exp()

    /// The natural logarithm.
    let log (x: Tensor) = x.Log()

    /// The square root.
    let sqrt (x: Tensor) = x.Sqrt()

    /// Each element times itself.
    let square (x: Tensor) = x.Square()

    /// The absolute value.
    let abs (x: Tensor) = x.Abs()

    /// The sine.
    let sin (x: Tensor) = x.Sin()

    /// The cosine.
    let cos (x: Tensor) = x.Cos()

    /// The hyperbolic tangent.
    let tanh (x: Tensor) = x.Tanh()

    /// 1 / (1 + exp(-x)).
    let sigmoid (x: Tensor) = x.Sigmoid()

    /// max(x, 0).
    let relu (x: Tensor) = x.Relu()

    /// Exponentials along an axis, divided by their sum.
    let softmax (axis: int) (x: Tensor) = x.Softmax axis

    /// The logarithm of softmax.
    let logSoftmax (axis: int) (x: Tensor) = x.LogSoftmax axis

    /// The sum of all elements.
    let sum (x: Tensor) = x.Sum()

    /// The sum over one axis, which leaves the shape.
    let sumOver (axis: int) (x: Tensor) = x.Sum axis

    /// The mean of all elements.
    let mean (x: Tensor) = x.Mean()

    /// The mean over one axis, which leaves the shape.
    let meanOver (axis: int) (x: Tensor) = x.Mean axis

    /// The position of the largest element along an axis, as int32.
    let argmax (axis: int) (x: Tensor) = x.ArgMax axis

    /// Another shape of the same size; one length may be -1.
    let reshape (shape: int list) (x: Tensor) = x.Reshape(Array.ofList shape)

    /// The axes in another order.
    let permute (order: int list) (x: Tensor) = x.Permute(Array.ofList order)

    /// The last two axes exchanged.
    let transpose (x: Tensor) = x.Transpose()

    /// x times a matrix: `x |> Tensor.matmul w` is x w.
    let matmul (right: Tensor) (x: Tensor) = x.MatMul right

    /// The elements as another type.
    let cast (dtype: ElementType) (x: Tensor) = x.To dtype

    /// Rows chosen by integer positions.
    let gather (positions: Tensor) (x: Tensor) = x.Gather positions

    /// The cross-entropy of logits with integer labels, one value a row.
    let crossEntropy (labels: Tensor) (logits: Tensor) = logits.CrossEntropy labels
