// A network of plain F# functions, trained on the digits that come with the library.
// Run: dotnet fsi Examples/scripts/digits.fsx   (after a build)
#load "hybrid.fsx"

open Hybrid.Core
open Hybrid.Layers.Data

let split = Datasets.Digits().SplitInOrder Datasets.DigitsTrainCount

let tensors (data: ImageDataset) =
    Tensor.init [ data.Count; 64 ] (fun i -> float data.Images[i] / 16.0), Tensor.From [| for label in data.Labels -> int label |]

let (x, y), (testX, testY) = tensors split.Train, tensors split.Test

let model =
    Model.linear 1 64 32
    |> Model.andThen (Model.ofFunction Tensor.tanh)
    |> Model.andThen (Model.linear 2 32 10)

let loss (m: Model) =
    m.Forward x |> Tensor.crossEntropy y |> Tensor.mean

let accuracy () =
    use _ = Mode.NoGrad()
    let predicted = model.Forward testX |> Tensor.argmax -1

    (predicted.EqualTo testY).To Hybrid.Kernels.ElementType.Float64
    |> Tensor.mean
    |> Tensor.item

for epoch in 0..200 do
    let value = Model.descend 0.5 loss model

    if epoch % 50 = 0 then
        printfn $"epoch {epoch} loss %.4f{value.Item()} test accuracy %.3f{accuracy ()}"

if accuracy () < 0.88 then
    failwith "the network did not learn"

printfn "digits: ok"
