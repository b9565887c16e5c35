/// Checks of whole networks, and what a check leaves alone.
module Hybrid.Core.Tests.CheckNetworkTests

open System
open Hybrid.Core
open Hybrid.Core.Checking
open Hybrid.Core.Tests.CheckSubjects
open Hybrid.Kernels
open Xunit

[<Fact>]
let ``In a network, a disagreement is pinned to the layer that causes it`` () =
    let w, b = weights ()

    let v, c =
        Cell("2.weight", numbers 13 [| 4; 2 |]), Cell("2.bias", numbers 14 [| 2 |])

    let x = CallCheck.Track x0

    let first =
        linear w b x (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Sum 0)

    let second =
        enter "net/1:Tanh" (Seq.toArray first.Outputs) [] (fun x -> x[0].Tanh()) (fun _ g -> [| g |])

    let third =
        enter "net/2:Linear" (Seq.toArray second.Outputs) [ v; c ] (fun x -> x[0].MatMul(v.Value) + c.Value) (fun call g ->
            v.Accumulate(call.Inputs[0].Transpose().MatMul g)
            c.Accumulate(g.Sum 0)
            [| g.MatMul(v.Value.Transpose()) |])

    let report =
        CallCheck.OfTape(third.Outputs[0].Square().Mean(), null, [| w; b; v; c |], null)

    Assert.Equal(7, report.Rows.Count)
    let failure = Assert.Single report.Failures
    Assert.Equal("net/1:Tanh", failure.Path)
    Assert.Contains("the derivative is missing", failure.Diagnosis[0].Text)

[<Fact>]
let ``A check changes no cell, no gradient and evaluates nothing of the graph`` () =
    let w, b = weights ()

    let call =
        linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Sum 0)

    let loss = call.Outputs[0].Square().Mean()
    CallCheck.OfTape(loss, null, [| w; b |], null) |> ignore
    Assert.Null(w.Grad)
    Assert.Equal(0L, w.Version)
    Assert.Contains("pending", string loss)
    loss.BackwardManual()
    Assert.NotNull(w.Grad)

[<Fact>]
let ``An input that is given twice has the sum of both gradients`` () =
    let call =
        enter "add" [| x0; x0 |] [] (fun x -> x[0] * x[1]) (fun call g -> [| g * call.Inputs[1]; g * call.Inputs[0] |])

    let r = Assert.Single((CallCheck.Of(call, null)).Rows)
    Assert.Equal("input 0 + input 1", r.Name)
    Assert.Equal(Verdict.Agree, r.Verdict)

[<Fact>]
let ``Integers have no derivative, and a layer without a backward is held to differences`` () =
    let table = Cell("table", numbers 15 [| 4; 2 |])

    let call =
        Call.Enter(
            "embed",
            [| Tensor.From([| 3; 0; 3 |], 3) |],
            [| table |],
            Func<Call, Tensor[], Tensor[]>(fun _ x -> [| (table.Value.Gather x[0]).Tanh() |]),
            null
        )

    let report = CallCheck.Of(call, null)
    Assert.Equal("int32 numbers have no derivative", (row report "input").Reason)
    let r = row report "table"
    Assert.Equal(Verdict.Agree, r.Verdict)
    Assert.Equal("no backward by hand: automatic against differences", r.Reason)
    Assert.Null r.Comparison

[<Fact>]
let ``A layer of integer results has nothing to check`` () =
    let call =
        enter "argmax" [| x0 |] [] (fun x -> x[0].ArgMax 1) (fun _ _ -> [| null |])

    Assert.Equal("no result that a gradient could come from", (rowOf call "input").Reason)

[<Fact>]
let ``The report as JSON has a row for each row`` () =
    let w, b = weights ()

    let report =
        CallCheck.Of(linear w b x0 (fun call g -> call.Inputs[0].Transpose().MatMul g) (fun g -> g.Mean 0), null)

    use json = System.Text.Json.JsonDocument.Parse(report.ToJson())
    Assert.Equal("disagree", json.RootElement.GetProperty("verdict").GetString())
    Assert.Equal(3, json.RootElement.GetProperty("rows").GetArrayLength())
    let bias = json.RootElement.GetProperty("rows")[2]
    Assert.Equal("bias", bias.GetProperty("gradient").GetString())
    Assert.Equal("sign flipped or wrong factor", (bias.GetProperty("diagnosis")[0]).GetProperty("name").GetString())
