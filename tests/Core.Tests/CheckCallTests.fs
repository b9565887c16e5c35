/// Checks of Calls: that right rules agree, wrong ones do not, and that nothing is shown by accident.
module Hybrid.Core.Tests.CheckCallTests

open System
open System.Globalization
open Hybrid.Core
open Hybrid.Core.Checking
open Hybrid.Core.Tests.CheckSubjects
open Hybrid.Kernels
open Xunit

[<Fact>]
let ``A right layer agrees, and the table is this`` () =
    let w, b = weights ()

    let call =
        linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Sum 0)

    let report = CallCheck.Of(call, null)
    Assert.True report.Succeeded

    let expected =
        [
            "layer         gradient  shape   absolute  relative  ulp    bound  difference  paths            verdict"
            "------------------------------------------------------------------------------------------------------"
            "net/0:Linear  input     [5, 3]         0         0    0"
            "net/0:Linear  weight    [3, 4]         0         0    0"
            "net/0:Linear  bias      [4]            0         0    0"
        ]

    let lines = report.Table.Split '\n'
    Assert.Equal(expected.Length, lines.Length)
    Assert.Equal(expected[0], lines[0])
    Assert.Equal(expected[1], lines[1])

    for i in 2..4 do
        Assert.StartsWith(expected[i], lines[i])
        Assert.EndsWith("  same expression  agree", lines[i])

[<Fact>]
let ``The report of a flipped sign is this, whatever the culture`` () =
    let before = CultureInfo.CurrentCulture

    try
        let comma = CultureInfo.InvariantCulture.Clone() :?> CultureInfo
        comma.NumberFormat.NumberDecimalSeparator <- ","
        comma.NumberFormat.NumberGroupSeparator <- "."
        comma.NumberFormat.NegativeSign <- "~"
        CultureInfo.CurrentCulture <- comma
        let x = Tensor.From<float>([| 0.5; -0.25; 1.0 |], 3)

        let report =
            CallCheck.OfFunction(
                "square",
                Func<Tensor[], Tensor>(fun x -> x[0].Square()),
                Func<Tensor[], Tensor, Tensor[]>(fun x g -> [| -2.0 * x[0] * g |]),
                [| x |],
                CheckOptions(Differences = false)
            )

        let golden =
            String.Join(
                "\n",
                [
                    "check of square: DISAGREE (1 row)"
                    "layer   gradient  shape  absolute  relative      ulp    bound  difference  paths         verdict"
                    "------------------------------------------------------------------------------------------------"
                    "square  input     [3]     5.1e+00   2.0e+00  9.2e+18  2.3e-15           -  same kernels  DISAGREE"
                    "square input: DISAGREE: 3 of 3 elements differ by more than rounding"
                    "  at [0]: manual 2.54131365, automatic -2.54131365"
                    "  manual = -1.000000 x automatic in all 3 elements: the sign is flipped"
                    ""
                ]
            )

        Assert.Equal(golden, string report)
    finally
        CultureInfo.CurrentCulture <- before

// ---- planted mistakes -------------------------------------------------------------------------------------------------

let private blames (r: CheckRow) (verdict: Verdict) (text: string) =
    Assert.Equal(verdict, r.Verdict)
    Assert.NotEmpty r.Diagnosis
    Assert.Contains(text, r.Diagnosis[0].Text)

[<Fact>]
let ``A bias whose gradient is a mean is told so, and the difference sides with automatic`` () =
    let w, b = weights ()

    let call =
        linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Mean 0)

    let r = rowOf call "bias"
    blames r Verdict.Disagree "manual = 0.200000 x automatic in all 4 elements: it is divided by the batch size, 5: a mean where a sum belongs"
    Assert.Equal("4 of 4 elements differ by more than rounding; the difference sides with the automatic path", r.Reason)
    Assert.Equal(Verdict.Agree, (rowOf call "weight").Verdict)

[<Fact>]
let ``A bias whose gradient is not summed has the wrong shape`` () =
    let w, b = weights ()
    let call = linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) id
    let r = rowOf call "bias"
    blames r Verdict.Disagree "manual summed over axis 0 = automatic: the gradient of a tensor that was broadcast is not summed"
    Assert.Equal("the manual gradient has shape [5, 4] instead of [4]", r.Reason)

[<Fact>]
let ``A weight gradient from one example is told which`` () =
    let w, b = weights ()
    let first (t: Tensor) = t.Gather(Tensor.From([| 2 |], 1))

    let call =
        linear w b x0 (fun call g -> (first call.Inputs[0]).Transpose().MatMul(first g)) (fun g -> g.Sum 0)

    blames (rowOf call "weight") Verdict.Disagree "manual = the contribution of example 2 in all 12 elements"

