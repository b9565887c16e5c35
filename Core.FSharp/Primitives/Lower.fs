/// What the records of primitives share: which element types they take, and how kernels see outputs and inputs.
module internal Hybrid.Core.Lower

open System
open Hybrid.Kernels

/// The type of the first input, which must be float32 or float64.
let floating: TypeRule =
    TypeRule(fun n ->
        if n.A.DType > ElementType.Float64 then
            raise (ElementTypeException(n.Primitive.Name, "float32 or float64", Value.NameOf n.A.DType, n.Path, "Convert with To(float32) first."))

        n.A.DType)

/// The type of the first input, which must be float32, float64 or int32.
let number: TypeRule =
    TypeRule(fun n ->
        if n.A.DType > ElementType.Int32 then
            raise (
                ElementTypeException(
                    n.Primitive.Name,
                    "float32, float64 or int32",
                    Value.NameOf n.A.DType,
                    n.Path,
                    "Convert with To(float32) first."
                )
            )

        n.A.DType)

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

/// The kernel of a primitive that applies a function of elements.
let element (n: Node) (inputs: Layout[]) =
    let space, f, arity = space n.Shape inputs, n.Primitive.Element.Invoke n, n.Arity
    Kernel(fun o -> f.Apply(space, o.Pool, o.Output, ReadOnlySpan(o.Inputs, 0, arity)))

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

/// Where the planes of images [batch, channels, height, width] lie; ValueNone where a plane itself has gaps, and `Access.Planes` asks for a copy.
let planes (layout: Layout) =
    let shape, strides = layout.Shape, layout.Strides

    let follows axis step = shape[axis] = 1 || strides[axis] = step

    if follows 3 1L && follows 2 (int64 shape[3]) then
        ValueSome(PlaneSteps(strides[0], strides[1]))
    else
        ValueNone

/// The last two axes as matrices whose rows or columns have no gaps, the axes before them as one batch; ValueNone where
/// memory does not look like that, and `Access.Matrix` asks for a copy.
let matrices (layout: Layout) =
    let shape, strides = layout.Shape, layout.Strides
    let last = shape.Rank - 1
    let rows, columns = shape[last - 1], shape[last]
    let rowStep, columnStep = strides[last - 1], strides[last]
    let mutable batchStep = 0L
    let mutable expected = 0L
    let mutable known = false
    let mutable uniform = true

    for i in last - 2 .. -1 .. 0 do
        if shape[i] <> 1 then
            if not known then
                batchStep <- strides[i]
                expected <- strides[i]
                known <- true

            uniform <- uniform && strides[i] = expected
            expected <- strides[i] * int64 shape[i]

    let straight =
        (columns = 1 || columnStep = 1L) && (rows = 1 || rowStep >= int64 columns)

    let turned = (rows = 1 || rowStep = 1L) && (columns = 1 || columnStep >= int64 rows)

    let matrices transposed step batchStep =
        ValueSome
            {
                Transposed = transposed
                Step = max 1L step
                BatchStep = batchStep
            }

    if shape.Size = 0L then
        matrices false 1L 0L
    elif not uniform || batchStep < 0L then
        ValueNone
    elif straight then
        matrices false (if rows = 1 then int64 columns else rowStep) batchStep
    elif turned then
        matrices true (if columns = 1 then int64 rows else columnStep) batchStep
    else
        ValueNone
