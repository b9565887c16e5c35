/// A network of plain F# functions against the same network made of C# layers: one graph, the same bits, while it learns.
module Hybrid.Interop.Tests.LayerTests

open System
open FsCheck
open Hybrid.Core
open Hybrid.Kernels
open Hybrid.Layers
open Xunit

let private functions (seed: int) : FunctionModels.Model =
    let f = FunctionModels.Model.ofFunction
    let linear = FunctionModels.Model.linear

    f (fun x -> x |> Tensor.reshape [ x.Shape[0]; 6 ])
    |> Model.andThen (linear seed 6 5)
    |> Model.andThen (f Tensor.relu)
    |> Model.andThen (linear (seed + 1) 5 4)
    |> Model.andThen (f Tensor.tanh)
    |> Model.andThen (linear (seed + 2) 4 3)

/// Layers with the values of some parameters, in the order in which both sides declare them.
let private layers (parameters: Cell list) : Sequential =
    let linear inputs outputs =
        Linear(inputs, outputs, ``type`` = ElementType.Float64) :> Module

    let net = Sequential(Flatten(), linear 6 5, ReLU(), linear 5 4, Tanh(), linear 4 3)

    Seq.iter2 (fun (cell: Cell) (p: Cell) -> cell.Set(p.Value.Detach())) (net.Parameters()) parameters
    net

let private bits (x: Tensor) =
    x.ToArray<float>() |> Array.map BitConverter.DoubleToInt64Bits

[<Fact>]
let ``F# functions and C# layers are one graph with the same bits, gradients and steps`` () =
    let property (seed: int) =
        let random = Random seed
        let batch = 1 + random.Next 9
        let x = Tensor.init [ batch; 1; 2; 3 ] (fun _ -> random.NextDouble() - 0.5)

        let labels = Tensor.From(Array.init batch (fun _ -> random.Next 3), batch)

        let model = functions seed
        let net = layers model.Parameters
        let optimizer = SGD(net.Parameters(), 0.1)
        let lossOf = CrossEntropyLoss()

        for _ in 1..3 do
            optimizer.ZeroGrad()
            let theirOutput = net.Forward x
            let theirLoss = lossOf.Of(theirOutput, labels)
            theirLoss.Backward()
            let theirGradients = [| for p in net.Parameters() -> p.Grad |]
            let theirHash = Graph.Hash(Array.append [| theirLoss |] theirGradients)
            let theirBits = theirGradients |> Array.map bits

            let mutable output = null

            let loss (m: FunctionModels.Model) =
                output <- m.Forward x
                (output |> Tensor.crossEntropy labels |> Tensor.sum) / float batch

            for p in model.Parameters do
                p.ZeroGrad()

            let value = loss model
            value.Backward()
            let gradients = [| for p in model.Parameters -> p.Grad |]
            Assert.Equal(Graph.Hash theirOutput, Graph.Hash output)
            Assert.Equal(theirHash, Graph.Hash(Array.append [| value |] gradients))
            Assert.Equal<int64[]>(bits theirOutput, bits output)
            Assert.Equal<int64[][]>(theirBits, gradients |> Array.map bits)

            optimizer.Step()
            model |> Model.descend 0.1 loss |> ignore

            for p, q in Seq.zip (net.Parameters()) model.Parameters do
                Assert.Equal<int64[]>(bits p.Value, bits q.Value)

    Check.One(Config.QuickThrowOnFailure.WithMaxTest(20).WithReplay(20261122UL, 7UL), property)
