/// What a Call shows of itself, which Calls a sweep crosses by hand, and what a run that is interrupted leaves behind.
module Hybrid.Core.Tests.CallTests

open System
open System.Threading
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine

let private scaled name (w: Cell) (x: Tensor) (seen: Call -> unit) =
    Call.Enter(
        name,
        [| x |],
        [| w |],
        (fun call xs ->
            seen call
            [| xs[0] * w.Value |]),
        CustomRule(fun call deltas ->
            w.Accumulate(deltas[0] * call.Inputs[0] * 10.0)
            [| deltas[0] * call.ParameterValues[0] |])
    )

[<Fact>]
let ``a Call has its outputs also where it was asked before it had any`` () =
    let mutable before = -1

    let call =
        scaled "scale" (Cell("w", Tensor.From([| 2.0f |], 1))) (Tensor.From([| 3.0f |], 1)) (fun call -> before <- call.Outputs.Length)

    Assert.Equal(0, before)
    Assert.Equal(6.0, call.Outputs[0].Item())
    Assert.Same(call.Outputs[0], call.Outputs[0])

[<Fact>]
let ``a sweep asks which Calls to cross before it begins, and the answer may be computed`` () =
    fresh (fun _ ->
        let w, v =
            Cell("w", Tensor.From([| 2.0f |], 1)), Cell("v", Tensor.From([| 5.0f |], 1))

        let first = scaled "first" w (Tensor.From([| 3.0f |], 1)) ignore
        let second = scaled "second" v first.Outputs[0] ignore
        let mutable asked = 0

        let gradients =
            Tape
                .Of(second.Outputs[0])
                .Sweep(
                    null,
                    fun call ->
                        asked <- asked + 1
                        (call.Outputs[0] * 2.0 + 1.0).Item() > 20.0
                )

        // The first gives 6 and is looked through; the second gives 30 and reports ten times its gradient.
        Assert.Equal(2, asked)
        Assert.Equal(15.0, gradients[w].Item())
        Assert.Equal(60.0, gradients[v].Item()))

[<Theory; InlineData(0); InlineData(1)>]
let ``a run that is interrupted while it waits for a cell leaves no trace on the others`` (busy: int) =
    fresh (fun _ ->
        let cells =
            Array.init 2 (fun i ->
                let cell = Cell($"c{i}", uniform 100 i)

                let twice =
                    CompiledFunction(fun _ ->
                        cell.Set(cell.Value * 2.0)
                        [||])
                // From the second on the memory is the cell's own.
                twice.Invoke [||] |> ignore
                twice.Invoke [||] |> ignore
                cell)

        let sum = Cell("sum", uniform 100 3)

        let add =
            CompiledFunction(fun _ ->
                sum.Set(cells[0].Value + cells[1].Value)
                [||])

        add.Invoke [||] |> ignore

        // As a run would that writes over the cell.
        lock Gate.instance (fun () -> Assert.True(cells[busy].State.TryOverwrite()))
        let mutable stopped = false

        let reader =
            Thread(fun () ->
                try
                    add.Invoke [||] |> ignore
                with :? ThreadInterruptedException ->
                    stopped <- true)

        reader.Start()
        Assert.True(SpinWait.SpinUntil((fun () -> reader.ThreadState.HasFlag ThreadState.WaitSleepJoin), TimeSpan.FromSeconds 20.0))
        reader.Interrupt()
        reader.Join()
        Assert.True stopped

        for cell in cells do
            cell.State.EndWrite()

            lock Gate.instance (fun () ->
                cell.State.Reading 1
                Assert.True(cell.State.TryOverwrite(), $"{cell.Name} is still being read")
                cell.State.Reading -1)

            cell.State.EndWrite()

        add.Invoke [||] |> ignore)
