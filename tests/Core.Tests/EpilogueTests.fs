/// What matrix products do with finished sums, and what is computed beside or after something else: the bits of the plain plan, in fewer steps.
module Hybrid.Core.Tests.EpilogueTests

open System
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine
open Hybrid.Kernels

// Numbers of both signs; zeros of both, infinities and NaN among them where wanted.
let private numbers (dtype: ElementType) odd seed (dims: int list) : Tensor =
    let random = Random(seed: int)
    let shape = Shape.Of(Array.ofList dims)
    let special = [| 0.0; -0.0; infinity; nan; -infinity |]

    let number i =
        if odd && i % 7 = 3 then
            special[i / 7 % special.Length]
        else
            random.NextDouble() - 0.5

    Tensor.From(Array.init (int shape.Size) number, Array.ofList dims).To(dtype).Eval()

// The bits of an expression of numbers x [rows, inner], w [columns, inner] and b [columns], and its plan.
let private run options (build: unit -> Tensor) =
    on options (fun engine ->
        let y = build ()
        bits y, engine.Explain())

let private plain = EngineOptions(Threads = 1, Rewrites = false)

let shapes: TheoryData<int, int, int, int> =
    let data = TheoryData<int, int, int, int>()

    for rows, columns, inner in
        [
            1, 10, 8
            1, 3, 20
            3, 33, 9
            5, 4, 0
            14, 16, 7
            29, 50, 520
            64, 128, 30
            70, 2100, 5
            // Few rows, so that threads share the columns.
            16, 1000, 100
            130, 100, 1030
        ] do
        for threads in [ 1; 3 ] do
            data.Add(rows, columns, inner, threads)

    data

[<Theory; MemberData(nameof shapes)>]
let ``a product adds a bias and rectifies as it stores its sums`` rows columns inner threads =
    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        for odd in [ false; true ] do
            let x = numbers dtype odd 1 [ rows; inner ]
            let w = numbers dtype false 2 [ columns; inner ]
            let b = numbers dtype odd 3 [ columns ]

            for name, rectify in [ " affine ", id; " affineRelu ", (fun (y: Tensor) -> y.Relu()) ] do
                let build () = rectify (x.MatMul(w.Transpose()) + b)

                let expected, _ = run plain build
                let actual, plan = run (EngineOptions(Threads = threads)) build
                Assert.Equal<int64[]>(expected, actual)
                Assert.Contains(name, plan)

// x where a gate is above a bound, another number elsewhere: a rectifier's gradient, if both are 0.
let private behind (gate: Tensor) (bound: float) (otherwise: float) (x: Tensor) =
    let number = Leaves.constant x.DType
    Tensor.Of(Elementwise.where (Elementwise.lessEqual gate.Node (number bound)) (number otherwise) x.Node)

[<Theory; MemberData(nameof shapes)>]
let ``a product lets through what a rectifier's gradient does as it stores its sums`` rows columns inner threads =
    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        let gradient = numbers dtype true 1 [ rows; inner ]
        let w = numbers dtype false 2 [ inner; columns ]
        let before = numbers dtype true 3 [ rows; columns ]

        let build () =
            gradient.MatMul w |> behind before 0.0 0.0

        let expected, _ = run plain build
        let actual, plan = run (EngineOptions(Threads = threads)) build
        Assert.Equal<int64[]>(expected, actual)
        Assert.Contains(" gatedMatmul ", plan)

[<Fact>]
let ``gates may lie in memory in any way`` () =
    let gradient = numbers ElementType.Float32 false 1 [ 9; 12 ]
    let w = numbers ElementType.Float32 false 2 [ 12; 20 ]
    let before = numbers ElementType.Float32 false 3 [ 20; 18 ]

    for gate in
        [
            (fun () -> before.Slice(1, 0, 9).Transpose())
            (fun () -> before.Slice(1, 0, 18, 2).Transpose())
            (fun () -> before.Transpose().Slice(0, 3, 12).Flip(1))
            (fun () -> before.Slice(1, 4, 5).Transpose().BroadcastTo(Shape.Of(9, 20)))
        ] do
        let build () =
            gradient.MatMul w |> behind (gate ()) 0.0 0.0

        let expected, _ = run plain build
        let actual, plan = run (EngineOptions(Threads = 1)) build
        Assert.Equal<int64[]>(expected, actual)
        Assert.Contains(" gatedMatmul ", plan)

