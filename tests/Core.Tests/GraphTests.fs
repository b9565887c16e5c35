module Hybrid.Core.Tests.GraphTests

open Hybrid.Core
open Xunit

/// A layer as a function, with the parameters that it declares.
type private Layer =
    {
        Parameters: Cell list
        Apply: Tensor -> Tensor
    }

let private cell name (shape: int list) =
    Cell(name, Tensor.Ones(Shape.Of(List.toArray shape)))

let private linear inputs outputs =
    let w, b = cell "weight" [ outputs; inputs ], cell "bias" [ outputs ]

    {
        Parameters = [ w; b ]
        Apply = fun x -> x.MatMul(w.Value.Transpose()) + b.Value
    }

let private pure' f = { Parameters = []; Apply = f }

let private (>->) a b =
    {
        Parameters = a.Parameters @ b.Parameters
        Apply = a.Apply >> b.Apply
    }

/// tests/Layers.Tests/Modules/FluentTests.cs has the same for models made of layers: composed, fluent and as a class.
[<Fact>]
let ``A network of F# functions is the graph that layers build`` () =
    let net =
        pure' (fun x -> x.Reshape(x.Shape[0], 6))
        >-> linear 6 5
        >-> pure' (fun x -> x.Relu())
        >-> linear 5 4
        >-> pure' (fun x -> x.Tanh())
        >-> linear 4 3

    let x = Tensor.From(Array.zeroCreate<float32> 24, 4, 1, 2, 3)
    Assert.Equal("0f01d33af2dae20d", Graph.Hash(net.Apply x))
    Assert.Equal(6, net.Parameters.Length)
    Assert.All(net.Parameters, (fun p -> Assert.True(Graph.Reads(net.Apply x, p))))
    Assert.False(Graph.Reads(net.Apply x, cell "other" [ 1 ]))

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
