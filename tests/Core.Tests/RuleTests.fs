/// The rules of the design, R1 to R11, each with a test named for it. They run alone, as some measure the memory of the process.
[<Xunit.Collection "alone">]
module Hybrid.Core.Tests.RuleTests

open System
open System.Threading
open Xunit
open Hybrid.Core
open Hybrid.Kernels

/// Tests that no other test may run beside.
[<CollectionDefinition("alone", DisableParallelization = true)>]
type Alone() = class end

let private f64 = ElementType.Float64

let private vector (values: float list) = Tensor.From(Array.ofList values)

let private ones (n: int) = Tensor.Ones(Shape.Of n, f64).Eval()

let private cell name (values: float list) = Cell(name, vector values)

let private bits (t: Tensor) =
    t.ToDoubles() |> Array.map BitConverter.DoubleToInt64Bits

/// An engine of the test's own, in force while the test runs.
let private withEngine (options: EngineOptions) (test: Engine -> unit) =
    let engine = Engine options
    use _ = engine.Use()
    test engine

let private fresh test =
    withEngine (EngineOptions(Threads = 1)) test

let private live () =
    GC.Collect()
    GC.WaitForPendingFinalizers()
    Storage.Trim()
    GC.Collect()
    GC.GetTotalMemory true

// ---- R1 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R1 a chain of 100,000 nodes builds, differentiates, runs, prints and is collected`` () =
    fresh (fun _ ->
        let before = live ()

        let run () =
            let w = cell "w" [ 1.0 ]
            let mutable y = w.Value

            for _ in 1..100_000 do
                y <- y + 1.0

            let tape = Tape.Of y
            Assert.Equal(200_001, tape.Count)
            y.Sum().Backward()
            Assert.Equal<float[]>([| 1.0 |], w.Grad.ToDoubles())
            Assert.Equal<float[]>([| 100_001.0 |], y.ToDoubles())
            Assert.Contains("#200000 add(#199998, #199999) [1] float64", tape.ToString())

        run ()
        let after = live ()
        Assert.True(after - before < 20_000_000L, $"{after - before} bytes are still held"))

[<Fact>]
let ``R1 sixty levels of x = x + x are walked as a graph and not as a tree`` () =
    fresh (fun _ ->
        let w = cell "w" [ 1.0 ]
        let mutable y = w.Value

        for _ in 1..60 do
            y <- y + y

        Assert.Equal(61, Tape.Of(y).Count)
        y.Sum().Backward()
        let power = Math.Pow(2.0, 60.0)
        Assert.Equal<float[]>([| power |], y.ToDoubles())
        Assert.Equal<float[]>([| power |], w.Grad.ToDoubles()))

// ---- R2 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R2 two hundred steps under a cosine schedule compile at most two plans`` () =
    fresh (fun engine ->
        let w = cell "w" [ 1.0; -2.0; 3.0 ]

        for step in 0..199 do
            let rate = 0.05 * (1.0 + Math.Cos(Math.PI * float step / 200.0))
            let loss = w.Value.Square().Sum()
            w.ZeroGrad()
            loss.Backward()
            w.Set(w.Value - w.Grad * rate)

        Assert.True(engine.Stats.Compiles <= 2L, $"{engine.Stats.Compiles} plans were compiled"))

[<Fact>]
let ``R2 constants compare by bits`` () =
    fresh (fun engine ->
        let x = vector [ 1.0 ]

        let divide (zero: float) =
            Tensor.Of(Elementwise.div x.Node (Elementwise.constantLike x.Node zero)).ToDoubles()[0]

        Assert.Equal(Double.PositiveInfinity, divide 0.0)
        Assert.Equal(Double.NegativeInfinity, divide -0.0)
        Assert.Equal(2L, engine.Stats.Compiles))

[<Fact>]
let ``R2 a number of the host is an input and a number of a rule is structure`` () =
    fresh (fun engine ->
        let x = vector [ 3.0 ]
        Assert.Equal(6.0, (x * 2.0).Item())
        Assert.Equal(15.0, (x * 5.0).Item())
        Assert.Equal(1L, engine.Stats.Compiles)
        Assert.Equal(1L, engine.Stats.Hits))

