/// Composite functions: what has a name of its own but needs no primitive. Elementwise results unless axes are named; tensors last.
module internal Hybrid.Core.Ops

open System
open Hybrid.Kernels
open Hybrid.Core.Elementwise

let private refuse operation expected got advice =
    raise (ShapeException(operation, expected, got, Context.Current.Path, advice))

let private literal (like: Node) value = Leaves.constant like.DType value

/// Puts the reduced axes (indices) back with length 1, where they are to be kept.
let keep (keepDimensions: bool) (axes: int[]) (x: Node) (reduced: Node) =
    if keepDimensions then
        Moves.reshape (Moves.keptShape axes x.Shape) reduced
    else
        reduced

// ---- statistics -------------------------------------------------------------------------------------------------------

let private count (axes: int[]) (x: Node) =
    axes |> Array.fold (fun n axis -> n * float x.Shape[axis]) 1.0

/// The mean over the given axes (indices), which leave the shape; NaN over nothing.
let mean (axes: int[]) (x: Node) =
    div (Moves.sum axes x) (literal x (count axes x))

/// The variance over the given axes (indices), which leave the shape: the sum of squared distances from the mean, divided by
/// n - correction. Correction 1 gives the variance of a sample, 0 that of a population.
let var (correction: int) (axes: int[]) (x: Node) =
    let centred = sub x (mean axes x |> keep true axes x)
    div (Moves.sum axes (square centred)) (literal x (Math.Max(0.0, count axes x - float correction)))

/// The standard deviation over the given axes (indices), which leave the shape: the square root of `var`.
let std correction axes x = sqrt (var correction axes x)

// ---- activations ------------------------------------------------------------------------------------------------------

/// log(1 + exp(x)), for x of any size. Written as a choice of two formulas that are each smooth, so that derivatives of every
/// order are right at 0 too.
let softplus (x: Node) =
    let isPositive = positive x
    let decay = where isPositive (neg x) x |> exp |> log1p
    add (where isPositive x (literal x 0.0)) decay

/// log(sigmoid(x)), for x of any size.
let logSigmoid (x: Node) = neg (softplus (neg x))

/// x held between two bounds. The derivative is 1 at the bounds and between, 0 outside; if the bounds cross, all becomes the upper.
let clamp (low: float) (high: float) (x: Node) =
    let low, high = literal x low, literal x high
    let raised = where (less x low) low x
    where (less high raised) high raised

// ---- losses, elementwise ----------------------------------------------------------------------------------------------

/// The squared difference.
let squaredError (prediction: Node) (target: Node) = square (sub prediction target)

/// Binary cross-entropy of sigmoid(logits) and targets, for logits of any size.
let bceWithLogits (logits: Node) (target: Node) =
    sub (softplus logits) (mul logits target)

/// Half the squared difference up to delta, and the tangent from there on: delta (|d| - delta / 2).
let huber (delta: float) (prediction: Node) (target: Node) =
    let difference = sub prediction target
    let size = abs difference
    let line = scale delta (sub size (literal size (0.5 * delta)))
    where (lessEqual size (literal size delta)) (scale 0.5 (square difference)) line

/// Huber's loss divided by beta; the absolute difference for beta = 0.
let smoothL1 (beta: float) (prediction: Node) (target: Node) =
    if beta = 0.0 then
        abs (sub prediction target)
    else
        let difference = sub prediction target
        let size = abs difference
        let curve = scale (0.5 / beta) (square difference)
        where (less size (literal size beta)) curve (sub size (literal size (0.5 * beta)))

/// Cross-entropy of softmax(logits) along the last axis and target probabilities: -sum(target logSoftmax(logits)).
let softCrossEntropy (logits: Node) (target: Node) =
    neg (Moves.sum [| logits.Shape.Rank - 1 |] (mul target (Normalisation.logSoftmax -1 logits)))

/// crossEntropy, with 0 where the label is `ignored`; and how many labels are not, as a scalar of the logits' type.
let crossEntropyIgnoring (ignored: int) (logits: Node) (labels: Node) =
    let labels = Selection.positions "crossEntropy" "labels" labels

    let skip =
        equal
            labels
            (Leaves.constant ElementType.Int32 (float ignored)
             |> Moves.broadcastTo labels.Shape)

    let safe = where skip (Leaves.constant ElementType.Int32 0.0) labels
    let losses = Normalisation.crossEntropy logits safe
    let counted = logicalNot skip |> cast logits.DType
    where skip (literal logits 0.0) losses, Moves.sum [| 0 .. labels.Shape.Rank - 1 |] counted

// ---- moves ------------------------------------------------------------------------------------------------------------

/// The axis moved to the end, others in order.
let axisToEnd (axis: int) (x: Node) =
    let axis = Axis.index "moveAxis" x.Shape axis

    Moves.permute (Array.append (Array.except [ axis ] [| 0 .. x.Shape.Rank - 1 |]) [| axis |]) x

/// A new axis of length 1, as an index in the result; -1 is the last.
let unsqueeze (axis: int) (x: Node) =
    let rank = x.Shape.Rank
    let index = if axis < 0 then axis + rank + 1 else axis

    if index < 0 || index > rank then
        refuse "unsqueeze" $"an axis from {-rank - 1} to {rank} for shape {x.Shape}" (string axis) "The axis counts in the result; -1 is the last."

    Moves.reshape (Array.insertAt index 1 x.Shape.Raw) x

