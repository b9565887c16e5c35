/// Memory that plans write over in place: intermediates, and the versions of cells.
module Hybrid.Core.Tests.OverwriteTests

open System
open System.Threading
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine
open Hybrid.Kernels

let private address (cell: Cell) = cell.State.Value.Pointer

/// A step that moves a cell: w <- w * 0.9 - x.
let private step (cell: Cell) =
    CompiledFunction(fun arguments ->
        cell.Set(cell.Value * 0.9 - arguments[0])
        [||])

[<Fact>]
let ``a compiled step writes over the version that it wrote last, when nobody has seen it`` () =
    fresh (fun _ ->
        let w, x = Cell("w", uniform 5000 1), uniform 5000 2
        let expected = Cell("expected", w.Value)

        for _ in 1..4 do
            expected.Set(expected.Value * 0.9 - x)

        let update = step w
        update.Invoke x |> ignore
        let first = address w
        update.Invoke x |> ignore
        Assert.Equal(first, address w)
        update.Invoke x |> ignore
        update.Invoke x |> ignore
        Assert.Equal(first, address w)
        Assert.Equal<int64[]>(bits expected.Value, bits w.Value))

[<Fact>]
let ``a version that was read is left alone`` () =
    fresh (fun _ ->
        let w, x = Cell("w", uniform 5000 1), uniform 5000 2
        let update = step w
        update.Invoke x |> ignore
        let seen = w.Value
        let before = bits seen
        update.Invoke x |> ignore
        update.Invoke x |> ignore
        Assert.Equal<int64[]>(before, bits seen))

[<Fact>]
let ``functions of elements write over an intermediate that they are the last to read`` () =
    fresh (fun engine ->
        let x, w = (uniform 4096 1).Reshape(64, 64), (uniform 4096 2).Reshape(64, 64)
        (x.MatMul(w).Tanh().MatMul w).Eval() |> ignore
        Assert.Contains("arena 16,384 bytes", engine.Explain()))

[<Fact>]
let ``what is also read with other strides, or later, is not written over`` () =
    fresh (fun _ ->
        let x, w = (uniform 4096 1).Reshape(64, 64), (uniform 4096 2).Reshape(64, 64)
        let product = x.MatMul(w).Eval()
        let turned (p: Tensor) = (p + p.Transpose()).MatMul w
        let again (p: Tensor) = (p * 2.0).MatMul p
        Assert.Equal<int64[]>(bits (turned product), bits (turned (x.MatMul w)))
        Assert.Equal<int64[]>(bits (again product), bits (again (x.MatMul w))))

[<Fact>]
let ``two cells that exchange their values do not write over each other`` () =
    fresh (fun _ ->
        let a, b = Cell("a", uniform 100 1), Cell("b", uniform 100 2)
        let first, second = bits a.Value, bits b.Value

        let swap =
            CompiledFunction(fun _ ->
                let before = a.Value
                a.Set(b.Value * 1.0)
                b.Set(before + -0.0)
                [||])

        for _ in 1..4 do
            swap.Invoke() |> ignore

        Assert.Equal<int64[]>(first, bits a.Value)
        Assert.Equal<int64[]>(second, bits b.Value))

[<Fact>]
let ``a cell whose old version is read after the new one is computed keeps it until then`` () =
    fresh (fun _ ->
        let w, x = Cell("w", uniform 4096 1), uniform 4096 2

        let update =
            CompiledFunction(fun arguments ->
                let before = w.Value
                let next = before * 0.5 + arguments[0]
                w.Set next
                // A matrix product that needs both.
                [| next.Reshape(64, 64).MatMul(before.Reshape(64, 64)) |])

        let mutable old = w.Value

        for _ in 1..3 do
            let next = old * 0.5 + x
            let expected = next.Reshape(64, 64).MatMul(old.Reshape(64, 64))
            let results = update.Invoke x
            Assert.Equal<int64[]>(bits expected, bits results[0])
            old <- next

        Assert.Equal<int64[]>(bits old, bits w.Value))

