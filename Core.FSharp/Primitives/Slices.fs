/// Parts of tensors, and tensors of parts: slice, pad, flip, concat and the sum of padded tensors. All are linear; each derivative is another of them.
module internal Hybrid.Core.Slices

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive
open Hybrid.Core.Moves

// ---- slice, pad and flip ----------------------------------------------------------------------------------------------

let private slicePrimitive: Primitive =
    { move "slice" with
        Text = "slice({0})"
        Latex = @"{0}_{\mathrm{slice}}"
        // Attributes: start, length and step of each axis in turn.
        Shape = ShapeRule(fun n -> Shape(Array.init n.A.Shape.Rank (fun i -> n.Attributes[3 * i + 1])))
        View =
            ViewRule(fun n layout ->
                let mutable offset = layout.Offset

                for i in 0 .. n.Shape.Rank - 1 do
                    offset <- offset + int64 n.Attributes[3 * i] * layout.Strides[i]

                Layout(n.Shape, Array.init n.Shape.Rank (fun i -> layout.Strides[i] * int64 n.Attributes[3 * i + 2]), offset))
    }

let private padPrimitive: Primitive =
    { move "pad" with
        Text = "pad({0})"
        Latex = @"\operatorname{pad}({0})"
        // Attributes: zeros before, the result's length, and the distance between elements, of each axis in turn.
        Shape = ShapeRule(fun n -> Shape(Array.init n.A.Shape.Rank (fun i -> n.Attributes[3 * i + 1])))
        Lower =
            Lowering(fun n inputs ->
                let full = Shapes.strides n.Shape
                let mutable offset = 0L

                for i in 0 .. n.Shape.Rank - 1 do
                    offset <- offset + int64 n.Attributes[3 * i] * full[i]

                let strides =
                    Array.init n.Shape.Rank (fun i -> full[i] * int64 n.Attributes[3 * i + 2])

                let space =
                    IterationSpace.Create(n.A.Shape.Dimensions, ReadOnlySpan<int64[]> [| strides; inputs[0].Strides |])

                let dtype, size = n.DType, n.Shape.Size
                let offset = nativeint (offset * int64 (dtype.Size()))

                Kernel(fun o ->
                    Elementwise.Fill(dtype, o.Output, size, 0.0, o.Pool)
                    Elementwise.Copy(dtype, space, o.Output + offset, o.Inputs[0], o.Pool)))
    }

// Whether ranges leave all of the axes from one on as they are.
let private whole first (ranges: int[]) (x: Node) =
    Seq.forall (fun i -> ranges[3 * i] = 0 && ranges[3 * i + 1] = x.Shape[i] && ranges[3 * i + 2] = 1) (seq { first .. x.Shape.Rank - 1 })

/// Every `step`-th element of each axis, `length` of them from `start` on; three numbers an axis, already checked.
let slice (ranges: int[]) (x: Node) =
    if whole 0 ranges x then
        x
    elif
        not (isNull x.Value)
        && not x.Tracked
        && whole 1 ranges x
        && (ranges[2] = 1 || ranges[1] <= 1)
    then
        // Rows of stored numbers are stored numbers themselves: one plan then serves all batches, wherever they start.
        let shape = Shape(Array.init x.Shape.Rank (fun i -> ranges[3 * i + 1]))
        let row = x.Shape.Size / int64 (max 1 x.Shape[0])
        Leaves.value (x.Value.Part(int64 ranges[0] * row, shape))
    else
        make slicePrimitive ranges x

/// The transpose of slice: x's elements `step` apart from `start` on in zeros of the given length, for each axis.
let pad (ranges: int[]) (x: Node) =
    if whole 0 ranges x then x else make padPrimitive ranges x

// The same start and step, with the lengths of the node's input: what turns a slice into its transpose, and back.
let private transposedRanges (n: Node) =
    n.Attributes
    |> Array.mapi (fun i v -> if i % 3 = 1 then n.A.Shape[i / 3] else v)

tie
    slicePrimitive
    (fun n _ g -> pad (transposedRanges n) g)
    (lazy
        [
            sample "part of a matrix" [ [ 4; 5 ] ] (fun x -> slice [| 1; 2; 1; 0; 3; 2 |] x[0])
            sample "nothing" [ [ 4 ] ] (fun x -> slice [| 2; 0; 1 |] x[0])
        ])

