/// Composite functions: their derivatives, and numbers at the ends of their range.
module Hybrid.Core.Tests.OpsTests

open System
open Hybrid.Core
open Hybrid.Core.Tests.Oracle
open Hybrid.Core.Tests.Trials
open Hybrid.Kernels
open Xunit

let private any dims = dims, Domain.Any
let private index dims = dims, Domain.Index

/// Name, inputs, and how the result is made.
let private trials: (string * (int list * Domain) list * (Node[] -> Node)) list =
    [
        "mean", [ any [ 2; 3 ] ], (fun x -> Ops.mean [| 1 |] x[0])
        "var", [ any [ 2; 4 ] ], (fun x -> Ops.var 1 [| 1 |] x[0])
        "std", [ any [ 2; 4 ] ], (fun x -> Ops.std 0 [| 0; 1 |] x[0])
        "softplus", [ any [ 5 ] ], (fun x -> Ops.softplus x[0])
        "logSigmoid", [ any [ 5 ] ], (fun x -> Ops.logSigmoid x[0])
        "clamp", [ [ 5 ], Domain.NonZero ], (fun x -> Ops.clamp -0.4 0.4 (Elementwise.square x[0]))
        "clamp from below", [ [ 5 ], Domain.NonZero ], (fun x -> Ops.clamp 0.0 infinity x[0])
        "squaredError", [ any [ 2; 3 ]; any [ 3 ] ], (fun x -> Ops.squaredError x[0] x[1])
        "bceWithLogits", [ any [ 2; 3 ]; [ 2; 3 ], Domain.Unit ], (fun x -> Ops.bceWithLogits x[0] x[1])
        "huber", [ any [ 2; 3 ]; any [ 2; 3 ] ], (fun x -> Ops.huber 0.7 x[0] x[1])
        "smoothL1", [ any [ 2; 3 ]; any [ 2; 3 ] ], (fun x -> Ops.smoothL1 0.7 x[0] x[1])
        "smoothL1 without a curve", [ any [ 2; 3 ]; any [ 2; 3 ] ], (fun x -> Ops.smoothL1 0.0 x[0] x[1])
        "softCrossEntropy", [ any [ 2; 3 ]; [ 2; 3 ], Domain.Unit ], (fun x -> Ops.softCrossEntropy x[0] x[1])
        "crossEntropyIgnoring", [ any [ 4; 3 ]; index [ 4 ] ], (fun x -> fst (Ops.crossEntropyIgnoring 1 x[0] x[1]))
        "logSumExp of rows", [ any [ 2; 3 ] ], (fun x -> Normalisation.logSumExp [| 1 |] x[0])
        "logSumExp of axes apart", [ any [ 2; 2; 3 ] ], (fun x -> Normalisation.logSumExp [| 0; 2 |] x[0])
        "prod of all", [ any [ 2; 3 ] ], (fun x -> Reductions.prod [| 0; 1 |] x[0])
        "prod of axes apart", [ any [ 2; 2; 3 ] ], (fun x -> Reductions.prod [| 0; 2 |] x[0])
        "prod of five", [ any [ 5; 2 ] ], (fun x -> Reductions.prod [| 0 |] x[0])
        "prod of nothing", [ any [ 0; 2 ] ], (fun x -> Reductions.prod [| 0 |] x[0])
        "maxAlong", [ any [ 2; 3 ] ], (fun x -> Selection.maxAlong 1 x[0])
        "minAlong", [ any [ 2; 3 ] ], (fun x -> Selection.minAlong 0 x[0])
        "outer", [ any [ 2 ]; any [ 3 ] ], (fun x -> Contractions.outer x[0] x[1])
        "linear", [ any [ 2; 2; 3 ]; any [ 4; 3 ]; any [ 4 ] ], (fun x -> Ops.linear x[0] x[1] x[2])
        "linear without bias", [ any [ 2; 3 ]; any [ 4; 3 ] ], (fun x -> Ops.linear x[0] x[1] null)
        "unsqueeze", [ any [ 2; 3 ] ], (fun x -> Ops.unsqueeze 1 x[0])
        "stack", [ any [ 2; 3 ]; any [ 2; 3 ] ], (fun x -> Ops.stack -1 x)
        "axisToEnd", [ any [ 2; 3; 2 ] ], (fun x -> Ops.axisToEnd 0 x[0])
        "sliceAxis", [ any [ 2; 5 ] ], (fun x -> Ops.sliceAxis -1 -4 (ValueSome -1) 2 x[0])
        "select", [ any [ 2; 3 ] ], (fun x -> Ops.select 1 -1 x[0])
        "split", [ any [ 2; 3 ] ], (fun x -> (Ops.split 1 [| 1; 2 |] x[0])[1])
        "pad with zeros", [ any [ 2; 3 ] ], (fun x -> Ops.pad [| 1; 0 |] [| 0; 2 |] [| 0; 0 |] 0.0 x[0])
        "pad with a number", [ any [ 2; 3 ] ], (fun x -> Ops.pad [| 1; 0 |] [| 0; 2 |] [| 0; 0 |] 7.0 x[0])
        "pad between elements", [ any [ 2; 3 ] ], (fun x -> Ops.pad [| 1; 0 |] [| 0; 2 |] [| 1; 2 |] 7.0 x[0])
        "gatherAlong", [ any [ 2; 3 ]; index [ 2; 4 ] ], (fun x -> Ops.gatherAlong 1 x[0] x[1])
    ]

