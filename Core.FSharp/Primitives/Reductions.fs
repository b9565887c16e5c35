/// Axes that are searched: amax, amin and the positions argmax, argmin; and the product, which is made of multiplications.
module internal Hybrid.Core.Reductions

open Hybrid.Kernels
open Hybrid.Core.Primitive

// A reduced axis without elements has no largest one.
let private reducedNonEmpty =
    ShapeRule(fun n ->
        let shape = Moves.reducedShape.Invoke n
        let first, count = Moves.firstAxis n, Moves.axisCount n

        if Lower.extent n.A.Shape first count = 0 && shape.Size > 0L then
            raise (
                ShapeException(
                    n.Primitive.Name,
                    "at least one element along each reduced axis",
                    string n.A.Shape,
                    n.Path,
                    "Skip empty batches before they get here."
                )
            )

        shape)

/// Applies a reduction over adjacent axes to any set of axes (indices, each once) in one step, so that a tie is seen as a whole.
let private reduceTogether (p: Primitive) (axes: int[]) (x: Node) =
    let sorted = Array.sort axes
    let adjacent = sorted |> Array.pairwise |> Array.forall (fun (a, b) -> b = a + 1)

    if sorted.Length = 0 then
        x
    elif adjacent then
        Moves.reduceAxes p sorted x
    else
        let kept = Array.except sorted [| 0 .. x.Shape.Rank - 1 |]

        Moves.permute (Array.append kept sorted) x
        |> Moves.reduceAxes p [| kept.Length .. x.Shape.Rank - 1 |]

// ---- the largest and the smallest -------------------------------------------------------------------------------------

let private extremum name (word: string) run : Primitive =
    { define name Family.Reduction 1 with
        Access = Access.Contiguous
        Type = Lower.floating
        Text = $"{name}({{0}})"
        Latex = $@"\{word} {{0}}"
        Saves = 1 ||| output
        Kink = "a tie shares the gradient equally"
        Shape = reducedNonEmpty
        Lower = Moves.reduction run
    }

let private amaxPrimitive =
    extremum "amax" "max" (Moves.ReductionKernel(fun t y x outer reduce inner pool -> Reductions.Max(t, y, x, outer, reduce, inner, pool)))

let private aminPrimitive =
    extremum "amin" "min" (Moves.ReductionKernel(fun t y x outer reduce inner pool -> Reductions.Min(t, y, x, outer, reduce, inner, pool)))

/// The largest element over the given axes (indices), which leave the shape. Elements that tie share the gradient equally.
let amax (axes: int[]) (x: Node) = reduceTogether amaxPrimitive axes x

/// The smallest element over the given axes (indices), which leave the shape. Elements that tie share the gradient equally.
let amin (axes: int[]) (x: Node) = reduceTogether aminPrimitive axes x

// The winners share what comes in. Where the largest is NaN nothing wins, and all get 0 / 0 = NaN, as in PyTorch.
let private shared (n: Node) _ (g: Node) =
    let wins = Elementwise.equal n.A (Moves.expandLike n n) |> Elementwise.cast n.DType

    let axes = [| Moves.firstAxis n .. Moves.firstAxis n + Moves.axisCount n - 1 |]
    Elementwise.mul wins (Moves.expandLike n (Elementwise.div g (Moves.sum axes wins)))

let private trials build =
    [
        sample "all" [ [ 2; 3 ] ] (fun x -> build [| 0; 1 |] x[0])
        sample "rows" [ [ 3; 4 ] ] (fun x -> build [| 1 |] x[0])
        sample "columns" [ [ 3; 4 ] ] (fun x -> build [| 0 |] x[0])
        sample "outer axes" [ [ 2; 3; 2 ] ] (fun x -> build [| 0; 2 |] x[0])
        sample "one element" [ [ 1 ] ] (fun x -> build [| 0 |] x[0])
        sample "no rows" [ [ 0; 3 ] ] (fun x -> build [| 1 |] x[0])
    ]

tie amaxPrimitive shared (lazy (trials amax))
tie aminPrimitive shared (lazy (trials amin))

// ---- where they stand -------------------------------------------------------------------------------------------------

let private position name run : Primitive =
    { define name Family.Reduction 1 with
        Access = Access.Contiguous
        Type =
            TypeRule(fun n ->
                Lower.floating.Invoke n |> ignore
                ElementType.Int32)
        Text = $"{name}({{0}})"
        Latex = $@"\operatorname{{{name}}} {{0}}"
        Kink = "an integer, treated as constant; of several equal elements the first wins"
        Shape = reducedNonEmpty
        Vjp = Vjp(fun _ _ _ -> null)
        Lower = Moves.reduction run
    }

let private argmaxPrimitive =
    position "argmax" (Moves.ReductionKernel(fun t y x outer reduce inner pool -> Reductions.ArgMax(t, y, x, outer, reduce, inner, pool)))

let private argminPrimitive =
    position "argmin" (Moves.ReductionKernel(fun t y x outer reduce inner pool -> Reductions.ArgMin(t, y, x, outer, reduce, inner, pool)))

/// The position of the largest element along an axis (an index), which leaves the shape, as int32; the first of several.
let argmax (axis: int) (x: Node) =
    Moves.reduceAxes argmaxPrimitive [| axis |] x

/// The position of the smallest element along an axis (an index), which leaves the shape, as int32; the first of several.
let argmin (axis: int) (x: Node) =
    Moves.reduceAxes argminPrimitive [| axis |] x

for p, build in [ argmaxPrimitive, argmax; argminPrimitive, argmin ] do
    p.Samples <-
        lazy
            [
                sample "rows" [ [ 3; 4 ] ] (fun x -> build 1 x[0])
                sample "columns" [ [ 3; 4 ] ] (fun x -> build 0 x[0])
                sample "inner axis" [ [ 2; 3; 2 ] ] (fun x -> build 1 x[0])
                sample "no rows" [ [ 0; 3 ] ] (fun x -> build 1 x[0])
            ]

// ---- the product ------------------------------------------------------------------------------------------------------

/// The product over the given axes (indices), which leave the shape; 1 over no elements. The axes are folded in halves, so that
/// the derivative is that of multiplication: right with any number of zeros among the factors, and differentiable again.
let prod (axes: int[]) (x: Node) =
    let kept = Array.except axes [| 0 .. x.Shape.Rank - 1 |]
    let keptShape = kept |> Array.map (fun i -> x.Shape[i])
    let count = axes |> Array.fold (fun n i -> n * x.Shape[i]) 1

    let factors =
        Moves.permute (Array.append kept (Array.sort axes)) x
        |> Moves.reshape (Array.append keptShape [| count |])

    let part start length (y: Node) =
        Slices.slice
            [|
                for i in 0 .. keptShape.Length - 1 do
                    yield! [ 0; keptShape[i]; 1 ]
                yield! [ start; length; 1 ]
            |]
            y

    let rec fold (y: Node) =
        match y.Shape[keptShape.Length] with
        | 0 -> Moves.broadcastTo (Shape(Array.append keptShape [| 1 |])) (Leaves.constant x.DType 1.0)
        | 1 -> y
        | n ->
            let halves = Elementwise.mul (part 0 (n / 2) y) (part (n / 2) (n / 2) y) |> fold

            if n % 2 = 0 then
                halves
            else
                Elementwise.mul halves (part (n - 1) 1 y)

    fold factors |> Moves.reshape keptShape

/// The primitives of this family.
let all = [ amaxPrimitive; aminPrimitive; argmaxPrimitive; argminPrimitive ]