[<Fact>]
let ``R2 attributes are structure, in the plan's key and where equal work is shared`` () =
    fresh (fun engine ->
        let x = Tensor.From([| 1.0; 2.0; 3.0; 4.0 |], 2, 2)
        let rows, columns = x.Sum(1), x.Sum(0)
        Assert.Equal<float[]>([| 3.0; 7.0 |], rows.ToDoubles())
        Assert.Equal<float[]>([| 4.0; 6.0 |], columns.ToDoubles())
        Assert.Equal(2L, engine.Stats.Compiles)
        let first, second = x.Slice(1, 0, 1), x.Slice(1, 1, 2)
        Assert.Equal<float[]>([| 3.0; 7.0 |], (first + second).ToDoubles())
        Assert.Equal<float[]>([| -2.0; -2.0 |], (x.Sum(0) - x.Sum(1) - Tensor.From [| 3.0; 1.0 |]).ToDoubles()))

// ---- R3 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R3 float32 and float64 never mix silently`` () =
    let a = Tensor.From [| 1.0f |]
    let b = Tensor.From [| 1.0 |]
    let error = Assert.Throws<ElementTypeException>(fun () -> (a + b) |> ignore)

    Assert.Equal(
        "add: expected tensors of one element type, got float32 and float64. Types never mix silently: convert one of them with To.",
        error.Message
    )

[<Fact>]
let ``R3 numbers of the host take the tensor's type`` () =
    Assert.Equal(ElementType.Float32, (Tensor.From [| 1.0f |] * 2.0).DType)
    Assert.Equal(f64, (2.0 * Tensor.From [| 1.0 |]).DType)
    Assert.Equal<int[]>([| 3 |], (Tensor.From [| 1 |] + 2.0).ToArray<int>())

[<Fact>]
let ``R3 any integer array is accepted for labels and range-checked with index and value`` () =
    let logits = Tensor.From([| 0.0; 1.0; 2.0; 3.0; 4.0; 5.0 |], 2, 3)
    let asInt = logits.CrossEntropy(Tensor.From [| 2; 0 |]).ToDoubles()
    let asByte = logits.CrossEntropy(Tensor.From [| 2uy; 0uy |]).ToDoubles()
    Assert.Equal<float[]>(asInt, asByte)

    let bad =
        use _ = Mode.Layer "net"
        logits.CrossEntropy(Tensor.From [| 2; 7 |])

    let error = Assert.ThrowsAny<HybridException>(fun () -> bad.Eval() |> ignore)
    Assert.Contains("7", error.Got)
    Assert.Equal("net", error.Path)

// ---- R4 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R4 an expression built before a write gives the old value's answer after it`` () =
    fresh (fun _ ->
        let w = cell "w" [ 2.0 ]
        let x = vector [ 10.0 ]
        let before = x * w.Value
        w.Set(vector [ 3.0 ])
        let after = x * w.Value
        Assert.Equal(20.0, before.Item())
        Assert.Equal(30.0, after.Item()))

[<Fact>]
let ``R4 a compiled step never writes over a version that was given out`` () =
    fresh (fun _ ->
        let w = cell "w" [ 1.0; 1.0 ]

        let step =
            CompiledFunction(fun _ ->
                w.Set(w.Value * 2.0)
                [||])

        let kept = ResizeArray<Tensor>()
        let lazily = ResizeArray<Tensor>()

        for i in 1..12 do
            if i % 3 = 0 then
                kept.Add w.Value
                lazily.Add(w.Value + 1.0)

            step.Invoke() |> ignore

        let expected = [| for i in 3..3..12 -> Math.Pow(2.0, float (i - 1)) |]
        Assert.Equal<float[]>(expected, kept |> Seq.map (fun t -> t.ToDoubles()[0]) |> Array.ofSeq)
        Assert.Equal<float[]>(expected |> Array.map ((+) 1.0), lazily |> Seq.map (fun t -> t.ToDoubles()[0]) |> Array.ofSeq)
        Assert.Equal(4096.0, w.Value.ToDoubles()[0]))