[<Fact>]
let ``a cell that is also read in another order is not overwritten`` () =
    fresh (fun _ ->
        let w = Cell("w", (uniform 10_000 1).Reshape(100, 100))
        let expected = Cell("expected", w.Value)

        let update =
            CompiledFunction(fun _ ->
                w.Set(w.Value * 0.9 + w.Value.Transpose() * 0.5)
                [||])

        for _ in 1..4 do
            update.Invoke() |> ignore
            expected.Set(expected.Value * 0.9 + expected.Value.Transpose() * 0.5)

        Assert.Equal<int64[]>(bits expected.Value, bits w.Value))

[<Fact>]
let ``a step that fails changes no cell, in place or not`` () =
    fresh (fun _ ->
        let w, table = Cell("w", uniform 8 1), uniform 8 2

        let update =
            CompiledFunction(fun arguments ->
                w.Set(w.Value * 0.5)
                [| table.Gather arguments[0] |])

        let good, bad = Tensor.From([| 7 |], 1), Tensor.From([| 8 |], 1)
        update.Invoke good |> ignore
        update.Invoke good |> ignore
        let expected = (uniform 8 1 * 0.5 * 0.5) |> bits
        let error = Assert.Throws<ValueException>(fun () -> update.Invoke bad |> ignore)

        Assert.Equal("gather: expected rows from 0 to 7, got 8 at [0]. Check the indices, or give the table more rows.", error.Message)
        Assert.Equal<int64[]>(expected, bits w.Value))

[<Fact>]
let ``a version is not overwritten while a later operation can still fail`` () =
    fresh (fun _ ->
        let w, v, table = Cell("w", uniform 8 1), Cell("v", uniform 1 3), uniform 8 2

        let update =
            CompiledFunction(fun arguments ->
                let next = w.Value * 0.5
                w.Set next
                v.Set(table.Gather arguments[0])
                // What is returned comes first, and needs the new version.
                [| next.Sum() |])

        let good, bad = Tensor.From([| 7 |], 1), Tensor.From([| 8 |], 1)
        update.Invoke good |> ignore
        update.Invoke good |> ignore
        Assert.Throws<ValueException>(fun () -> update.Invoke bad |> ignore) |> ignore
        Assert.Equal<int64[]>(bits (uniform 8 1 * 0.5 * 0.5), bits w.Value))

[<Fact>]
let ``a tensor that a cell was set to keeps its numbers`` () =
    fresh (fun _ ->
        let w, x, given = Cell("w", uniform 100 1), uniform 100 2, uniform 100 3
        let before = bits given
        let update = step w
        update.Invoke x |> ignore
        w.Set given
        update.Invoke x |> ignore
        update.Invoke x |> ignore
        Assert.Equal<int64[]>(before, bits given))

[<Fact>]
let ``a thread that reads a cell sees whole versions while another one trains it`` () =
    fresh (fun engine ->
        let n = 2_000_000
        let w = Cell("w", Tensor.Zeros(Shape.Of [| n |], ElementType.Float32))

        let update =
            CompiledFunction(fun _ ->
                w.Set(w.Value + 1.0)
                [||])

        let mutable broken = 0
        let mutable reads = 0
        let mutable stop = false
        let mutable steps = 0

        let reader =
            Thread(fun () ->
                use _ = engine.Use()

                while not (Volatile.Read &stop) do
                    let values = w.Value.ToArray<float32>()
                    reads <- reads + 1

                    if Array.exists ((<>) values[0]) values then
                        broken <- broken + 1

                    // Two steps unseen, so that the next one is in place.
                    let seen = Volatile.Read &steps

                    SpinWait.SpinUntil(fun () -> Volatile.Read &steps > seen + 2 || Volatile.Read &stop)
                    |> ignore)

        reader.Start()

        for _ in 1..400 do
            update.Invoke() |> ignore
            Volatile.Write(&steps, steps + 1)

        Volatile.Write(&stop, true)
        reader.Join()
        Assert.True(reads > 0)
        Assert.Equal(0, broken)
        Assert.Equal(400f, w.Value.ToArray<float32>()[n - 1]))

