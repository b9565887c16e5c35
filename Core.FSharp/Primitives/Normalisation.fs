/// Exponentials normalised along the last axis, and the losses on them. They are primitives because they must be stable for
/// logits of any size and are where a classifier's time goes; the compositions that they stand for are kept here, for the tests.
module internal Hybrid.Core.Normalisation

open System
open System.Runtime.InteropServices
open Hybrid.Kernels
open Hybrid.Core.Elementwise
open Hybrid.Core.Primitive

let private one dtype = Leaves.constant dtype 1.0

// The sum over the last axis, kept with length 1.
let private sumLast (x: Node) =
    let last = x.Shape.Rank - 1
    Moves.sum [| last |] x |> Moves.reshape (Moves.keptShape [| last |] x.Shape)

// A new last axis of length 1.
let private column (x: Node) =
    Moves.reshape (Array.append x.Shape.Raw [| 1 |]) x

let private classes (x: Node) = x.Shape[x.Shape.Rank - 1]

let private rows (x: Node) =
    Lower.extent x.Shape 0 (x.Shape.Rank - 1)

// Applies a primitive of the last axis to any axis.
let private overAxis (p: Primitive) axis (x: Node) =
    let axis = Axis.index p.Name x.Shape axis
    let last = x.Shape.Rank - 1

    if axis = last then
        Node.Make(p, 0L, null, x, null, null)
    else
        let swap = [| 0..last |]
        swap[axis] <- last
        swap[last] <- axis
        Node.Make(p, 0L, null, Moves.permute swap x, null, null) |> Moves.permute swap

// ---- softmax ----------------------------------------------------------------------------------------------------------

let private normalisation name text latex (run: ElementType * nativeint * nativeint * int * int * WorkerPool -> unit) : Primitive =
    { define name Family.Normalisation 1 with
        Access = Access.Contiguous
        Type = Lower.floating
        Text = text
        Latex = latex
        Saves = output
        Lower =
            Lowering(fun n _ ->
                let dtype, rows, columns = n.DType, rows n, classes n
                Kernel(fun o -> run (dtype, o.Output, o.Inputs[0], rows, columns, o.Pool)))
    }

let private softmaxPrimitive =
    normalisation "softmax" "softmax({0})" @"\operatorname{softmax}({0})" (fun (t, y, x, rows, columns, pool) ->
        SoftmaxRows.Run(t, y, x, rows, columns, pool))

let private logSoftmaxPrimitive =
    normalisation "logSoftmax" "logSoftmax({0})" @"\log\operatorname{softmax}({0})" (fun (t, y, x, rows, columns, pool) ->
        SoftmaxRows.LogSoftmax(t, y, x, rows, columns, pool))

/// exp(x) divided by its sum along an axis; stable for x of any size.
let softmax (axis: int) (x: Node) = overAxis softmaxPrimitive axis x

/// The logarithm of softmax along an axis; stable for x of any size.
let logSoftmax (axis: int) (x: Node) = overAxis logSoftmaxPrimitive axis x

let private trials build =
    [
        sample "matrix" [ [ 2; 3 ] ] (fun x -> build -1 x[0])
        sample "vector" [ [ 4 ] ] (fun x -> build 0 x[0])
        sample "first axis" [ [ 3; 2 ] ] (fun x -> build 0 x[0])
        sample "inner axis" [ [ 2; 3; 2 ] ] (fun x -> build 1 x[0])
        sample "one class" [ [ 2; 1 ] ] (fun x -> build 1 x[0])
        sample "no rows" [ [ 0; 3 ] ] (fun x -> build 1 x[0])
    ]

// y (g - sum(g y))
tie softmaxPrimitive (fun n _ g -> mul n (sub g (sumLast (mul g n)))) (lazy (trials softmax))

// g - softmax sum(g)
tie logSoftmaxPrimitive (fun n _ g -> sub g (mul (exp n) (sumLast g))) (lazy (trials logSoftmax))

/// log sum exp over the given axes (indices), which leave the shape; stable for x of any size, -inf where all of x is, with
/// derivative 0 there.
let logSumExp (axes: int[]) (x: Node) =
    let kept = Moves.keptShape axes x.Shape
    let largest = Leaves.stopGradient (Reductions.amax axes x)

    // An infinite shift would give inf - inf.
    let infinite = equal (abs largest) (Leaves.constant x.DType Double.PositiveInfinity)

    let shift = where infinite (Leaves.constant x.DType 0.0) largest
    let total = sub x (Moves.reshape kept shift) |> exp |> Moves.sum axes
    let empty = equal total (Leaves.constant x.DType 0.0)
    let logarithm = log (where empty (one x.DType) total)
    where empty (Leaves.constant x.DType Double.NegativeInfinity) (add logarithm shift)

// ---- cross-entropy ----------------------------------------------------------------------------------------------------

let private labelAdvice =
    "Labels are positions among the classes: check them, or the size of the last layer."