[<Fact>]
let ``R4 a compiled step leaves the initial value that the user still holds alone`` () =
    fresh (fun _ ->
        let initial = vector [ 1.0 ]
        let w = Cell("w", initial)

        let step =
            CompiledFunction(fun _ ->
                w.Set(w.Value + 1.0)
                [||])

        for _ in 1..5 do
            step.Invoke() |> ignore

        Assert.Equal(1.0, initial.Item())
        Assert.Equal(6.0, w.Value.Item()))

// ---- R5 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R5 forward mode is the derivative of the backward rule by its cotangent`` () =
    let x = vector [ 0.3; -0.7; 1.1 ]
    let tangent = vector [ 1.0; 0.5; -2.0 ]
    let f (t: Tensor) = (t.Sin() * t).Tanh()
    let y, d = jvp f x tangent
    let j = jacobian f x
    let expected = j.MatMul(tangent.Reshape(3, 1)).ToDoubles()
    Assert.Equal<float[]>((f x).ToDoubles(), y.ToDoubles())
    Array.iter2 (fun (a: float) b -> Assert.Equal(a, b, 14)) expected (d.ToDoubles())

[<Fact>]
let ``R5 forward mode refuses by name a rule that is not linear in its cotangent`` () =
    let squash = Primitive.define "squash" Family.Elementwise 1

    Primitive.tie squash (fun _ _ g -> Elementwise.relu g) (lazy [])

    let squash =
        { squash with
            View = ViewRule(fun _ l -> l)
        }

    let f (t: Tensor) =
        Tensor.Of(Node.Make(squash, 0L, null, t.Node, null, null))

    let error =
        Assert.Throws<TapeException>(fun () -> jvp f (vector [ 1.0 ]) (vector [ 1.0 ]) |> ignore)

    Assert.Equal(
        "jvp: expected backward rules that are linear in their cotangent, got one that applies relu to it. Forward mode is the derivative of the backward rule; write the rule with operations that are linear in the gradient.",
        error.Message
    )

// ---- R6 ---------------------------------------------------------------------------------------------------------------

let private scaleBy (w: Cell) (factor: float) (x: Tensor) =
    let rule =
        CustomRule(fun call deltas ->
            w.Accumulate((deltas[0] * call.Inputs[0] * factor).Sum([| 0 |], true))
            [| deltas[0] * call.ParameterValues[0] * factor |])

    Call.Enter("scale", [| x |], [| w |], (fun _ xs -> [| xs[0] * w.Value * factor |]), rule).Outputs[0]

[<Fact>]
let ``R6 gradients of a cell used by several Calls add up on both paths`` () =
    fresh (fun _ ->
        let w = cell "w" [ 3.0 ]
        let x = vector [ 1.0; 2.0 ]
        let loss () = (scaleBy w 2.0 (scaleBy w 5.0 x)).Sum()
        (loss ()).Backward()
        let automatic = w.Grad.ToDoubles()
        w.ZeroGrad()
        (loss ()).BackwardManual()
        // loss = 10 w^2 (1 + 2)
        Assert.Equal<float[]>([| 180.0 |], automatic)
        Assert.Equal<float[]>(automatic, w.Grad.ToDoubles()))

[<Fact>]
let ``R6 a manual backward called by hand adds to the parameter's gradient`` () =
    fresh (fun _ ->
        let w = cell "w" [ 3.0 ]
        let x = vector [ 1.0; 2.0 ]

        let rule =
            CustomRule(fun call deltas ->
                w.Accumulate((deltas[0] * call.Inputs[0]).Sum([| 0 |], true))
                [| deltas[0] * call.ParameterValues[0] |])

        let call =
            Call.Enter("scale", [| x |], [| w |], (fun _ xs -> [| xs[0] * w.Value |]), rule)

        for times in 1..2 do
            let back = call.Backward([| vector [ 1.0; 1.0 ] |], null)
            Assert.Equal<float[]>([| 3.0; 3.0 |], back[0].ToDoubles())
            Assert.Equal<float[]>([| 3.0 * float times |], w.Grad.ToDoubles()))