/// What an optimiser's step is made of: m <- 0.5 m + g; w <- w - 0.1 m.
let private momentum (w: Cell) (m: Cell) =
    CellRule(fun g change ->
        let next = 0.5 * m.Value + g
        change.Invoke(m, next)
        change.Invoke(w, w.Value - 0.1 * next))

let private apply (rule: CellRule) (g: Tensor) = CellRule.SetAll([| rule |], [| g |])

[<Fact>]
let ``a rule's step writes over state that nobody has seen, and leaves alone what was read`` () =
    fresh (fun _ ->
        let w, m, g = Cell("w", uniform 5000 1), Cell("m", uniform 5000 2), uniform 5000 3
        let expected, mean = Cell("w", w.Value), Cell("m", m.Value)

        for _ in 1..5 do
            let next = 0.5 * mean.Value + g
            Cell.SetAll([| mean; expected |], [| next; expected.Value - 0.1 * next |])

        let rule = momentum w m
        apply rule g
        let first = address m
        let seen = w.Value
        let before = bits seen
        apply rule g
        Assert.Equal(first, address m)
        let held = m.Value
        let old = bits held
        apply rule g
        Assert.NotEqual(first, address m)
        apply rule g
        apply rule g
        Assert.Equal<int64[]>(before, bits seen)
        Assert.Equal<int64[]>(old, bits held)
        Assert.Equal<int64[]>(bits expected.Value, bits w.Value)
        Assert.Equal<int64[]>(bits mean.Value, bits m.Value))

[<Fact>]
let ``a rule's first step does not write over the tensor that a cell was made of`` () =
    fresh (fun _ ->
        let given = uniform 5000 2
        let before = bits given
        let w, m, g = Cell("w", uniform 5000 1), Cell("m", given), uniform 5000 3
        let rule = momentum w m
        apply rule g
        apply rule g
        Assert.Equal<int64[]>(before, bits given)
        m.Set given
        apply rule g
        Assert.Equal<int64[]>(before, bits given))

[<Fact>]
let ``a rule's step that fails changes no cell, and the next one does`` () =
    fresh (fun _ ->
        let w, m = Cell("w", uniform 8 1), Cell("m", uniform 8 2)
        let expected, mean = Cell("w", w.Value), Cell("m", m.Value)
        let rule, same = momentum w m, momentum expected mean
        let table = uniform 8 3

        let rows (last: int) =
            table.Gather(Tensor.From [| 0; 1; 2; 3; 4; 5; 6; last |])

        apply rule (rows 7)
        apply rule (rows 7)
        apply same (rows 7)
        apply same (rows 7)
        Assert.Throws<ValueException>(fun () -> apply rule (rows 8)) |> ignore
        Assert.Equal<int64[]>(bits mean.Value, bits m.Value)
        apply rule (rows 7)
        apply same (rows 7)
        Assert.Equal<int64[]>(bits expected.Value, bits w.Value)
        Assert.Equal(3L, m.Version))

[<Fact>]
let ``rules of one structure share plans, and others do not`` () =
    fresh (fun engine ->
        let cells seed =
            Cell("w", uniform 8 seed), Cell("m", uniform 8 (seed + 1))

        let step factor (w: Cell, m: Cell) =
            let rule =
                CellRule(fun g change -> change.Invoke(m, factor * m.Value + g * w.Value))

            apply rule (uniform 8 9)
            m

        let compiles () = engine.Stats.Compiles
        step 0.5 (cells 1) |> ignore
        let once = compiles ()
        step 0.5 (cells 3) |> ignore
        Assert.Equal(once, compiles ())
        let m = step 0.25 (cells 5)
        Assert.Equal(once + 1L, compiles ())
        Assert.Equal<int64[]>(bits (0.25 * uniform 8 6 + uniform 8 9 * uniform 8 5), bits m.Value))

