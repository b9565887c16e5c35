/// Elements chosen by integer positions. Rows: gather and its transpose scatterAdd. One element of each line along an axis:
/// takeAlong and its transpose putAlong. Positions are checked when they are first seen, at evaluation.
module internal Hybrid.Core.Selection

open System
open System.Runtime.InteropServices
open Hybrid.Kernels
open Hybrid.Core.Primitive

/// Positions (or labels) as int32; any integer type is accepted. Throws ElementTypeException.
let positions operation (what: string) (index: Node) =
    match index.DType with
    | ElementType.Int32 -> index
    | ElementType.UInt8 -> Elementwise.cast ElementType.Int32 index
    | other ->
        raise (
            ElementTypeException(
                operation,
                $"{what} of type int32 or uint8",
                Value.NameOf other,
                Context.Current.Path,
                "Convert them with To(int32)."
            )
        )

/// Refuses, at evaluation, the first position that a kernel found outside of 0 .. limit - 1; nothing if `bad` is negative. The
/// engine adds the layer path.
let checkPosition operation (what: string) (limit: int) (shape: Shape) (advice: string) (memory: nativeint) (bad: int64) =
    if bad >= 0L then
        let value = Marshal.ReadInt32(memory + nativeint (4L * bad))

        let expected =
            if limit = 0 then
                $"nothing, as there are no {what}"
            else
                $"{what} from 0 to {limit - 1}"

        raise (ValueException(operation, expected, $"{value}{Shapes.place shape bad}", "", advice))

// ---- rows -------------------------------------------------------------------------------------------------------------

let private rowLength (x: Shape) first = Lower.extent x first (x.Rank - first)

let private rowAdvice = "Check the indices, or give the table more rows."

let private gatherPrimitive: Primitive =
    { define "gather" Family.Selection 2 with
        Access = Access.Contiguous
        Text = "{0}[{1}]"
        Latex = "{0}_{{1}}"
        Saves = 2
        Linear = Linearity.First
        Shape =
            ShapeRule(fun n ->
                let positions, row = n.B.Shape, n.A.Shape
                let dims = Array.zeroCreate<int>(positions.Rank + row.Rank - 1)
                positions.Dimensions.CopyTo(Span<int> dims)
                row.Dimensions.Slice(1).CopyTo(Span<int>(dims, positions.Rank, row.Rank - 1))
                Shape.Owning dims)
        Lower =
            Lowering(fun n _ ->
                let dtype, rows, inner = n.DType, n.A.Shape[0], rowLength n.A.Shape 1
                let shape = n.B.Shape
                let count = int shape.Size

                Kernel(fun o ->
                    Selection.Gather(dtype, o.Output, o.Inputs[0], o.Inputs[1], count, rows, inner, o.Pool)
                    |> checkPosition "gather" "rows" rows shape rowAdvice o.Inputs[1]))
    }

let private scatterAddPrimitive: Primitive =
    { define "scatterAdd" Family.Selection 2 with
        Access = Access.Contiguous
        Text = "scatterAdd({0}, {1})"
        Latex = @"\operatorname{scatterAdd}({0}, {1})"
        Saves = 2
        Linear = Linearity.First
        Type = Lower.number
        // The attribute is the number of rows of the result.
        Shape =
            ShapeRule(fun n ->
                let updates, index = n.A.Shape, n.B.Shape

                let fits =
                    updates.Rank >= index.Rank
                    && updates.Dimensions.Slice(0, index.Rank).SequenceEqual index.Dimensions

                if not fits then
                    raise (
                        ShapeException(
                            "scatterAdd",
                            $"updates whose shape begins with {index}, that of the positions",
                            string updates,
                            n.Path,
                            "Give one row of updates for each position."
                        )
                    )

                Shape.Of(Array.append [| int n.Attribute |] (Array.sub updates.Raw index.Rank (updates.Rank - index.Rank))))
        Lower =
            Lowering(fun n _ ->
                let dtype, rows, inner = n.DType, n.Shape[0], rowLength n.Shape 1
                let shape = n.B.Shape
                let count = int shape.Size

                Kernel(fun o ->
                    Selection.ScatterAdd(dtype, o.Output, o.Inputs[0], o.Inputs[1], count, rows, inner, o.Pool)
                    |> checkPosition "scatterAdd" "rows" rows shape rowAdvice o.Inputs[1]))
    }

/// Rows of x by their positions: the result has the shape of the positions, then that of a row.
let gather (x: Node) (index: Node) =
    if x.Shape.Rank = 0 then
        raise (
            ShapeException("gather", "a table with at least one axis", "a scalar", Context.Current.Path, "Gather takes rows of a vector or matrix.")
        )

    Node.Make(gatherPrimitive, 0L, null, x, positions "gather" "positions" index, null)