[<Fact>]
let ``A parameter that is used twice and counted once`` () =
    let w = Cell("w", numbers 4 [| 3; 3 |])

    let call =
        enter "twice" [| x0 |] [ w ] (fun x -> x[0].MatMul(w.Value).MatMul(w.Value)) (fun call g ->
            let h = call.Inputs[0].MatMul(w.Value)
            w.Accumulate(h.Transpose().MatMul g)
            [| g.MatMul(w.Value.Transpose()).MatMul(w.Value.Transpose()) |])

    Assert.Equal(Verdict.Disagree, (rowOf call "w").Verdict)
    Assert.Equal(Verdict.Agree, (rowOf call "input").Verdict)

[<Fact>]
let ``A derivative taken at the input for one that is written with the output`` () =
    let call =
        enter "tanh" [| x0 |] [] (fun x -> x[0].Tanh()) (fun call g -> [| g * (1.0 - call.Inputs[0].Square()) |])

    blames (rowOf call "input") Verdict.Disagree "the input stands where the output belongs"

[<Fact>]
let ``Inputs that are swapped`` () =
    let call =
        enter "product" [| x0; numbers 5 [| 5; 3 |] |] [] (fun x -> x[0] * x[1]) (fun call g -> [| g * call.Inputs[0]; g * call.Inputs[1] |])

    blames (rowOf call "input 0") Verdict.Disagree "manual = the gradient of input 1 in all 15 elements: it is the gradient of another argument"

[<Fact>]
let ``A parameter whose gradient is not reported`` () =
    let w, b = weights ()

    let call =
        enter "net" [| x0 |] [ w; b ] (fun x -> x[0].MatMul(w.Value) + b.Value) (fun call g ->
            w.Accumulate(call.Inputs[0].Transpose().MatMul g)
            [| g.MatMul(w.Value.Transpose()) |])

    blames (rowOf call "bias") Verdict.Disagree "manual is zero in all 4 elements: the gradient is not computed, not reported, or lost"

[<Fact>]
let ``An error of a few roundings is rounding, and one of 1e-11 is not`` () =
    let call =
        enter "tanh" [| x0 |] [] (fun x -> x[0].Tanh()) (fun call g -> [| g * (1.0 - call.Outputs[0].Square()) * (1.0 + 4e-16) |])

    let r = rowOf call "input"
    Assert.Equal(Verdict.Agree, r.Verdict)

    let call =
        enter "tanh" [| x0 |] [] (fun x -> x[0].Tanh()) (fun call g -> [| g * (1.0 - call.Outputs[0].Square()) * (1.0 + 1e-11) |])

    Assert.Equal(Verdict.Disagree, (rowOf call "input").Verdict)

/// The square, with a derivative of its own: a rule of the table that is wrong.
let private squareWith (derivative: Node -> Node -> Node) (x: Tensor) =
    let square =
        { (Primitives.tryFind "square").Value with
            Vjp = Vjp(fun n _ g -> derivative n g)
        }

    Tensor.Of(Node.Make(square, 0L, null, x.Node, null, null))

[<Fact>]
let ``Both paths wrong together are caught by the difference`` () =
    let half = squareWith (fun n g -> Elementwise.mul g n.A)

    let r =
        rowOf (enter "f" [| x0 |] [] (fun x -> half x[0]) (fun call g -> [| g * call.Inputs[0] |])) "input"

    Assert.True r.Comparison.IsEqual
    Assert.Equal(Verdict.Disagree, r.Verdict)
    Assert.Equal("manual and automatic agree, and both differ from 15 of 15 central differences", r.Reason)

    let r =
        rowOf (enter "f" [| x0 |] [] (fun x -> half x[0]) Unchecked.defaultof<_>) "input"

    Assert.Equal(Verdict.Disagree, r.Verdict)
    Assert.Equal("the automatic gradient differs from 15 of 15 central differences", r.Reason)

[<Fact>]
let ``R17: projections find what the coordinates miss`` () =
    let x = numbers 11 [| 60; 50 |]

    let spot =
        Tensor.From(ReadOnlySpan<float>(Array.init 3000 (fun i -> if i = 1234 then 0.0 else 2.0)), Shape.Of [| 60; 50 |])

    let f =
        squareWith (fun n g -> Elementwise.mul g (Elementwise.mul n.A (Leaves.value spot.Value)))

    let check projections =
        row
            (CallCheck.Of(
                enter "f" [| x |] [] (fun x -> f x[0]) (fun call g -> [| g * call.Inputs[0] * spot |]),
                CheckOptions(Projections = projections)
            ))
            "input"

    // Both paths are wrong in one element of 3,000, which no coordinate is.
    Assert.Equal(Verdict.Agree, (check 0).Verdict)
    Assert.Equal(Verdict.Disagree, (check 3).Verdict)

