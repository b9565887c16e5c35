/// The steps of plans: what runs together, in which order, and what is computed as it is read.
module Hybrid.Core.Tests.PlanTests

open System
open System.Text.RegularExpressions
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine

[<Fact>]
let ``a result that is looked at differently is there before it is used`` () =
    let sum () =
        let x = (uniform 64 1).Reshape(8, 8)
        let doubled = x * 2.0
        bits (doubled.Transpose() + doubled.Flip 0 + doubled)

    Assert.Equal<int64[]>(on (EngineOptions(Rewrites = false)) (fun _ -> sum ()), fresh (fun _ -> sum ()))

[<Fact>]
let ``a chain of functions of elements is one step, and a product cuts it`` () =
    fresh (fun engine ->
        let x, w = (uniform 64 1).Reshape(8, 8), (uniform 64 2).Reshape(8, 8)
        ((x * 2.0 + 1.0).Tanh().MatMul(w) + x).Relu().Sum().Eval() |> ignore
        let text = engine.Explain()
        Assert.Contains(" mul+add+tanh float32[8, 8]", text)
        Assert.Contains(" matmul float32[8, 8]", text)
        Assert.Contains(" add+relu float32[8, 8]", text)
        Assert.StartsWith("4 steps for 7 operations; ", text))

[<Theory; InlineData(0); InlineData(1)>]
let ``functions of elements write where they are put one after another`` (axis: int) =
    let joined options =
        on options (fun engine ->
            let x, y = (uniform 96 1).Reshape(4, 24), (uniform 96 2).Reshape(4, 24)
            let found = bits (Tensor.Concat(axis, x + y, (x * y).Tanh(), -x))
            found, engine.Explain())

    let expected, _ = joined (EngineOptions(Rewrites = false))
    let actual, plan = joined (EngineOptions(Threads = 1))
    Assert.Equal<int64[]>(expected, actual)
    Assert.StartsWith("1 steps for 5 operations; ", plan)
    Assert.Contains(" add+mul+tanh+neg+concat float32[4, 24] ", plan)

[<Fact>]
let ``masks are put one after another as they are computed`` () =
    let joined options =
        on options (fun _ ->
            let x, y = uniform 40 1, uniform 40 2

            Tensor.Concat(0, x.Less y, y.Less x).Where(Tensor.Scalar 1.0, Tensor.Scalar 0.0)
            |> bits)

    Assert.Equal<int64[]>(joined (EngineOptions(Rewrites = false)), joined (EngineOptions()))

[<Fact>]
let ``a function that is also wanted by itself has memory of its own`` () =
    fresh (fun engine ->
        let x = uniform 24 1
        let doubled, halved = x * 2.0, x * 0.5
        let both = Tensor.Concat(0, doubled, halved)
        Tensor.Eval(both, doubled)
        Assert.Contains(" concat float32[48]", engine.Explain())
        Assert.Equal<int64[]>(Array.append (bits doubled) (bits halved), bits both))

[<Fact>]
let ``graphs whose keys have one checksum have plans of their own`` () =
    fresh (fun engine ->
        // Half of these keys are of odd length, where the checksum leaves out the output that is asked for.
        let collisions =
            [ 3; 4 ]
            |> List.filter (fun operations ->
                let x = uniform 8 1
                let last = List.fold (fun (t: Tensor) _ -> t * x) x [ 1..operations ]
                let order = Walk.order Walk.pending [| last.Node |]
                let a, b = engine.PlanFor(order, [| 1 |]), engine.PlanFor(order, [| 2 |])
                Assert.NotSame(a, b)
                Assert.NotEqual<int[]>(a.Key, b.Key)
                a.Hash = b.Hash)

        Assert.NotEmpty collisions
        Assert.Equal(0L, engine.Stats.Hits))

[<Fact>]
let ``what may fail comes first, with what it needs and no more`` () =
    fresh (fun engine ->
        let x, w, v =
            (uniform 64 1).Reshape(8, 8), (uniform 64 2).Reshape(8, 8), (uniform 40 3).Reshape(8, 5)

        let p = x.MatMul(w).Sigmoid()
        Tensor.Eval(p.MatMul v, p.BinaryCrossEntropy(x.Square()))

        Assert.Matches(
            Regex(@" matmul float32\[8, 8\] .* bce float32\[8, 8\] .* matmul float32\[8, 5\] ", RegexOptions.Singleline),
            engine.Explain()
        ))