let names =
    let data = TheoryData<string>()

    for name, _, _ in trials do
        data.Add name

    data

let private inputsOf dtype shapes build =
    Trials.inputs
        dtype
        {
            Name = ""
            Inputs = shapes
            Build = build
        }

[<Theory; MemberData(nameof names)>]
let ``First and second derivatives are those of central differences`` (name: string) =
    let _, shapes, build = trials |> List.find (fun (n, _, _) -> n = name)
    checkDerivatives build (inputsOf ElementType.Float64 shapes build)

[<Theory; MemberData(nameof names)>]
let ``Engine and oracle agree`` (name: string) =
    let _, shapes, build = trials |> List.find (fun (n, _, _) -> n = name)

    for dtype, bound in [ ElementType.Float64, 1e-14; ElementType.Float32, 1e-5 ] do
        let x = inputsOf dtype shapes build
        let result = build x

        let nodes =
            Array.append [| result |] (gradients result (like 11 result) (Array.filter isFloat x))

        Engine.Default.Evaluate nodes

        for n in nodes do
            close bound name (evaluate n).Data (ofValue n.Value).Data

// ---- at the ends ------------------------------------------------------------------------------------------------------

let private vector dtype (data: float list) =
    value dtype (Shape.Of data.Length) (Array.ofList data)
    |> Leaves.value
    |> Leaves.variable

/// Values and gradients by the engine, for a gradient of ones.
let private run (build: Node -> Node) (x: Node) =
    let y = build x
    let g = (gradients y (Elementwise.constantLike y 1.0) [| x |])[0]
    Engine.Default.Evaluate [| y; g |]
    y.Value.ToDoubles(), g.Value.ToDoubles()

let floats = TheoryData<ElementType>(ElementType.Float32, ElementType.Float64)

[<Theory; MemberData(nameof floats)>]
let ``softplus is exact at both ends, and smooth at 0`` (dtype: ElementType) =
    let y, g = run Ops.softplus (vector dtype [ -1e4; 0.0; 1e4 ])
    close 1e-7 "value" [| 0.0; Math.Log 2.0; 1e4 |] y
    Assert.Equal<float>([| 0.0; 0.5; 1.0 |], g)

    let slope x =
        let y = Ops.softplus x
        (gradients y (Elementwise.constantLike y 1.0) [| x |])[0]

    let _, second = run slope (vector dtype [ 0.0 ])
    Assert.Equal<float>([| 0.25 |], second)

