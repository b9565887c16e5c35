/// Images laid side by side in lanes, for a group of operations at a time: the layout changes no bit, whatever the network, the batch and
/// the number of threads.
module Hybrid.Core.Tests.LanesTests

open System
open Xunit
open Hybrid.Core
open Hybrid.Kernels

let private numbers seed (shape: int list) dtype =
    let random = Random seed
    let count = List.fold (*) 1 shape

    Tensor.From(Array.init count (fun _ -> random.NextDouble() * 2.0 - 1.0), Array.ofList shape).To(dtype).Eval()

/// Parameters by shape, and what is computed from the images and them; shapes of images without the batch.
let private networks: (string * int list * int list list * (Tensor -> Tensor[] -> Tensor)) list =
    [
        "two convolutions, relu and maximum pooling",
        [ 2; 12; 11 ],
        [ [ 3; 2; 3; 3 ]; [ 3; 1; 1 ]; [ 5; 3; 2; 2 ]; [ 5; 1; 1 ]; [ 10; 4 ] ],
        (fun x p ->
            let y = (x.Conv2d(p[0]) + p[1]).Relu().MaxPool2d 2
            let z = (y.Conv2d(p[2]) + p[3]).Relu().MaxPool2d(2)
            z.Reshape(x.Shape[0], 10).MatMul(p[4]).Square())
        "one dimension, without pooling in between",
        [ 2; 20 ],
        [ [ 4; 2; 3 ]; [ 4; 1 ]; [ 36; 3 ] ],
        (fun x p ->
            let y = (x.Conv1d(p[0]) + p[1]).MaxPool1d 2
            y.Reshape(x.Shape[0], 36).MatMul(p[2]).Tanh())
        "strides, padding, dilation, overlapping windows",
        [ 3; 9; 10 ],
        [ [ 4; 3; 3; 2 ]; [ 6; 4; 2; 2 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0], struct (2, 1), struct (1, 2), struct (1, 2)).Tanh()
            y.MaxPool2d(3, 1, 1).Conv2d(p[1], 1, 1).Sigmoid())
        "mean pooling, a residual, a loss of the same shape",
        [ 2; 8; 8 ],
        [ [ 2; 2; 3; 3 ]; [ 2; 2; 1; 1 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0], 1, 1) + x
            let z = y.AvgPool2d 2
            (z.Conv2d(p[1]) - x.AvgPool2d 2).Square())
        "normalised over the batch, then over each image",
        [ 2; 7; 7 ],
        [ [ 3; 2; 2; 2 ]; [ 3; 1; 1 ]; [ 2; 3; 2; 2 ] ],
        (fun x p ->
            let y = x.Conv2d p[0]
            let mean = y.Mean([| 0; 2; 3 |], true)
            let variance = (y - mean).Square().Mean([| 0; 2; 3 |], true)
            let normal = (y - mean) / (variance + 1e-3).Sqrt() * p[1]
            let each = normal - normal.Mean([| 2; 3 |], true)
            each.Relu().Conv2d p[2])
        "slices, and padding around and between elements",
        [ 2; 7; 8 ],
        [ [ 3; 2; 2; 3 ]; [ 2; 3; 3; 2 ] ],
        (fun x p ->
            let whole = x.Conv2d(p[0])
            let y = (whole.Slice(2, 0, 5, 2) * whole.Slice(2, 1, 6, 2)).Slice(1, 1)
            let z = y.Pad([| 0; 1; 2; 0 |], [| 0; 0; 1; 3 |], 0.5, [| 0; 0; 1; 2 |])
            z.Conv2d(p[1]).Tanh().Slice(0, x.Shape[0] / 2).Pad([| 1; 0; 0; 0 |], [| 0; 0; 0; 0 |]))
        "what a convolution may do as it stores, and what it may not",
        [ 2; 4; 4 ],
        List.replicate 6 [ 3; 2; 2; 2 ]
        @ [ [ 3; 1; 1 ]; [ 1; 3; 1; 1 ]; [ 1; 1; 3 ]; [ 16; 2; 2; 2 ] ],
        (fun x p ->
            let y i = x.Conv2d(p[i]: Tensor)
            let channels, again, columns = p[6], p[7], p[8]
            let both = y 2
            let reshaped = (y 5).Reshape(x.Shape[0], 3, 9) + channels.Reshape(3, 1)

            ((y 0 + channels).Relu() + again) * (y 1 + columns).Relu()
            + (both.Relu() + channels) * both
            + (y 3 + again + channels).Relu().Relu() * ((y 4).Relu() + channels)
            + reshaped.Relu().Reshape(x.Shape[0], 3, 3, 3)
            // For 16 images as many numbers as filters, but one for each image.
            + (y 9 + x.Sum([| 1; 2; 3 |], true)).Relu().Sum([| 1 |], true))
        "weight gradients by hand: convolutions whose channels are the images",
        [ 2; 10; 12 ],
        [ [ 3; 2; 3; 3 ]; [ 4; 3; 2; 3 ] ],
        (fun x p ->
            let exchanged (t: Tensor) = t.Permute(1, 0, 2, 3)
            let y = x.Conv2d(p[0]).Tanh()
            let z = y.Conv2d(p[1], struct (2, 1), struct (1, 0), struct (1, 1))
            let first = (exchanged x).Conv2d(exchanged y)
            // What is exchanged is also wanted as it is.
            let second =
                (exchanged y).Conv2d(exchanged z, struct (1, 1), struct (1, 0), struct (2, 1))

            first.Sum() * second.Permute(1, 0, 2, 3)
            + (exchanged z).Square().Sum([| 1; 2; 3 |], true))
        "parts that stand between each other, with zeros of both signs, some wanted elsewhere too",
        [ 1; 6; 8 ],
        [ [ 2; 1; 3; 3 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0])

            let spread row column (part: Tensor) =
                part.Pad([| 0; 0; row; column |], [| 0; 0; 1 - row; 1 - column |], 0.0, [| 0; 0; 1; 1 |])

            let element row column =
                y.Slice(2, row, 3 + row, 2).Slice(3, column, 5 + column, 2) * 0.0

            let filled =
                spread 0 0 (element 0 0)
                + spread 0 1 (element 0 1)
                + spread 1 0 (element 1 0)
                + spread 1 1 (element 1 1)

            let twice = element 0 0 + 1.0
            let gaps = spread 0 0 twice + spread 1 1 (element 1 1)

            let again =
                spread 0 0 twice
                + spread 0 1 twice
                + spread 1 0 (element 1 0)
                + spread 1 1 (twice.Tanh())

            Tensor.Concat(1, filled, gaps, again, twice.Reshape(x.Shape[0], 2, 2, 3).Pad([| 0; 0; 0; 0 |], [| 0; 0; 2; 3 |])))
        "parts of long chains, which no step has room for",
        [ 1; 6; 8 ],
        [ [ 2; 1; 3; 3 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0])

            let part row column =
                let start = y.Slice(2, row, 3 + row, 2).Slice(3, column, 5 + column, 2)

                let chain =
                    Seq.fold (fun (t: Tensor) k -> (t * start + float k).Tanh()) start [ 1..8 ]

                chain.Pad([| 0; 0; row; column |], [| 0; 0; 1 - row; 1 - column |], 0.0, [| 0; 0; 1; 1 |])

            part 0 0 + part 0 1 + part 1 0 + part 1 1)
        "lanes without an image that hold infinities",
        [ 1; 6; 6 ],
        [ [ 2; 1; 3; 3 ]; [ 3; 2; 2; 2 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0]).Square().Log() // log 0 where there is no image
            (1.0 / y.Conv2d(p[1])).Sum([| 2; 3 |]))
        "overlapping maxima behind a rectifier, some of nothing but zeros",
        [ 2; 9; 8 ],
        [ [ 3; 2; 2; 2 ]; [ 3; 1; 1 ]; [ 4; 3; 2; 2 ] ],
        (fun x p ->
            let y = (x.Conv2d(p[0]) + 2.0 * p[1]).Relu().MaxPool2d(3, 2, 1)
            y.Conv2d(p[2]).Relu().MaxPool2d(2))
        "maxima behind a rectifier that is used as it is too",
        [ 2; 9; 9 ],
        [ [ 3; 2; 2; 2 ]; [ 4; 3; 2; 2 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0]).Relu()
            let pooled = y.MaxPool2d 2
            pooled.Conv2d(p[1]) + (y.AvgPool2d 2 + pooled).Conv2d(p[1]))
        "maxima behind a rectifier, on their way to another type",
        [ 1; 7; 7 ],
        [ [ 2; 1; 2; 2 ]; [ 3; 2; 2; 2 ] ],
        (fun x p ->
            let other =
                if x.DType = ElementType.Float32 then
                    ElementType.Float64
                else
                    ElementType.Float32

            let y = x.Conv2d(p[0]).Relu().MaxPool2d 2
            y.To(other).Conv2d(p[1].To other).Relu().MaxPool2d(2).To x.DType)
        "maxima before a rectifier, and behind others",
        [ 2; 9; 9 ],
        [ [ 3; 2; 2; 2 ]; [ 4; 3; 2; 2 ]; [ 4; 3; 2; 2 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0])
            let before, behind = (y.MaxPool2d 2).Relu(), y.Tanh().MaxPool2d 2
            before.Conv2d(p[1]) + behind.Conv2d(p[2]))
        "products with small matrices, one of another type, and one of nothing but the images",
        [ 2; 8; 7 ],
        [
            [ 3; 2; 3; 3 ]
            [ 3; 1; 1 ]
            [ 7; 90 ]
            [ 7 ]
            [ 4; 7 ]
            [ 4; 3 ]
            [ 90; 2 ]
            [ 4 ]
        ],
        (fun x p ->
            let z = (x.Conv2d(p[0]) + p[1]).Relu()
            let y = z.Reshape(x.Shape[0], 90)
            let hidden = (y.MatMul(p[2].Transpose()) + p[3]).Relu()
            // The matrix, and what is multiplied, are wanted elsewhere too.
            let first = hidden.MatMul(p[4].Transpose()) + p[4].Sum()
            let means = z.Mean [| 2; 3 |]
            let second = means.MatMul(p[5].Transpose()) + p[7]

            let otherType =
                if x.DType = ElementType.Float32 then
                    ElementType.Float64
                else
                    ElementType.Float32

            let third = (means.To otherType).MatMul((p[5].To otherType).Transpose()).To x.DType

            let other = y.MatMul(p[6]).Sum([| 1 |], true)

            first * second
            + third
            + other
            + means.MatMul(means.Transpose()).Sum([| 1 |], true))
        "a product with a matrix that is too large for blocks",
        [ 2; 14; 14 ],
        [ [ 4; 2; 3; 3 ]; [ 8; 576 ]; [ 8 ]; [ 3; 8 ]; [ 3; 576 ] ],
        (fun x p ->
            let y = x.Conv2d(p[0]).Relu().Reshape(x.Shape[0], 576)

            (y.MatMul(p[1].Transpose()) + p[2]).Tanh().MatMul(p[3].Transpose())
            + y.MatMul(p[4].Transpose()))
    ]