[<Fact>]
let ``threads that read a cell while rules write it see whole versions`` () =
    fresh (fun engine ->
        let w, m =
            Cell("w", Tensor.Zeros(Shape.Of 4096)), Cell("m", Tensor.Zeros(Shape.Of 4096))

        let rule = CellRule(fun g change -> change.Invoke(m, m.Value + g))
        let g = Tensor.Ones(Shape.Of 4096).Eval()
        let mutable torn = 0
        let mutable go = true

        let read () =
            use _ = engine.Use()

            while Volatile.Read &go do
                let seen = m.Value.ToArray<float32>()

                if Array.exists (fun v -> v <> seen[0]) seen then
                    Interlocked.Increment &torn |> ignore

        let reader = Thread read
        reader.Start()

        for _ in 1..2000 do
            apply rule g

        Volatile.Write(&go, false)
        reader.Join()
        Assert.Equal(0, torn)
        Assert.Equal(2000.0, m.Value.Mean().Item())
        Assert.Equal(0L, w.Version))

[<Fact>]
let ``what was read of a cell stays when it is frozen and trained again`` () =
    fresh (fun _ ->
        let w, m, g = Cell("w", uniform 5000 1), Cell("m", uniform 5000 2), uniform 5000 3

        let rule = momentum w m
        apply rule g
        apply rule g
        let seen = w.Value
        let before = bits seen
        w.Trainable <- not w.Trainable
        w.Trainable <- not w.Trainable
        apply rule g
        apply rule g
        Assert.Equal<int64[]>(before, bits seen)

        let update = step w
        update.Invoke g |> ignore
        update.Invoke g |> ignore
        let seen = w.Value
        let before = bits seen
        w.Trainable <- not w.Trainable
        update.Invoke g |> ignore
        update.Invoke g |> ignore
        Assert.Equal<int64[]>(before, bits seen))

[<Fact>]
let ``a rule reads cells and reports what they become, and nothing else`` () =
    fresh (fun _ ->
        let w = Cell("w", uniform 8 1)

        let refused (rule: Tensor -> unit) =
            let e =
                Assert.ThrowsAny<HybridException>(fun () -> apply (CellRule(fun g _ -> rule g)) (uniform 8 2))

            e.Message

        let only what =
            $"rule: expected a function that reads cells and reports what they become, got {what} of cell 'w'. Report new values through the changes; an optimiser that does more leaves IsFixed false."

        Assert.Equal(only "a write", refused w.Set)
        Assert.Equal(only "the gradient", refused (fun _ -> w.Grad |> ignore))
        Assert.Equal(only "the gradient", refused (fun _ -> w.ZeroGrad()))

        let e =
            Assert.Throws<ArgumentException>(fun () -> CellRule.SetAll([| momentum w w |], [||]))

        Assert.StartsWith("There are 1 rules and 0 arguments.", e.Message))

[<Fact>]
let ``calls of one compiled function on several threads do not meet`` () =
    fresh (fun engine ->
        let affine = CompiledFunction(fun x -> [| x[0] * 2.0 + x[1] |])

        let wrong (thread: int) =
            use _ = engine.Use()
            let x, y = uniform 3000 thread, uniform 3000 (100 + thread)
            let expected = bits (x * 2.0 + y)

            Seq.init 200 (fun _ -> bits (affine.Invoke(x, y)[0]))
            |> Seq.filter (fun found -> found <> expected)
            |> Seq.length

        Assert.Equal<int[]>(Array.zeroCreate 4, Array.Parallel.map wrong [| 1..4 |]))
