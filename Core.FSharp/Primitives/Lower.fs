/// What the records of primitives share to make kernels: iteration spaces over outputs and inputs.
module internal Hybrid.Core.Lower

open System
open Hybrid.Kernels

/// A contiguous output and inputs of the same shape, whatever their strides.
let space (shape: Shape) (inputs: Layout[]) =
    let strides = Array.zeroCreate<int64[]> (inputs.Length + 1)
    strides[0] <- Shapes.strides shape

    for i in 0 .. inputs.Length - 1 do
        strides[i + 1] <- inputs[i].Strides

    IterationSpace.Create(shape.Dimensions, ReadOnlySpan<int64[]> strides)

/// The copy of an input of any strides to a contiguous output.
let copy (n: Node) (inputs: Layout[]) =
    let space = space n.Shape inputs
    let dtype = n.DType
    Kernel(fun o -> Elementwise.Copy(dtype, space, o.Output, o.Inputs[0], o.Pool))

/// The product of the lengths of a range of axes.
let extent (shape: Shape) first count =
    let mutable n = 1

    for i in first .. first + count - 1 do
        n <- n * shape[i]

    n