// The value without a gradient, the loss, parameters' gradients and the images' gradient as bits; and the plans.
let private step (options: EngineOptions) batch dtype number =
    let _, image, shapes, compute = networks[number]
    let engine = Engine options
    use _ = engine.Use()
    let x = Cell("x", numbers 1 (batch :: image) dtype)

    let parameters =
        shapes
        |> List.mapi (fun i shape -> Cell($"p{i}", numbers (i + 2) shape dtype))
        |> Array.ofList

    let run () =
        compute x.Value (parameters |> Array.map (fun p -> p.Value))

    let alone =
        use _ = Mode.NoGrad()
        run().Eval()

    let gradients () =
        for cell in Array.append [| x |] parameters do
            cell.ZeroGrad()

        let y = run ()
        let loss = (y * numbers 99 (List.ofArray (y.Shape.ToArray())) dtype).Sum()
        loss.Backward()
        Array.append [| loss; x.Grad |] (parameters |> Array.map (fun p -> p.Grad))

    // While recording, what sweeps may still need is a result too; an optimiser's step has none of that.
    let recorded = gradients ()
    Tensor.Eval recorded
    let once = gradients ()

    use _ = Mode.NoGrad()
    Tensor.Eval once

    Array.concat [ [| alone |]; recorded; once ]
    |> Array.collect (fun t -> t.ToDoubles())
    |> Array.map BitConverter.DoubleToInt64Bits,
    engine.Explain()