[<Fact>]
let ``operands may lie in memory in any way`` () =
    let x = numbers ElementType.Float32 false 1 [ 9; 12 ]
    let w = numbers ElementType.Float32 false 2 [ 9; 20 ]
    let b = numbers ElementType.Float32 false 3 [ 3; 40 ]

    for bias in
        [
            (fun () -> b.Slice(0, 1, 2).Reshape(40).Slice(0, 1, 40, 2))
            (fun () -> b.Transpose().Slice(1, 1, 2).Reshape(40).Slice(0, 3, 23))
            (fun () -> b.Slice(1, 0, 20).Slice(0, 2).Reshape(20).Flip(0))
            (fun () -> b.Slice(0, 0, 1).Slice(1, 0, 1).Reshape(1).BroadcastTo(Shape.Of 20))
        ] do
        let build () =
            (x.Transpose().MatMul w + bias ()).Relu()

        let expected, _ = run plain build
        let actual, _ = run (EngineOptions(Threads = 1)) build
        Assert.Equal<int64[]>(expected, actual)

[<Fact>]
let ``sums that something else needs stay sums`` () =
    let x = numbers ElementType.Float32 false 1 [ 9; 12 ]
    let w = numbers ElementType.Float32 false 2 [ 12; 20 ]
    let b = numbers ElementType.Float32 false 3 [ 20 ]
    let g = numbers ElementType.Float32 true 5 [ 9; 20 ]

    let cases: (string * (unit -> Tensor)) list =
        [
            "affine",
            (fun () ->
                let product = x.MatMul w
                (product + b) * product)
            "affineRelu",
            (fun () ->
                let sum = x.MatMul w + b
                sum.Relu() * sum)
            "gatedMatmul",
            (fun () ->
                let product = x.MatMul w
                product + behind g 0.0 0.0 product)
            "gatedMatmul", (fun () -> x.MatMul w |> behind g 0.5 0.0)
            "gatedMatmul", (fun () -> x.MatMul w |> behind g 0.0 -0.0)
            "gatedMatmul", (fun () -> x.MatMul w |> behind b 0.0 0.0)
            "affine", (fun () -> x.MatMul w + numbers ElementType.Float32 false 4 [ 9; 20 ])
            "affine", (fun () -> x.MatMul w + numbers ElementType.Float32 false 4 [ 9; 1 ])
        ]

    for name, build in cases do
        let expected, _ = run plain build
        let actual, plan = run (EngineOptions(Threads = 1)) build
        Assert.Equal<int64[]>(expected, actual)
        Assert.DoesNotContain($" {name} ", plan)

[<Fact>]
let ``the trap for NaN names the operation itself`` () =
    let x = numbers ElementType.Float64 false 1 [ 3; 4 ]
    let w = numbers ElementType.Float64 false 2 [ 4; 5 ]
    let b = Tensor.From([| 0.0; nan; 0.0; 0.0; 0.0 |], 5)

    on (EngineOptions(Threads = 1, TrapNonFinite = true)) (fun _ ->
        let refused =
            Assert.Throws<ValueException>(fun () -> (x.MatMul w + b).Relu().Eval() |> ignore)

        Assert.Equal(
            "add: expected finite values, as the NaN trap is on, got NaN at element 1. This is the first operation that makes one; look at its inputs.",
            refused.Message
        ))

[<Fact>]
let ``masks wait for their reader, so that each is made where it is used`` () =
    let x = numbers ElementType.Float32 false 1 [ 8; 16 ]

    let weights =
        [|
            for i in 0..2 -> Cell($"w{i}", numbers ElementType.Float32 false (2 + i) [ 16; 16 ])
        |]

    let gradients () =
        CompiledFunction(fun _ ->
            let mutable y = x

            for w in weights do
                w.ZeroGrad()
                // In a shape of their own, as products would take the masks with them.
                y <- (y.MatMul w.Value).Reshape(8, 4, 4).Relu().Reshape(8, 16)

            y.Square().Sum().Backward()
            let found = weights |> Array.map _.Grad

            for w in weights do
                w.ZeroGrad()

            found)
            .Invoke
            [||]
        |> Array.collect bits

    let expected = on plain (fun _ -> gradients ())

    on (EngineOptions(Threads = 1)) (fun engine ->
        Assert.Equal<int64[]>(expected, gradients ())
        let plan = engine.Explain()
        Assert.Equal(3, (plan.Split " lessEqual+where ").Length - 1)
        Assert.DoesNotContain(" where ", plan))

[<Fact>]
let ``a chain of masks as long as a graph may be is planned`` () =
    on (EngineOptions(Threads = 1, MaxPending = 200_000)) (fun _ ->
        let x = numbers ElementType.Float32 false 1 [ 4 ]
        let mutable mask = x.Less(Tensor.Scalar(0.0, ElementType.Float32))

        for _ in 1..60_000 do
            mask <- Tensor.Of(Elementwise.logicalNot mask.Node)

        let expected = x.ToDoubles() |> Array.map (fun v -> if v < 0.0 then 1.0 else 0.0)
        Assert.Equal<float[]>(expected, mask.ToDoubles()))