[<Fact>]
let ``a gradient of a weight is computed in the order in which it is read`` () =
    fresh (fun engine ->
        let x, g = (uniform 40 1).Reshape(8, 5), (uniform 24 2).Reshape(8, 3)
        let gradient = x.Transpose().MatMul(g).Transpose()
        gradient.Eval() |> ignore
        // A copy would follow if the product were made the other way round.
        Assert.StartsWith("1 steps for 1 operations; ", engine.Explain())

        on (EngineOptions(Rewrites = false)) (fun _ ->
            let plain = x.Transpose().MatMul(g).Transpose()
            Assert.Equal<int64[]>(bits plain, bits gradient)))

[<Fact>]
let ``a product that is also read the other way round is computed once`` () =
    fresh (fun engine ->
        let x, g = (uniform 40 1).Reshape(8, 5), (uniform 24 2).Reshape(8, 3)
        let product = x.Transpose().MatMul(g)
        (product.Sum() + product.Transpose().Square().Sum()).Eval() |> ignore

        let products =
            engine.Explain().Split('\n') |> Array.filter (fun l -> l.Contains " matmul ")

        Assert.Single products |> ignore)

[<Theory; InlineData(2, 2, 0); InlineData(3, 1, 1)>]
let ``a rectifier's mask before pooling is of what is pooled, with the same bits`` (kernel: int, stride: int, padding: int) =
    let values =
        [|
            for i in 0..71 ->
                if i % 11 = 0 then nanf
                elif i % 7 = 0 then infinityf
                else float32 (i * 37 % 19 - 9) / 4.0f
        |]

    let gradient options =
        on options (fun engine ->
            let x = Cell("x", Tensor.From(values, 2, 1, 6, 6))
            let y = x.Value.Relu().MaxPool2d(kernel, stride, padding)
            // Zeros and infinities from behind must not meet the mask in another way.
            let weights =
                Array.init (int y.Shape.Size) (fun i -> if i % 5 = 0 then infinityf else float32 (i % 4))

            (y * Tensor.From(weights, int y.Shape.Size).Reshape(y.Shape.ToArray())).Sum().Backward()
            let found = bits x.Grad
            found, engine.Explain())

    let expected, plain = gradient (EngineOptions(Rewrites = false))
    let actual, plan = gradient (EngineOptions())
    Assert.Equal<int64[]>(expected, actual)
    Assert.Contains(" lessEqual bool[2, 1, 6, 6]", plain)
    Assert.DoesNotContain("lessEqual bool[2, 1, 6, 6]", plan)

