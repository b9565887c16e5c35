// The exact run: softmax regression on MNIST in file order from zero, whose accuracies are known to the last digit.
// Run: dotnet fsi Examples/scripts/softmax.fsx [epochs]   (after a build; without MNIST it trains on the digits)
#load "hybrid.fsx"

open Hybrid.Core
open Hybrid.Layers.Data

let epochs =
    fsi.CommandLineArgs
    |> Array.tryItem 1
    |> Option.map int
    |> Option.defaultValue 1

let found =
    Datasets.Find(KnownDataset.Mnist, DatasetPart.Train, DataEnvironment.OfThisProcess()).Found

let train, test =
    if found then
        Datasets.Mnist DatasetPart.Train, Datasets.Mnist DatasetPart.Test
    else
        let split = Datasets.Digits().SplitInOrder Datasets.DigitsTrainCount
        split.Train, split.Test

let pixels = train.Height * train.Width
let w, b = Cell("w", Tensor.zeros [ pixels; 10 ]), Cell("b", Tensor.zeros [ 1; 10 ])
let model = Model.create [ w; b ] (fun x -> (x |> Tensor.matmul w.Value) + b.Value)

let batch (data: ImageDataset) first count =
    Tensor.init [ count; pixels ] (fun i -> float data.Images[first * pixels + i] / float data.PixelMaximum),
    Tensor.From [| for i in first .. first + count - 1 -> int data.Labels[i] |]

let accuracy (data: ImageDataset) =
    use _ = Mode.NoGrad()
    let x, y = batch data 0 data.Count
    let right = (model.Forward x |> Tensor.argmax -1).EqualTo y

    100.0
    * (right.To Hybrid.Kernels.ElementType.Float64 |> Tensor.mean |> Tensor.item)

for epoch in 0 .. epochs - 1 do
    for first in 0..100 .. train.Count - 100 do
        let x, y = batch train first 100

        model
        |> Model.descend 0.1 (fun m -> m.Forward x |> Tensor.crossEntropy y |> Tensor.mean)
        |> ignore

    printfn $"epoch {epoch} train %.5f{accuracy train} test %.5f{accuracy test}"
