/// What a check is judged by: rounding bounds, steps, coordinates and projections, and the tables behind them.
module Hybrid.Core.Tests.CheckBoundTests

open System
open Hybrid.Core
open Hybrid.Core.Checking
open Hybrid.Core.Tests.CheckSubjects
open Hybrid.Kernels
open Xunit

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
let ``R16: a gradient that cancels to nothing is judged by what it is made of, not by its own size`` () =
    // A shift before its mean is taken away changes nothing: the gradient is exactly zero, and both paths find rounding instead.
    let x = numbers 8 [| 7 |]
    let f (b: Tensor) = let y = x + b in y - y.Mean()
    let manual (_: Tensor) (g: Tensor) = (g.Sum() - g.Mean() * 7.0).Reshape 1

    let r =
        (checkVjp f manual (Tensor.From(ReadOnlySpan<float> [| 0.3 |], Shape.Of [| 1 |]))).Rows[0]

    Assert.True(abs r.AutomaticAtWorst < 1e-14 && abs r.ManualAtWorst < 1e-14)
    Assert.True(r.Comparison.MaxRelative > 0.1, "the two roundings should differ, or this shows nothing")
    Assert.Equal(Verdict.Agree, r.Verdict)

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

/// Functions beside the end of their domain, with right backwards.
let private beside: (string * (Tensor -> Tensor) * (Tensor -> Tensor) * float) list =
    [
        "log", (fun x -> x.Log()), (fun x -> 1.0 / x), 1e-5
        "log of less than a step", (fun x -> x.Log()), (fun x -> 1.0 / x), 1e-9
        "1 / x", (fun x -> 1.0 / x), (fun x -> -1.0 / x.Square()), 1e-6
        "sqrt at its end", (fun x -> x.Sqrt()), (fun x -> 0.5 / x.Sqrt()), 0.0
        "bce", (fun x -> Tensor.Of(Normalisation.bce x.Node (Tensor.Ones(x.Shape, x.DType)).Node)), (fun x -> -1.0 / x), 1e-5
    ]

let besideNames =
    let data = TheoryData<string>()

    for name, _, _, _ in beside do
        data.Add name

    data

[<Theory; MemberData(nameof besideNames)>]
let ``R16: a step that leaves the domain is made shorter, or is not judged`` (name: string) =
    let _, f, slope, at = beside |> List.find (fun (n, _, _, _) -> n = name)
    let x = Tensor.From [| at; 0.5; 0.25 |]
    let row = (checkVjp f (fun x g -> slope x * g) x).Rows[0]
    Assert.Equal(Verdict.Agree, row.Verdict)
    // Only at the end itself is there no difference.
    Assert.Equal((if at = 0.0 then 2 else 3), row.Difference.Coordinates)

    // A gradient that is wrong is found by them alone.
    let leaf = Leaves.value x.Node.Value
    let y = f (Tensor.Of leaf)

    let differences =
        Differences([| y.Node |], [| (Tensor.Ones(y.Shape, y.DType)).Node |])

    let gradient = (slope x).ToDoubles()

    for position in (if at = 0.0 then 1 else 0) .. 2 do
        let judged (factor: float) =
            let wrong = gradient |> Array.map (fun g -> g * factor)

            differences.Coordinate(leaf, x.ToDoubles(), position, wrong, Array.zeroCreate 3, 4.0)

        let off (s: Taken) =
            not (abs (s.Difference - s.Expected) <= s.Bound)

        Assert.False(off (judged 1.0))
        Assert.True(off (judged 1.01))

[<Fact>]
let ``R15: numbers that are none are compared and diagnosed like others`` () =
    let x = Tensor.From [| nan; 1.0; -2.0; 3.0 |]
    let report = checkVjp (fun x -> x.Relu()) (fun _ g -> g * -1.0) x
    Assert.Equal(Verdict.Disagree, report.Verdict)

[<Fact>]
let ``R16: without a backward by hand and inside of no domain, nothing is checked`` () =
    let call =
        enter "net/0:Log" [| Tensor.From [| -1.0; -2.0 |] |] [] (fun x -> x[0].Log()) Unchecked.defaultof<_>

    let row = rowOf call "input"
    Assert.Equal(Verdict.NotChecked, row.Verdict)
    Assert.Equal("no backward by hand, and all differences leave the function's domain", row.Reason)
