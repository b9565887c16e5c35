namespace Hybrid.Interop

open System
open System.Runtime.CompilerServices
open Hybrid.Core
open MathNet.Numerics.LinearAlgebra

/// Tensors to and from MathNet's matrices and vectors, float32 and float64: `x.ToMatrix<float>()`, `m.ToTensor()`. Everything is copied, so
/// neither side sees later changes of the other; MathNet keeps columns together and Hybrid rows, and elements keep their positions.
[<AbstractClass; Sealed; Extension>]
type MathNetConversions =
    // MathNet has no other element types in common with tensors: it would refuse them in words of its own.
    static member private Demand<'T>(operation: string, axes: int, words: string, x: Tensor) =
        if x.Rank <> axes then
            raise (ShapeException(operation, words, string x.Shape, "", "Reshape the tensor first, or take a part of it."))

        if typeof<'T> <> typeof<float32> && typeof<'T> <> typeof<float> then
            raise (
                ElementTypeException(
                    operation,
                    "float32 or float64 elements (Single, Double)",
                    typeof<'T>.Name,
                    "",
                    "Convert the tensor with To first, and ask for the type that it then has."
                )
            )

    /// A copy of a matrix `[rows, columns]`, dense. Throws ShapeException unless there are two axes, ElementTypeException if 'T is not the tensor's
    /// element type or neither float32 nor float64, TapeException inside `compile`.
    [<Extension>]
    static member ToMatrix<'T
        when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType and 'T :> IEquatable<'T> and 'T :> IFormattable>
        (x: Tensor)
        : Matrix<'T> =
        MathNetConversions.Demand<'T>("toMatrix", 2, "two axes", x)
        Matrix<'T>.Build.DenseOfRowMajor(x.Shape[0], x.Shape[1], x.ToArray<'T>())

    /// A copy of a vector `[n]`, dense. Throws ShapeException unless there is one axis, ElementTypeException if 'T is not the tensor's element type
    /// or neither float32 nor float64, TapeException inside `compile`.
    [<Extension>]
    static member ToVector<'T
        when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType and 'T :> IEquatable<'T> and 'T :> IFormattable>
        (x: Tensor)
        : Vector<'T> =
        MathNetConversions.Demand<'T>("toVector", 1, "one axis", x)
        Vector<'T>.Build.Dense(x.ToArray<'T>())

    /// A tensor `[rows, columns]` of a copy of a matrix, dense or sparse. Throws ElementTypeException for complex numbers.
    [<Extension>]
    static member ToTensor<'T
        when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType and 'T :> IEquatable<'T> and 'T :> IFormattable>
        (m: Matrix<'T>)
        : Tensor =
        Tensor.From(m.ToRowMajorArray(), m.RowCount, m.ColumnCount)

    /// A tensor `[n]` of a copy of a vector, dense or sparse. Throws ElementTypeException for complex numbers.
    [<Extension>]
    static member ToTensor<'T
        when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType and 'T :> IEquatable<'T> and 'T :> IFormattable>
        (v: Vector<'T>)
        : Tensor =
        Tensor.From(v.ToArray(), v.Count)

/// The conversions as functions, for pipelines. They stand beside those of Hybrid.Core's module of this name.
[<RequireQualifiedAccess>]
module Tensor =
    /// A float64 tensor of two axes as a MathNet matrix; `ToMatrix<float32>` is for float32.
    let toMatrix (x: Tensor) : Matrix<float> = x.ToMatrix()

    /// A float64 tensor of one axis as a MathNet vector; `ToVector<float32>` is for float32.
    let toVector (x: Tensor) : Vector<float> = x.ToVector()

    /// A tensor `[rows, columns]` of a float64 MathNet matrix.
    let ofMatrix (m: Matrix<float>) : Tensor = m.ToTensor()

    /// A tensor `[n]` of a float64 MathNet vector.
    let ofVector (v: Vector<float>) : Tensor = v.ToTensor()
