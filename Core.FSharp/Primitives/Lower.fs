/// What the records of primitives share to make kernels: iteration spaces over outputs and inputs.
module internal Hybrid.Core.Lower

open System
open Hybrid.Kernels

/// A contiguous output and inputs of the same shape, whatever their strides.
let space (shape: Shape) (inputs: Layout[]) =
    let strides = Array.zeroCreate<int64[]>(inputs.Length + 1)
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

/// How a matrix, or a batch of them, lies in memory: `Step` elements from row to row (from column to column if
/// `Transposed`), `BatchStep` from matrix to matrix (0 where one is repeated).
[<Struct>]
type Matrices =
    {
        Transposed: bool
        Step: int64
        BatchStep: int64
    }

/// The last two axes as matrices whose rows or columns have no gaps, the axes before them as one batch; ValueNone where
/// memory does not look like that, and `Access.Matrix` asks for a copy.
let matrices (layout: Layout) =
    let shape, strides = layout.Shape, layout.Strides
    let last = shape.Rank - 1
    let rows, columns = shape[last - 1], shape[last]
    let rowStep, columnStep = strides[last - 1], strides[last]
    let mutable batchStep = 0L
    let mutable expected = -1L
    let mutable uniform = true

    for i in last - 2 .. -1 .. 0 do
        if shape[i] <> 1 then
            if expected < 0L then
                batchStep <- strides[i]
            elif strides[i] <> expected then
                uniform <- false

            expected <- strides[i] * int64 shape[i]

    let straight =
        (columns <= 1 || columnStep = 1L) && (rows <= 1 || rowStep >= int64 columns)

    let turned =
        (rows <= 1 || rowStep = 1L) && (columns <= 1 || columnStep >= int64 rows)

    if not uniform || batchStep < 0L then
        ValueNone
    elif straight || shape.Size = 0L then
        let step = if rows <= 1 then int64 columns else rowStep

        ValueSome
            {
                Transposed = false
                Step = max 1L step
                BatchStep = batchStep
            }
    elif turned then
        let step = if columns <= 1 then int64 rows else columnStep

        ValueSome
            {
                Transposed = true
                Step = max 1L step
                BatchStep = batchStep
            }
    else
        ValueNone