[<Fact>]
let ``a convolution adds its bias and rectifies as it stores`` () =
    let options = EngineOptions(Threads = 1)
    let _, explained = step options 16 ElementType.Float32 0
    Assert.Contains(" conv2d+add+relu float32[3, 10, 9, 16]", explained)
    let _, explained = step options 16 ElementType.Float32 1
    Assert.Contains(" conv2d+add float32[4, 18, 16]", explained)

[<Fact>]
let ``a convolution whose channels are the images takes them from blocks`` () =
    let number =
        networks
        |> List.findIndex (fun (name, _, _, _) -> name.StartsWith "weight gradients by hand")

    let _, explained = step (EngineOptions(Threads = 1)) 16 ElementType.Float32 number
    Assert.Contains(" conv2dOverImages float32[54, 16]", explained)
    // Nothing is exchanged, nor put back one image after another, for their sake.
    Assert.DoesNotContain(" conv2d float32[2, 3, 3, 3]", explained)

[<Fact>]
let ``what fills a tensor part by part is written there at once`` () =
    let explained name =
        let number =
            networks |> List.findIndex (fun (n, _, _, _) -> n.StartsWith(name: string))

        snd (step (EngineOptions(Threads = 1)) 16 ElementType.Float32 number)

    let together =
        " mul+add+mul+add+mul+add+mul+add+mul+add+mul+interleave float32[2, 2, 3, 16]"

    let parts = explained "parts that stand"
    Assert.Contains(together, parts)
    Assert.DoesNotContain(" interleave ", parts)
    // There are gaps.
    Assert.Contains(" paddedSum float32[2, 4, 6, 16]", parts)
    Assert.Contains(" interleave float32[2, 4, 6, 16]", explained "parts of long chains")