tie
    padPrimitive
    (fun n _ g -> slice (transposedRanges n) g)
    (lazy
        [
            sample "around a matrix" [ [ 2; 3 ] ] (fun x -> pad [| 1; 4; 1; 2; 5; 1 |] x[0])
            sample "between elements" [ [ 3 ] ] (fun x -> pad [| 1; 7; 2 |] x[0])
            sample "empty" [ [ 0 ] ] (fun x -> pad [| 1; 2; 1 |] x[0])
        ])

let private flipPrimitive: Primitive =
    { move "flip" with
        Text = "flip({0})"
        Latex = @"\operatorname{flip}({0})"
        View =
            ViewRule(fun n layout ->
                let axis = int n.Attribute
                let strides = Arrays.copy layout.Strides
                strides[axis] <- -strides[axis]
                Layout(n.Shape, strides, layout.Offset + layout.Strides[axis] * int64 (max 0 (n.Shape[axis] - 1))))
    }

/// The elements of one axis in reverse order.
let flip (axis: int) (x: Node) =
    let axis = Axis.index "flip" x.Shape axis
    Node.Make(flipPrimitive, int64 axis, null, x, null, null)

tie
    flipPrimitive
    (fun n _ g -> flip (int n.Attribute) g)
    (lazy
        [
            sample "columns" [ [ 2; 3 ] ] (fun x -> flip 1 x[0])
            sample "empty" [ [ 0 ] ] (fun x -> flip 0 x[0])
        ])

// ---- concat -----------------------------------------------------------------------------------------------------------

// The layouts in their concatenation of tensors that are one after another along an axis.
let private concatLayouts (n: Node) =
    let axis, full = int n.Attribute, Shapes.strides n.Shape
    let mutable start = 0

    Array.init n.Arity (fun k ->
        let shape, first = (n.Input k).Shape, int64 start * full[axis]
        start <- start + shape[axis]
        Layout(shape, full, first))

/// The kernel that copies a node's inputs to where they stand.
let copyInto (n: Node) (places: Layout[]) (inputs: Layout[]) =
    let dtype = n.DType

    let parts =
        Array.map2
            (fun (place: Layout) (input: Layout) ->
                let space =
                    IterationSpace.Create(input.Shape.Dimensions, ReadOnlySpan<int64[]> [| place.Strides; input.Strides |])

                struct (space, nativeint (place.Offset * int64 (dtype.Size()))))
            places
            inputs

    Kernel(fun o ->
        for i in 0 .. parts.Length - 1 do
            let struct (space, offset) = parts[i]
            Elementwise.Copy(dtype, space, o.Output + offset, o.Inputs[i], o.Pool))

let private concatPrimitive: Primitive =
    { define "concat" Family.Move -1 with
        Linear = Linearity.Jointly
        Text = "concat({0}, ...)"
        Latex = @"\operatorname{concat}({0}, \ldots)"
        Shape =
            ShapeRule(fun n ->
                let axis = int n.Attribute
                let dims = n.A.Shape.ToArray()

                for i in 1 .. n.Arity - 1 do
                    let other = n.Input(i).Shape

                    let fits =
                        other.Rank = dims.Length
                        && Seq.forall (fun j -> j = axis || other[j] = dims[j]) (seq { 0 .. dims.Length - 1 })

                    if not fits then
                        refuse
                            "concat"
                            $"shapes that differ in axis {axis} alone"
                            $"{n.A.Shape} and {other} (tensor {i})"
                            n
                            "Reshape or slice the tensors first."

                    dims[axis] <- dims[axis] + other[axis]

                Shape.Of dims)
        Type =
            TypeRule(fun n ->
                for i in 1 .. n.Arity - 1 do
                    if n.Input(i).DType <> n.A.DType then
                        raise (
                            ElementTypeException(
                                "concat",
                                $"tensors of one element type, {Value.NameOf n.A.DType} as the first",
                                $"{Value.NameOf(n.Input(i).DType)} (tensor {i})",
                                n.Path,
                                "Convert with To first."
                            )
                        )

                n.A.DType)
        Lower = Lowering(fun n inputs -> copyInto n (concatLayouts n) inputs)
        Places = PlaceRule concatLayouts
    }

/// The tensors one after another along an axis.
let concat (axis: int) (inputs: Node[]) =
    if inputs.Length = 0 then
        raise (ShapeException("concat", "at least one tensor", "none", Context.Current.Path, "Check the list that is concatenated."))

    let axis = Axis.index "concat" inputs[0].Shape axis

    if inputs.Length = 1 then
        inputs[0]
    else
        Node.MakeMany(concatPrimitive, int64 axis, null, inputs)

