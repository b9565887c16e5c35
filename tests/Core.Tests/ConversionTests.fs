/// Tensors to and from .NET arrays and spans, in every layout and element type.
module Hybrid.Core.Tests.ConversionTests

open System
open FsCheck
open Hybrid.Core
open Hybrid.Kernels
open Xunit

let private roundTrips<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType and 'T: equality>
    (random: Random)
    (element: int -> 'T)
    =
    let rows, columns = random.Next 5, random.Next 5

    let data = Array2D.init rows columns (fun _ _ -> element (random.Next 256))

    let flat = data |> Seq.cast<'T> |> Array.ofSeq
    let x = Tensor.From data
    let out = Array.create flat.Length (element 77)
    x.CopyTo(out.AsSpan())
    let turned = x.Transpose()
    let between = Array.create (flat.Length + 2) (element 77)
    turned.CopyTo(between.AsSpan(1, flat.Length))

    x.Shape = Shape.Of(rows, columns)
    && x.ToArray<'T>() = flat
    && out = flat
    && x.ToArray2D<'T>() = data
    && turned.ToArray2D<'T>() = Array2D.init columns rows (fun i j -> data[j, i])
    && between = Array.concat [ [| element 77 |]; turned.ToArray<'T>(); [| element 77 |] ]

[<Fact>]
let ``Arrays of two axes and spans, there and back, of every element type`` () =
    let property (seed: int) =
        let random = Random seed

        roundTrips random float32
        && roundTrips random float
        && roundTrips random int
        && roundTrips random byte
        && roundTrips random (fun i -> i % 2 = 0)

    Check.One(Config.QuickThrowOnFailure.WithMaxTest(100).WithReplay(20261122UL, 7UL), property)

[<Fact>]
let ``The functions of arrays give float64, whatever the element type`` () =
    let data = array2D [ [ 1.0; 2.0; 3.0 ]; [ 4.0; 5.0; 6.0 ] ]
    let x = Tensor.ofArray2D data
    Assert.Equal(ElementType.Float64, x.DType)
    Assert.Equal<float[,]>(data, Tensor.toArray2D x)
    Assert.Equal<float[,]>(data, x |> Tensor.cast ElementType.Int32 |> Tensor.toArray2D)
    Assert.Equal<float[,]>(data[*, 1..], x[*, 1..] |> Tensor.toArray2D)

[<Fact>]
let ``What is given out is a copy`` () =
    let data = array2D [ [ 1.0 ]; [ 2.0 ] ]
    let x = Tensor.From data
    data[0, 0] <- 9.0
    let out = x.ToArray2D<float>()
    out[1, 0] <- 9.0
    Assert.Equal<float[]>([| 1.0; 2.0 |], x.ToArray<float>())

let private refusals: (string * (unit -> unit) * string) list =
    let f64 (lengths: int list) =
        Tensor.Zeros(Shape.Of(List.toArray lengths), ElementType.Float64)

    [
        "a short span",
        (fun () -> (f64 [ 2; 3 ]).CopyTo(Span(Array.zeroCreate<float> 5))),
        "copyTo: expected room for the 6 elements of shape [2, 3], got a span of 5. Give a span of the tensor's size; Slice cuts a longer one."
        "a long span",
        (fun () -> (f64 []).CopyTo(Span(Array.zeroCreate<float> 2))),
        "copyTo: expected room for the 1 elements of shape [], got a span of 2. Give a span of the tensor's size; Slice cuts a longer one."
        "a span of another type",
        (fun () -> (f64 [ 1 ]).CopyTo(Span(Array.zeroCreate<float32> 1))),
        "copyTo: expected the tensor's own element type, float64, got float32. Convert the tensor with To first, or ask for its own type."
        "an array of another type",
        (fun () -> (f64 [ 1 ]).ToArray<int>() |> ignore),
        "toArray: expected the tensor's own element type, float64, got int32. Convert the tensor with To first, or ask for its own type."
        "a vector as array of two axes",
        (fun () -> (f64 [ 3 ]).ToArray2D<float>() |> ignore),
        "toArray2D: expected two axes, got [3]. Reshape the tensor first."
        "elements that no tensor has",
        (fun () -> Tensor.From(Array2D.zeroCreate<int64> 1 1) |> ignore),
        "tensor: expected float32, float64, int32, uint8 or bool elements (Single, Double, Int32, Byte, Boolean), got Int64. Convert the array first."
    ]

let refusalNames =
    let data = TheoryData<string>()

    for name, _, _ in refusals do
        data.Add name

    data

[<Theory; MemberData(nameof refusalNames)>]
let ``Refused with expected, got and what to do`` (name: string) =
    let _, call, expected = refusals |> List.find (fun (n, _, _) -> n = name)
    Assert.Equal(expected, Assert.ThrowsAny<HybridException>(call).Message)
