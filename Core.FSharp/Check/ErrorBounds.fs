namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core

/// How far rounding can put a computed result from the exact one: running error analysis, as a graph beside the graph.
/// Each node v has a bound e with |computed v - exact v| <= e, made of the bounds of its inputs, scaled by the size of the
/// derivatives, and of the node's own rounding. A sum of n terms adds gamma(n-1) times the sum of their magnitudes, a contraction of length K
/// gamma(K) |A| |B|, where gamma(n) = n u / (1 - n u) and u is the unit roundoff, 2^-53 or 2^-24: N. J. Higham, Accuracy and Stability of
/// Numerical Algorithms, 2nd ed., SIAM 2002, sections 3.1 (lemma 3.1), 3.3 (running error analysis) and 3.5 (3.13). The lengths are
/// worst cases, whatever the order of summation; products of two errors are left out, which the caller's safety factor covers.
/// Comparisons and positions are taken as exact: whether a branch could change is a question for `Switches`.
module internal ErrorBounds =
    /// The unit roundoff of float64.
    let unit64 = 1.1102230246251565e-16

    /// The unit roundoff of float32.
    let unit32 = 5.9604644775390625e-8

    /// gamma(n) = n u / (1 - n u); infinite where n u >= 1 and nothing can be said.
    let gamma (u: float) (n: int64) =
        let nu = float n * u
        if nu >= 1.0 then infinity else nu / (1.0 - nu)

    let private plus (a: Node) (b: Node) =
        if isNull a then b
        elif isNull b then a
        else Elementwise.add a b

    let private times (a: Node) (e: Node) =
        if isNull e then
            null
        else
            Elementwise.mul (Elementwise.abs a) e

    let private scaled (factor: float) (x: Node) =
        if factor = 0.0 then
            null
        else
            Elementwise.scale factor (Elementwise.abs x)

    let private orZero (like: Node) (e: Node) =
        if isNull e then Elementwise.constantLike like 0.0 else e

    let private remake (n: Node) (inputs: Node[]) =
        let at i =
            if i < inputs.Length then inputs[i] else null

        if n.Primitive.Arity < 0 || n.Primitive.Arity > 3 then
            Node.MakeMany(n.Primitive, n.Attribute, n.Attributes, inputs)
        else
            Node.Make(n.Primitive, n.Attribute, n.Attributes, at 0, at 1, at 2)

    let private axesOf (n: Node) =
        [| Moves.firstAxis n .. Moves.firstAxis n + Moves.axisCount n - 1 |]

    let private isNumber (n: Node) =
        n.DType <= Hybrid.Kernels.ElementType.Float64

    /// From a node, its inputs' bounds (null: exact) and the unit roundoff, the node's bound (null: exact).
    type Rule = Node -> Node[] -> float -> Node

    // Elements that move: the bounds move with them. `inexact` operands alone have bounds.
    let private moves: Rule =
        fun n e _ ->
            if e |> Array.forall isNull then
                null
            else
                remake
                    n
                    (Array.init n.Arity (fun i ->
                        if isNumber (n.Input i) then
                            orZero (n.Input i) e[i]
                        else
                            n.Input i))

    let private exact: Rule = fun _ _ _ -> null

    let private first: Rule = fun _ e _ -> e[0]

    // A smooth function of elements with `units` roundings of its own: sum of |df/dx| e, and units u |f|.
    let private smooth (units: float) : Rule =
        fun n e u ->
            let one = lazy (Elementwise.constantLike n 1.0)

            let carried =
                Array.init n.Arity (fun i ->
                    if isNull e[i] then
                        null
                    else
                        match n.Primitive.Vjp.Invoke(n, i, one.Value) with
                        | null -> null
                        | slope -> times slope e[i])
                |> Array.fold plus null

            plus carried (scaled (units * u) n)

    let private product: Rule =
        fun n e u -> plus (plus (times n.B e[0]) (times n.A e[1])) (scaled u n)

    let private sumOf (terms: Node -> int64) : Rule =
        fun n e u ->
            let others = Array.init (n.Arity - 1) (fun i -> n.Input(i + 1))
            let apply (x: Node) = remake n (Array.append [| x |] others)
            let carried = if isNull e[0] then null else apply e[0]
            let g = gamma u (max 0L (terms n - 1L))

            plus
                carried
                (if g = 0.0 then
                     null
                 else
                     Elementwise.scale g (apply (Elementwise.abs n.A)))

    let private paddedSum: Rule =
        fun n e u ->
            let carried =
                if Array.forall isNull e then
                    null
                else
                    remake n (Array.init n.Arity (fun k -> orZero (n.Input k) e[k]))

            let sizes = remake n (Array.init n.Arity (fun k -> Elementwise.abs (n.Input k)))
            plus carried (Elementwise.scale (gamma u (int64 n.Arity - 1L)) sizes)

    // Bilinear: |A| e_B + e_A |B| + gamma(K) |A| |B|.
    let private contraction (length: Node -> int64) : Rule =
        fun n e u ->
            let apply a b =
                if isNull a || isNull b then
                    null
                else
                    remake n (Array.append [| a; b |] (Array.init (n.Arity - 2) (fun i -> n.Input(i + 2))))

            let a, b = Elementwise.abs n.A, Elementwise.abs n.B
            let local = Elementwise.scale (gamma u (max 1L (length n))) (apply a b)
            plus (plus (apply e[0] b) (apply a e[1])) local

    // The product, and a sum with a bias that is rounded once more. Rectifying brings no two numbers further apart.
    let private affine: Rule =
        fun n e u ->
            let product = Contractions.matmul n.A n.B

            let sum =
                plus (contraction (fun p -> int64 p.A.Shape[1]) product [| e[0]; e[1] |] u) (scaled u (Elementwise.add product n.C))

            plus sum (if isNull e[2] then null else Moves.broadcastTo n.Shape e[2])

    let private larger: Rule =
        fun n e _ ->
            if e |> Array.forall isNull then
                null
            else
                Elementwise.maximum (orZero n.A e[0]) (orZero n.B e[1])

    let private largest: Rule =
        fun n e _ ->
            if isNull e[0] then
                null
            else
                Reductions.amax (axesOf n) e[0]

    let private keepLast (x: Node) =
        let last = [| x.Shape.Rank - 1 |]
        Moves.reshape (Moves.keptShape last x.Shape), last

    let private sumLast (x: Node) =
        let keep, last = keepLast x
        keep (Moves.sum last x)

    // The roundings of exp(x - max) and of the sum of them, relative to each term: x - max is off by u |x - max|.
    let private spread (x: Node) u =
        let keep, last = keepLast x
        let range = Elementwise.sub (keep (Reductions.amax last x)) x
        let length = float (gamma u (int64 x.Shape[last[0]] + 6L))
        // The term's own, and the largest of the row, which the sum may have.
        let widest = keep (Reductions.amax last range)
        Elementwise.add (Elementwise.scale (2.0 * u) widest) (Elementwise.constantLike x length)

    // ds = s (e + sum(s e)), and the roundings of s itself.
    let private softmax: Rule =
        fun n e u ->
            let s = Elementwise.abs n

            let carried =
                if isNull e[0] then
                    null
                else
                    Elementwise.mul s (Elementwise.add e[0] (sumLast (Elementwise.mul s e[0])))

            plus carried (Elementwise.mul s (spread n.A u))

    let private logSoftmax: Rule =
        fun n e u ->
            let s = Elementwise.exp n

            let carried =
                if isNull e[0] then
                    null
                else
                    Elementwise.add e[0] (sumLast (Elementwise.mul s e[0]))

            plus (plus carried (spread n.A u)) (scaled (4.0 * u) n)

    let private crossEntropy: Rule =
        fun n e u ->
            let last = n.A.Shape.Rank - 1
            let drop x = Reductions.amax [| last |] x
            let s = Normalisation.softmax last n.A

            let carried =
                if isNull e[0] then
                    null
                else
                    Elementwise.add (Selection.takeAlong last e[0] n.B) (Moves.sum [| last |] (Elementwise.mul s e[0]))

            plus (plus carried (drop (spread n.A u))) (scaled (4.0 * u) n)

    // g (s - hot): |s - hot| e_g + |g| (error of s), and two roundings.
    let private crossEntropyGradient: Rule =
        fun n e u ->
            let logits, labels = n.B, n.C

            let column (x: Node) =
                Moves.reshape (Array.append x.Shape.Raw [| 1 |]) x

            let s = Normalisation.softmax (logits.Shape.Rank - 1) logits

            let slope =
                Elementwise.sub s (Selection.oneHot logits.Shape[logits.Shape.Rank - 1] n.DType labels)

            let own =
                softmax s [| e[1] |] u
                |> fun x ->
                    if isNull x then
                        null
                    else
                        Elementwise.add x (Elementwise.constantLike slope (2.0 * u))

            let carried =
                if isNull e[0] then
                    null
                else
                    Elementwise.mul (Elementwise.abs slope) (column e[0])

            plus (plus carried (Elementwise.mul (column (Elementwise.abs n.A)) own)) (scaled (2.0 * u) n)

    let private cast: Rule =
        fun n e u ->
            let carried =
                if isNull e[0] || not (isNumber n) then
                    null
                else
                    Elementwise.cast n.DType e[0]

            let narrows =
                n.DType = Hybrid.Kernels.ElementType.Float32
                && n.A.DType <> Hybrid.Kernels.ElementType.Bool

            plus carried (if narrows then scaled (max u unit32) n else null)

    /// The rule of each primitive, by name; a test holds this table to the list of all primitives.
    let rules: IReadOnlyDictionary<string, Rule> =
        let table = Dictionary<string, Rule>()

        for name in
            [
                "constant"
                "scalar"
                "value"
                "placeholder"
                "current"
                "equal"
                "less"
                "lessEqual"
                "not"
                "sign"
                "floor"
                "argmax"
                "argmin"
                "oneHot"
                "uniform"
                "normal"
                "maxPositions"
            ] do
            table[name] <- exact

        for name in [ "variable"; "output"; "stopGradient"; "neg"; "abs"; "relu"; "flush" ] do
            table[name] <- first

        for name in
            [
                "reshape"
                "permute"
                "broadcastTo"
                "slice"
                "flip"
                "pad"
                "concat"
                "where"
                "gather"
                "takeAlong"
                "putAlong"
                "takeAt"
            ] do
            table[name] <- moves

        table["paddedSum"] <- paddedSum

        // Units of roundoff: one for a correctly rounded operation; two for each ULP that the vector kernels document.
        for name, units in
            [
                "add", 1.0
                "sub", 1.0
                "div", 1.0
                "square", 1.0
                "reciprocal", 1.0
                "sqrt", 1.0
                "exp", 4.0
                "log", 4.0
                "sigmoid", 4.0
                "expm1", 6.0
                "log1p", 6.0
                "tanh", 8.0
                "sin", 4.0
                "cos", 4.0
                "pow", 8.0
                "bce", 12.0
            ] do
            table[name] <- smooth units

        table["mul"] <- product
        table["maximum"] <- larger
        table["minimum"] <- larger
        table["amax"] <- largest
        table["amin"] <- largest
        table["to"] <- cast
        table["sum"] <- sumOf (fun n -> n.A.Shape.Size / max 1L n.Shape.Size)
        table["scatterAdd"] <- sumOf (fun n -> n.B.Shape.Size)
        table["matmul"] <- contraction (fun n -> int64 n.A.Shape[n.A.Shape.Rank - 1])
        table["gatedMatmul"] <- table["matmul"]
        table["affine"] <- affine
        table["affineRelu"] <- affine
        // The attributes of windows begin with the kernel's height and width.
        let window (n: Node) =
            int64 n.Attributes[0] * int64 n.Attributes[1]

        table["conv2d"] <- contraction (fun n -> int64 n.A.Shape[1] * window n)
        table["conv2dInput"] <- contraction (fun n -> int64 n.A.Shape[1] * window n)
        table["conv2dWeight"] <- contraction (fun n -> n.B.Shape.Size / int64 (max 1 n.B.Shape[1]))
        table["putAt"] <- sumOf (fun n -> int64 n.A.Shape[2] * int64 n.A.Shape[3])
        // The terms and the division.
        table["avgPool2d"] <- sumOf (fun n -> window n + 1L)
        table["avgPool2dInput"] <- sumOf (fun n -> window n + 1L)
        table["softmax"] <- softmax
        table["logSoftmax"] <- logSoftmax
        table["crossEntropy"] <- crossEntropy
        table["crossEntropyGradient"] <- crossEntropyGradient
        table

    /// The bounds of some nodes, as nodes; null where a node is exact. Throws TapeException for a primitive without a rule.
    let ofNodes (u: float) (roots: Node[]) : Node[] =
        lock Gate.instance (fun () ->
            use _ = Mode.NoGrad()
            let order = Walk.order Walk.everything roots
            let bounds = Array.zeroCreate<Node> order.Count

            for i in 0 .. order.Count - 1 do
                let n = order.Nodes[i]

                match rules.TryGetValue n.Primitive.Name with
                | true, rule when isNumber n && n.Arity > 0 ->
                    bounds[i] <- rule n (Array.init n.Arity (fun k -> bounds[order.Operands[order.Starts[i] + k]])) u
                | true, _ -> ()
                | _ ->
                    raise (
                        TapeException(
                            "check",
                            "operations with a rounding rule",
                            n.Primitive.Name,
                            n.Path,
                            "Add it to ErrorBounds.rules; a test lists what is missing."
                        )
                    )

            order.Roots |> Array.map (fun r -> bounds[r]))

/// How far rounding can put a result from the exact one.
[<AbstractClass; Sealed>]
type RoundingBound =
    /// For each element of an expression, a bound of |computed - exact|, given that the values that it starts from are exact: those of parameters, data and
    /// whatever has been evaluated already, so ask before reading anything. By running error analysis in the tensor's own type: sums of n
    /// terms count gamma(n-1) = (n-1) u / (1 - (n-1) u) times the sum of their magnitudes (Higham, 2002, chapter 3). First order: multiply by 2.
    static member Of(x: Tensor) : Tensor =
        let u =
            if x.DType = Hybrid.Kernels.ElementType.Float32 then
                ErrorBounds.unit32
            else
                ErrorBounds.unit64

        match (ErrorBounds.ofNodes u [| x.Node |]).[0] with
        | null -> Tensor.Zeros(x.Shape, x.DType)
        | e -> Tensor.Of e