[<Fact>]
let ``A backward that is not linear in its cotangent is an error`` () =
    let call =
        enter "guided" [| x0 |] [] (fun x -> x[0] * 3.0) (fun _ g -> [| 3.0 * g.Relu() |])

    let r = rowOf call "input"
    Assert.Equal(Verdict.Error, r.Verdict)
    Assert.StartsWith("the backward is not linear in its cotangent: -2 times the cotangent gives ", r.Reason)

[<Fact>]
let ``A backward that throws is an error that says what it threw`` () =
    let call = enter "f" [| x0 |] [] (fun x -> x[0] * 3.0) (fun _ g -> [| g.MatMul g |])
    let r = rowOf call "input"
    Assert.Equal(Verdict.Error, r.Verdict)
    Assert.StartsWith("the backward threw: matmul: expected as many columns on the left as rows on the right", r.Reason)

// ---- kinks ------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R17: a row is a kink where a sign changes between x - h, x and x + h`` () =
    let x = Tensor.From<float>([| 1.0; 0.0; -1.0 |], 3)

    let call convention =
        enter "relu" [| x |] [] (fun x -> x[0].Relu()) (fun call g -> [| convention call.Inputs[0] g |])

    let zero (x: Tensor) (g: Tensor) = x.Greater(x * 0.0).Where(g, g * 0.0)

    let one (x: Tensor) (g: Tensor) =
        x.GreaterOrEqual(x * 0.0).Where(g, g * 0.0)

    let r = rowOf (call zero) "input"
    Assert.Equal(Verdict.Kink, r.Verdict)
    Assert.Equal(1, r.Difference.Kinks)
    Assert.True r.Difference.Agrees
    // Another convention at the kink is no mistake.
    let r = rowOf (call one) "input"
    Assert.Equal(Verdict.Kink, r.Verdict)
    Assert.Equal("manual and automatic differ only at kinks of the function, where each may follow a convention of its own", r.Reason)
    // A mistake elsewhere still is.
    let r = rowOf (call (fun x g -> one x g * 2.0)) "input"
    Assert.Equal(Verdict.Disagree, r.Verdict)

[<Fact>]
let ``R17: ties of a maximum are kinks`` () =
    let x = Tensor.From<float>([| 1.0; 2.0; 2.0; 5.0; 3.0; 4.0 |], 2, 3)

    for f in
        [
            (fun (x: Tensor) -> x.AMax [| 1 |])
            (fun x -> x.Max 1)
            (fun x -> x.Maximum(Tensor.From<float>([| 2.0 |], 1)).Sum 1)
        ] do
        let call =
            Call.Enter("max", [| x |], [||], Func<Call, Tensor[], Tensor[]>(fun _ x -> [| f x[0] |]), null)

        Assert.Equal(Verdict.Kink, (rowOf call "input").Verdict)

[<Fact>]
let ``R17: ties under a window of max pooling are kinks`` () =
    let window = Windows.windowOf (2, 2) (2, 2) (0, 0, 0, 0) (1, 1)

    let pool (x: Tensor) =
        Tensor.Of(Pools.maxPool2d window x.Node)

    let check (data: float[]) =
        let x = Tensor.From<float>(data, 1, 1, 2, 4)
        rowOf (Call.Enter("pool", [| x |], [||], Func<Call, Tensor[], Tensor[]>(fun _ x -> [| pool x[0] |]), null)) "input"

    Assert.Equal(Verdict.Kink, (check [| 1.0; 3.0; 5.0; 6.0; 3.0; 2.0; 7.0; 8.0 |]).Verdict)
    Assert.Equal(Verdict.Agree, (check [| 1.0; 3.0; 5.0; 6.0; 4.0; 2.0; 7.0; 8.0 |]).Verdict)

[<Fact>]
let ``Dead zeros are no kinks`` () =
    // Padded zeros stay at the kink of relu whatever the input does.
    let call =
        Call.Enter("pad", [| x0 |], [||], Func<Call, Tensor[], Tensor[]>(fun _ x -> [| Tensor.Concat(1, x[0].Square(), x[0] * 0.0).Relu() |]), null)

    Assert.Equal(Verdict.Agree, (rowOf call "input").Verdict)

