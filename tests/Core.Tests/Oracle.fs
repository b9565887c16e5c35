/// What every primitive computes, said a second time: one element at a time, in float64, with no kernel, shape rule or view of
/// Hybrid's. It is slow and simple on purpose; engine and kernels are held to it.
module internal Hybrid.Core.Tests.Oracle

open System
open System.Collections.Generic
open Hybrid.Core
open Hybrid.Kernels

/// A row-major array. Integers and masks are kept as float64 too.
type Table = { Dims: int[]; Data: float[] }

let private size (dims: int[]) = Array.fold (*) 1 dims

/// Every position of a shape, in row-major order.
let private positions (dims: int[]) : int[] seq =
    seq {
        for flat in 0 .. size dims - 1 do
            let position = Array.zeroCreate dims.Length
            let mutable rest = flat

            for axis in dims.Length - 1 .. -1 .. 0 do
                position[axis] <- rest % dims[axis]
                rest <- rest / dims[axis]

            position
    }

let private flat (dims: int[]) (position: int[]) =
    Array.fold2 (fun sum length p -> sum * length + p) 0 dims position

let private at (t: Table) position = t.Data[flat t.Dims position]

let private tabulate dims (f: int[] -> float) =
    {
        Dims = dims
        Data = positions dims |> Seq.map f |> Array.ofSeq
    }

let private map f (t: Table) = { t with Data = Array.map f t.Data }

let private map2 f (a: Table) (b: Table) =
    if a.Dims <> b.Dims then
        failwith $"%A{a.Dims} and %A{b.Dims} are not the same"

    { a with
        Data = Array.map2 f a.Data b.Data
    }

let private truth condition = if condition then 1.0 else 0.0

// ---- reductions and rows ----------------------------------------------------------------------------------------------

/// Axes first .. first + count - 1 taken away, each line of them given to f.
let private reduce (n: Node) (x: Table) (f: float[] -> float) =
    let first, count = int n.Attribute, int (n.Attribute >>> 32)
    let before, rest = Array.splitAt first x.Dims
    let inner, after = Array.splitAt count rest

    tabulate (Array.append before after) (fun position ->
        let p, q = Array.splitAt first position

        positions inner
        |> Seq.map (fun i -> at x (Array.concat [ p; i; q ]))
        |> Array.ofSeq
        |> f)

let private best better (line: float[]) =
    let mutable winner = 0

    for i in 1 .. line.Length - 1 do
        if
            better line[i] line[winner]
            || Double.IsNaN line[i] && not (Double.IsNaN line[winner])
        then
            winner <- i

    winner

/// f applied to each line of the last axis.
let private rows (f: float[] -> float[]) (x: Table) =
    let classes = Array.last x.Dims

    { x with
        Data =
            if x.Data.Length = 0 then
                [||]
            else
                x.Data |> Array.chunkBySize classes |> Array.collect f
    }

let private logSumExp (row: float[]) =
    let largest = Array.max row
    largest + log (row |> Array.sumBy (fun v -> exp (v - largest)))

let private softmax row =
    row |> Array.map (fun v -> exp (v - logSumExp row))

let private lastAxis (t: Table) = Array.last t.Dims

let private label (labels: Table) limit row =
    let v = int labels.Data[row]

    if v < 0 || v >= limit then
        failwith $"position {v} of {limit}"

    v

// ---- windows ----------------------------------------------------------------------------------------------------------

/// For images [.., height, width] every meeting of a place of the window, a pixel, and an element of the window. Padding meets nothing.
let private windowPlaces (n: Node) (image: int[]) =
    let a = n.Attributes
    let height, width = image[2], image[3]
    let rows = (height + a[4] + a[5] - a[8] * (a[0] - 1) - 1) / a[2] + 1
    let columns = (width + a[6] + a[7] - a[9] * (a[1] - 1) - 1) / a[3] + 1

    [
        for oh in 0 .. rows - 1 do
            for ow in 0 .. columns - 1 do
                for i in 0 .. a[0] - 1 do
                    for j in 0 .. a[1] - 1 do
                        let h, w = oh * a[2] - a[4] + i * a[8], ow * a[3] - a[6] + j * a[9]

                        if h >= 0 && h < height && w >= 0 && w < width then
                            (oh, ow), (h, w), (i, j)
    ]

/// Sums up what is said to go where.
let private window (n: Node) (shape: Shape) (image: int[]) terms =
    let y = tabulate (shape.ToArray()) (fun _ -> 0.0)

    for target, term in terms y.Dims (windowPlaces n image) do
        y.Data[target] <- y.Data[target] + term

    y