[<Fact>]
let ``R6 a Call of two outputs is crossed once, with the gradients of both`` () =
    fresh (fun _ ->
        let w = cell "w" [ 3.0 ]
        let mutable crossings = 0

        let rule =
            CustomRule(fun call deltas ->
                crossings <- crossings + 1
                let x = call.Inputs[0]
                w.Accumulate((deltas[0] * x + deltas[1] * 2.0 * call.ParameterValues[0]).Sum([| 0 |], true))
                [| deltas[0] * call.ParameterValues[0] |])

        let loss () =
            let outputs =
                Call.Enter("two", [| vector [ 5.0 ] |], [| w |], (fun _ xs -> [| xs[0] * w.Value; w.Value.Square() |]), rule).Outputs

            // The second output also goes through the first one's consumer.
            (outputs[0] * outputs[1]).Sum() + outputs[1].Sum()

        (loss ()).Backward()
        let automatic = w.Grad.ToDoubles()
        w.ZeroGrad()
        (loss ()).BackwardManual()
        // 5 w^3 + w^2
        Assert.Equal<float[]>([| 15.0 * 9.0 + 6.0 |], automatic)
        Assert.Equal<float[]>(automatic, w.Grad.ToDoubles())
        Assert.Equal(1, crossings))

[<Fact>]
let ``R6 a manual backward that reports a foreign cell is refused by name`` () =
    let w, other = cell "w" [ 3.0 ], cell "other" [ 1.0 ]

    let rule =
        CustomRule(fun _ deltas ->
            other.Accumulate deltas[0]
            [| null |])

    let y =
        Call.Enter("odd", [| vector [ 1.0 ] |], [| w |], (fun _ xs -> [| xs[0] * w.Value |]), rule).Outputs[0]

    let error = Assert.Throws<CellException>(fun () -> y.Sum().BackwardManual())

    Assert.Equal(
        "Accumulate: expected a parameter of the layer, got cell 'other', which the Call of odd does not list (in odd). Return every parameter of the layer from Parameters().",
        error.Message
    )

// ---- R7 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R7 nested gradients do not confuse their variables`` () =
    // d/dx (x * d/dy (x + y)) = 1, and not 2 as when both variables are taken for one.
    let x = vector [ 1.0 ]
    let inner (x: Tensor) = x * grad (fun y -> (x + y).Sum()) x
    Assert.Equal(1.0, (grad (fun x -> (inner x).Sum()) x).Item())

    let third =
        grad (grad (grad (fun t -> (t * t * t).Sum()) >> fun g -> g.Sum()) >> fun g -> g.Sum())

    Assert.Equal(6.0, (third (vector [ 5.0 ])).Item())

[<Fact>]
let ``R7 reading a value inside grad is allowed and cuts nothing`` () =
    fresh (fun _ ->
        let f (t: Tensor) =
            let y = t.Square()
            let factor = if y.Sum().Item() > 1.0 then 3.0 else 1.0
            (y * factor).Sum()

        Assert.Equal<float[]>([| 12.0 |], (grad f (vector [ 2.0 ])).ToDoubles()))

[<Fact>]
let ``R7 reading a value inside compile is an error that names the place`` () =
    let f =
        compile (fun t ->
            use _ = Mode.Layer "net"
            let y = t.Square()
            y * y.Sum().Item())

    let error = Assert.Throws<TapeException>(fun () -> f (vector [ 2.0 ]) |> ignore)

    Assert.Equal(
        "read: expected a value that is known now, got one of a function that is being compiled (sum of shape []) (in net). Return it from the function and read the result, or call the function without compile.",
        error.Message
    )

