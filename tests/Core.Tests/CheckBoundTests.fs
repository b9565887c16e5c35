/// What a check is judged by: rounding bounds, steps, coordinates and projections, and the tables behind them.
module Hybrid.Core.Tests.CheckBoundTests

open System
open Hybrid.Core
open Hybrid.Core.Checking
open Hybrid.Kernels
open Xunit

let private numbers (seed: int) ([<ParamArray>] shape: int[]) =
    let random = Random seed

    let data =
        Array.init (Array.fold (*) 1 shape) (fun _ -> random.NextDouble() * 4.0 - 2.0)

    Tensor.From(ReadOnlySpan<float> data, Shape.Of shape)

let private enter (name: string) (inputs: Tensor[]) (cells: Cell list) (forward: Tensor[] -> Tensor) (rule: Call -> Tensor -> Tensor[]) =
    Call.Enter(
        name,
        inputs,
        Array.ofList cells,
        Func<Call, Tensor[], Tensor[]>(fun _ x -> [| forward x |]),
        (if isNull (box rule) then
             null
         else
             CustomRule(fun call g -> rule call g[0]))
    )

let private row (report: CheckReport) name =
    report.Rows |> Seq.find (fun r -> r.Name = name)

let private rowOf (call: Call) name = row (CallCheck.Of(call, null)) name

let private weights () =
    Cell("0.weight", numbers 1 [| 3; 4 |]), Cell("0.bias", numbers 2 [| 4 |])

let private linear (w: Cell) (b: Cell) (x: Tensor) (weight: Call -> Tensor -> Tensor) (bias: Tensor -> Tensor) =
    enter "net/0:Linear" [| x |] [ w; b ] (fun x -> x[0].MatMul(w.Value) + b.Value) (fun call g ->
        w.Accumulate(weight call g)
        b.Accumulate(bias g)
        [| g.MatMul(w.Value.Transpose()) |])

let private x0 = numbers 3 [| 5; 3 |]

// ---- R16, R17: what it is judged by ------------------------------------------------------------------------------------

[<Fact>]
let ``R16: the bound grows with the lengths of the sums`` () =
    let bound (k: int) =
        let x = Tensor.Ones(Shape.Of [| k |], ElementType.Float64)
        (RoundingBound.Of(x.Sum())).Item()

    let u = ErrorBounds.unit64
    Assert.Equal(ErrorBounds.gamma u 9L * 10.0, bound 10)
    Assert.Equal(ErrorBounds.gamma u 999L * 1000.0, bound 1000)

    let a, b =
        Tensor.Ones(Shape.Of [| 2; 50 |], ElementType.Float64), Tensor.Ones(Shape.Of [| 50; 3 |], ElementType.Float64)

    Assert.All((RoundingBound.Of(a.MatMul b)).ToDoubles(), fun e -> Assert.Equal(ErrorBounds.gamma u 50L * 50.0, e))
    Assert.Equal(0.0, (RoundingBound.Of(a.Transpose())).ToDoubles() |> Array.max)
    // What comes in is carried on, from either side.
    let rounded (x: Tensor) = x * 3.0

    for y in [ (rounded a).MatMul b; a.MatMul(rounded b) ] do
        Assert.All((RoundingBound.Of y).ToDoubles(), fun e -> Assert.Equal(150.0 * u + ErrorBounds.gamma u 50L * 150.0, e, 1e-24))

[<Fact>]
let ``R16: cancellation does not count as disagreement, and a small error does`` () =
    // The gradient of a mean-free output by a shift is zero but for rounding.
    let f (x: Tensor) = x - x.Mean(0, true)
    let right (_: Tensor) (g: Tensor) = g - g.Mean(0, true)
    let r = checkVjp f right (numbers 8 [| 7; 3 |])
    Assert.True(r.Succeeded, string r)

    let shifted (x: Tensor) =
        f (x + Tensor.Zeros(Shape.Scalar, ElementType.Float64))

    let b = Tensor.From<float>([| 0.3 |], 1)

    let of' (b: Tensor) =
        f (numbers 8 [| 7; 1 |] + b) |> fun y -> y.Reshape 7

    let manual (_: Tensor) (g: Tensor) = (g - g.Mean()).Sum().Reshape 1
    let r = checkVjp of' manual b
    Assert.True(r.Rows[0].Verdict = Verdict.Agree || r.Rows[0].IsVacuous, string r)
    Assert.NotNull shifted

[<Theory>]
[<InlineData("softmax")>]
[<InlineData("logSoftmax")>]
[<InlineData("crossEntropy")>]
[<InlineData("exp")>]
[<InlineData("tanh")>]
[<InlineData("div")>]
let ``R16: float32 results stay within the bound of their exact values`` (name: string) =
    let f (x: Tensor) =
        match name with
        | "softmax" -> x.Softmax 1
        | "logSoftmax" -> x.LogSoftmax 1
        | "crossEntropy" -> x.CrossEntropy(Tensor.From([| 0; 3; 1; 2; 0; 6 |], 6))
        | "exp" -> (x.Exp() * x).Sum(1)
        | "tanh" -> x.Tanh().MatMul(x.Transpose())
        | _ -> (x / (x.Square() + 1.0)).Sum(0)

    let x = (numbers 9 [| 6; 7 |]).To(ElementType.Float32).Eval()
    let y = f x
    let bound = (RoundingBound.Of y).ToDoubles()
    let exact = (f (x.To ElementType.Float64)).ToDoubles()
    let actual = y.ToDoubles()
    Array.iteri (fun i e -> Assert.True(abs (actual[i] - exact[i]) <= 2.0 * e, $"{actual[i]} {exact[i]} {e}")) bound
    Assert.True(Array.max bound < 1e-3)

