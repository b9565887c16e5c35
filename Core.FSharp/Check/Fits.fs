/// Comparisons of arrays that hypotheses are made of.
module internal Hybrid.Core.Checking.Fits

open System

/// The largest magnitude.
let largest (x: float[]) =
    x |> Array.fold (fun m v -> Math.Max(m, Math.Abs v)) 0.0

/// Whether two arrays are equal but for `tolerance` times the larger of their largest elements; empty or all-zero ones never are.
let same (tolerance: float) (a: float[]) (b: float[]) =
    let scale = Math.Max(largest a, largest b)

    a.Length = b.Length
    && scale > 0.0
    && Double.IsFinite scale
    && Array.forall2 (fun (x: float) y -> Math.Abs(x - y) <= tolerance * scale) a b

/// The factor c by least squares with a = c b in all elements; ValueNone if there is none, or b or a is zero everywhere.
let factor (tolerance: float) (a: float[]) (b: float[]) =
    if a.Length <> b.Length || largest a = 0.0 || largest b = 0.0 then
        ValueNone
    else
        let c =
            Array.fold2 (fun s x y -> s + x * y) 0.0 a b / Array.sumBy (fun y -> y * y) b

        if c <> 0.0 && same tolerance a (b |> Array.map (fun y -> c * y)) then
            ValueSome c
        else
            ValueNone

/// Whether a number is another to the tolerance.
let near (tolerance: float) (expected: float) (c: float) =
    Math.Abs(c - expected) <= 4.0 * tolerance * Math.Abs expected

/// A few elements always fit some factor: then only a factor with a name counts.
let isPlain (tolerance: float) (c: float) =
    [ 1.0; -1.0; 2.0; -2.0; 0.5; -0.5 ] |> List.exists (fun e -> near tolerance e c)

/// Whether a factor that was fitted to an array says anything: it has a plain value, or at least three different elements agree on it.
let counts (tolerance: float) (a: float[]) (c: float) =
    isPlain tolerance c
    || (a |> Array.filter (fun x -> x <> 0.0) |> Array.distinct |> Array.truncate 3).Length = 3

/// Row-major strides.
let strides (shape: int[]) =
    let s = Array.create shape.Length 1

    for i in shape.Length - 2 .. -1 .. 0 do
        s[i] <- s[i + 1] * shape[i + 1]

    s

/// Element i of the result is element `source index` of x, for the index that i stands for.
let rearrange (shape: int[]) (source: int[] -> int) (x: float[]) =
    let s = strides shape
    let index = Array.zeroCreate shape.Length

    Array.init x.Length (fun i ->
        let mutable rest = i

        for a in 0 .. shape.Length - 1 do
            index[a] <- rest / s[a]
            rest <- rest % s[a]

        x[source index])

/// x with its axes in another order: axis i of the result is axis order[i].
let permute (shape: int[]) (order: int[]) (x: float[]) =
    let s = strides shape
    rearrange (order |> Array.map (fun a -> shape[a])) (fun index -> Seq.sum (Seq.init order.Length (fun i -> index[i] * s[order[i]]))) x

/// Every order of n axes but the given one.
let orders (n: int) =
    let rec insert x rest =
        match rest with
        | [] -> [ [ x ] ]
        | head :: tail -> (x :: rest) :: (insert x tail |> List.map (fun l -> head :: l))

    let rec all items =
        match items with
        | [] -> [ [] ]
        | x :: rest -> all rest |> List.collect (insert x)

    all [ 0 .. n - 1 ]
    |> List.filter (fun o -> o <> [ 0 .. n - 1 ])
    |> List.map Array.ofList

/// x with some axes reversed.
let flip (shape: int[]) (axes: int list) (x: float[]) =
    let s = strides shape

    rearrange
        shape
        (fun index ->
            Seq.sum (
                Seq.init shape.Length (fun a ->
                    s[a]
                    * (if List.contains a axes then
                           shape[a] - 1 - index[a]
                       else
                           index[a]))
            ))
        x

/// The sum over axes.
let sumOver (shape: int[]) (axes: int list) (x: float[]) =
    let kept =
        [|
            for a in 0 .. shape.Length - 1 do
                if not (List.contains a axes) then
                    a
        |]

    let target = kept |> Array.map (fun a -> shape[a])
    let s, t = strides shape, strides target
    let result = Array.zeroCreate (Array.fold (*) 1 target)

    for i in 0 .. x.Length - 1 do
        let mutable place = 0

        for k in 0 .. kept.Length - 1 do
            place <- place + t[k] * (i / s[kept[k]] % shape[kept[k]])

        result[place] <- result[place] + x[i]

    result

/// The slices along an axis, each as an array.
let slices (shape: int[]) (axis: int) (x: float[]) =
    let s = strides shape

    Array.init shape[axis] (fun k ->
        x
        |> Array.indexed
        |> Array.filter (fun (i, _) -> i / s[axis] % shape[axis] = k)
        |> Array.map snd)

/// The coordinate of position i on an axis.
let coordinate (shape: int[]) (axis: int) (i: int) = i / (strides shape)[axis] % shape[axis]