[<Theory; MemberData(nameof floats)>]
let ``bceWithLogits is finite for logits of any size`` (dtype: ElementType) =
    for target in [ 0.0; 1.0 ] do
        let y, g =
            run (fun x -> Ops.bceWithLogits x (Leaves.constant dtype target)) (vector dtype [ -1e4; 0.0; 1e4 ])

        close 1e-7 "value" [| 1e4 * target; Math.Log 2.0; 1e4 * (1.0 - target) |] y
        Assert.Equal<float>([| -target; 0.5 - target; 1.0 - target |], g)

[<Theory; MemberData(nameof floats)>]
let ``logSumExp is stable, also for rows of -inf`` (dtype: ElementType) =
    let x =
        vector dtype [ 1e4; 1e4; -1e4; -1e4; -infinity; -infinity; -infinity; 0.0; infinity; 1.0 ]

    let y, g =
        run (fun x -> Moves.reshape [| 5; 2 |] x |> Normalisation.logSumExp [| 1 |]) x

    Assert.Equal<float>([| 1e4; -1e4 |], [| for v in y[..1] -> Math.Round(v - Math.Log 2.0, 2) |])
    Assert.Equal<float>([| -infinity; 0.0; infinity |], y[2..])
    Assert.Equal<float>([| 0.5; 0.5; 0.5; 0.5; 0.0; 0.0; 0.0; 1.0 |], g[..7])

[<Theory; MemberData(nameof floats)>]
let ``crossEntropy is finite for logits of any size`` (dtype: ElementType) =
    let labels = Leaves.value (value ElementType.Int32 (Shape.Of 3) [| 0.0; 1.0; 0.0 |])

    let y, g =
        run (fun x -> Normalisation.crossEntropy (Moves.reshape [| 3; 2 |] x) labels) (vector dtype [ 1e4; -1e4; 1e4; -1e4; 1e4; 1e4 ])

    close 1e-7 "value" [| 0.0; 2e4; Math.Log 2.0 |] y
    Assert.Equal<float>([| 0.0; 0.0; 1.0; -1.0; -0.5; 0.5 |], g)

[<Theory; MemberData(nameof floats)>]
let ``bce has PyTorch's clips at 0, at 1 and next to 0`` (dtype: ElementType) =
    let tiny = if dtype = ElementType.Float32 then float 1e-45f else 1e-45
    let x = vector dtype [ 0.0; 0.0; 1.0; 1.0; tiny; tiny ]
    let targets = vector dtype [ 0.0; 1.0; 0.0; 1.0; 0.0; 1.0 ]
    let y = Normalisation.bce x targets
    let g = gradients y (Elementwise.constantLike y 1.0) [| x; targets |]
    Engine.Default.Evaluate(Array.append [| y |] g)
    // log(1e-45) is beyond -100, and so clipped; p (1 - p) is clipped to 1e-12.
    close 1e-7 "value" [| 0.0; 100.0; 100.0; 0.0; 0.0; 100.0 |] (y.Value.ToDoubles())

    Array.iter2
        (fun (expected: float) (actual: float) -> Assert.True(Math.Abs(expected - actual) <= 1e-6 * Math.Abs expected, $"{actual} is not {expected}"))
        [| 0.0; -1e12; 1e12; 0.0; tiny / 1e-12; -1e12 |]
        (g[0].Value.ToDoubles()
         |> Array.mapi (fun i v ->
             if i = 4 && dtype = ElementType.Float32 then
                 tiny / 1e-12
             else
                 v))

    close 1e-7 "by the target" [| 100.0; 100.0; -100.0; -100.0; 100.0; 100.0 |] (g[1].Value.ToDoubles())