[<Fact>]
let ``R7 cells of a compiled function are its inputs and outputs`` () =
    fresh (fun engine ->
        let w = cell "w" [ 1.0 ]
        let count = Cell("count", vector [ 0.0 ], false)

        let step =
            CompiledFunction(fun arguments ->
                let loss = (w.Value * arguments[0]).Square().Sum()
                w.ZeroGrad()
                loss.Backward()
                w.Set(w.Value - w.Grad * 0.1)
                count.Set(count.Value + 1.0)
                [| loss |])

        let first = step.Invoke(vector [ 1.0 ]).[0].Item()
        let compiles = engine.Stats.Compiles

        let losses =
            first :: [ for x in [ 2.0; 1.0 ] -> step.Invoke(vector [ x ]).[0].Item() ]

        Assert.Equal(compiles, engine.Stats.Compiles)
        // w: 1 -> 0.8 -> 0.16 -> 0.128
        Assert.Equal(1.0, losses[0])
        Assert.Equal(4.0 * 0.64, losses[1], 12)
        Assert.Equal(0.16 * 0.16, losses[2], 12)
        Assert.Equal(0.128, w.Value.Item(), 12)
        Assert.Equal(3.0, count.Value.Item())
        Assert.Equal(2.0 * 0.16, w.Grad.Item(), 12)
        w.Set(vector [ 5.0 ])
        Assert.Equal(25.0, step.Invoke(vector [ 1.0 ]).[0].Item()))

// ---- R8 ---------------------------------------------------------------------------------------------------------------

/// Kernels run by a piece of code.
let private kernelsOf (engine: Engine) (work: unit -> unit) =
    let before = engine.Stats.Operations
    work ()
    engine.Stats.Operations - before

let private network (w1: Cell) (w2: Cell) (x: Tensor) =
    x.MatMul(w1.Value).Tanh().MatMul(w2.Value).Square().Sigmoid().Mean()

[<Fact>]
let ``R8 a loss read before Backward does not compute the forward pass twice and changes no bit`` () =
    let run read =
        let mutable result = Unchecked.defaultof<_>

        fresh (fun engine ->
            let x = Tensor.From(Array.init 12 (fun i -> float i / 7.0), 4, 3)
            let w1 = Cell("w1", Tensor.From(Array.init 15 (fun i -> Math.Sin(float i)), 3, 5))
            let w2 = Cell("w2", Tensor.From(Array.init 10 (fun i -> Math.Cos(float i)), 5, 2))

            let kernels =
                kernelsOf engine (fun () ->
                    for _ in 1..3 do
                        let loss = network w1 w2 x

                        if read then
                            loss.Item() |> ignore

                        loss.Backward()
                        Cell.SetAll([| w1; w2 |], [| w1.Value - w1.Grad * 0.1; w2.Value - w2.Grad * 0.1 |])
                        w1.ZeroGrad()
                        w2.ZeroGrad())

            result <- struct (kernels, Array.append (bits w1.Value) (bits w2.Value)))

        result

    let struct (unread, first) = run false
    let struct (alsoRead, second) = run true
    Assert.Equal<int64[]>(first, second)
    Assert.Equal(unread, alsoRead)

[<Fact>]
let ``R8 Backward after the cell was written names cell and version`` () =
    fresh (fun _ ->
        let w = cell "layer.weight" [ 2.0 ]
        w.Set(vector [ 3.0 ])
        let loss = w.Value.Square().Sum()
        Assert.Equal(9.0, loss.Item())
        w.Set(vector [ 4.0 ])
        Assert.Equal(9.0, loss.Item())
        let error = Assert.Throws<TapeException>(fun () -> loss.Backward())

        Assert.Equal(
            "backward: expected a tape that is still there, got a value whose tape was released when cell 'layer.weight' was written (it had read version 1). Call Backward before the step that writes the cell, or compute the expression again.",
            error.Message
        ))