[<Fact>]
let ``many images are multiplied with small matrices in blocks, few and with large ones all at once`` () =
    let plan batch name =
        let number =
            networks |> List.findIndex (fun (n, _, _, _) -> n.StartsWith(name: string))

        (snd (step (EngineOptions(Threads = 1)) batch ElementType.Float32 number)).Split("\n\n")[0]

    let small =
        [
            " affineRelu float32[7, 16] "
            " affine float32[4, 16] "
            " matmul float32[4, 16] "
        ]

    let many, few = plan 256 "products with small", plan 255 "products with small"

    for product in " matmul float32[256, 16] " :: small do
        Assert.Contains(product, many)
        Assert.DoesNotContain(product, few)

    let large = plan 256 "a product with a matrix"
    Assert.Contains(" affine float32[256, 8] ", large)
    Assert.Contains(" matmul float32[3, 16] ", large)

[<Fact>]
let ``pooling leaves out what a rectifier holds back, so that no mask is computed`` () =
    let explained name =
        let number =
            networks |> List.findIndex (fun (n, _, _, _) -> n.StartsWith(name: string))

        // The last plan used comes first: the one that keeps nothing for sweeps.
        (snd (step (EngineOptions(Threads = 1)) 16 ElementType.Float32 number)).Split("\n\n")[0]

    for name in [ "two convolutions, relu"; "overlapping maxima" ] do
        let plan = explained name
        Assert.DoesNotContain("lessEqual", plan)
        Assert.Contains(" putAt ", plan)

    for name in [ "maxima behind a rectifier that is used"; "maxima before" ] do
        Assert.Contains("lessEqual", explained name)

