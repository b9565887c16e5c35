/// The samples that primitives bring along, with inputs drawn for them, and the checks of derivatives that any function of nodes can be put to.
module internal Hybrid.Core.Tests.Trials

open System
open Hybrid.Core
open Hybrid.Core.Tests.Oracle
open Hybrid.Kernels
open Xunit

/// Every sample of every primitive, by names.
let all =
    [
        for p in Primitives.all do
            for s in p.Trials do
                p, s
    ]

let find (primitive: string) (sample: string) =
    all |> List.find (fun (p, s) -> p.Title = primitive && s.Name = sample)

/// xunit's form of the samples that fulfil a condition.
let cases condition =
    let data = TheoryData<string, string>()

    for p, s in all do
        if condition p s then
            data.Add(p.Title, s.Name)

    data

let isFloat (n: Node) = n.DType <= ElementType.Float64

// ---- inputs -----------------------------------------------------------------------------------------------------------

let private normal (random: Random) =
    Math.Sqrt(-2.0 * Math.Log(1.0 - random.NextDouble()))
    * Math.Cos(2.0 * Math.PI * random.NextDouble())

// Far enough from kinks for differences of a few thousandths, and from poles for them to be exact.
let private draw (random: Random) domain =
    match domain with
    | Domain.Positive -> 0.5 + Math.Abs(normal random)
    | Domain.Unit -> 0.25 + 0.5 * random.NextDouble()
    | Domain.NonZero -> float (Math.Sign(random.NextDouble() - 0.5)) * (0.5 + Math.Abs(normal random))
    | Domain.Mask -> float (random.Next 2)
    | Domain.Index -> float (random.Next 3)
    | _ -> normal random

let value (dtype: ElementType) (shape: Shape) (data: float[]) =
    match dtype with
    | ElementType.Float32 -> Value.OfSpan(ReadOnlySpan(Array.map float32 data), shape)
    | ElementType.Float64 -> Value.OfSpan(ReadOnlySpan data, shape)
    | ElementType.Int32 -> Value.OfSpan(ReadOnlySpan(Array.map int data), shape)
    | ElementType.UInt8 -> Value.OfSpan(ReadOnlySpan(Array.map byte data), shape)
    | _ -> Value.OfSpan(ReadOnlySpan(Array.map (fun v -> v <> 0.0) data), shape)

/// Random numbers for a list of shapes; those that are compared keep a distance from each other.
let numbers (random: Random) (inputs: (int list * Domain) list) : float[] list =
    let used = ResizeArray<float>()

    [
        for dims, domain in inputs ->
            Array.init (List.fold (*) 1 dims) (fun _ ->
                let mutable v = draw random domain

                if domain < Domain.Mask then
                    while used.Exists(fun u -> Math.Abs(u - v) < 0.01) do
                        v <- draw random domain

                    used.Add v

                v)
    ]

let private typeOf floats domain =
    match domain with
    | Domain.Mask -> ElementType.Bool
    | Domain.Index -> ElementType.Int32
    | _ -> floats

/// Inputs of a sample as variables, in the given type where they are floats.
let inputs (floats: ElementType) (sample: Sample) : Node[] =
    List.map2
        (fun (dims, domain) data ->
            value (typeOf floats domain) (Shape.Of(Array.ofList dims)) data
            |> Leaves.value
            |> Leaves.variable)
        sample.Inputs
        (numbers (Random 7) sample.Inputs)
    |> Array.ofList

/// A variable of random numbers with a node's shape and type.
let like (seed: int) (n: Node) =
    let random = Random seed

    value n.DType n.Shape (Array.init (int n.Shape.Size) (fun _ -> normal random))
    |> Leaves.value
    |> Leaves.variable

// ---- derivatives ------------------------------------------------------------------------------------------------------

/// The gradients of result * cotangent by each target; zeros where none flows.
let gradients (result: Node) (cotangent: Node) (targets: Node[]) : Node[] =
    Sweep.withRespectTo null result cotangent targets
    |> Array.map2 (fun (t: Node) g -> if isNull g then Elementwise.constantLike t 0.0 else g) targets

/// The sum of products of a result with numbers, computed by the oracle.
let private dot (result: Node) (weights: float[]) (at: Node) (values: Table) =
    let y = evaluateWith [ at, values ] result
    Array.fold2 (fun sum a b -> sum + a * b) 0.0 y.Data weights

/// Derivatives of result * weights by the elements of a node, from five-point central differences of the oracle.
let differences (result: Node) (weights: float[]) (at: Node) : float[] =
    let x = evaluate at

    Array.init x.Data.Length (fun i ->
        let h = 1e-3 * Math.Max(1.0, Math.Abs x.Data[i])

        let f step =
            dot
                result
                weights
                at
                { x with
                    Data = Array.updateAt i (x.Data[i] + step * h) x.Data
                }

        (8.0 * (f 1.0 - f -1.0) - (f 2.0 - f -2.0)) / (12.0 * h))

/// Whether two arrays agree, relative to the largest number in the first.
let close (bound: float) (what: string) (expected: float[]) (actual: float[]) =
    Assert.Equal(expected.Length, actual.Length)
    let scale = expected |> Array.fold (fun m v -> Math.Max(m, Math.Abs v)) 1.0

    for i in 0 .. expected.Length - 1 do
        if not (Math.Abs(expected[i] - actual[i]) <= bound * scale) then
            Assert.Fail $"{what}: element {i} should be {expected[i]:R}, is {actual[i]:R}"

/// Holds the derivatives of a function to central differences: those of the result, and the derivatives of these.
let checkDerivatives (build: Node[] -> Node) (inputs: Node[]) =
    let result = build inputs
    let targets = inputs |> Array.filter isFloat
    let cotangent = like 11 result
    let first = gradients result cotangent targets
    let weights = (evaluate cotangent).Data

    Array.iteri2 (fun i (target: Node) (g: Node) -> close 1e-8 $"gradient {i}" (differences result weights target) (evaluate g).Data) targets first

    // A number made of all first derivatives, and its derivatives by the inputs and by the cotangent.
    let mixtures = first |> Array.mapi (fun i g -> like (20 + i) g)

    let total =
        Array.map2
            (fun (g: Node) m ->
                Moves.sum [| 0 .. g.Shape.Rank - 1 |] (Elementwise.mul g m)
                |> Elementwise.cast ElementType.Float64)
            first
            mixtures
        |> Array.reduce Elementwise.add

    let again = Array.append targets [| cotangent |]

    Array.iteri2
        (fun i (target: Node) (g: Node) -> close 1e-7 $"second derivative {i}" (differences total [| 1.0 |] target) (evaluate g).Data)
        again
        (gradients total (Leaves.constant ElementType.Float64 1.0) again)