[<Fact>]
let ``R8 losses kept in a list do not pin the memory of their steps`` () =
    fresh (fun _ ->
        let w = Cell("w", Tensor.From(Array.create 50_000 0.5))
        let history = ResizeArray<Tensor>()

        let step () =
            let x = Tensor.From(Array.create 50_000 1.0)
            let loss = (w.Value * x).Square().Mean()
            history.Add loss
            w.ZeroGrad()
            loss.Backward()
            w.Set(w.Value - w.Grad * 0.1)

        for _ in 1..10 do
            step ()

        let early = live ()

        for _ in 1..200 do
            step ()

        let late = live ()
        Assert.True(late - early < 2_000_000L, $"{late - early} bytes more after 200 steps")
        Assert.All(history, fun l -> Assert.True(l.Item() > 0.0)))

[<Fact>]
let ``R8 nothing is kept inside NoGrad`` () =
    fresh (fun engine ->
        let w = Cell("w", Tensor.From(Array.create 100_000 0.5))
        let held = ResizeArray<Tensor>()

        let before = live ()

        do
            use _ = Mode.NoGrad()

            for _ in 1..50 do
                let y = (w.Value * 2.0).Tanh().Square().Mean()
                y.Eval() |> ignore
                held.Add y

        Assert.True(live () - before < 3_000_000L)
        let error = Assert.Throws<TapeException>(fun () -> held[0].Backward())

        Assert.Equal(
            "backward: expected a result computed from at least one trainable cell, got one that no gradient can flow from (div). Check that the parameters are trainable and that the forward pass did not run inside NoGrad.",
            error.Message
        )

        Assert.Equal(50L, engine.Stats.Runs))

// ---- R9 ---------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R9 a sum that is never read stays flat over 100,000 steps`` () =
    fresh (fun _ ->
        let w = cell "w" [ 1e-3 ]
        let mutable total = vector [ 0.0 ]

        let step () =
            total <- total + w.Value.Square()
            w.Set(w.Value * 1.0)

        for _ in 1..20_000 do
            step ()

        let early = live ()

        for _ in 1..80_000 do
            step ()

        let late = live ()
        Assert.True(late - early < 5_000_000L, $"{late - early} bytes more")
        Assert.Equal(0.1, total.Item(), 6))

[<Fact>]
let ``R9 a Backward into a gradient that is still pending evaluates the pending one`` () =
    fresh (fun engine ->
        let w = cell "w" [ 2.0 ]
        w.Value.Square().Sum().Backward()
        Assert.Equal(0L, engine.Stats.Runs)
        w.Value.Square().Sum().Backward()
        Assert.Equal(1L, engine.Stats.Runs)
        Assert.Equal(8.0, w.Grad.Item()))

// ---- R10 --------------------------------------------------------------------------------------------------------------

let private trained (options: EngineOptions) observe =
    let mutable result = [||]

    withEngine options (fun _ ->
        let x =
            Tensor.From(Array.init (200 * 30) (fun i -> float32 (Math.Sin(float i * 0.37))), 200, 30)

        let w1 =
            Cell("w1", Tensor.From(Array.init (30 * 40) (fun i -> float32 (Math.Cos(float i)) * 0.2f), 30, 40))

        let w2 =
            Cell("w2", Tensor.From(Array.init (40 * 20) (fun i -> float32 (Math.Sin(float i * 1.7)) * 0.2f), 40, 20))

        for _ in 1..5 do
            let hidden = x.MatMul(w1.Value).Tanh()

            if observe then
                hidden.Eval() |> ignore

            let loss = hidden.MatMul(w2.Value).LogSoftmax(-1).Square().Mean()

            if observe then
                loss.Item() |> ignore

            w1.ZeroGrad()
            w2.ZeroGrad()
            loss.Backward()

            if observe then
                w1.Grad.ToDoubles() |> ignore

            Cell.SetAll([| w1; w2 |], [| w1.Value - w1.Grad * 0.5; w2.Value - w2.Grad * 0.5 |])

        result <-
            Array.append (w1.Value.ToArray<float32>()) (w2.Value.ToArray<float32>())
            |> Array.map BitConverter.SingleToInt32Bits)

    result

