/// Weights that products of few rows read transposed: after some products they read a copy instead.
module Hybrid.Core.Tests.TransposeTests

open System.Threading
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine
open Hybrid.Kernels

/// More products than it takes for a copy to be made.
let private often = 24

let private matrix rows columns seed =
    (uniform (rows * columns) seed).Reshape(rows, columns).Eval()

/// Where the copy of a matrix is by now; 0 if it has none.
let private copyOf (value: Value) = value.Transpose WorkerPool.Serial

/// What reads a matrix of 48 x 32, and whether it reads just that, transposed.
let private readers: (string * bool * (Tensor -> Tensor -> Tensor)) list =
    [
        "product", true, (fun x w -> x.MatMul(w.Transpose()))
        "bias and rectifier", true, (fun x w -> (x.MatMul(w.Transpose()) + x.Sum()).Relu())
        "twice in one plan", true, (fun x w -> x.MatMul(w.Transpose()).MatMul(w).MatMul(w.Transpose()))
        "many rows", false, (fun x w -> Tensor.Concat(0, Array.create 65 x).MatMul(w.Transpose()))
        "the first rows", false, (fun x w -> x.MatMul(w.Slice(0, 0, 32).Transpose()))
        "the last rows", false, (fun x w -> x.MatMul(w.Slice(0, 16, 48).Transpose()))
        "some columns", false, (fun x w -> x.Slice(1, 0, 16).MatMul(w.Slice(1, 0, 16).Transpose()))
        "in another shape", false, (fun x w -> x.MatMul(w.Reshape(16, 96).Slice(1, 0, 32).Transpose()))
        "half of its elements", false, (fun x w -> x.Slice(1, 0, 16).MatMul(w.Reshape(96, 16).Slice(0, 0, 48).Transpose()))
        "as it lies", false, (fun x w -> x.MatMul(w.Reshape(32, 48)))
    ]

let cases =
    let data = TheoryData<string, int>()

    for name, _, _ in readers do
        for rows in [ 1; 7; 64 ] do
            data.Add(name, rows)

    data

[<Theory; MemberData(nameof cases)>]
let ``a matrix that is often read transposed gets a copy, and no bit changes`` name rows =
    let _, whole, read = readers |> List.find (fun (n, _, _) -> n = name)

    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        fresh (fun engine ->
            let w, x = Cell("w", (matrix 48 32 1).To dtype), (matrix rows 32 2).To(dtype).Eval()
            let f = CompiledFunction(fun arguments -> [| read arguments[0] w.Value |])
            let first = bits (f.Invoke(x)[0])

            for _ in 1..often do
                Assert.Equal<int64[]>(first, bits (f.Invoke(x)[0]))

            Assert.Equal(whole, engine.Explain().Contains ",transpose of in")
            Assert.Equal(whole, copyOf w.State.Value <> 0n))

[<Fact>]
let ``a matrix gets its copy after four products`` () =
    let value = (matrix 3 2 1).Value

    for _ in 1..4 do
        Assert.Equal(0n, copyOf value)

    Assert.NotEqual(0n, copyOf value)
    value.Forget()
    Assert.Equal(0n, copyOf value)

[<Fact>]
let ``a matrix that is written over loses its copy`` () =
    fresh (fun _ ->
        let first, x = matrix 48 32 1, matrix 4 32 2
        let w = Cell("w", first)

        let read =
            CompiledFunction(fun arguments -> [| arguments[0].MatMul(w.Value.Transpose()) |])

        let update =
            CompiledFunction(fun _ ->
                w.Set(w.Value * 0.5)
                [||])

        // The first version is the tensor's that the cell was made of, which is not written over.
        update.Invoke() |> ignore
        let memory = w.State.Value.Pointer

        for version in 1..3 do
            let expected = bits (x.MatMul((first * (0.5 ** version)).Eval().Transpose()))

            for _ in 1..often do
                Assert.Equal<int64[]>(expected, bits (read.Invoke(x)[0]))

            Assert.NotEqual(0n, copyOf w.State.Value)
            update.Invoke() |> ignore
            Assert.Equal(memory, w.State.Value.Pointer))

[<Fact>]
let ``weights that change from step to step get no copy`` () =
    fresh (fun _ ->
        let w, x = Cell("w", matrix 48 32 1), matrix 4 32 2

        let step =
            CompiledFunction(fun arguments ->
                let y = arguments[0].MatMul(w.Value.Transpose())
                w.Set(w.Value * 0.5 + 0.001 * y.Sum())
                [||])

        for _ in 1..often do
            step.Invoke x |> ignore

        Assert.Equal(0n, copyOf w.State.Value))

[<Fact>]
let ``weights that one run reads often count once for it`` () =
    fresh (fun _ ->
        let w, x = Cell("w", matrix 32 32 1), matrix 4 32 2
        let recur (h: Tensor) = h.MatMul(w.Value.Transpose()).Tanh()

        let unrolled =
            CompiledFunction(fun arguments -> [| Seq.fold (fun h _ -> recur h) arguments[0] [ 1..often ] |])

        for _ in 1..3 do
            unrolled.Invoke x |> ignore

        Assert.Equal(0n, copyOf w.State.Value))

[<Fact>]
let ``memory that a cell keeps for later versions holds no copy`` () =
    fresh (fun _ ->
        let w, x = Cell("w", matrix 32 32 1), matrix 4 32 2

        let read =
            CompiledFunction(fun arguments -> [| arguments[0].MatMul(w.Value.Transpose()) |])

        // Read in another order too, so that it is not written over.
        let update =
            CompiledFunction(fun _ ->
                w.Set(w.Value * 0.5 + w.Value.Transpose() * 0.25)
                [||])

        update.Invoke() |> ignore

        for _ in 1..often do
            read.Invoke x |> ignore

        let served = w.State.Value
        Assert.NotEqual(0n, copyOf served)
        update.Invoke() |> ignore
        let spare = w.State.TakeSpare()
        Assert.Same(served, spare)
        Assert.Equal(0n, copyOf spare))

[<Fact>]
let ``threads that make a copy at the same time get the same one`` () =
    for _ in 1..300 do
        let value = (matrix 48 32 1).Value

        for _ in 1..4 do
            copyOf value |> ignore

        use together = new Barrier(2)
        let found = Array.zeroCreate<nativeint> 2

        let threads =
            Array.init 2 (fun i ->
                Thread(fun () ->
                    together.SignalAndWait()
                    found[i] <- copyOf value))

        threads |> Array.iter (fun t -> t.Start())
        threads |> Array.iter (fun t -> t.Join())
        Assert.Equal(found[0], found[1])
        Assert.Equal(found[0], copyOf value)