/// A tensor of `rows` rows in which each row is the sum of the updates whose position names it: the transpose of gather.
let scatterAdd (rows: int) (updates: Node) (index: Node) =
    Node.Make(scatterAddPrimitive, int64 rows, null, updates, positions "scatterAdd" "positions" index, null)

tie
    gatherPrimitive
    (fun n i g -> if i = 0 then scatterAdd n.A.Shape[0] g n.B else null)
    (lazy
        [
            {
                Name = "rows"
                Inputs = [ [ 3; 2 ], Domain.Any; [ 4 ], Domain.Index ]
                Build = fun x -> gather x[0] x[1]
            }
            {
                Name = "a matrix of positions"
                Inputs = [ [ 4; 2 ], Domain.Any; [ 2; 3 ], Domain.Index ]
                Build = fun x -> gather x[0] x[1]
            }
            {
                Name = "an element"
                Inputs = [ [ 3 ], Domain.Any; [], Domain.Index ]
                Build = fun x -> gather x[0] x[1]
            }
            {
                Name = "no positions"
                Inputs = [ [ 3; 2 ], Domain.Any; [ 0 ], Domain.Index ]
                Build = fun x -> gather x[0] x[1]
            }
        ])

tie
    scatterAddPrimitive
    (fun n i g -> if i = 0 then gather g n.B else null)
    (lazy
        [
            {
                Name = "rows"
                Inputs = [ [ 4; 2 ], Domain.Any; [ 4 ], Domain.Index ]
                Build = fun x -> scatterAdd 3 x[0] x[1]
            }
            {
                Name = "a matrix of positions"
                Inputs = [ [ 2; 3; 2 ], Domain.Any; [ 2; 3 ], Domain.Index ]
                Build = fun x -> scatterAdd 4 x[0] x[1]
            }
            {
                Name = "an element"
                Inputs = [ [], Domain.Any; [], Domain.Index ]
                Build = fun x -> scatterAdd 3 x[0] x[1]
            }
            {
                Name = "no updates"
                Inputs = [ [ 0; 2 ], Domain.Any; [ 0 ], Domain.Index ]
                Build = fun x -> scatterAdd 3 x[0] x[1]
            }
        ])

// ---- one element of each line along an axis ---------------------------------------------------------------------------

let private withoutAxis axis (dims: int[]) = Array.removeAt axis dims

let private lineAdvice = "Positions count along the axis from 0."

let private takeAlongPrimitive: Primitive =
    { define "takeAlong" Family.Selection 2 with
        Access = Access.Contiguous
        Text = "takeAlong({0}, {1})"
        Latex = @"\operatorname{take}({0}, {1})"
        Saves = 2
        Linear = Linearity.First
        // The attribute is the axis.
        Shape =
            ShapeRule(fun n ->
                let shape = Shape(withoutAxis (int n.Attribute) n.A.Shape.Raw)

                if not (Shapes.same shape n.B.Shape) then
                    raise (
                        ShapeException(
                            "takeAlong",
                            $"positions of shape {shape}, that of the tensor without axis {n.Attribute}",
                            string n.B.Shape,
                            n.Path,
                            "Give one position for each line along the axis."
                        )
                    )

                shape)
        Lower =
            Lowering(fun n _ ->
                let dtype, axis, x = n.DType, int n.Attribute, n.A.Shape
                let outer, length, inner = Lower.extent x 0 axis, x[axis], rowLength x (axis + 1)
                let shape = n.B.Shape

                Kernel(fun o ->
                    Selection.TakeAlong(dtype, o.Output, o.Inputs[0], o.Inputs[1], outer, length, inner, o.Pool)
                    |> checkPosition "takeAlong" "positions" length shape lineAdvice o.Inputs[1]))
    }

let private putAlongPrimitive: Primitive =
    { define "putAlong" Family.Selection 2 with
        Access = Access.Contiguous
        Text = "putAlong({0}, {1})"
        Latex = @"\operatorname{put}({0}, {1})"
        Saves = 2
        Linear = Linearity.First
        // The attribute is the axis, then its length from bit 32 on.
        Shape =
            ShapeRule(fun n ->
                if not (Shapes.same n.A.Shape n.B.Shape) then
                    raise (
                        ShapeException(
                            "putAlong",
                            $"positions of shape {n.A.Shape}, as the updates",
                            string n.B.Shape,
                            n.Path,
                            "Give one position for each update."
                        )
                    )

                Shape.Of(Array.insertAt (int n.Attribute) (int (n.Attribute >>> 32)) n.A.Shape.Raw))
        Lower =
            Lowering(fun n _ ->
                let dtype, axis, y = n.DType, int n.Attribute, n.Shape
                let outer, length, inner = Lower.extent y 0 axis, y[axis], rowLength y (axis + 1)
                let shape = n.B.Shape

                Kernel(fun o ->
                    Selection.PutAlong(dtype, o.Output, o.Inputs[0], o.Inputs[1], outer, length, inner, o.Pool)
                    |> checkPosition "putAlong" "positions" length shape lineAdvice o.Inputs[1]))
    }