[<Fact>]
let ``R10 training gives the same bits with any number of threads, rewritten or not, observed or not`` () =
    let reference = trained (EngineOptions(Threads = 1)) false

    for threads in [ 1; 2; 3; 8 ] do
        for rewrites in [ true; false ] do
            for observe in [ true; false ] do
                let options = EngineOptions(Threads = threads, Rewrites = rewrites)
                Assert.Equal<int[]>(reference, trained options observe)

[<Fact>]
let ``R10 only exact rewrites are on by default`` () =
    let x = vector [ Double.PositiveInfinity; -0.0 ]
    let zero = Elementwise.constantLike x.Node 0.0

    let times () =
        Tensor.Of(Elementwise.mul x.Node zero).ToDoubles()

    let plus () =
        Tensor.Of(Elementwise.add x.Node zero).ToDoubles()

    fresh (fun _ ->
        Assert.True(Double.IsNaN(times()[0]))
        Assert.Equal(BitConverter.DoubleToInt64Bits 0.0, BitConverter.DoubleToInt64Bits(plus()[1])))

    withEngine (EngineOptions(Threads = 1, InexactRewrites = true)) (fun _ ->
        Assert.Equal(0.0, times()[0])
        Assert.Equal(BitConverter.DoubleToInt64Bits -0.0, BitConverter.DoubleToInt64Bits(plus()[1])))

// ---- R11 --------------------------------------------------------------------------------------------------------------

[<Fact>]
let ``R11 many threads may build, run and train at once`` () =
    fresh (fun engine ->
        let shared =
            Cell("shared", Tensor.From(Array.init 600 (fun i -> Math.Sin(float i)), 20, 30), false)

        let expected =
            (Tensor.From(Array.init 200 (fun i -> float i / 100.0), 10, 20).MatMul(shared.Value)).Tanh().Sum().Item()

        let failures = System.Collections.Concurrent.ConcurrentQueue<exn>()

        let work () =
            use _ = engine.Use()

            try
                let w = cell "own" [ 1.0 ]

                for _ in 1..100 do
                    let x = Tensor.From(Array.init 200 (fun i -> float i / 100.0), 10, 20)
                    Assert.Equal(expected, x.MatMul(shared.Value).Tanh().Sum().Item())
                    w.ZeroGrad()
                    (w.Value * 2.0).Square().Sum().Backward()
                    w.Set(w.Value - w.Grad * 0.01)

                Assert.Equal(Math.Pow(0.92, 100.0), w.Value.Item(), 12)
            with e ->
                failures.Enqueue e

        let threads = [ for _ in 1..4 -> Thread work ]
        threads |> List.iter (fun t -> t.Start())
        threads |> List.iter (fun t -> t.Join())
        Assert.Empty failures)

[<Fact>]
let ``R11 two writers of one cell at once are an error that names it`` () =
    let v, w = cell "v" [ 1.0 ], cell "w" [ 1.0 ]
    w.State.BeginWrite()

    let error =
        Assert.Throws<CellException>(fun () -> Cell.SetAll([| v; w |], [| vector [ 2.0 ]; vector [ 2.0 ] |]))

    Assert.Equal(
        "write: expected one writer at a time for cell 'w', got a second run that writes it. Let one thread update a model, or give each thread a model of its own.",
        error.Message
    )

    Assert.Equal(1.0, v.Value.Item())
    w.State.EndWrite()
    Cell.SetAll([| v; w |], [| vector [ 2.0 ]; vector [ 2.0 ] |])
    Assert.Equal(4.0, (v.Value + w.Value).Item())