// ---- random numbers ---------------------------------------------------------------------------------------------------

/// Philox4x32 with 10 rounds, as in Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011): four words for a counter.
let private philox (key: uint32[]) (counter: uint32[]) =
    let x, k = Array.copy counter, Array.copy key

    for _ in 1..10 do
        let p, q = 0xD2511F53UL * uint64 x[0], 0xCD9E8D57UL * uint64 x[2]
        let a, b = uint32 (q >>> 32) ^^^ x[1] ^^^ k[0], uint32 (p >>> 32) ^^^ x[3] ^^^ k[1]
        x[0] <- a
        x[1] <- uint32 q
        x[2] <- b
        x[3] <- uint32 p
        k[0] <- k[0] + 0x9E3779B9u
        k[1] <- k[1] + 0xBB67AE85u

    x

/// Uniform numbers: 24 bits of a word for float32, 53 of two words for float64. Blocks are counted from 0, the stream is the upper half.
let private uniform (n: Node) (key: Table) count =
    let words =
        Seq.initInfinite (fun block ->
            let stream = n.Attribute >>> 8
            philox (key.Data |> Array.map (int >> uint32)) [| uint32 block; 0u; uint32 stream; uint32 (stream >>> 32) |])
        |> Seq.collect id

    if n.DType = ElementType.Float32 then
        words
        |> Seq.map (fun w -> Math.ScaleB(float (w >>> 8), -24))
        |> Seq.take count
        |> Array.ofSeq
    else
        words
        |> Seq.chunkBySize 2
        |> Seq.map (fun w -> Math.ScaleB(float ((uint64 w[0] ||| (uint64 w[1] <<< 32)) >>> 11), -53))
        |> Seq.take count
        |> Array.ofSeq

/// Box and Muller's pairs.
let private normal (n: Node) key count =
    uniform n key (count + count % 2)
    |> Array.chunkBySize 2
    |> Array.collect (fun u ->
        let radius = Math.Sqrt(-2.0 * Math.Log(1.0 - u[0]))

        [|
            radius * Math.Cos(2.0 * Math.PI * u[1])
            radius * Math.Sin(2.0 * Math.PI * u[1])
        |])
    |> Array.truncate count

// ---- elementwise ------------------------------------------------------------------------------------------------------

let private unary: (string * (float -> float)) list =
    [
        "neg", (~-)
        "square", (fun x -> x * x)
        "reciprocal", (fun x -> 1.0 / x)
        "sqrt", Math.Sqrt
        "not", (fun x -> 1.0 - x)
        "sign",
        (fun x ->
            if x > 0.0 then 1.0
            elif x < 0.0 then -1.0
            else x)
        "floor", Math.Floor
        "abs", Math.Abs
        "flush",
        (fun x ->
            if Math.Abs x < BitConverter.Int64BitsToDouble(1L <<< 52) then
                0.0
            else
                x)
        "relu", (fun x -> if x <= 0.0 then 0.0 else x)
        "exp", Math.Exp
        "log", Math.Log
        // Series and Kahan's trick near 0, where the formulas cancel.
        "expm1",
        (fun x ->
            if Math.Abs x < 1e-5 then
                x + x * x / 2.0 + x * x * x / 6.0
            else
                Math.Exp x - 1.0)
        "log1p",
        (fun x ->
            let u = 1.0 + x

            if u = 1.0 then x
            elif Double.IsInfinity u || u <= 0.0 then Math.Log u
            else Math.Log u * x / (u - 1.0))
        "tanh", Math.Tanh
        "sigmoid", (fun x -> 1.0 / (1.0 + Math.Exp -x))
        "sin", Math.Sin
        "cos", Math.Cos
    ]

let private log1p = List.find (fun (name, _) -> name = "log1p") unary |> snd

let private binary: (string * (float -> float -> float)) list =
    [
        "add", (+)
        "sub", (-)
        "mul", (*)
        "div", (/)
        "pow", (fun a b -> Math.Pow(a, b))
        "maximum", (fun a b -> Math.Max(a, b))
        "minimum", (fun a b -> Math.Min(a, b))
        "equal", (fun a b -> truth (a = b))
        "less", (fun a b -> truth (a < b))
        "lessEqual", (fun a b -> truth (a <= b))
        "bce", (fun p t -> -(t * Math.Max(Math.Log p, -100.0) + (1.0 - t) * Math.Max(log1p -p, -100.0)))
    ]

// ---- the table --------------------------------------------------------------------------------------------------------

