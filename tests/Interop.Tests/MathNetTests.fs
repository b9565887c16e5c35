/// Tensors to and from MathNet's matrices and vectors: every layout, whole error texts, and MathNet's own product as an outside number.
module Hybrid.Interop.Tests.MathNetTests

open System
open FsCheck
open Hybrid.Core
open Hybrid.Interop
open Hybrid.Kernels
open MathNet.Numerics.LinearAlgebra
open Xunit

let private check (property: int -> bool) =
    Check.One(Config.QuickThrowOnFailure.WithMaxTest(100).WithReplay(20261122UL, 7UL), property)

let private numbers (random: Random) (shape: Shape) =
    Tensor.From(ReadOnlySpan(Array.init (int shape.Size) (fun _ -> random.NextDouble() * 2.0 - 1.0)), shape)

/// A matrix of any small lengths, none and one included, in one of the layouts that a matrix can come from.
let private anyMatrix (random: Random) : Tensor =
    let rows, columns = random.Next 6, random.Next 6

    let draw (lengths: int list) =
        numbers random (Shape.Of(List.toArray lengths))

    match random.Next 7 with
    | 0 -> draw [ rows; columns ]
    | 1 -> (draw [ columns; rows ]).Transpose()
    | 2 -> (draw [ rows + 3; 2 * columns ]).Slice(0, 2, rows + 2).Slice(1, 0, 2 * columns, 2)
    | 3 -> (draw [ 1; columns ]).BroadcastTo(Shape.Of(rows, columns))
    | 4 -> (draw [ rows; columns ]).Flip(0, 1)
    | 5 -> (draw [ rows; 3; columns ]).Permute(1, 2, 0).At(1).Transpose()
    | _ -> (draw [ rows; columns ]) * 2.0

/// Element by element against the bits of both sides' own indexing.
let private same (m: Matrix<float>) (x: Tensor) =
    m.RowCount = x.Shape[0]
    && m.ColumnCount = x.Shape[1]
    && Seq.forall (fun (i, j) -> m[i, j] = x.At(i, j).Item()) (Seq.allPairs (seq { 0 .. m.RowCount - 1 }) (seq { 0 .. m.ColumnCount - 1 }))

[<Fact>]
let ``A matrix of any layout keeps every element at its place, there and back`` () =
    check (fun seed ->
        let x = anyMatrix (Random seed)
        let m = x.ToMatrix<float>()
        let back = m.ToTensor()

        same m x
        && same m back
        && back.Shape = x.Shape
        && same (m.Transpose()) (x.Transpose()))

[<Fact>]
let ``A MathNet matrix of any storage keeps every element at its place`` () =
    check (fun seed ->
        let random = Random seed
        let rows, columns = 1 + random.Next 5, 1 + random.Next 5
        let at i j = float (10 * i + j)

        let kinds =
            [
                Matrix<float>.Build.Dense(rows, columns, at)
                Matrix<float>.Build.Sparse(rows, columns, at)
                Matrix<float>.Build.Diagonal(rows, columns, 3.0)
                Matrix<float>.Build.Dense(columns, rows, at).Transpose()
                Matrix<float>.Build.Dense(rows + 2, columns + 1, at).SubMatrix(1, rows, 1, columns)
            ]

        kinds |> List.forall (fun m -> same m (m.ToTensor())))

[<Fact>]
let ``Vectors of any length and layout, there and back`` () =
    check (fun seed ->
        let random = Random seed
        let n = random.Next 7

        let x =
            match random.Next 3 with
            | 0 -> numbers random (Shape.Of n)
            | 1 -> (numbers random (Shape.Of(2 * n))).Slice(0, 0, 2 * n, 2)
            | _ -> (numbers random (Shape.Of(n, 3))).Transpose().At(1)

        let v = x.ToVector<float>()
        let values = x.ToArray<float>()

        v.ToArray() = values
        && v.ToTensor().ToArray<float>() = values
        && v.ToTensor().Shape = x.Shape
        && Vector<float>.Build.SparseOfVector(v).ToTensor().ToArray<float>() = values)

[<Fact>]
let ``Float32 stays float32, to the bits`` () =
    let data = [| nanf; -0.0f; 1e-45f; infinityf; 0.1f; Single.MaxValue |]
    let bits = Array.map BitConverter.SingleToInt32Bits
    let x = Tensor.From(data, 2, 3)
    let m = x.ToMatrix<float32>()
    Assert.Equal(infinityf, m[1, 0])
    Assert.Equal<int[]>(bits data, bits (m.ToTensor().ToArray<float32>()))
    Assert.Equal(ElementType.Float32, m.ToTensor().DType)
    Assert.Equal<int[]>(bits data, bits (x.Reshape(6).ToVector<float32>().ToTensor().ToArray<float32>()))

[<Fact>]
let ``Both sides hold copies`` () =
    let m = Matrix<float>.Build.Dense(2, 2, 1.0)
    let x = m.ToTensor()
    m[0, 0] <- 5.0
    let out = x.ToMatrix<float>()
    out[1, 1] <- 7.0
    let v = x.At(0).ToVector<float>()
    v[0] <- 9.0
    Assert.Equal<float[]>([| 1.0; 1.0; 1.0; 1.0 |], x.ToArray<float>())