[<Fact>]
let ``positions that anything else asks for are left as they are`` () =
    let x, w, g =
        numbers 1 [ 16; 2; 9; 9 ] ElementType.Float32, numbers 2 [ 3; 2; 2; 2 ] ElementType.Float32, numbers 3 [ 16; 3; 4; 4 ] ElementType.Float32

    let behind (g: Node) (largest: Node) positions =
        let held = Elementwise.lessEqual largest (Elementwise.constantLike largest 0.0)
        Pools.putAt 8 8 (Elementwise.where held (Elementwise.constantLike g 0.0) g) positions

    // A gradient behind the rectifier, and what else is wanted of the largest elements and their positions.
    let evaluated rewrites (other: Node -> Node -> Node) =
        let engine = Engine(EngineOptions(Threads = 1, Rewrites = rewrites))
        use _ = engine.Use()
        use _ = Mode.NoGrad()
        let largest = (x.Conv2d(w).Relu().MaxPool2d 2).Node
        let positions = largest.B

        let wanted =
            [| behind g.Node largest positions; other largest positions |]
            |> Array.map Tensor.Of

        Tensor.Eval wanted

        wanted
        |> Array.collect (fun t -> t.ToDoubles())
        |> Array.map BitConverter.DoubleToInt64Bits,
        engine.Explain().Contains "lessEqual"

    for name, masked, other in
        [
            "the largest elements", false, (fun largest _ -> Elementwise.mul largest largest)
            "positions", true, (fun _ positions -> positions)
            "positions as numbers", true, (fun _ positions -> Elementwise.cast ElementType.Float32 positions)
            "elements of another tensor", true, (fun _ positions -> Pools.takeAt (x.Conv2d(w).Tanh()).Node positions)
            "a gradient of another type", true, behind (g.To ElementType.Float64).Node
            "a gradient without a rectifier", true, (fun _ positions -> Pools.putAt 8 8 g.Node positions)
        ] do
        let expected, _ = evaluated false other
        let actual, mask = evaluated true other
        Assert.True(actual.AsSpan().SequenceEqual(ReadOnlySpan expected), name)
        Assert.True((masked = mask), name)

[<Theory>]
[<InlineData(1); InlineData(8); InlineData(16); InlineData(41)>]
let ``a convolution over images needs no other beside it`` (batch: int) =
    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        let x, d = numbers 1 [ batch; 2; 9; 9 ] dtype, numbers 2 [ batch; 3; 7; 7 ] dtype

        let found rewrites =
            let engine = Engine(EngineOptions(Threads = 1, Rewrites = rewrites))
            use _ = engine.Use()

            x.Permute(1, 0, 2, 3).Conv2d(d.Permute(1, 0, 2, 3)).ToDoubles()
            |> Array.map BitConverter.DoubleToInt64Bits

        Assert.Equal<int64[]>(found false, found true)

[<Fact>]
let ``a convolution that has more readers is computed once`` () =
    let _, explained = step (EngineOptions(Threads = 1)) 16 ElementType.Float32 6

    let convolutions =
        explained.Split '\n'
        |> Array.filter (fun line ->
            line.Contains "   conv2d"
            && not (line.Contains "conv2dInput" || line.Contains "conv2dWeight"))

    // Seven in the plan without a gradient, and in each of the others.
    Assert.Equal(21, convolutions.Length)

let cases: TheoryData<int, int> =
    let data = TheoryData<int, int>()

    for number in 0 .. networks.Length - 1 do
        let name, _, _, _ = networks[number]

        // Products are computed in blocks from 256 images on.
        for batch in
            [ 1; 7; 8; 16; 21; 32; 33; 70 ]
            @ (if name.Contains "product" then [ 255; 261 ] else []) do
            data.Add(number, batch)

    data

[<Theory; MemberData(nameof cases)>]
let ``R10 blocks of images give the same bits as single tensors, with any number of threads`` (number: int) (batch: int) =
    for dtype in [ ElementType.Float32; ElementType.Float64 ] do
        let expected, _ =
            step (EngineOptions(Threads = 1, Rewrites = false)) batch dtype number

        let lanes = LaneBlock.Lanes dtype

        for threads in [ 1; 3 ] do
            let actual, explained = step (EngineOptions(Threads = threads)) batch dtype number
            Assert.Equal<int64[]>(expected, actual)
            Assert.Equal(2 * batch >= lanes, explained.Contains $"{lanes} lanes (")

[<Fact>]
let ``a network is two groups, there and back, and the trap for NaN keeps tensors as they are`` () =
    let groups (explained: string) =
        explained.Split '\n'
        |> Array.filter (fun line -> line.Contains " 16 lanes (")
        |> Array.length

    let _, explained = step (EngineOptions(Threads = 1)) 32 ElementType.Float32 0
    // And one in the plan without a gradient.
    Assert.Equal(2 + 2 + 1, groups explained)

    let _, trapped =
        step (EngineOptions(Threads = 1, TrapNonFinite = true)) 32 ElementType.Float32 0

    Assert.Equal(0, groups trapped)