/// Tensors of one shape along a new axis, as an index in the result; -1 is the last.
let stack (axis: int) (inputs: Node[]) =
    for i in 1 .. inputs.Length - 1 do
        if not (Shapes.same inputs[i].Shape inputs[0].Shape) then
            refuse "stack" $"tensors of one shape, {inputs[0].Shape} as the first" $"{inputs[i].Shape} (tensor {i})" "Use concat along an axis."

    if inputs.Length = 0 then
        refuse "stack" "at least one tensor" "none" "Check the list that is stacked."

    let index = if axis < 0 then axis + inputs[0].Shape.Rank + 1 else axis
    inputs |> Array.map (unsqueeze axis) |> Slices.concat index

/// Every `step`-th element along an axis from `start` up to, not including, `stop`; negative numbers count from the end, those
/// beyond the ends are cut, and no `stop` means the end, as in Python.
let sliceAxis (axis: int) (start: int) (stop: int voption) (step: int) (x: Node) =
    let axis = Axis.index "slice" x.Shape axis

    if step < 1 then
        refuse "slice" "a step of at least 1" (string step) "Use Flip for the reverse order."

    let length = x.Shape[axis]

    let cut i =
        Math.Clamp((if i < 0 then i + length else i), 0, length)

    let start, stop = cut start, cut (ValueOption.defaultValue length stop)
    let count = if stop <= start then 0 else (stop - start - 1) / step + 1

    let ranges =
        Array.init (3 * x.Shape.Rank) (fun i ->
            match i / 3 = axis, i % 3 with
            | true, 0 -> if count = 0 then 0 else start
            | true, 1 -> count
            | true, _ -> step
            | false, 1 -> x.Shape[i / 3]
            | false, k -> k / 2)

    Slices.slice ranges x

/// The part of the tensor at one position along an axis, which leaves the shape; negative positions count from the end.
let select (axis: int) (position: int) (x: Node) =
    let axis = Axis.index "select" x.Shape axis
    let length = x.Shape[axis]
    let index = if position < 0 then position + length else position

    if index < 0 || index >= length then
        refuse
            "select"
            $"a position from {-length} to {length - 1} along axis {axis} of {x.Shape}"
            (string position)
            "Positions count from 0; -1 is the last."

    sliceAxis axis index (ValueSome(index + 1)) 1 x
    |> Moves.reshape (Array.removeAt axis x.Shape.Raw)

/// The tensor cut along an axis into parts of the given lengths, which must add up to the axis'.
let split (axis: int) (lengths: int[]) (x: Node) =
    let axis = Axis.index "split" x.Shape axis

    if Array.sum lengths <> x.Shape[axis] || Array.exists (fun d -> d < 0) lengths then
        refuse
            "split"
            $"lengths that add up to {x.Shape[axis]}, the length of axis {axis} of {x.Shape}"
            (Shape.Format lengths)
            "Give every element a part."

    let starts = Array.scan (+) 0 lengths

    lengths
    |> Array.mapi (fun i length -> sliceAxis axis starts[i] (ValueSome(starts[i] + length)) 1 x)

/// `before` and `after` new elements on either side of each axis and `interior` ones between neighbours, all of one value.
let pad (before: int[]) (after: int[]) (interior: int[]) (value: float) (x: Node) =
    let rank = x.Shape.Rank

    let wrong (counts: int[]) =
        counts.Length <> rank || Array.exists (fun d -> d < 0) counts

    if wrong before || wrong after || wrong interior then
        refuse
            "pad"
            $"lists of {rank} numbers of at least 0, one for each axis of {x.Shape}"
            $"{Shape.Format before}, {Shape.Format after} and {Shape.Format interior}"
            "Use slice to cut elements off."

    let ranges =
        [|
            for i in 0 .. rank - 1 do
                let step = interior[i] + 1
                let reach = max 0 ((x.Shape[i] - 1) * step + 1)
                yield! [ before[i]; before[i] + reach + after[i]; step ]
        |]

    if value = 0.0 then
        Slices.pad ranges x
    else
        let known =
            Leaves.constant ElementType.Bool 1.0
            |> Moves.broadcastTo x.Shape
            |> Slices.pad ranges

        where known (Slices.pad ranges x) (literal x value)

/// For each position along an axis the element of x that stands there, lines by lines: y[o, j, i] = x[o, index[o, j, i], i]. The
/// positions have x's shape except along the axis.
let gatherAlong (axis: int) (x: Node) (index: Node) =
    let axis = Axis.index "gatherAlong" x.Shape axis

    let fits =
        index.Shape.Rank = x.Shape.Rank
        && Seq.forall (fun i -> i = axis || index.Shape[i] = x.Shape[i]) (seq { 0 .. x.Shape.Rank - 1 })

    if not fits then
        refuse
            "gatherAlong"
            $"positions of a shape that differs from {x.Shape} in axis {axis} alone"
            (string index.Shape)
            "Repeat the positions along the other axes first."

    // Each line of x once for each position that is read from it; the copies are made by the broadcast, along a new axis.
    let repeated =
        unsqueeze axis x
        |> Moves.broadcastTo (Shape(Array.insertAt axis index.Shape[axis] x.Shape.Raw))

    Selection.takeAlong (axis + 1) repeated index

// ---- contractions -----------------------------------------------------------------------------------------------------

/// x weightᵀ + bias: x [..., inputs], weight [outputs, inputs], bias [outputs] or null.
let linear (x: Node) (weight: Node) (bias: Node) =
    if weight.Shape.Rank <> 2 then
        refuse "linear" "a weight of shape [outputs, inputs]" (string weight.Shape) "Reshape the weight to two axes."

    let product = Contractions.matmul x (Moves.transpose weight)
    if isNull bias then product else add product bias