[<Fact>]
let ``The functions stand in pipelines beside those of the core`` () =
    let m = Matrix<float>.Build.DenseOfRowArrays([| 1.0; -2.0 |], [| 3.0; -4.0 |])
    let relu = m |> Tensor.ofMatrix |> Tensor.relu |> Tensor.toMatrix
    Assert.Equal(Matrix<float>.Build.DenseOfRowArrays([| 1.0; 0.0 |], [| 3.0; 0.0 |]), relu)
    let sums = m |> Tensor.ofMatrix |> Tensor.sumOver 0 |> Tensor.toVector
    Assert.Equal<float[]>([| 4.0; -6.0 |], (sums |> Tensor.ofVector).ToArray<float>())

/// |fl(sum of k products) - sum| <= k u / (1 - k u) * sum of |products|, for each side by any order of summation (Higham, Accuracy and
/// Stability of Numerical Algorithms, section 3.1).
let private productBound (unit: float) (a: Matrix<float>) (b: Matrix<float>) =
    let k = float a.ColumnCount
    a.PointwiseAbs() * b.PointwiseAbs() * (2.0 * k * unit / (1.0 - k * unit))

[<Fact>]
let ``The product of matrices is MathNet's, within the bound of its sums`` () =
    check (fun seed ->
        let random = Random seed
        let m, k, n = 1 + random.Next 40, 1 + random.Next 90, 1 + random.Next 40
        let a, b = numbers random (Shape.Of(m, k)), numbers random (Shape.Of(n, k))
        let left, right = a.ToMatrix<float>(), b.ToMatrix<float>().Transpose()
        let difference = a.MatMul(b.Transpose()).ToMatrix<float>() - left * right

        let excess =
            difference.PointwiseAbs() - productBound (Math.Pow(2.0, -53.0)) left right

        excess.Enumerate() |> Seq.max <= 0.0)

/// The norm is that of the singular values, and its gradient at A = U S V' is A / norm.
[<Fact>]
let ``The Frobenius norm and its gradient agree with MathNet's singular values`` () =
    let x = numbers (Random 3) (Shape.Of(5, 3))
    let svd = x.ToMatrix<float>().Svd()
    let norm = svd.S.L2Norm()
    let f (t: Tensor) = t.Square().Sum().Sqrt()
    let gradient = (grad f x).ToMatrix<float>()
    // The SVD is backward stable: what it gives is exact for a matrix that differs from A by a small multiple (here 64) of 2 u norm.
    Assert.Equal(norm, (f x).Item(), 64.0 * 2.2e-16 * norm)
    let error = (gradient - svd.U * svd.W * svd.VT / norm).PointwiseAbs()
    Assert.InRange(error.Enumerate() |> Seq.max, 0.0, 64.0 * 2.2e-16)

let private refusals: (string * (unit -> unit) * string) list =
    let f64 (lengths: int list) =
        Tensor.Zeros(Shape.Of(List.toArray lengths), ElementType.Float64)

    [
        "a vector as matrix",
        (fun () -> (f64 [ 3 ]).ToMatrix<float>() |> ignore),
        "toMatrix: expected two axes, got [3]. Reshape the tensor first, or take a part of it."
        "three axes as matrix",
        (fun () -> f64 [ 2; 3; 4 ] |> Tensor.toMatrix |> ignore),
        "toMatrix: expected two axes, got [2, 3, 4]. Reshape the tensor first, or take a part of it."
        "a matrix as vector",
        (fun () -> f64 [ 1; 3 ] |> Tensor.toVector |> ignore),
        "toVector: expected one axis, got [1, 3]. Reshape the tensor first, or take a part of it."
        "a scalar as vector",
        (fun () -> (f64 []).ToVector<float>() |> ignore),
        "toVector: expected one axis, got []. Reshape the tensor first, or take a part of it."
        "another type",
        (fun () -> (f64 [ 2; 2 ]).ToMatrix<float32>() |> ignore),
        "toArray: expected the tensor's own element type, float64, got float32. Convert the tensor with To first, or ask for its own type."
        "integers",
        (fun () -> (f64 [ 2 ]).To(ElementType.Int32).ToVector<int>() |> ignore),
        "toVector: expected float32 or float64 elements (Single, Double), got Int32. Convert the tensor with To first, and ask for the type that it then has."
        "complex numbers",
        (fun () -> Matrix<Numerics.Complex>.Build.Dense(1, 1).ToTensor() |> ignore),
        "tensor: expected float32, float64, int32, uint8 or bool elements (Single, Double, Int32, Byte, Boolean), got Complex. Convert the array first."
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

[<Fact>]
let ``Inside compile there is no value to convert`` () =
    let f =
        compile (fun x ->
            use _ = Mode.Layer "net"
            (x * 2.0).ToMatrix<float>().ToTensor())

    let e =
        Assert.Throws<TapeException>(fun () -> f (Tensor.Ones(Shape.Of(2, 2), ElementType.Float64)) |> ignore)

    Assert.Equal(
        "read: expected a value that is known now, got one of a function that is being compiled (mul of shape [2, 2]) (in net). Return it from the function and read the result, or call the function without compile.",
        e.Message
    )
