module Hybrid.Core.Tests.GraphTests

open Hybrid.Core
open Xunit

let private cell name (shape: int list) =
    Cell(name, Tensor.Ones(Shape.Of(List.toArray shape)))

let private linear inputs outputs =
    let w, b = cell "weight" [ outputs; inputs ], cell "bias" [ outputs ]
    Model.create [ w; b ] (fun x -> x.MatMul(w.Value.Transpose()) + b.Value)

let private conv2d channels filters kernel =
    let w, b =
        cell "weight" [ filters; channels; kernel; kernel ], cell "bias" [ filters ]

    Model.create [ w; b ] (fun x -> x.Conv2d(w.Value) + b.Value.Reshape(filters, 1, 1))

let private (>->) first second = Model.andThen second first

let private apply f = Model.ofFunction f

/// tests/Layers.Tests/Modules/FormsTests.cs has the same for models made of layers: composed, fluent and as a class.
let private networks =
    [
        "0f01d33af2dae20d",
        [ 4; 1; 2; 3 ],
        apply (Tensor.reshape [ 4; 6 ])
        >-> linear 6 5
        >-> apply Tensor.relu
        >-> linear 5 4
        >-> apply Tensor.tanh
        >-> linear 4 3

        "56f8f084f63f73ba",
        [ 4; 1; 28; 28 ],
        conv2d 1 8 5
        >-> apply (fun x -> x.Relu().MaxPool2d(2))
        >-> conv2d 8 16 5
        >-> apply (fun x -> x.Relu().MaxPool2d(2).Reshape(4, 256))
        >-> linear 256 10
    ]

[<Fact>]
let ``A network of F# functions is the graph that layers build`` () =
    for hash, input, net in networks do
        let x =
            Tensor.From(Array.zeroCreate<float32>(List.fold (*) 1 input), List.toArray input)

        Assert.Equal(hash, Graph.Hash(net.Forward x))
        Assert.Equal(6, net.Parameters.Length)
        Assert.All(net.Parameters, (fun p -> Assert.True(Graph.Reads(net.Forward x, p))))
        Assert.False(Graph.Reads(net.Forward x, cell "other" [ 1 ]))

[<Fact>]
let ``Multiply-adds are those of the matrix products, each once`` () =
    let a, b = Tensor.Ones(Shape.Of(7, 3)), Tensor.Ones(Shape.Of(3, 5))
    let c = a.MatMul b
    Assert.Equal(7L * 3L * 5L, Graph.MultiplyAdds(c + c.Exp()))
    Assert.Equal(0L, Graph.MultiplyAdds(a * 2.0))
    let batched = Tensor.Ones(Shape.Of(4, 7, 3)).MatMul(b)
    Assert.Equal(4L * 7L * 3L * 5L + 105L, Graph.MultiplyAdds(batched, c))

[<Fact>]
let ``A cell behind a stopped gradient is read, in whatever version`` () =
    let w = cell "w" [ 2 ]
    let y = (w.Value.Detach() * 2.0).Sum()
    w.Set(Tensor.Zeros(Shape.Of 2))
    Assert.True(Graph.Reads(y, w))