// The sums of products over the last axis of the first and the last but one of the second.
let private product (x: Table[]) =
    let last = x[0].Dims.Length - 1

    tabulate (Array.updateAt last x[1].Dims[last] x[0].Dims) (fun position ->
        let mutable sum = 0.0

        for k in 0 .. x[0].Dims[last] - 1 do
            sum <-
                sum
                + at x[0] (Array.updateAt last k position)
                  * at x[1] (Array.updateAt (last - 1) k position)

        sum)

let private withBias (x: Table[]) =
    let y = product x
    tabulate y.Dims (fun position -> at y position + at x[2] [| 0; position[1] |])

let private rules: (string * (Node -> Table[] -> Table)) list =
    [
        for name, f in unary do
            name, (fun _ x -> map f x[0])
        for name, f in binary do
            name, (fun _ x -> map2 f x[0] x[1])

        for name in [ "variable"; "output"; "stopGradient" ] do
            name, (fun _ x -> x[0])

        "where",
        (fun _ x ->
            { x[1] with
                Data = Array.map3 (fun mask a b -> if mask <> 0.0 then a else b) x[0].Data x[1].Data x[2].Data
            })

        "to",
        (fun n x ->
            match LanguagePrimitives.EnumOfValue<byte, ElementType>(byte n.Attribute) with
            | ElementType.Int32
            | ElementType.UInt8 -> map Math.Truncate x[0]
            | ElementType.Bool -> map (fun v -> truth (v <> 0.0)) x[0]
            | _ -> x[0])

        // Moves.
        "reshape", (fun n x -> { x[0] with Dims = n.Attributes })
        "permute",
        (fun n x ->
            let order = n.Attributes

            tabulate (order |> Array.map (fun axis -> x[0].Dims[axis])) (fun position ->
                let source = Array.zeroCreate order.Length
                order |> Array.iteri (fun i axis -> source[axis] <- position[i])
                at x[0] source))
        "broadcastTo",
        (fun n x ->
            let lead = n.Attributes.Length - x[0].Dims.Length

            tabulate n.Attributes (fun position ->
                at
                    x[0]
                    (x[0].Dims
                     |> Array.mapi (fun i length -> if length = 1 then 0 else position[i + lead]))))
        "slice",
        (fun n x ->
            let ranges = Array.chunkBySize 3 n.Attributes

            tabulate (ranges |> Array.map (fun r -> r[1])) (fun position ->
                at x[0] (Array.map2 (fun (r: int[]) p -> r[0] + r[2] * p) ranges position)))
        "pad",
        (fun n x ->
            let ranges = Array.chunkBySize 3 n.Attributes
            let y = tabulate (ranges |> Array.map (fun r -> r[1])) (fun _ -> 0.0)

            for position in positions x[0].Dims do
                y.Data[flat y.Dims (Array.map2 (fun (r: int[]) p -> r[0] + r[2] * p) ranges position)] <- at x[0] position

            y)
        "paddedSum",
        (fun n x ->
            let rank = x[0].Dims.Length
            let parts = n.Attributes |> Array.chunkBySize 3 |> Array.chunkBySize rank
            let y = tabulate (parts[0] |> Array.map (fun r -> r[1])) (fun _ -> 0.0)

            Array.iter2
                (fun ranges (part: Table) ->
                    for position in positions part.Dims do
                        let target =
                            flat y.Dims (Array.map2 (fun (r: int[]) p -> r[0] + r[2] * p) ranges position)

                        y.Data[target] <- y.Data[target] + at part position)
                parts
                x

            y)
        "flip",
        (fun n x ->
            let axis = int n.Attribute

            tabulate x[0].Dims (fun position -> at x[0] (position |> Array.mapi (fun i p -> if i = axis then x[0].Dims[i] - 1 - p else p))))
        "concat",
        (fun n x ->
            let axis = int n.Attribute
            let dims = Array.copy x[0].Dims
            dims[axis] <- x |> Array.sumBy (fun t -> t.Dims[axis])

            tabulate dims (fun position ->
                let mutable part = 0
                let mutable p = position[axis]

                while p >= x[part].Dims[axis] do
                    p <- p - x[part].Dims[axis]
                    part <- part + 1

                at x[part] (Array.updateAt axis p position)))

        // Reductions.
        "sum", (fun n x -> reduce n x[0] Array.sum)
        "amax", (fun n x -> reduce n x[0] (fun line -> line[best (>) line]))
        "amin", (fun n x -> reduce n x[0] (fun line -> line[best (<) line]))
        "argmax", (fun n x -> reduce n x[0] (best (>) >> float))
        "argmin", (fun n x -> reduce n x[0] (best (<) >> float))

        // Contractions.
        "matmul", (fun _ x -> product x)
        "affine", (fun _ x -> withBias x)
        "affineRelu",
        (fun _ x ->
            let y = withBias x
            tabulate y.Dims (fun position -> max 0.0 (at y position)))

        "gatedMatmul",
        (fun _ x ->
            let y = product x
            tabulate y.Dims (fun position -> if at x[2] position <= 0.0 then 0.0 else at y position))

        // Selection.
        "gather",
        (fun _ x ->
            let table, index = x[0], x[1]
            let row = Array.tail table.Dims

            tabulate (Array.append index.Dims row) (fun position ->
                let i, rest = Array.splitAt index.Dims.Length position
                at table (Array.append [| label index table.Dims[0] (flat index.Dims i) |] rest)))
        "scatterAdd",
        (fun n x ->
            let updates, index = x[0], x[1]
            let row = Array.skip index.Dims.Length updates.Dims
            let y = tabulate (Array.append [| int n.Attribute |] row) (fun _ -> 0.0)

            for position in positions updates.Dims do
                let i, rest = Array.splitAt index.Dims.Length position

                let target =
                    flat y.Dims (Array.append [| label index y.Dims[0] (flat index.Dims i) |] rest)

                y.Data[target] <- y.Data[target] + at updates position

            y)
        "takeAlong",
        (fun n x ->
            let axis = int n.Attribute

            tabulate x[1].Dims (fun position -> at x[0] (Array.insertAt axis (label x[1] x[0].Dims[axis] (flat x[1].Dims position)) position)))
        "putAlong",
        (fun n x ->
            let axis, length = int n.Attribute, int (n.Attribute >>> 32)
            let y = tabulate (Array.insertAt axis length x[0].Dims) (fun _ -> 0.0)

            for position in positions x[0].Dims do
                let p = label x[1] length (flat x[1].Dims position)
                y.Data[flat y.Dims (Array.insertAt axis p position)] <- at x[0] position

            y)
        "oneHot",
        (fun n x ->
            let classes = int n.Attribute

            tabulate (Array.append x[0].Dims [| classes |]) (fun position ->
                let row = Array.sub position 0 x[0].Dims.Length
                truth (Array.last position = label x[0] classes (flat x[0].Dims row))))

        // Windows.
        "conv2d",
        (fun n x ->
            window n n.Shape x[0].Dims (fun y places ->
                seq {
                    for f in 0 .. x[1].Dims[0] - 1 do
                        for c in 0 .. x[1].Dims[1] - 1 do
                            for (oh, ow), (h, w), (i, j) in places do
                                for image in 0 .. x[0].Dims[0] - 1 do
                                    flat y [| image; f; oh; ow |], at x[0] [| image; c; h; w |] * at x[1] [| f; c; i; j |]
                }))
        "conv2dInput",
        (fun n x ->
            window n n.Shape (n.Shape.ToArray()) (fun y places ->
                seq {
                    for f in 0 .. x[1].Dims[0] - 1 do
                        for c in 0 .. x[1].Dims[1] - 1 do
                            for (oh, ow), (h, w), (i, j) in places do
                                for image in 0 .. x[0].Dims[0] - 1 do
                                    flat y [| image; c; h; w |], at x[0] [| image; f; oh; ow |] * at x[1] [| f; c; i; j |]
                }))
        "conv2dWeight",
        (fun n x ->
            window n n.Shape x[0].Dims (fun y places ->
                seq {
                    for f in 0 .. x[1].Dims[1] - 1 do
                        for c in 0 .. x[0].Dims[1] - 1 do
                            for (oh, ow), (h, w), (i, j) in places do
                                for image in 0 .. x[0].Dims[0] - 1 do
                                    flat y [| f; c; i; j |], at x[0] [| image; c; h; w |] * at x[1] [| image; f; oh; ow |]
                }))
        "maxPositions",
        (fun n x ->
            let places = windowPlaces n x[0].Dims |> Seq.groupBy (fun (o, _, _) -> o) |> dict

            tabulate (n.Shape.ToArray()) (fun p ->
                let under =
                    [|
                        for _, (h, w), _ in places[(p[2], p[3])] -> h * x[0].Dims[3] + w, at x[0] [| p[0]; p[1]; h; w |]
                    |]

                float (fst under[best (>) (Array.map snd under)])))
        "takeAt",
        (fun _ x ->
            tabulate x[1].Dims (fun p ->
                let position = int (at x[1] p)
                let width = x[0].Dims[3]
                at x[0] [| p[0]; p[1]; position / width; position % width |]))
        "putAt",
        (fun n x ->
            let y = tabulate (n.Shape.ToArray()) (fun _ -> 0.0)
            let width = y.Dims[3]

            for p in positions x[0].Dims do
                let position = int (at x[1] p)
                let target = flat y.Dims [| p[0]; p[1]; position / width; position % width |]
                y.Data[target] <- y.Data[target] + at x[0] p

            y)
        "avgPool2d",
        (fun n x ->
            window n n.Shape x[0].Dims (fun y places ->
                seq {
                    for (oh, ow), (h, w), _ in places do
                        for image in 0 .. x[0].Dims[0] - 1 do
                            for c in 0 .. x[0].Dims[1] - 1 do
                                flat y [| image; c; oh; ow |], at x[0] [| image; c; h; w |] / float (n.Attributes[0] * n.Attributes[1])
                }))
        "avgPool2dInput",
        (fun n x ->
            window n n.Shape (n.Shape.ToArray()) (fun y places ->
                seq {
                    for (oh, ow), (h, w), _ in places do
                        for image in 0 .. x[0].Dims[0] - 1 do
                            for c in 0 .. x[0].Dims[1] - 1 do
                                flat y [| image; c; h; w |], at x[0] [| image; c; oh; ow |] / float (n.Attributes[0] * n.Attributes[1])
                }))

        // Normalisation.
        "softmax", (fun _ x -> rows softmax x[0])
        "logSoftmax", (fun _ x -> rows (fun row -> row |> Array.map (fun v -> v - logSumExp row)) x[0])
        "crossEntropy",
        (fun _ x ->
            let classes = lastAxis x[0]
            let row = Array.ofSeq (Array.chunkBySize classes x[0].Data)

            {
                Dims = x[1].Dims
                Data = row |> Array.mapi (fun i r -> logSumExp r - r[label x[1] classes i])
            })
        "crossEntropyGradient",
        (fun _ x ->
            let classes = lastAxis x[1]

            { x[1] with
                Data =
                    Array.chunkBySize classes x[1].Data
                    |> Array.mapi (fun i r ->
                        softmax r
                        |> Array.mapi (fun c s -> x[0].Data[i] * (s - truth (c = label x[2] classes i))))
                    |> Array.concat
            })

        // Random numbers.
        "uniform",
        (fun n x ->
            {
                Dims = n.Attributes
                Data = uniform n x[0] (size n.Attributes)
            })
        "normal",
        (fun n x ->
            {
                Dims = n.Attributes
                Data = normal n x[0] (size n.Attributes)
            })
    ]

