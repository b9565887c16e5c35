namespace Hybrid.Core

open System
open System.Diagnostics
open Hybrid.Kernels

/// A refusal from inside of a kernel, with the step that it came from; the engine adds the layer path of the graph at hand.
type internal StepFault(step: Step, fault: HybridException) =
    inherit Exception(fault.Message, fault)
    member _.Step = step
    member _.Fault = fault

/// One run's memory: an arena and a table of addresses. Reused by the runs that follow.
[<Sealed>]
type internal Executor(pool: WorkerPool) =
    let mutable arena = Storage 0L
    let mutable pointers: nativeint[] = [||]
    let mutable scalars = Storage 0L
    let mutable held: Value[] = [||]
    let operands = Operands pool

    member _.ArenaBytes = arena.Bytes

    member private _.Reserve(plan: Plan) =
        if arena.Bytes < plan.ArenaBytes then
            arena <- Storage plan.ArenaBytes

        if pointers.Length < plan.Places.Length then
            pointers <- Array.zeroCreate (max 16 (2 * plan.Places.Length))

        if scalars.Bytes < int64 plan.Places.Length * 64L then
            scalars <- Storage(int64 plan.Places.Length * 128L)

        if held.Length < plan.Places.Length then
            held <- Array.zeroCreate (2 * plan.Places.Length)

    member private _.Write(scalar: Node, address: nativeint) =
        Hybrid.Kernels.Elementwise.Fill(scalar.DType, address, 1L, Leaves.number scalar, WorkerPool.Serial)

    /// Runs a plan on what a binding gives. Results are written to `results`.
    member this.Run(plan: Plan, binding: Binding, results: Value[], check: Action<Step, nativeint>, measure: bool) =
        this.Reserve plan
        let places = plan.Places

        for i in 0 .. places.Length - 1 do
            pointers[i] <-
                match places[i] with
                | Leaf position ->
                    held[i] <- binding.Leaf position
                    held[i].Pointer
                | Transpose slot -> held[slot].Transpose pool
                | Scalar position ->
                    let address = scalars.Pointer + nativeint (64 * i)
                    this.Write(binding.Scalar position, address)
                    address
                | Constant storage -> storage.Pointer
                | Result number -> results[number].Pointer
                | Arena offset -> arena.Pointer + nativeint offset

        operands.Measure <- measure
        let mutable before = if measure then Stopwatch.GetTimestamp() else 0L

        for number in 0 .. plan.Steps.Length - 1 do
            let step = plan.Steps[number]

            try
                step.Run(operands, pointers)
            with :? HybridException as e ->
                raise (StepFault(step, e))

            if not (isNull check) then
                check.Invoke(step, operands.Output)

            if measure then
                before <- plan.Took(number, before)

        if measure then
            plan.TimedRuns <- plan.TimedRuns + 1L

        // An address alone keeps nothing alive, and a cell may have let go of a value meanwhile.
        GC.KeepAlive held
        GC.KeepAlive results
        GC.KeepAlive plan
        Array.Clear held