[<Fact>]
let ``R11 a step that fails half-way changes no cell`` () =
    fresh (fun _ ->
        let a, b = cell "a" [ 1.0; 2.0 ], cell "b" [ 3.0 ]
        let bad = Tensor.From([| 0.0; 1.0; 2.0 |], 1, 3).CrossEntropy(Tensor.From [| 5 |])

        Assert.ThrowsAny<HybridException>(fun () -> Cell.SetAll([| a; b |], [| a.Value * 2.0; bad |]))
        |> ignore

        Assert.Equal<float[]>([| 1.0; 2.0 |], a.Value.ToDoubles())
        Assert.Equal<float[]>([| 3.0 |], b.Value.ToDoubles())
        Assert.Equal(0L, a.Version)

        let shape =
            Assert.Throws<CellException>(fun () -> Cell.SetAll([| a; b |], [| a.Value * 2.0; a.Value |]))

        Assert.Equal("write: expected shape [1] for cell 'b', got [2]. A cell keeps its shape and type; make a new one for another.", shape.Message)

        Assert.Equal(0L, a.Version)
        // Nothing stays claimed.
        Cell.SetAll([| a; b |], [| a.Value * 2.0; b.Value * 2.0 |])
        Assert.Equal<float[]>([| 6.0 |], b.Value.ToDoubles()))

[<Fact>]
let ``R11 modes and layer paths are always restored`` () =
    Assert.True Mode.IsRecording

    try
        use _ = Mode.NoGrad()
        use _ = Mode.Evaluation()
        use _ = Mode.Layer "outer"
        Assert.False Mode.IsRecording
        Assert.False Mode.IsTraining
        failwith "leave"
    with _ ->
        ()

    Assert.True Mode.IsRecording
    Assert.True Mode.IsTraining

    let error =
        Assert.Throws<ShapeException>(fun () -> vector([ 1.0; 2.0 ]).Reshape(3) |> ignore)

    Assert.Equal("", error.Path)

[<Fact>]
let ``the NaN trap names the first operation and its layer`` () =
    withEngine (EngineOptions(Threads = 1, TrapNonFinite = true)) (fun _ ->
        let y =
            use _ = Mode.Layer "net"
            use _ = Mode.Layer "1:Log"
            vector([ 1.0; 0.0 ]).Log()

        let error =
            Assert.Throws<ValueException>(fun () -> (y * 0.0).Sum().Eval() |> ignore)

        Assert.Equal(
            "log: expected finite values, as the NaN trap is on, got -Infinity at element 1 (in net/1:Log). This is the first operation that makes one; look at its inputs.",
            error.Message
        ))

[<Fact>]
let ``live memory after step 1,000 equals that after step 10`` () =
    fresh (fun _ ->
        let x =
            Tensor.From(Array.init (64 * 50) (fun i -> float32 (Math.Sin(float i))), 64, 50)

        let w = Cell("w", Tensor.From(Array.create (50 * 20) 0.01f, 50, 20))

        let step () =
            let loss = x.MatMul(w.Value).Tanh().Square().Mean()
            w.ZeroGrad()
            loss.Backward()
            w.Set(w.Value - w.Grad * 0.1)

        for _ in 1..10 do
            step ()

        // The test runner allocates on threads of its own now and then; a leak shows in every window.
        let growth () =
            let before = live ()

            for _ in 11..1000 do
                step ()

            live () - before

        let windows =
            Seq.init 3 (fun _ -> growth ())
            |> Seq.takeWhile (fun g -> g >= 100_000L)
            |> Array.ofSeq

        Assert.True(windows.Length < 3, $"%A{windows} bytes more in windows of 990 steps"))

[<Fact>]
let ``an error at evaluation names operation, layer and, on request, the line that built the expression`` () =
    fresh (fun _ ->
        let build () =
            use _ = Mode.Layer "net"
            Tensor.From([| 0.0; 1.0; 2.0 |], 1, 3).CrossEntropy(Tensor.From [| 5 |])

        let message (t: Tensor) =
            Assert.ThrowsAny<HybridException>(fun () -> t.Eval() |> ignore).Path

        Assert.Equal("net", message (build ()))

        let traced =
            use _ = Mode.Origins()
            build ()

        Assert.Matches(@"^net, built at RuleTests\.fs:\d+$", message traced))