[<Fact>]
let ``positions are found beside the largest, unless something asks for them before`` () =
    let x = numbers ElementType.Float32 false 1 [ 20; 3; 6; 8 ]
    let w = Cell("w", numbers ElementType.Float32 false 2 [ 4; 3; 3; 3 ])

    let gradient (loss: Tensor -> Tensor -> Tensor) =
        w.ZeroGrad()
        let y = x.Conv2d(w.Value)
        loss y (y.MaxPool2d(2)) |> fun (l: Tensor) -> l.Backward()
        bits w.Grad

    // What is wanted of pooling besides positions: nothing in the second, as the gradient of a sum asks for no values.
    for both, loss in
        [
            true, (fun (_: Tensor) (pooled: Tensor) -> pooled.Square().Sum())
            false, (fun (y: Tensor) (pooled: Tensor) -> pooled.Sum() + y.Tanh().Sum())
            true, (fun (y: Tensor) (pooled: Tensor) -> (pooled * pooled.Tanh()).Sum() * y.MaxPool2d(2).Sum())
        ] do
        let expected = on plain (fun _ -> gradient loss)

        on (EngineOptions(Threads = 2)) (fun engine ->
            Assert.Equal<int64[]>(expected, gradient loss)
            Assert.Equal(both, engine.Explain().Contains "maxPool")
            Assert.Equal(not both, engine.Explain().Contains "maxPositions"))

// A loss and its gradient by the logits as a compiled function returns them, or as one evaluation of both writes a cell.
let private lossAndGradient compiled (dtype: ElementType) options =
    on options (fun engine ->
        let labels = Tensor.From([| 2; 0; 1; 1; 4 |], 5)
        let logits = Cell("logits", numbers dtype false 3 [ 5; 7 ])

        let step (_: Tensor[]) =
            logits.ZeroGrad()
            let loss = logits.Value.CrossEntropy(labels).Mean()
            loss.Backward()
            logits.Set(logits.Value - 0.1 * logits.Grad)
            [| loss |]

        let loss =
            if compiled then
                CompiledFunction(step).Invoke([||])[0]
            else
                (step [||])[0]

        (bits loss, bits logits.Value), engine.Explain())

[<Theory>]
[<InlineData(true, ElementType.Float32)>]
[<InlineData(true, ElementType.Float64)>]
[<InlineData(false, ElementType.Float32)>]
[<InlineData(false, ElementType.Float64)>]
let ``A loss comes out of the pass that its gradient takes, with its bits`` (compiled: bool) (dtype: ElementType) =
    let expected, trapped =
        lossAndGradient compiled dtype (EngineOptions(Threads = 1, TrapNonFinite = true))

    Assert.Contains("crossEntropy float", trapped)

    let found, plans = lossAndGradient compiled dtype (EngineOptions(Threads = 1))
    Assert.Equal(expected, found)

    let step =
        plans.Split("\n\n")
        |> Array.find (fun plan -> plan.Contains "crossEntropyGradient")

    Assert.DoesNotContain("crossEntropy float", step)

[<Fact>]
let ``the trap for NaN sees a loss beside its gradient`` () =
    on (EngineOptions(Threads = 1, TrapNonFinite = true)) (fun _ ->
        let logits = Cell("logits", Tensor.From([| 3e38f; -3e38f |], 1, 2))
        let labels = Tensor.From([| 1 |], 1)

        let step =
            CompiledFunction(fun _ ->
                logits.ZeroGrad()
                let loss = logits.Value.CrossEntropy(labels).Sum()
                loss.Backward()
                [| logits.Grad; loss |])

        let refused = Assert.Throws<ValueException>(fun () -> step.Invoke [||] |> ignore)

        Assert.Equal(
            "crossEntropy: expected finite values, as the NaN trap is on, got Infinity at element 0. This is the first operation that makes one; look at its inputs.",
            refused.Message
        ))

[<Fact>]
let ``A loss that was read before its gradient is not computed again`` () =
    let separate =
        on (EngineOptions(Threads = 1)) (fun engine ->
            let labels = Tensor.From([| 2; 0 |], 2)
            let logits = Cell("logits", numbers ElementType.Float32 false 4 [ 2; 3 ])
            let loss = logits.Value.CrossEntropy(labels).Sum()
            let read = bits loss
            loss.Backward()
            let gradient = bits logits.Grad
            read, gradient, engine.Explain())

    let together =
        on (EngineOptions(Threads = 1)) (fun engine ->
            let labels = Tensor.From([| 2; 0 |], 2)
            let logits = Cell("logits", numbers ElementType.Float32 false 4 [ 2; 3 ])
            let loss = logits.Value.CrossEntropy(labels).Sum()
            loss.Backward()
            let gradient = bits logits.Grad
            bits loss, gradient, engine.Explain())

    let read, gradient, plans = separate
    let readAfter, gradientAfter, _ = together
    Assert.Equal<int64[]>(read, readAfter)
    Assert.Equal<int64[]>(gradient, gradientAfter)
    Assert.Equal(2, plans.Split("crossEntropy").Length - 1)
