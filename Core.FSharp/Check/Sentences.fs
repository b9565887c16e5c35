/// What the sentences of a diagnosis are made of.
module internal Hybrid.Core.Checking.Sentences

open System
open System.Globalization

let none: string option = Option.None

let number (n: int) = n.ToString CultureInfo.InvariantCulture

let all (e: Evidence) =
    if e.Manual.Length = 1 then
        "its one element"
    else
        $"all {number e.Manual.Length} elements"

let sameShape (e: Evidence) =
    e.ManualShape.AsSpan().SequenceEqual(ReadOnlySpan<int> e.Shape)

let format (shape: int[]) = Hybrid.Core.Shape.Format shape

/// What a factor other than 1 may come from; empty if it has no name.
let meaning (e: Evidence) (c: float) =
    let size = Math.Abs c
    let near = Fits.near e.Tolerance

    let named =
        [
            for name, n in e.Sizes |> List.distinctBy snd do
                if n > 1 then
                    if near (float n) size then
                        $"multiplied by {name}, {number n}: a sum where a mean belongs"
                    elif near (1.0 / float n) size then
                        $"divided by {name}, {number n}: a mean where a sum belongs"
            if near 2.0 size then
                "counted twice, or a factor 2 too large"
            if near 0.5 size then
                "a factor 2 short"
        ]

    match c < 0.0, named with
    | true, [] when near 1.0 size -> "the sign is flipped"
    | true, [] -> "the sign is flipped, and the factor is wrong"
    | true, _ -> "the sign is flipped, and it is " + String.Join(", or ", named)
    | false, [] -> "a constant factor is wrong"
    | false, _ -> "it is " + String.Join(", or ", named)

// c with a = c b, if it is worth mentioning.
let fits (e: Evidence) a b =
    match Fits.factor e.Tolerance a b with
    | ValueSome c when Fits.counts e.Tolerance a c -> ValueSome c
    | _ -> ValueNone

let isOne (e: Evidence) c = Fits.near e.Tolerance 1.0 c

// "X" for c = 1, else "c x X".
let times (e: Evidence) (c: float) (what: string) =
    if isOne e c then what else $"{Text.factor c} x {what}"

let automatic e c = times e c "automatic"

let first (candidates: seq<string option>) = candidates |> Seq.tryPick id