/// The element at a position of its own in each line along an axis (an index), which leaves the shape: y[o, i] = x[o, index[o, i], i].
let takeAlong (axis: int) (x: Node) (index: Node) =
    let axis = Axis.index "takeAlong" x.Shape axis
    Node.Make(takeAlongPrimitive, int64 axis, null, x, positions "takeAlong" "positions" index, null)

/// Zeros with a new axis of the given length, in which each line holds one update at its position: the transpose of takeAlong.
let putAlong (axis: int) (length: int) (updates: Node) (index: Node) =
    if axis < 0 || axis > updates.Shape.Rank then
        raise (
            ShapeException(
                "putAlong",
                $"a new axis from 0 to {updates.Shape.Rank} for shape {updates.Shape}",
                string axis,
                Context.Current.Path,
                "The axis counts in the result."
            )
        )

    Node.Make(putAlongPrimitive, int64 axis ||| (int64 length <<< 32), null, updates, positions "putAlong" "positions" index, null)

let private along (shapes: (string * int list * int * int list) list) build =
    [
        for name, first, axis, index in shapes ->
            {
                Name = name
                Inputs = [ first, Domain.Any; index, Domain.Index ]
                Build = fun (x: Node[]) -> build axis x[0] x[1]
            }
    ]

tie
    takeAlongPrimitive
    (fun n i g ->
        if i = 0 then
            let axis = int n.Attribute
            putAlong axis n.A.Shape[axis] g n.B
        else
            null)
    (lazy
        (along
            [
                "last axis", [ 2; 3 ], 1, [ 2 ]
                "first axis", [ 3; 2 ], 0, [ 2 ]
                "inner axis", [ 2; 4; 2 ], 1, [ 2; 2 ]
                "a vector", [ 3 ], 0, []
                "no lines", [ 0; 3 ], 1, [ 0 ]
            ]
            takeAlong))

tie
    putAlongPrimitive
    (fun n i g -> if i = 0 then takeAlong (int n.Attribute) g n.B else null)
    (lazy
        (along
            [
                "last axis", [ 2 ], 1, [ 2 ]
                "first axis", [ 2 ], 0, [ 2 ]
                "inner axis", [ 2; 2 ], 1, [ 2; 2 ]
                "a number", [], 0, []
                "no lines", [ 0 ], 1, [ 0 ]
            ]
            (fun axis updates index -> putAlong axis 3 updates index)))

/// The largest element along an axis (an index), which leaves the shape. The first of several takes all of the gradient.
let maxAlong (axis: int) (x: Node) =
    takeAlong axis x (Reductions.argmax axis x)

/// The smallest element along an axis (an index), which leaves the shape. The first of several takes all of the gradient.
let minAlong (axis: int) (x: Node) =
    takeAlong axis x (Reductions.argmin axis x)

// ---- one-hot ----------------------------------------------------------------------------------------------------------

let private oneHotPrimitive: Primitive =
    { define "oneHot" Family.Selection 1 with
        Access = Access.Contiguous
        Text = "oneHot({0})"
        Latex = "e_{{0}}"
        Kink = "a function of integers, treated as constant"
        Vjp = Vjp(fun _ _ _ -> null)
        // The attribute is the number of classes, then the element type from bit 32 on.
        Shape = ShapeRule(fun n -> Shape.Of(Array.append n.A.Shape.Raw [| int n.Attribute |]))
        Type = TypeRule(fun n -> LanguagePrimitives.EnumOfValue(byte (n.Attribute >>> 32)))
        Lower =
            Lowering(fun n _ ->
                let dtype, classes, shape = n.DType, int n.Attribute, n.A.Shape
                let count = int shape.Size

                Kernel(fun o ->
                    Selection.OneHot(dtype, o.Output, o.Inputs[0], count, classes)
                    |> checkPosition "oneHot" "labels" classes shape "Check the labels, or the number of classes." o.Inputs[0]))
    }

/// For each label a row of `classes` zeros with a 1 at the label.
let oneHot (classes: int) (dtype: ElementType) (labels: Node) =
    Node.Make(oneHotPrimitive, int64 (uint32 classes) ||| (int64 (byte dtype) <<< 32), null, positions "oneHot" "labels" labels, null, null)

oneHotPrimitive.Samples <-
    lazy
        [
            for name, shape in [ "vector", [ 4 ]; "matrix", [ 2; 2 ]; "scalar", []; "no labels", [ 0 ] ] ->
                {
                    Name = name
                    Inputs = [ shape, Domain.Index ]
                    Build = fun x -> oneHot 3 ElementType.Float64 x[0]
                }
        ]

/// The primitives of this family.
let all =
    [
        gatherPrimitive
        scatterAddPrimitive
        takeAlongPrimitive
        putAlongPrimitive
        oneHotPrimitive
    ]
