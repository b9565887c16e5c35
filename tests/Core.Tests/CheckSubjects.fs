/// Calls to check, right and wrong.
module internal Hybrid.Core.Tests.CheckSubjects

open System
open Hybrid.Core
open Hybrid.Core.Checking

let numbers (seed: int) ([<ParamArray>] shape: int[]) =
    let random = Random seed

    let data =
        Array.init (Array.fold (*) 1 shape) (fun _ -> random.NextDouble() * 4.0 - 2.0)

    Tensor.From(ReadOnlySpan<float> data, Shape.Of shape)

let enter (name: string) (inputs: Tensor[]) (cells: Cell list) (forward: Tensor[] -> Tensor) (rule: Call -> Tensor -> Tensor[]) =
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

let row (report: CheckReport) name =
    report.Rows |> Seq.find (fun r -> r.Name = name)

let rowOf (call: Call) name = row (CallCheck.Of(call, null)) name

let weights () =
    Cell("0.weight", numbers 1 [| 3; 4 |]), Cell("0.bias", numbers 2 [| 4 |])

let linear (w: Cell) (b: Cell) (x: Tensor) (weight: Call -> Tensor -> Tensor) (bias: Tensor -> Tensor) =
    enter "net/0:Linear" [| x |] [ w; b ] (fun x -> x[0].MatMul(w.Value) + b.Value) (fun call g ->
        w.Accumulate(weight call g)
        b.Accumulate(bias g)
        [| g.MatMul(w.Value.Transpose()) |])

let x0 = numbers 3 [| 5; 3 |]