// ---- R15 --------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R15: the row says same expression, same kernels, independent or host code`` () =
    let f (x: Tensor[]) = x[0].Tanh()

    let check rule =
        (rowOf (enter "tanh" [| x0 |] [] f rule) "input").Independence

    let one = Tensor.Ones(Shape.Scalar, ElementType.Float64)
    Assert.Equal(Independence.SameExpression, check (fun call g -> [| g * (one - call.Outputs[0].Square()) |]))
    Assert.Equal(Independence.SameKernels, check (fun call g -> [| (one - call.Outputs[0].Square()) * g |]))
    Assert.Equal(Independence.Independent, check (fun call g -> [| g - g * call.Outputs[0] * call.Outputs[0] |]))

    let host (call: Call) (g: Tensor) =
        let y, d = call.Outputs[0].ToDoubles(), g.ToDoubles()

        [|
            Tensor.From(ReadOnlySpan<float>(Array.map2 (fun y d -> d * (1.0 - y * y)) y d), g.Shape)
        |]

    let r = rowOf (enter "tanh" [| x0 |] [] f host) "input"
    Assert.Equal(Independence.HostCode, r.Independence)
    Assert.Equal(Verdict.Agree, r.Verdict)

[<Fact>]
let ``R15: the two paths share no computed node and run in plans of their own`` () =
    let w, b = weights ()

    let call =
        linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Sum 0)

    let subject = Subject call.Record

    let state =
        {
            Inputs = [| x0.Value |]
            Parameters = [| w.Value.Value; b.Value.Value |]
            Cotangents = [| (numbers 6 [| 5; 4 |]).Value |]
            Seeded = true
        }

    let a, m = Copied(subject, state, true), Copied(subject, state, false)
    Assert.False(Structure.SharesWork(a.Outputs(), m.Outputs()))
    Assert.True(Structure.SharesWork(a.Outputs(), a.Outputs()))
    Assert.False(Structure.SharesWork(a.Outputs(), subject.Results))
    let runs = Engine.Default.Stats.Runs
    CallCheck.Of(call, CheckOptions(Differences = false)) |> ignore
    // The state, manual for two cotangents, and automatic.
    Assert.True(Engine.Default.Stats.Runs - runs >= 3L)

[<Fact>]
let ``R15: a gradient that is zero on all paths shows nothing, and the assertion says so`` () =
    let r = checkGradient (fun x -> (x * 0.0).Sum()) (fun x -> x * 0.0) x0
    Assert.True r.Rows[0].IsVacuous
    Assert.Equal(Verdict.NotChecked, r.Verdict)
    let e = Assert.Throws<GradientCheckException>(fun () -> CallCheck.Assert r)
    Assert.Contains("zero everywhere by all paths: nothing was shown", e.Message)

[<Fact>]
let ``R15: one gradient that is zero everywhere fails the assertion although the others agree`` () =
    let call =
        enter "f" [| x0; numbers 16 [| 5; 3 |] |] [] (fun x -> x[0] + x[1] * 0.0) (fun _ g -> [| g; g * 0.0 |])

    let r = CallCheck.Of(call, null)
    Assert.Equal(Verdict.Agree, (row r "input 0").Verdict)
    Assert.True (row r "input 1").IsVacuous
    Assert.False r.Succeeded

[<Fact>]
let ``R14: a trainable parameter that no gradient reaches is an error, a frozen one is not`` () =
    let w, unused = weights ()

    let call =
        enter "net" [| x0 |] [ w; unused ] (fun x -> x[0].MatMul(w.Value)) (fun call g ->
            w.Accumulate(call.Inputs[0].Transpose().MatMul g)
            [| g.MatMul(w.Value.Transpose()) |])

    let r = rowOf call "bias"
    Assert.Equal(Verdict.Error, r.Verdict)
    Assert.Equal("no gradient reaches it: nothing that the layer returns is computed from it", r.Reason)
    let loss = call.Outputs[0].Square().Sum()

    let report =
        CallCheck.OfTape(loss, null, [| w; unused; Cell("never", numbers 7 [| 2 |]) |], null)

    Assert.Equal("no gradient reaches it: nothing that leads to the result is computed from it", (row report "never").Reason)
    unused.Trainable <- false
    let report = CallCheck.OfTape(loss, null, [| w; unused |], null)

    Assert.Equal<string list>(
        [],
        [
            for r in report.Rows do
                if r.Path = "parameters" then
                    r.Name
        ]
    )