[<Fact>]
let ``Ignored labels lose nothing and count for nothing`` () =
    let labels =
        Leaves.value (value ElementType.Int32 (Shape.Of 4) [| 0.0; 7.0; 1.0; 7.0 |])

    let losses, count =
        Ops.crossEntropyIgnoring 7 (Moves.broadcastTo (Shape.Of(4, 2)) (Leaves.constant ElementType.Float64 3.0)) labels

    Engine.Default.Evaluate [| losses; count |]
    close 1e-15 "losses" [| Math.Log 2.0; 0.0; Math.Log 2.0; 0.0 |] (losses.Value.ToDoubles())
    Assert.Equal<float>([| 2.0 |], count.Value.ToDoubles())

// ---- integers, bytes and masks ----------------------------------------------------------------------------------------

let private typed dtype dims seed =
    let random = Random seed
    let shape = Shape.Of(Array.ofList dims)

    value dtype shape (Array.init (int shape.Size) (fun _ -> float (random.Next(if dtype = ElementType.Bool then 2 else 5))))
    |> Leaves.value

let private agree (result: Node) =
    Engine.Default.Evaluate [| result |]
    Assert.Equal<float>((evaluate result).Data, result.Value.ToDoubles())

[<Fact>]
let ``Arithmetic on int32 is exact`` () =
    let a, b = typed ElementType.Int32 [ 3; 40 ] 1, typed ElementType.Int32 [ 40 ] 2

    for f in
        [
            Elementwise.add
            Elementwise.sub
            Elementwise.mul
            Elementwise.maximum
            Elementwise.minimum
            Elementwise.equal
            Elementwise.less
            Elementwise.lessEqual
        ] do
        agree (f a b)

    agree (Elementwise.neg a)
    agree (Moves.sum [| 0 |] a)
    agree (Moves.sum [| 1 |] a)
    agree (Selection.scatterAdd 5 a (typed ElementType.Int32 [ 3 ] 3))

[<Theory; InlineData(0.0); InlineData(7.0); InlineData(Double.NaN)>]
let ``Padding goes around and between elements`` (v: float) =
    let x =
        vector ElementType.Float64 [ 1.0; 2.0; 3.0; 4.0 ] |> Moves.reshape [| 2; 2 |]

    let y = Ops.pad [| 0; 1 |] [| 1; 0 |] [| 1; 2 |] v x

    let expected =
        [|
            [ v; 1.0; v; v; 2.0 ]
            [ v; v; v; v; v ]
            [ v; 3.0; v; v; 4.0 ]
            [ v; v; v; v; v ]
        |]

    Assert.Equal(Shape.Of(4, 5), y.Shape)
    Assert.Same(x, Ops.pad [| 0; 0 |] [| 0; 0 |] [| 0; 0 |] 0.0 x)
    Engine.Default.Evaluate [| y |]
    Assert.Equal<float>(Seq.concat expected, y.Value.ToDoubles())

[<Fact>]
let ``Elements of any type can be moved, chosen and converted`` () =
    for dtype in [ ElementType.Int32; ElementType.UInt8; ElementType.Bool; ElementType.Float32 ] do
        let x, y = typed dtype [ 5; 21 ] 1, typed dtype [ 5; 21 ] 2
        let mask = typed ElementType.Bool [ 5; 21 ] 3
        agree (Elementwise.where mask x y)
        agree (Elementwise.equal x y)
        agree (Slices.concat 0 [| x; y |])
        agree (Moves.permute [| 1; 0 |] x |> Moves.reshape [| 105 |])
        agree (Slices.pad [| 1; 7; 1; 0; 21; 1 |] x)

        agree (
            Moves.broadcastTo (Shape.Of(2, 5, 21)) x
            |> Slices.flip 1
            |> Moves.reshape [| 210 |]
        )

        for index in [ ElementType.Int32; ElementType.UInt8 ] do
            agree (Selection.gather x (typed index [ 3; 4 ] 4))
            agree (Selection.takeAlong 1 x (typed index [ 5 ] 5))
            agree (Selection.putAlong 1 5 (Ops.select 1 0 x) (typed index [ 5 ] 6))
            agree (Selection.oneHot 5 dtype (typed index [ 7 ] 7))

        for target in
            [
                ElementType.Int32
                ElementType.UInt8
                ElementType.Bool
                ElementType.Float32
                ElementType.Float64
            ] do
            agree (Elementwise.cast target x)

