module Hybrid.Core.Tests.CheckComparisonTests

open System
open Hybrid.Core
open Hybrid.Core.Checking
open Hybrid.Kernels
open Xunit

let private vector (x: float[]) = Tensor.From<float>(x, x.Length)

[<Fact>]
let ``R16: relative is max|a-b| over max|a| of the tensor, not of the element`` () =
    let c = Comparison.Of(vector [| 1e-8; 100.0 |], vector [| 2e-8; 100.0 |])
    Assert.Equal(2e-8 - 1e-8, c.MaxAbsolute)
    Assert.Equal((2e-8 - 1e-8) / 100.0, c.MaxRelative)
    Assert.Equal<int[]>([| 0 |], c.WorstIndex)

[<Fact>]
let ``R16: ulp looks only at elements of at least a thousandth of the largest`` () =
    let next = Math.BitIncrement

    let c =
        Comparison.Of(vector [| 1e-4; 0.05; 10.0 |], vector [| 2e-4; next (next 0.05); next 10.0 |])

    Assert.Equal(2L, c.MaxUlp)
    Assert.Equal(2L, c.UlpCount)

[<Fact>]
let ``Ulp counts in the tensors' own type`` () =
    let a = Tensor.From<float32>([| 1.0f; -1.0f |], 2)

    let b =
        Tensor.From<float32>([| MathF.BitIncrement 1.0f; MathF.BitDecrement(-1.0f) |], 2)

    Assert.Equal(1L, Comparison.Of(a, b).MaxUlp)
    Assert.Equal(536870912L, Comparison.Of(a.To ElementType.Float64, b.To ElementType.Float64).MaxUlp)

[<Fact>]
let ``Ulp across zero does not overflow`` () =
    let c = Comparison.Of(vector [| 1.0 |], vector [| -1.0 |])
    Assert.Equal(2L * BitConverter.DoubleToInt64Bits 1.0, c.MaxUlp)
    Assert.Equal(Int64.MaxValue, Comparison.Of(vector [| Double.MaxValue |], vector [| -Double.MaxValue |]).MaxUlp)

[<Fact>]
let ``The worst index has one number for each axis`` () =
    let a = Tensor.From<float>(Array.init 24 float, 2, 3, 4)

    let b =
        Tensor.From<float>(Array.init 24 (fun i -> if i = 17 then 0.0 else float i), 2, 3, 4)

    let c = Comparison.Of(a, b)
    Assert.Equal<int[]>([| 1; 1; 1 |], c.WorstIndex)
    Assert.Equal(17.0, c.LeftAtWorst)
    Assert.Equal(0.0, c.RightAtWorst)

[<Fact>]
let ``NaN equals NaN and an infinity itself; against a number they are infinitely far`` () =
    Assert.True(Comparison.Of(vector [| nan; infinity; 1.0 |], vector [| nan; infinity; 1.0 |]).IsEqual)
    Assert.Equal(infinity, Comparison.Of(vector [| nan; 1.0 |], vector [| 0.0; 1.0 |]).MaxAbsolute)
    Assert.Equal(infinity, Comparison.Of(vector [| 1.0; infinity |], vector [| 1.0; -infinity |]).MaxAbsolute)

[<Fact>]
let ``Both zeros are equal, and everything is infinitely far from zeros`` () =
    let zero = Comparison.Of(vector [| 0.0 |], vector [| -0.0 |])
    Assert.Equal(0.0, zero.MaxRelative)
    Assert.Equal(infinity, Comparison.Of(vector [| 0.0 |], vector [| 1e-300 |]).MaxRelative)

[<Fact>]
let ``Nothing and scalars can be compared`` () =
    let empty = Tensor.From<float>([||], 0, 3)
    Assert.Equal<int[]>([||], Comparison.Of(empty, empty).WorstIndex)
    Assert.Equal<int[]>([||], Comparison.Of(Tensor.Scalar(1.0), Tensor.Scalar(2.0)).WorstIndex)

[<Fact>]
let ``Shapes and types that differ are refused by name`` () =
    let e =
        Assert.Throws<ShapeException>(fun () -> Comparison.Of(vector [| 1.0 |], vector [| 1.0; 2.0 |]) |> ignore)

    Assert.Equal("comparison: expected two tensors of one shape, got [1] and [2]. Reshape or reduce one of them first.", e.Message)

    let e =
        Assert.Throws<ElementTypeException>(fun () ->
            Comparison.Of(vector [| 1.0 |], (vector [| 1.0 |]).To ElementType.Float32)
            |> ignore)

    Assert.Equal("comparison: expected two float32 or two float64 tensors, got float64 and float32. Convert one of them with To.", e.Message)