// The part of the gradient that belongs to input i.
let private concatPart (n: Node) (i: int) (g: Node) =
    let axis = int n.Attribute
    let part = n.Input(i).Shape
    let start = Seq.sum (seq { for j in 0 .. i - 1 -> n.Input(j).Shape[axis] })

    slice
        [|
            for a in 0 .. part.Rank - 1 do
                yield! [ (if a = axis then start else 0); part[a]; 1 ]
        |]
        g

tie
    concatPrimitive
    concatPart
    (lazy
        [
            sample "rows" [ [ 2; 3 ]; [ 1; 3 ] ] (fun x -> concat 0 x)
            sample "columns of three" [ [ 2; 1 ]; [ 2; 0 ]; [ 2; 2 ] ] (fun x -> concat 1 x)
            sample "the same tensor twice" [ [ 3 ] ] (fun x -> concat 0 [| x[0]; x[0] |])
        ])

// ---- the sum of padded tensors ----------------------------------------------------------------------------------------

// One part of a sum: its shape, and for each axis zeros before, the result's length and the distance between elements.
[<Struct>]
type private Part = { Shape: Shape; Ranges: int[] }

// Whether two parts have no element in common: along some axis one ends before the other begins, or they step past each other.
let private apart (a: Part) (b: Part) =
    let reach (part: Part) axis =
        let start, step = part.Ranges[3 * axis], part.Ranges[3 * axis + 2]
        struct (start, start + (part.Shape[axis] - 1) * step, step)

    let along axis =
        let struct (firstA, lastA, stepA) = reach a axis
        let struct (firstB, lastB, stepB) = reach b axis

        lastA < firstB
        || lastB < firstA
        || stepA = stepB && (firstA - firstB) % stepA <> 0

    Seq.exists along (seq { 0 .. a.Shape.Rank - 1 })

// Whether no part comes upon an element of one before it, and whether each element is of some part then.
let private tiling (parts: Part[]) (whole: Shape) =
    let fresh =
        parts
        |> Array.mapi (fun k part -> Seq.forall (fun before -> apart parts[before] part) (seq { 0 .. k - 1 }))

    let covered = parts |> Array.sumBy (fun part -> part.Shape.Size)
    struct (fresh, Array.forall id fresh && covered = whole.Size)

// The parts of a sum.
let private partsOf (n: Node) =
    let ranges = Array.chunkBySize (3 * n.A.Shape.Rank) n.Attributes

    Array.init n.Arity (fun k ->
        {
            Shape = (n.Input k).Shape
            Ranges = ranges[k]
        })

/// The layouts of the parts of a sum, as they stand in it.
let partLayouts (n: Node) =
    let full = Shapes.strides n.Shape

    partsOf n
    |> Array.map (fun part ->
        let strides =
            full |> Array.mapi (fun axis stride -> stride * int64 part.Ranges[3 * axis + 2])

        let first =
            full
            |> Seq.mapi (fun axis stride -> stride * int64 part.Ranges[3 * axis])
            |> Seq.sum

        Layout(part.Shape, strides, first))

/// Attributes: zeros before, the result's length and the distance between elements, of each axis in turn, for one part after the other.
let private paddedSumPrimitive =
    { define "paddedSum" Family.Move -1 with
        Linear = Linearity.Jointly
        Text = "paddedSum({0}, ...)"
        Latex = @"\operatorname{paddedSum}({0}, \ldots)"
        Shape = ShapeRule(fun n -> Shape(Array.init n.A.Shape.Rank (fun axis -> n.Attributes[3 * axis + 1])))
        Lower =
            Lowering(fun n inputs ->
                let dtype, size = n.DType, n.Shape.Size
                let struct (fresh, whole) = tiling (partsOf n) n.Shape

                // What a part is added to: zero where it is the first, the sum so far elsewhere.
                let zero = Storage 8L
                Elementwise.Fill(dtype, zero.Pointer, 1L, 0.0, WorkerPool.Serial)
                let nowhere = Array.zeroCreate<int64> n.Shape.Rank

                let parts =
                    partLayouts n
                    |> Array.mapi (fun k place ->
                        let augend = if fresh[k] then nowhere else place.Strides

                        let space =
                            IterationSpace.Create(place.Shape.Dimensions, ReadOnlySpan [| place.Strides; augend; inputs[k].Strides |])

                        struct (space, nativeint (place.Offset * int64 (dtype.Size()))))

                Kernel(fun o ->
                    if not whole then
                        Elementwise.Fill(dtype, o.Output, size, 0.0, o.Pool)

                    for k in 0 .. parts.Length - 1 do
                        let struct (space, first) = parts[k]
                        let at = o.Output + first
                        Elementwise.Binary(BinaryOp.Add, dtype, space, at, (if fresh[k] then zero.Pointer else at), o.Inputs[k], o.Pool)))
    }