// ---- at size ----------------------------------------------------------------------------------------------------------

/// Shapes beyond every width that kernels work in at a time: engine against oracle, in both precisions.
let large: TheoryData<string> =
    TheoryData<string>("matmul", "batched matmul", "sums", "maxima", "softmax", "crossEntropy", "rows", "lines", "moves")

[<Theory; MemberData(nameof large)>]
let ``Large shapes agree with the oracle`` (name: string) =
    let shapes, build =
        match name with
        | "matmul" -> [ any [ 45; 70 ]; any [ 33; 70 ] ], (fun (x: Node[]) -> Contractions.matmul x[0] (Moves.transpose x[1]))
        | "batched matmul" ->
            [ any [ 7; 3; 19 ]; any [ 3; 7; 5 ] ],
            (fun x -> Contractions.matmul (Moves.permute [| 1; 2; 0 |] x[0]) (Moves.permute [| 0; 1; 2 |] x[1]))
        | "sums" ->
            [ any [ 5; 130; 33 ] ],
            (fun x ->
                let part axes =
                    Moves.sum axes x[0]
                    |> Elementwise.square
                    |> fun y -> Moves.sum [| 0 .. y.Shape.Rank - 1 |] y

                [ [| 0 |]; [| 1 |]; [| 2 |]; [| 0; 2 |]; [| 0; 1; 2 |] ]
                |> List.map part
                |> List.reduce Elementwise.add)
        | "maxima" ->
            [ any [ 3; 70; 9 ] ], (fun x -> Elementwise.mul (Reductions.amax [| 0; 2 |] x[0]) (Ops.mean [| 0; 1 |] (Selection.maxAlong 1 x[0])))
        | "softmax" -> [ any [ 70; 37 ] ], (fun x -> Elementwise.mul (Normalisation.softmax 1 x[0]) (Normalisation.logSoftmax 0 x[0]))
        | "crossEntropy" -> [ any [ 130; 10 ]; index [ 130 ] ], (fun x -> Normalisation.crossEntropy x[0] x[1])
        | "rows" -> [ any [ 50; 17 ]; index [ 130 ] ], (fun x -> Elementwise.square (Selection.gather x[0] x[1]))
        | "lines" -> [ any [ 20; 3; 19 ]; index [ 20; 19 ] ], (fun x -> Selection.takeAlong 1 x[0] x[1])
        | _ ->
            [ any [ 17; 35 ]; any [ 17; 3 ] ],
            (fun x ->
                Slices.concat 1 x
                |> Moves.permute [| 1; 0 |]
                |> Slices.flip 0
                |> Moves.reshape [| 19; 34 |]
                |> Ops.pad [| 1; 2 |] [| 3; 0 |] [| 0; 1 |] 0.5)

    for dtype, bound in [ ElementType.Float64, 1e-13; ElementType.Float32, 2e-5 ] do
        let random = Random 3
        // Without the distances of the small samples, which many numbers cannot keep.
        let x =
            [|
                for dims, domain in shapes ->
                    let shape = Shape.Of(Array.ofList dims)

                    (if domain = Domain.Index then
                         value ElementType.Int32 shape (Array.init (int shape.Size) (fun _ -> float (random.Next 3)))
                     else
                         value dtype shape (Array.init (int shape.Size) (fun _ -> random.NextDouble() * 2.0 - 1.0)))
                    |> Leaves.value
                    |> Leaves.variable
            |]

        let result = build x

        let nodes =
            Array.append [| result |] (gradients result (like 11 result) (Array.filter isFloat x))

        let expected = nodes |> Array.map evaluate
        Engine.Default.Evaluate nodes
        Array.iteri2 (fun i (e: Table) (n: Node) -> close bound $"{name} {i}" e.Data (ofValue n.Value).Data) expected nodes