[<Fact>]
let ``R17: large tensors have seeded coordinates and random projections, the same at each run`` () =
    let x = numbers 10 [| 40; 5 |]

    let check seed =
        CallCheck.Of(enter "f" [| x |] [] (fun x -> x[0].Sin()) (fun call g -> [| g * call.Inputs[0].Cos() |]), CheckOptions(Seed = seed))

    let r = check 1UL
    Assert.True r.Succeeded
    Assert.Equal(3, r.Rows[0].Difference.Projections)
    Assert.InRange(r.Rows[0].Difference.Coordinates, 12, 13)
    Assert.Equal(string r, string (check 1UL))
    Assert.NotEqual<string>(string r, string (check 2UL))

[<Fact>]
let ``R17: projections find what the coordinates miss`` () =
    let x = numbers 11 [| 60; 50 |]

    let spot =
        Tensor.From(ReadOnlySpan<float>(Array.init 3000 (fun i -> if i = 1234 then 1.0 else 0.0)), Shape.Of [| 60; 50 |])
    // Forward and backward are wrong together in one element, so that only a difference could tell; here the forward is right.
    let call =
        enter "f" [| x |] [] (fun x -> (x[0] + spot * x[0].Detach()).Square()) (fun call g ->
            [| 2.0 * g * (call.Inputs[0] + spot * call.Inputs[0]) |])

    Assert.Equal(Verdict.Agree, (rowOf call "input").Verdict)

[<Fact>]
let ``R17: a float32 model is checked in float64, with its random numbers as they are`` () =
    let key = Tensor.From([| 7; 9 |], 2)

    let mask =
        Tensor.Of(Randoms.uniform 1 ElementType.Float32 (Shape.Of [| 5; 3 |]) key.Node)

    let x = (numbers 12 [| 5; 3 |]).To ElementType.Float32

    let keep () =
        mask.Less(Tensor.Scalar 0.5).To ElementType.Float32

    let call =
        enter "dropout" [| x |] [] (fun x -> (x[0] * keep () * 2.0).Tanh()) (fun call g -> [| g * keep () * 2.0 * (1.0 - call.Outputs[0].Square()) |])

    let r = rowOf call "input"
    Assert.Equal(Verdict.Agree, r.Verdict)
    Assert.True(r.Bound < 1e-13, string r.Bound)

[<Fact>]
let ``R17: a bilinear function takes step 1, where differences are exact`` () =
    let w, b = weights ()

    let call =
        linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Sum 0)

    for r in (CallCheck.Of(call, null)).Rows do
        Assert.True r.Difference.IsExact
        Assert.Equal(1.0, r.Difference.Step)
        Assert.True(r.Difference.MaxAbsolute < 1e-13)

// ---- the tables -------------------------------------------------------------------------------------------------------

[<Fact>]
let ``Every primitive has a rounding rule`` () =
    Assert.Equal<string list>(
        [],
        [
            for p in Primitives.all do
                if not (ErrorBounds.rules.ContainsKey p.Title) then
                    p.Title
        ]
    )

[<Fact>]
let ``Every primitive with a convention says which branches it takes`` () =
    Assert.Equal<string list>(
        [],
        [
            for p in Primitives.all do
                if p.Convention <> "" && not (Switches.branches.ContainsKey p.Title) then
                    p.Title
        ]
    )

[<Fact>]
let ``Every primitive that makes choices of numbers is seen as a branch`` () =
    let missed =
        [
            for p, s in Trials.all do
                let y = s.Build(Trials.inputs ElementType.Float64 s)

                if y.DType > ElementType.Float64 && y.Arity > 0 && y.A.DType <= ElementType.Float64 then
                    if not (Switches.ofNodes [| y |] |> Array.exists (fun n -> Object.ReferenceEquals(n, y))) then
                        p.Title
        ]

    Assert.Equal<string list>([], missed)

[<Fact>]
let ``Every sample of every primitive stays within its rounding bound`` () =
    let mutable ran = 0

    for p, s in Trials.all do
        let start =
            Trials.inputs ElementType.Float32 s
            |> Array.map (fun n -> (Tensor.Of n).Eval().Node)

        let y = s.Build start

        if y.DType = ElementType.Float32 && p.Kind <> Family.Random then
            let bound = (RoundingBound.Of(Tensor.Of y)).ToDoubles()

            let exact =
                s.Build(
                    start
                    |> Array.map (fun n ->
                        if n.DType = ElementType.Float32 then
                            Elementwise.cast ElementType.Float64 n
                        else
                            n)
                )

            let a, b = (Tensor.Of y).ToDoubles(), (Tensor.Of exact).ToDoubles()
            ran <- ran + 1
            Array.iteri (fun i e -> Assert.True(abs (a[i] - b[i]) <= 2.0 * e || a[i] = b[i], $"{p.Title}, {s.Name}: {a[i]} {b[i]} {e}")) bound

    Assert.True(ran > 80, string ran)