// The gradient of pooling and a rectifier before it, by hand: the size of the images, which element of its window each part is asked about (4: of no window; 5: another question), what is added to what the
// mask is of, the bound of the mask, what stands where it holds back, whether the sum of parts is wanted too; and the masks that plans compute, if not of all.
[<Theory>]
[<InlineData(6, "0 1 2 3", 0.0, 0.0, 0.0, false, "3x3 3x3")>]
[<InlineData(6, "0 1 2 3", 0.0, 0.75, 0.0, false, "3x3 3x3")>]
[<InlineData(6, "1 1 3 3", 0.0, 0.0, 0.0, false, "3x3 3x3 3x3 3x3")>]
[<InlineData(6, "4 1 2 3", 0.0, 0.0, 0.0, false, "3x3 3x3 3x3")>]
[<InlineData(6, "5 1 2 3", 0.0, 0.0, 0.0, false, "3x3 3x3 3x3")>]
[<InlineData(6, "0 1 2 3", 0.5, 0.75, 0.0, false, "3x3 3x3 3x3 3x3")>]
[<InlineData(7, "0 1 2 3", 0.0, 0.0, 0.0, false, "7x7")>]
[<InlineData(6, "0 1 2 3", 0.0, 0.0, -0.0, false, "6x6")>]
[<InlineData(6, "0 1 2 3", 0.0, 0.0, 0.0, true, "6x6")>]
[<InlineData(6, "0 1 2 3", 0.0, Double.NaN, 0.0, false, "6x6")>]
let ``a rectifier's mask is of the parts of a gradient by hand, with the same bits``
    (size: int, asked: string, moved: float, bound: float, elsewhere: float, both: bool, masks: string)
    =
    let shape = Shape.Of(2, 1, size, size)

    let values =
        [|
            for i in 0 .. int shape.Size - 1 ->
                if i % 31 = 0 then nanf
                elif i % 17 = 0 then infinityf
                else float32 (i * 37 % 19 - 9) / 4.0f
        |]

    let pooled = size / 2

    let gradient options =
        on options (fun engine ->
            let constant number =
                Tensor.Of(Leaves.constant Hybrid.Kernels.ElementType.Float32 number)

            let x = Tensor.From(values, shape.ToArray()).Relu()
            let y = x.MaxPool2d 2

            let delta =
                Tensor.From(Array.init (int y.Shape.Size) (fun i -> if i % 3 = 0 then -0.0f else float32 (i % 4 - 2)), y.Shape.ToArray())

            let element k =
                if k = 4 then
                    x.Slice(2, 0, pooled).Slice(3, 0, pooled)
                else
                    x.Slice(2, k / 2, k / 2 + 2 * pooled - 1, 2).Slice(3, k % 2, size).Slice(3, 0, 2 * pooled - 1, 2)

            let spread k (part: Tensor) =
                let after first = size - 1 - first - 2 * (pooled - 1)
                part.Pad([| 0; 0; k / 2; k % 2 |], [| 0; 0; after (k / 2); after (k % 2) |], 0.0, [| 0; 0; 1; 1 |])

            let mutable left = delta

            let parts =
                asked.Split ' '
                |> Array.mapi (fun k other ->
                    let wins =
                        if other = "5" then
                            (element k).LessOrEqual y
                        else
                            (element (int other)).EqualTo y

                    let before = left
                    left <- wins.Where(constant 0.0, left)
                    spread k (if k = 3 then before else wins.Where(before, constant 0.0)))

            let sum = Array.reduce (fun (a: Tensor) b -> a + b) parts
            let source = if moved = 0.0 then x else x + constant moved
            let found = source.Greater(constant bound).Where(sum, constant elsewhere)
            Tensor.Eval(if both then [| found; sum |] else [| found |])
            bits found, engine.Explain())

    let expected, _ = gradient (EngineOptions(Rewrites = false))
    let actual, plan = gradient (EngineOptions())
    Assert.Equal<int64[]>(expected, actual)

    Assert.Contains(0L, expected)
    Assert.Equal(not (Double.IsNaN bound), Array.exists ((<>) 0L) expected)

    let found =
        plan.Split '\n'
        |> Array.collect (fun line ->
            let sizes = Regex.Match(line, @"(\S+) \w+\[2, 1, (\d), (\d)\]")

            sizes.Groups[1].Value.Split '+'
            |> Array.filter ((=) "less")
            |> Array.map (fun _ -> $"{sizes.Groups[2].Value}x{sizes.Groups[3].Value}"))

    Assert.Equal(masks, String.Join(" ", found))

// Starts of slices of 4 from 12 elements, their step, and whether the last two, whose gradients meet first, have no element in common.
[<Theory>]
[<InlineData(0, 4, 8, 1, true)>]
[<InlineData(0, 1, 2, 3, true)>]
[<InlineData(0, 8, 2, 1, true)>]
[<InlineData(8, 1, 2, 1, false)>]
[<InlineData(1, 0, 5, 2, true)>]
[<InlineData(0, 2, 1, 2, true)>]
[<InlineData(1, 0, 2, 2, false)>]
[<InlineData(4, 4, 4, 1, false)>]
[<InlineData(1, 3, 0, 1, false)>]
let ``gradients of slices are added up in one tensor, with the same bits`` (a: int, b: int, c: int, step: int, together: bool) =
    let gradient options =
        on options (fun engine ->
            let x = Cell("x", uniform 12 1)

            let part start =
                x.Value.Slice(0, start, start + 3 * step + 1, step)

            // Zeros of both signs, where an element is of one, two or three slices.
            let weights =
                [|
                    Tensor.From([| -0.0f; 2.0f; -0.0f; 0.1f |], 4)
                    Tensor.From([| -0.0f; -2.0f; -0.0f; 0.7f |], 4)
                    uniform 4 4
                |]

            let sum =
                (part a * weights[0]).Sum()
                + (part b * weights[1]).Sum()
                + (part c * weights[2]).Sum()

            sum.Backward()
            let found = bits x.Grad
            found, engine.Explain())

    let expected, _ = gradient (EngineOptions(Rewrites = false))
    let actual, plan = gradient (EngineOptions())
    Assert.Equal<int64[]>(expected, actual)
    Assert.Equal(together, plan.Contains " paddedSum float32[12]")

[<Fact>]
let ``Explain says what was measured, if measuring is on`` () =
    let line measure =
        on (EngineOptions(Measure = measure)) (fun engine ->
            (uniform 10 1).Exp().Eval() |> ignore
            engine.Explain().Split('\n') |> Array.last)

    Assert.Matches(@"^ +0 +80 +0\.1 +- +exp float32\[10\]  in0 -> out0$", (line false).TrimEnd())
    Assert.Matches(@"^ +0 +80 +0\.1 +\d+\.\d +exp float32\[10\]  in0 -> out0$", (line true).TrimEnd())