[<Fact>]
let ``A transposed matrix costs no copy in front of a product`` () =
    let kernels (build: unit -> Node) =
        let engine = Engine(EngineOptions(Threads = 1))
        engine.Evaluate [| build () |]
        engine.Stats.Operations

    let matrix dims =
        like 3 (Moves.broadcastTo (Shape.Of(Array.ofList dims)) (Leaves.constant ElementType.Float32 0.0))

    Assert.Equal(1L, kernels (fun () -> Contractions.matmul (matrix [ 5; 4 ]) (matrix [ 4; 3 ])))
    Assert.Equal(1L, kernels (fun () -> Contractions.matmul (Moves.transpose (matrix [ 4; 5 ])) (Moves.transpose (matrix [ 3; 4 ]))))
    Assert.Equal(1L, kernels (fun () -> Contractions.matmul (Moves.transpose (matrix [ 2; 4; 5 ])) (matrix [ 2; 4; 3 ])))
    Assert.Equal(1L, kernels (fun () -> Contractions.matmul (matrix [ 5; 4 ]) (matrix [ 2; 4; 3 ])))
    Assert.Equal(1L, kernels (fun () -> Contractions.matmul (Slices.slice [| 1; 3; 1; 2; 4; 1 |] (matrix [ 5; 7 ])) (matrix [ 4; 3 ])))

[<Fact>]
let ``Rows of stored numbers are stored numbers, and one plan serves them all`` () =
    let engine = Engine(EngineOptions(Threads = 1))
    use _ = engine.Use()
    let stored = Tensor.From(Array.init 40 float, 10, 2, 2)

    for start in 0..6 do
        let rows = stored.Slice(0, start, start + 4)
        Assert.Equal<float[]>(Array.init 16 (fun i -> float (4 * start + i)), rows.ToDoubles())
        Assert.Equal(2.0 * float (Seq.sum (seq { 4 * start .. 4 * start + 15 })), (rows * 2.0).Sum().Item())

    Assert.Equal(1L, engine.Stats.Compiles)
    Assert.Equal(0L, stored.Slice(0, 10, 10).Shape.Size)
    Assert.Equal<float[]>([| 0.0; 1.0; 2.0; 3.0; 8.0; 9.0; 10.0; 11.0 |], stored.Slice(0, 0, 4, 2).ToDoubles())
    Assert.Equal<float[]>([| 36.0; 38.0 |], stored.Slice(0, 9).Slice(2, 0, 1).ToDoubles())

[<Fact>]
let ``Rows of a cell keep their numbers when it is written, and gradients pass through those of a parameter`` () =
    let statistic = Cell("mean", Tensor.From([| 1.0; 2.0; 3.0; 4.0 |], 2, 2), false)

    let step =
        CompiledFunction(fun _ ->
            statistic.Set(statistic.Value * 2.0)
            [||])

    step.Invoke [||] |> ignore
    let row = statistic.Value.Slice(0, 1, 2)

    for _ in 1..3 do
        step.Invoke [||] |> ignore

    Assert.Equal<float[]>([| 6.0; 8.0 |], row.ToDoubles())
    Assert.Equal<float[]>([| 48.0; 64.0 |], statistic.Value.Slice(0, 1, 2).ToDoubles())

    let parameter = Cell("weight", Tensor.From([| 1.0; 2.0; 3.0; 4.0 |], 2, 2))
    parameter.Value.Slice(0, 1, 2).Square().Sum().Backward()
    Assert.Equal<float[]>([| 0.0; 0.0; 6.0; 8.0 |], parameter.Grad.ToDoubles())