let private table = dict rules

/// Whether the oracle knows a primitive.
let knows (p: Primitive) =
    p.Family = Family.Leaf || table.ContainsKey p.Title

/// The table of a value.
let ofValue (v: Value) =
    {
        Dims = v.Shape.ToArray()
        Data = v.ToDoubles()
    }

let private leaf (n: Node) =
    match n.Primitive.Title with
    | "constant"
    | "scalar" ->
        {
            Dims = [||]
            Data = [| Leaves.number n |]
        }
    | _ when not (isNull n.Value) -> ofValue n.Value
    | other -> failwith $"the oracle has no value for a {other}"

/// The value of a node. `given` replaces the values of some nodes. Iterative, and every node is computed once.
let evaluateWith (given: (Node * Table) seq) (root: Node) : Table =
    let known = Dictionary<Node, Table>(HashIdentity.Reference)

    for n, t in given do
        known[n] <- t

    let stack = Stack<Node>()
    stack.Push root

    while stack.Count > 0 do
        let n = stack.Peek()

        if known.ContainsKey n then
            stack.Pop() |> ignore
        else
            let inputs = Array.init n.Arity n.Input
            let missing = inputs |> Array.filter (fun i -> not (known.ContainsKey i))

            if n.Arity = 0 then
                known[n] <- leaf n
            elif missing.Length > 0 then
                for i in missing do
                    stack.Push i
            else
                let result = table[n.Primitive.Title] n (inputs |> Array.map (fun i -> known[i]))

                if result.Dims <> n.Shape.ToArray() then
                    failwith $"{n.Primitive.Title}: shape rule says {n.Shape}, elements say %A{result.Dims}"

                known[n] <- result

    known[root]

/// The value of a node.
let evaluate root = evaluateWith [] root
