/// Engine and kernels against the oracle: every sample in both precisions, every layout of memory that an input can have, values and
/// gradients, with rewriting and without, as one plan and node by node.
module Hybrid.Core.Tests.EngineOracleTests

open System
open Hybrid.Core
open Hybrid.Core.Tests.Oracle
open Hybrid.Core.Tests.Trials
open Hybrid.Kernels
open Xunit

/// What a sum of this many rounded terms may be off by, relative to the largest result; elementwise functions count as 8 terms.
let private bound dtype (inputs: Node[]) =
    let longest = inputs |> Array.fold (fun n x -> max n (float x.Shape.Size)) 0.0

    (if dtype = ElementType.Float32 then
         Math.ScaleB(1.0, -23)
     else
         Math.ScaleB(1.0, -52))
    * (8.0 + longest)

let private graph (build: Node[] -> Node) (inputs: Node[]) =
    let result = build inputs
    let targets = inputs |> Array.filter isFloat

    // The result, and the gradients of its inputs.
    if isFloat result && targets.Length > 0 then
        Array.append [| result |] (gradients result (like 11 result) targets)
    else
        [| result |]

/// In float32 the oracle starts from the same rounded numbers, so that only the rounding of the work differs.
let private check dtype (build: Node[] -> Node) (inputs: Node[]) =
    let nodes = graph build inputs
    let expected = nodes |> Array.map evaluate
    Engine.Default.Evaluate nodes

    for i in 0 .. nodes.Length - 1 do
        let actual = ofValue nodes[i].Value
        Assert.Equal<int>(expected[i].Dims, actual.Dims)
        let what = if i = 0 then "value" else $"gradient {i - 1}"

        if isFloat nodes[i] then
            let precision =
                if nodes[i].DType = ElementType.Float32 then
                    ElementType.Float32
                else
                    dtype

            close (bound precision inputs) what expected[i].Data actual.Data
        else
            Assert.Equal<float>(expected[i].Data, actual.Data)

let everySample = cases (fun _ _ -> true)

[<Theory; MemberData(nameof everySample)>]
let ``float64: engine and oracle agree`` (primitive: string) (sample: string) =
    let _, s = find primitive sample
    check ElementType.Float64 s.Build (inputs ElementType.Float64 s)

[<Theory; MemberData(nameof everySample)>]
let ``float32: engine and oracle agree`` (primitive: string) (sample: string) =
    let _, s = find primitive sample
    check ElementType.Float32 s.Build (inputs ElementType.Float32 s)

// ---- layouts ----------------------------------------------------------------------------------------------------------

let private stored (dtype: ElementType) (t: Table) =
    Leaves.value (value dtype (Shape.Of t.Dims) t.Data)

/// Ways for an input to be a view of memory that looks different.
let private views: (string * (Node -> Node)) list =
    [
        "permuted",
        (fun x ->
            let reversed = [| for i in x.Shape.Rank - 1 .. -1 .. 0 -> i |]
            stored x.DType (evaluate (Moves.permute reversed x)) |> Moves.permute reversed)
        "sliced",
        (fun x ->
            // Every second element of a longer axis, from the second on.
            let inner =
                [|
                    for d in x.Shape.Raw do
                        yield! [ 1; d; 2 ]
                |]

            let outer =
                [|
                    for d in x.Shape.Raw do
                        yield! [ 1; 2 * d + 2; 2 ]
                |]

            stored x.DType (evaluate (Slices.pad outer x)) |> Slices.slice inner)
        "a block of a larger tensor",
        (fun x ->
            let inner =
                [|
                    for d in x.Shape.Raw do
                        yield! [ 2; d; 1 ]
                |]

            let outer =
                [|
                    for d in x.Shape.Raw do
                        yield! [ 2; d + 3; 1 ]
                |]

            stored x.DType (evaluate (Slices.pad outer x)) |> Slices.slice inner)
        "flipped",
        (fun x ->
            let flipAll y =
                Array.fold (fun y axis -> Slices.flip axis y) y [| 0 .. x.Shape.Rank - 1 |]

            stored x.DType (evaluate (flipAll x)) |> flipAll)
        "flipped along the second axis",
        (fun x ->
            let flip y =
                if x.Shape.Rank > 1 then Slices.flip 1 y else y

            stored x.DType (evaluate (flip x)) |> flip)
        "broadcast",
        (fun x ->
            let first =
                [|
                    for d in x.Shape.Raw do
                        yield! [ 0; min d 1; 1 ]
                |]

            stored x.DType (evaluate (Slices.slice first x)) |> Moves.broadcastTo x.Shape)
        "broadcast along the first axis",
        (fun x ->
            let first =
                [|
                    for i in 0 .. x.Shape.Rank - 1 do
                        yield! [ 0; (if i = 0 then min x.Shape[i] 1 else x.Shape[i]); 1 ]
                |]

            stored x.DType (evaluate (Slices.slice first x)) |> Moves.broadcastTo x.Shape)
    ]

[<Theory; MemberData(nameof everySample)>]
let ``Inputs may lie in memory in any way`` (primitive: string) (sample: string) =
    let _, s = find primitive sample
    let contiguous = inputs ElementType.Float64 s

    for _, view in views do
        // All inputs, then each one alone.
        for which in -1 .. (if contiguous.Length > 1 then contiguous.Length - 1 else -1) do
            contiguous
            |> Array.mapi (fun i x ->
                if which = -1 || which = i then
                    Leaves.variable (view x)
                else
                    x)
            |> check ElementType.Float64 s.Build

// ---- the same bits ----------------------------------------------------------------------------------------------------

let private asItIs = Engine(EngineOptions(Rewrites = false, Threads = 1))
let private threaded = Engine(EngineOptions(Threads = 2))

[<Theory; MemberData(nameof everySample)>]
let ``One plan, no rewriting, two threads and node by node give the same bits`` (primitive: string) (sample: string) =
    let _, s = find primitive sample

    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        let run (evaluate: Node[] -> unit) =
            let nodes = graph s.Build (inputs dtype s)
            evaluate nodes

            nodes
            |> Array.map (fun n -> BitConverter.ToString(n.Value.Storage.Span.Slice(0, int n.Value.Bytes).ToArray()))

        let whole = run Engine.Default.Evaluate

        let stepwise (nodes: Node[]) =
            for n in (Walk.order Walk.everything nodes).Nodes do
                asItIs.Evaluate [| n |]

        for other in [ run asItIs.Evaluate; run threaded.Evaluate; run stepwise ] do
            Assert.Equal<string>(whole, other)
