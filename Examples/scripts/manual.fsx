// One layer with a backward written by hand, against the gradient that the graph gives.
// Run: dotnet fsi Examples/scripts/manual.fsx   (after a build)
#load "hybrid.fsx"

open Hybrid.Core
open Hybrid.Layers.Checking

/// y = tanh(x W): `Compute` is the forward pass, `Backward` what a student writes on paper.
type TanhLayer() =
    inherit Hybrid.Layers.Module()
    let w = Cell("w", Tensor.init [ 3; 2 ] (fun i -> 0.3 * float i - 0.7))
    member _.Weight = w

    override _.Compute(x: Tensor) : Tensor =
        x |> Tensor.matmul w.Value |> Tensor.tanh

    override _.Backward(call: Call, deltas: Tensor[]) : Tensor[] =
        let x, y = call.Inputs[0], call.Outputs[0]
        let delta = deltas[0] * (1.0 - y * y)
        w.Accumulate(x.Transpose().MatMul delta)
        [| delta.MatMul(call.ParameterValues[0].Transpose()) |]

let layer = TanhLayer()
let x = Tensor.init [ 4; 3 ] (fun i -> sin (float i))
layer.Forward(x).Square().Sum().Backward()
let automatic = layer.Weight.Grad.Eval()
layer.ZeroGrad()
layer.Forward(x).Square().Sum().BackwardManual()
printfn $"automatic {automatic}\nmanual    {layer.Weight.Grad.Eval()}"

let report = GradientCheck.Of(layer, x)
printfn $"{report}"

if not report.Succeeded then
    failwith "the two paths disagree"

printfn "manual: ok"