[<Fact>]
let ``A slice and a position take the first two axes, whatever follows`` () =
    let x = Tensor.init [ 3; 4; 5 ] float
    let column = x[0..1, 2]
    Assert.Equal(Shape.Of [| 2; 5 |], column.Shape)
    Assert.Equal<float[]>(Array.init 10 (fun i -> float (20 * (i / 5) + 10 + i % 5)), column.ToDoubles())
    Assert.Equal<float[]>([| 3.0; 8.0 |], (Tensor.init [ 2; 5 ] float).[0..1, 3].ToDoubles())
    Assert.Equal<float[]>(column.ToDoubles(), x[0..1, -2].ToDoubles())

    for wrong, text in
        [
            (fun () -> x[0..1, 4]), "index: expected a position from -4 to 3 on axis 1 of [3, 4, 5], got 4. Positions count from 0; -1 is the last."
            (fun () -> (Tensor.vector [ 1.0 ]).[0..0, 0]),
            "index: expected a tensor of two axes or more, got [1]. A slice and a position take an axis each."
            (fun () -> (Tensor.vector [ 1.0 ]).[*, 0..0]),
            "slice: expected an axis from -1 to 0 for shape [1], got 1. Axes count from 0; -1 is the last."
        ] do
        Assert.Equal(text, Assert.Throws<ShapeException>(fun () -> wrong () |> ignore).Message)

[<Fact>]
let ``A step beyond the axis leaves the first element`` () =
    Assert.Equal<float[]>([| 3.0 |], (Tensor.vector [ 1.0; 2.0; 3.0; 4.0 ]).Slice(0, 2, 4, Int32.MaxValue).ToDoubles())

/// Strides that only the first place is within, and the gradients of what is under it.
[<Theory>]
[<InlineData 4>]
[<InlineData 1000>]
[<InlineData 1000000000>]
[<InlineData(Int32.MaxValue)>]
let ``A stride beyond the image leaves one place`` (stride: int) =
    let x = Tensor.init [ 1; 1; 4; 4 ] float
    let w = Tensor.init [ 1; 1; 2; 2 ] (fun i -> float i + 1.0)
    let apart = Windows.windowOf (2, 2) (stride, stride) (0, 0, 0, 0) (1, 1)

    let under (values: float list) =
        let image = Array.zeroCreate 16
        List.iter2 (fun at v -> image[at] <- v) [ 0; 1; 4; 5 ] values
        image

    for f, expected, slope in
        [
            (fun (x: Tensor) -> Tensor.Of(Convolutions.conv2d apart x.Node w.Node)), 34.0, under [ 1.0; 2.0; 3.0; 4.0 ]
            (fun x -> Tensor.Of(Pools.maxPool2d apart x.Node)), 5.0, under [ 0.0; 0.0; 0.0; 1.0 ]
            (fun x -> Tensor.Of(Pools.avgPool2d apart x.Node)), 2.5, under [ 0.25; 0.25; 0.25; 0.25 ]
        ] do
        Assert.Equal<float[]>([| expected |], (f x).ToDoubles())
        Assert.Equal<float[]>(slope, (grad (fun x -> (f x).Sum()) x).ToDoubles())

[<Fact>]
let ``A slice from 0 to n - 1 has n elements, as of an array`` () =
    let x = Tensor.init [ 4; 2 ] float

    for n in 0..6 do
        Assert.Equal(min n 4, x[0 .. n - 1].Shape[0])
        Assert.Equal(Array.length [| 0; 1; 2; 3 |].[1 .. n - 1], x[1 .. n - 1, *].Shape[0])

    Assert.Equal(4, x[0 .. Int32.MaxValue].Shape[0])
    Assert.Equal<float[]>([| 6.0; 7.0 |], x[-1 ..].ToDoubles())

[<Theory>]
[<InlineData(0.5, "0.5")>]
[<InlineData(3e10, "30000000000")>]
[<InlineData(Double.PositiveInfinity, "Infinity")>]
let ``A number that an integer tensor cannot hold is refused`` (number: float, shown: string) =
    let refused =
        Assert.Throws<ElementTypeException>(fun () -> Tensor.From([| 1 |]) + number |> ignore)

    Assert.Equal(
        $"add: expected a whole number from -2147483648 to 2147483647, as the tensor is int32, got {shown}. Convert the tensor with To(float32) first.",
        refused.Message
    )