/// The sum of some tensors, each padded by the ranges of its part; see `pad`.
let paddedSum (ranges: int[]) (parts: Node[]) =
    Node.MakeMany(paddedSumPrimitive, 0L, ranges, parts)

/// Whether the parts of a sum are of one shape, fill it and have nothing in common.
let isFilled (sum: Node) =
    let struct (_, whole) = tiling (partsOf sum) sum.Shape
    whole && sum.EveryInput(fun k -> Shapes.same (sum.Input k).Shape sum.A.Shape)

/// The ranges of a sum's part k, as a slice takes them.
let partRanges (n: Node) k =
    let rank = n.Shape.Rank

    Array.sub n.Attributes (3 * rank * k) (3 * rank)
    |> Array.mapi (fun i v -> if i % 3 = 1 then (n.Input k).Shape[i / 3] else v)

tie
    paddedSumPrimitive
    (fun n k g -> slice (partRanges n k) g)
    (lazy
        [
            sample "beside each other" [ [ 2 ]; [ 3 ] ] (fun x -> paddedSum [| 0; 6; 1; 2; 6; 1 |] x)
            sample "between each other" [ [ 2; 2 ]; [ 2; 2 ] ] (fun x -> paddedSum [| 0; 2; 1; 0; 4; 2; 0; 2; 1; 1; 4; 2 |] x)
            sample "over each other" [ [ 3 ]; [ 2 ]; [ 4 ] ] (fun x -> paddedSum [| 0; 5; 1; 1; 5; 2; 0; 5; 1 |] x)
            sample "nothing" [ [ 0 ]; [ 0 ] ] (fun x -> paddedSum [| 1; 2; 1; 0; 2; 1 |] x)
        ])

/// Whether a node is these ranges of x: one slice, or slices of slices.
let isSlice (ranges: int[]) (x: Node) (n: Node) =
    // Start and step of each axis of a node in x; null if it is no slice of x.
    let rec within (n: Node) =
        if Object.ReferenceEquals(n, x) then
            Array.init x.Shape.Rank (fun _ -> struct (0, 1))
        elif not (Object.ReferenceEquals(n.Primitive, slicePrimitive)) then
            null
        else
            match within n.A with
            | null -> null
            | outer ->
                outer
                |> Array.mapi (fun i (struct (start, step)) -> struct (start + step * n.Attributes[3 * i], step * n.Attributes[3 * i + 2]))

    let fits i (struct (start, step)) =
        start = ranges[3 * i]
        && n.Shape[i] = ranges[3 * i + 1]
        && (step = ranges[3 * i + 2] || n.Shape[i] <= 1)

    match within n with
    | null -> false
    | found -> found |> Seq.mapi fits |> Seq.forall id

let private isSum (n: Node) =
    Object.ReferenceEquals(n.Primitive, paddedSumPrimitive)

/// The sum of a + b, if b is padded and a is padded or such a sum; null otherwise. Where no element is of all parts, zeros take part in the sum of each, so that
/// its order, and the sign of a zero, are those of the additions: hence the first two have none in common.
let trySum (a: Node) (b: Node) =
    let isPad (n: Node) = n.Primitive.Name = "pad"

    let part (n: Node) =
        {
            Shape = n.A.Shape
            Ranges = n.Attributes
        }

    if not (isPad b) || a.DType > ElementType.Float64 then
        null
    elif isSum a then
        paddedSum (Array.append a.Attributes b.Attributes) (Array.append (Array.init a.Arity a.Input) [| b.A |])
    elif isPad a && apart (part a) (part b) then
        paddedSum (Array.append a.Attributes b.Attributes) [| a.A; b.A |]
    else
        null

/// The primitives of this family.
let all =
    [
        slicePrimitive
        padPrimitive
        flipPrimitive
        concatPrimitive
        paddedSumPrimitive
    ]