// Logits, and a label for each row of them.
let private checkLabels (n: Node) (logits: Node) (labels: Node) =
    let shape = logits.Shape

    if shape.Rank = 0 then
        raise (ShapeException(n.Primitive.Name, "logits with an axis of classes", "a scalar", n.Path, "The last axis holds the classes."))

    let perRow () = Shapes.without (shape.Rank - 1) 1 shape

    if not (labels.Shape.Dimensions.SequenceEqual(shape.Dimensions.Slice(0, shape.Rank - 1))) then
        raise (
            ShapeException(
                n.Primitive.Name,
                $"labels of shape {perRow ()}, one for each row of logits {shape}",
                string labels.Shape,
                n.Path,
                "The last axis holds the classes; labels are class numbers, not one-hot rows."
            )
        )

    labels.Shape

let private crossEntropyPrimitive: Primitive =
    { define "crossEntropy" Family.Normalisation 2 with
        Access = Access.Contiguous
        Type = Lower.floating
        Text = "crossEntropy({0}, {1})"
        Latex = @"-\log\operatorname{softmax}({0})_{{1}}"
        Saves = 3 ||| output
        Shape = ShapeRule(fun n -> checkLabels n n.A n.B)
        Lower =
            Lowering(fun n _ ->
                let dtype, rows, classes = n.DType, rows n.A, classes n.A
                let shape = n.B.Shape

                Kernel(fun o ->
                    SoftmaxRows.CrossEntropy(dtype, o.Output, o.Inputs[0], o.Inputs[1], rows, classes, o.Pool)
                    |> Selection.checkPosition "crossEntropy" "labels" classes shape labelAdvice o.Inputs[1]))
    }

let private crossEntropyGradientPrimitive: Primitive =
    { define "crossEntropyGradient" Family.Normalisation 4 with
        Access = Access.Contiguous
        Alongside = 3
        Type =
            TypeRule(fun n ->
                if n.A.DType <> n.B.DType then
                    mixed "crossEntropyGradient" n.A n.B

                Lower.floating.Invoke n)
        Text = "{0} * (softmax({1}) - oneHot({2}))"
        Latex = @"{0} \cdot (\operatorname{softmax}({1}) - e_{{2}})"
        Saves = 7
        Linear = Linearity.First
        Shape =
            ShapeRule(fun n ->
                let perRow = checkLabels n n.B n.C

                if not (Shapes.same perRow n.A.Shape) then
                    raise (
                        ShapeException(
                            "crossEntropyGradient",
                            $"a gradient of shape {perRow}, that of the losses",
                            string n.A.Shape,
                            n.Path,
                            "Give one number for each row of logits."
                        )
                    )

                n.B.Shape)
        Lower =
            Lowering(fun n _ ->
                let dtype, rows, classes = n.DType, rows n.B, classes n.B
                let shape = n.C.Shape

                Kernel(fun o ->
                    SoftmaxRows.CrossEntropyGradient(dtype, o.Output, o.Inputs[1], o.Inputs[2], o.Inputs[0], rows, classes, o.Pool, o.Second)
                    |> Selection.checkPosition "crossEntropy" "labels" classes shape labelAdvice o.Inputs[2]))
    }

/// -log softmax(logits)[label] for each row: logits [..., classes], integer labels [...] to losses [...].
let crossEntropy (logits: Node) (labels: Node) =
    Node.Make(crossEntropyPrimitive, 0L, null, logits, Selection.positions "crossEntropy" "labels" labels, null)

/// The derivative of losses [...] = crossEntropy(logits, labels) by the logits, times a gradient [...] of the losses:
/// g (softmax(logits) - oneHot(labels)). The losses are an input, as one pass over the logits gives both.
let crossEntropyGradient (gradient: Node) (losses: Node) =
    Node.MakeMany(crossEntropyGradientPrimitive, 0L, null, [| gradient; losses.A; losses.B; losses |])

tie
    crossEntropyPrimitive
    (fun n i g -> if i = 0 then crossEntropyGradient g n else null)
    (lazy
        [
            for name, shape in
                [
                    "rows", [ 3; 4 ]
                    "one row", [ 3 ]
                    "a batch of rows", [ 2; 2; 3 ]
                    "no rows", [ 0; 3 ]
                ] ->
                {
                    Name = name
                    Inputs = [ shape, Domain.Any; List.take (shape.Length - 1) shape, Domain.Index ]
                    Build = fun x -> crossEntropy x[0] x[1]
                }
        ])

tie
    crossEntropyGradientPrimitive
    (fun n i g ->
        match i with
        | 0 ->
            let slope = sub (softmax -1 n.B) (Selection.oneHot (classes n.B) n.DType n.C)
            Moves.sum [| n.Shape.Rank - 1 |] (mul g slope)
        | 1 ->
            let s = softmax -1 n.B
            mul (column n.A) (mul s (sub g (sumLast (mul g s))))
        | _ -> null)
    (lazy
        [
            for name, shape in
                [
                    "rows", [ 3; 4 ]
                    "one row", [ 3 ]
                    "a batch of rows", [ 2; 2; 3 ]
                    "no rows", [ 0; 3 ]
                ] ->
                let perRow = List.take (shape.Length - 1) shape

                {
                    Name = name
                    Inputs = [ perRow, Domain.Any; shape, Domain.Any; perRow, Domain.Index ]
                    Build = fun x -> crossEntropyGradient x[0] (crossEntropy x[1] x[2])
                }
        ])

