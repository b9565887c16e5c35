/// Sums of padded tensors, which is what gradients of slices are: added up in one tensor, where each of them would be as large as the whole.
/// Plans make them of additions.
module internal Hybrid.Core.PaddedSum

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive

/// Attributes: zeros before, the result's length and the distance between elements, of each axis in turn, for one part after the other.
let private primitive =
    { define "paddedSum" Family.Move -1 with
        Linear = Linearity.Jointly
        Text = "paddedSum({0}, ...)"
        Latex = @"\operatorname{paddedSum}({0}, \ldots)"
        Shape = ShapeRule(fun n -> Shape(Array.init n.A.Shape.Rank (fun axis -> n.Attributes[3 * axis + 1])))
        Lower =
            Lowering(fun n inputs ->
                let full, dtype, size = Shapes.strides n.Shape, n.DType, n.Shape.Size

                let part k =
                    let at axis what =
                        int64 n.Attributes[3 * (k * full.Length + axis) + what]

                    let strides = full |> Array.mapi (fun axis stride -> stride * at axis 2)
                    let first = full |> Array.mapi (fun axis stride -> stride * at axis 0) |> Array.sum

                    let space =
                        IterationSpace.Create((n.Input k).Shape.Dimensions, ReadOnlySpan [| strides; strides; inputs[k].Strides |])

                    struct (space, nativeint (first * int64 (dtype.Size())))

                let parts = Array.init n.Arity part

                Kernel(fun o ->
                    Elementwise.Fill(dtype, o.Output, size, 0.0, o.Pool)

                    for k in 0 .. parts.Length - 1 do
                        let struct (space, first) = parts[k]
                        let at = o.Output + first
                        Elementwise.Binary(BinaryOp.Add, dtype, space, at, at, o.Inputs[k], o.Pool)))
    }

/// The sum of some tensors, each padded by the ranges of its part; see `Moves.pad`.
let make (ranges: int[]) (parts: Node[]) =
    Node.MakeMany(primitive, 0L, ranges, parts)

// A part's ranges, as a slice takes them.
let private slices (n: Node) k =
    let rank = n.Shape.Rank

    Array.sub n.Attributes (3 * rank * k) (3 * rank)
    |> Array.mapi (fun i v -> if i % 3 = 1 then (n.Input k).Shape[i / 3] else v)

tie
    primitive
    (fun n k g -> Moves.slice (slices n k) g)
    [
        sample "beside each other" [ [ 2 ]; [ 3 ] ] (fun x -> make [| 0; 6; 1; 2; 6; 1 |] x)
        sample "between each other" [ [ 2; 2 ]; [ 2; 2 ] ] (fun x -> make [| 0; 2; 1; 0; 4; 2; 0; 2; 1; 1; 4; 2 |] x)
        sample "over each other" [ [ 3 ]; [ 2 ]; [ 4 ] ] (fun x -> make [| 0; 5; 1; 1; 5; 2; 0; 5; 1 |] x)
        sample "nothing" [ [ 0 ]; [ 0 ] ] (fun x -> make [| 1; 2; 1; 0; 2; 1 |] x)
    ]

/// The primitives of this family.
let all = [ primitive ]

let private isSum (n: Node) =
    Object.ReferenceEquals(n.Primitive, primitive)

// Whether two parts have no element in common: along some axis one ends before the other begins, or they step past each other.
let private apart (a: Node) (b: Node) =
    let reach (n: Node) axis =
        let start, step = n.Attributes[3 * axis], n.Attributes[3 * axis + 2]
        struct (start, start + (n.A.Shape[axis] - 1) * step, step)

    let along axis =
        let struct (firstA, lastA, stepA) = reach a axis
        let struct (firstB, lastB, stepB) = reach b axis

        lastA < firstB
        || lastB < firstA
        || stepA = stepB && (firstA - firstB) % stepA <> 0

    Seq.exists along (seq { 0 .. a.Shape.Rank - 1 })

/// The sum of a + b, if b is padded and a is padded or such a sum; null otherwise. Where no element is of all parts, zeros take part in the sum of each, so that
/// its order, and the sign of a zero, are those of the additions: hence the first two have none in common.
let tryAdd (a: Node) (b: Node) =
    let isPad (n: Node) = n.Primitive.Name = "pad"

    if not (isPad b) || a.DType > ElementType.Float64 then
        null
    elif isSum a then
        make (Array.append a.Attributes b.Attributes) (Array.append (Array.init a.Arity a.Input) [| b.A |])
    elif isPad a && apart a b then
        make (Array.append a.Attributes b.Attributes) [| a.A; b.A |]
    else
        null