// ---- binary cross-entropy ---------------------------------------------------------------------------------------------

let private read dtype (memory: nativeint) (index: int64) =
    match dtype with
    | ElementType.Float32 -> float (BitConverter.Int32BitsToSingle(Marshal.ReadInt32(memory + nativeint (4L * index))))
    | _ -> BitConverter.Int64BitsToDouble(Marshal.ReadInt64(memory + nativeint (8L * index)))

let private number (dtype: ElementType) (value: float) =
    let culture = Globalization.CultureInfo.InvariantCulture

    if dtype = ElementType.Float32 then
        (float32 value).ToString culture
    else
        value.ToString culture

let private bcePrimitive: Primitive =
    { define "bce" Family.Normalisation 2 with
        Access = Access.Contiguous
        Type = Lower.floating
        Text = "bce({0}, {1})"
        Latex = @"-\left({1} \log {0} + (1 - {1}) \log(1 - {0})\right)"
        Saves = 3
        Kink = "logarithms are held at -100 or more, p (1 - p) at 1e-12 or more"
        Lower =
            Lowering(fun n inputs ->
                let dtype, shape, space = n.DType, n.Shape, Lower.space n.Shape inputs

                let check (what: string) advice memory =
                    let bad = Elementwise.FirstOutside(dtype, memory, shape.Size, 0.0, 1.0)

                    if bad >= 0L then
                        let got = $"{number dtype (read dtype memory bad)}{Shapes.place shape bad}"
                        raise (ValueException("bce", $"{what} from 0 to 1", got, "", advice))

                Kernel(fun o ->
                    Elementwise.Bce(dtype, space, o.Output, o.Inputs[0], o.Inputs[1], o.Pool)

                    // NaN stands for operands out of range alone: one look at what was just written, where these would take two.
                    if Elementwise.FirstNonFinite(dtype, o.Output, shape.Size) >= 0L then
                        check "probabilities" "Apply sigmoid first." o.Inputs[0]
                        check "targets" "Scale the targets to the interval [0, 1]." o.Inputs[1]))
    }

/// -(t log p + (1 - t) log(1 - p)) for probabilities p and targets t, elementwise; logarithms are held at -100 or more, as
/// PyTorch's are. Values outside of [0, 1] are refused at evaluation.
let bce (p: Node) (t: Node) = broadcasting bcePrimitive p t

// PyTorch's 1e-12 is a float32, also where it meets float64.
let private smallest = float 1e-12f

let private clipped (x: Node) =
    maximum x (Leaves.constant x.DType -100.0)

tie
    bcePrimitive
    (fun n i g ->
        let p, t = n.A, n.B

        if i = 0 then
            let spread = mul p (sub (one n.DType) p)
            mul g (div (sub p t) (maximum spread (Leaves.constant n.DType smallest)))
        else
            mul g (sub (clipped (log1p (neg p))) (clipped (log p))))
    (lazy
        [
            for name, p, t in
                [
                    "equal shapes", [ 2; 3 ], [ 2; 3 ]
                    "broadcast", [ 2; 3 ], [ 3 ]
                    "scalars", [], []
                    "empty", [ 0; 3 ], [ 3 ]
                ] ->
                {
                    Name = name
                    Inputs = [ p, Domain.Unit; t, Domain.Unit ]
                    Build = fun x -> bce x[0] x[1]
                }
        ])

// ---- the compositions that the primitives stand for -------------------------------------------------------------------

/// What each primitive of this family computes, written with other primitives; tests hold the primitives to it.
let compositions: (string * (Node[] -> Node)) list =
    let shifted (x: Node) =
        let last = x.Shape.Rank - 1

        sub
            x
            (Reductions.amax [| last |] x
             |> Moves.reshape (Moves.keptShape [| last |] x.Shape))

    let softmax x =
        let e = exp (shifted x)
        div e (sumLast e)

    let logSoftmax x =
        let s = shifted x
        sub s (log (sumLast (exp s)))

    let hot (x: Node) labels =
        Selection.oneHot (classes x) x.DType labels

    [
        "softmax", (fun x -> softmax x[0])
        "logSoftmax", (fun x -> logSoftmax x[0])
        "crossEntropy", (fun x -> neg (Moves.sum [| x[1].Shape.Rank |] (mul (logSoftmax x[0]) (hot x[0] x[1]))))
        "crossEntropyGradient", (fun x -> mul (column x[0]) (sub (softmax x[1]) (hot x[1] x[2])))
        "bce",
        (fun x ->
            let p, t = x[0], x[1]
            let rest = sub (one t.DType) t
            neg (add (mul t (clipped (log p))) (mul rest (clipped (log1p (neg p))))))
    ]

/// The primitives of this family.
let all =
    [
        softmaxPrimitive
        logSoftmaxPrimitive
        crossEntropyPrimitive
        crossEntropyGradientPrimitive
        bcePrimitive
    ]
