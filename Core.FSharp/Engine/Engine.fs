namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open System.Threading
open Hybrid.Kernels

/// Runs graphs. An engine owns its threads, its memory and its plans; nothing in it needs to be disposed of. Any thread may use it.
[<Sealed; AllowNullLiteral>]
type Engine(options: EngineOptions) =
    static let shared = lazy (Engine(EngineOptions()))

    let options =
        if options.Threads < 1 then
            raise (
                ValueException(
                    "engine",
                    "at least 1 thread",
                    string options.Threads,
                    "",
                    "Set Threads to 1 or more; the default is one for each processor."
                )
            )

        options.Copy()

    let pool =
        if options.Threads = 1 then
            WorkerPool.Serial
        else
            WorkerPool options.Threads

    let plans = Dictionary<int, List<Plan>>()
    let executors = Stack<Executor>()
    let mutable compiles = 0L
    let mutable hits = 0L
    let mutable runs = 0L
    let mutable operations = 0L
    let mutable clock = 0L
    let mutable planCount = 0
    let mutable planBytes = 0L

    // The trap names the operation that made a value, so each has to be a step of its own.
    let making: Planner.Making =
        {
            Rewrite = options.Rewrites
            Inexact = options.InexactRewrites
            Fuse = options.Rewrites && not options.TrapNonFinite
        }

    // The trap speaks of elements as the user sees them, so it needs tensors as they are.
    let layout =
        if options.Rewrites && not options.TrapNonFinite then
            Lanes.apply
        else
            fun _ _ roots -> roots

    let trap (binding: Binding) =
        if not options.TrapNonFinite then
            null
        else
            Action<Step, nativeint>(fun step output ->
                if step.DType <= ElementType.Float64 then
                    let index =
                        Hybrid.Kernels.Elementwise.FirstNonFinite(step.DType, output, step.Shape.Size)

                    if index >= 0L then
                        let found =
                            if step.DType = ElementType.Float32 then
                                float (Marshal.PtrToStructure<float32>(output + nativeint (4L * index)))
                            else
                                Marshal.PtrToStructure<float>(output + nativeint (8L * index))

                        raise (
                            ValueException(
                                step.Name,
                                "finite values, as the NaN trap is on",
                                $"{Numbers.text found} at element {index}",
                                binding.Path step.Origin,
                                "This is the first operation that makes one; look at its inputs."
                            )
                        ))

    /// The engine that is used where no other is chosen, with one thread for each processor.
    static member Default = shared.Value

    /// The engine in force on this thread.
    static member Current =
        match Context.Current.Engine with
        | :? Engine as e -> e
        | _ -> Engine.Default

    /// Makes this engine the one in force on this thread until the result is disposed of.
    member this.Use() : IDisposable =
        let context = Context.Current
        let before = context.Engine
        context.Engine <- this

        { new IDisposable with
            member _.Dispose() = context.Engine <- before
        }

    /// A copy of the settings.
    member _.Options = options.Copy()

    member internal _.MaxPending = options.MaxPending

    member internal _.Pool = pool

    /// What was done so far.
    member _.Stats =
        lock plans (fun () ->
            {
                Compiles = compiles
                Hits = hits
                Runs = Interlocked.Read &runs
                Operations = Interlocked.Read &operations
                Plans = planCount
                PlanBytes = planBytes
                ArenaBytes = lock executors (fun () -> executors |> Seq.sumBy (fun e -> e.ArenaBytes))
            })

    /// The plans in the cache in words, the last used first: for each step the bytes it reads and writes, its predicted time on one
    /// thread and, where `EngineOptions.Measure` was on, the mean of its measured times, in microseconds.
    member _.Explain() : string =
        lock plans (fun () ->
            plans.Values
            |> Seq.concat
            |> Seq.sortByDescending (fun p -> p.LastUse)
            |> Seq.map Explain.plan
            |> String.concat "\n\n")

    member private _.Evict() =
        while planCount > options.MaxPlans
              || (planBytes > options.MaxPlanBytes && planCount > 1) do
            let mutable oldest: Plan = null

            for bucket in plans.Values do
                for plan in bucket do
                    if isNull oldest || plan.LastUse < oldest.LastUse then
                        oldest <- plan

            plans[oldest.Hash].Remove oldest |> ignore

            if plans[oldest.Hash].Count = 0 then
                plans.Remove oldest.Hash |> ignore

            planCount <- planCount - 1
            planBytes <- planBytes - oldest.Bytes

    // Scratch of the calling thread for a graph's code.
    static member private Code() =
        let context = Context.Current

        if isNull context.Code then
            context.Code <- List<int>()

        context.Code

    // The gate of `plans` is held.
    member private _.Find(hash: int, code: List<int>) : Plan =
        let mutable found: Plan = null

        match plans.TryGetValue hash with
        | true, bucket ->
            for plan in bucket do
                if CollectionsMarshal.AsSpan(code).SequenceEqual(ReadOnlySpan<int> plan.Key) then
                    found <- plan
        | _ -> ()

        found

    /// The plan for a structure, made now if there is none.
    member internal this.PlanFor(order: Order, outputs: int[]) : Plan =
        let code = Engine.Code()
        Planner.encode order outputs code
        let hash = Planner.hash (Span<int>.op_Implicit(CollectionsMarshal.AsSpan code))

        let known =
            lock plans (fun () ->
                clock <- clock + 1L

                let plan = this.Find(hash, code)

                if not (isNull plan) then
                    hits <- hits + 1L
                    plan.LastUse <- clock

                plan)

        if not (isNull known) then
            known
        else
            let plan = Planner.make (order.Exact()) outputs making layout (code.ToArray())

            // Another thread may have evaluated a part of the graph meanwhile; then the plan is not what its key says, and the key is out of date.
            let after = List<int> code.Count
            Planner.encode order outputs after

            if not (CollectionsMarshal.AsSpan(after).SequenceEqual(ReadOnlySpan<int> plan.Key)) then
                this.PlanFor(order, outputs)
            else

                lock plans (fun () ->
                    compiles <- compiles + 1L
                    plan.LastUse <- clock

                    match this.Find(hash, code) with
                    | first when not (isNull first) -> first // Another thread was quicker.
                    | _ ->
                        match plans.TryGetValue hash with
                        | true, bucket -> bucket.Add plan
                        | _ -> plans[hash] <- List [ plan ]

                        planCount <- planCount + 1
                        planBytes <- planBytes + plan.Bytes
                        this.Evict()
                        plan)

    /// Runs a plan on a graph of its structure and writes its outputs to `results`, which has room for each.
    member internal _.RunPlan(plan: Plan, binding: Binding, results: Value[]) =
        let executor =
            lock executors (fun () ->
                if executors.Count > 0 then
                    executors.Pop()
                else
                    Executor pool)

        try
            try
                executor.Run(plan, binding, results, trap binding, options.Measure)
            with :? StepFault as fault ->
                let e, path = fault.Fault, binding.Path fault.Step.Origin

                raise (
                    match e with
                    | :? ShapeException -> ShapeException(e.Operation, e.Expected, e.Got, path, e.Advice) :> exn
                    | _ -> ValueException(e.Operation, e.Expected, e.Got, path, e.Advice)
                )
        finally
            lock executors (fun () -> executors.Push executor)

        Interlocked.Increment &runs |> ignore
        Interlocked.Add(&operations, plan.Operations) |> ignore

    // Runs a plan into the memory that is given, and into new memory where none is.
    member private this.Fill(plan: Plan, binding: Binding, values: Value[]) =
        for i in 0 .. values.Length - 1 do
            if isNull values[i] then
                let struct (shape, dtype) = plan.Outputs[i]
                values[i] <- Value.Allocate(shape, dtype)

        this.RunPlan(plan, binding, values)

    /// The values of a plan's roots, computed in new memory.
    member internal this.Compute(plan: Plan, binding: Binding) : Value[] =
        let values = Array.zeroCreate<Value> plan.Outputs.Length
        this.Fill(plan, binding, values)
        plan.ByRoot values

    // Gives a run the memory of the cells that it writes, where nothing else has seen it: that of the current version where the plan can
    // write over it, otherwise that of an older one.
    static member private Lend(plan: Plan, binding: Binding, cells: CellState[], values: Value[]) =
        for struct (result, position) in plan.Overwrites do
            let i = plan.SoleRoots[result]

            if i >= 0 && i < cells.Length && isNull values[result] then
                let cell = cells[i]

                if Object.ReferenceEquals(binding.Cell position, cell) && cell.TryOverwrite() then
                    values[result] <- cell.Value

        for i in 0 .. cells.Length - 1 do
            let result = plan.Results[i]

            if isNull values[result] && plan.SoleRoots[result] >= 0 then
                values[result] <- cells[i].TakeSpare()

    // All cells, or none.
    static member private Claim(cells: CellState[]) =
        let mutable claimed = 0

        try
            while claimed < cells.Length do
                cells[claimed].BeginWrite()
                claimed <- claimed + 1
        with _ ->
            for i in 0 .. claimed - 1 do
                cells[i].EndWrite()

            reraise ()

    // Notes for the cells at the first so many leaves of a plan that a run that reads them starts (1) or ends (-1).
    static member private Reading(plan: Plan, binding: Binding, leaves: int, change: int) =
        let mutable noted = 0

        try
            while noted < leaves do
                match binding.Cell plan.Leaves[noted] with
                | null -> ()
                | cell -> cell.Reading change

                noted <- noted + 1
        with _ ->
            // Interrupted while it waited for a run that writes over what this one reads.
            Engine.Reading(plan, binding, noted, -change)
            reraise ()

    // Ends a run that writes cells, and replaces them if it succeeded.
    static member private Settle(plan: Plan, binding: Binding, cells: CellState[], values: Value[], succeeded: bool) =
        lock Gate.instance (fun () ->
            Engine.Reading(plan, binding, plan.Leaves.Length, -1)

            for i in 0 .. cells.Length - 1 do
                if succeeded then
                    let result = plan.Results[i]
                    cells[i].Commit(values[result], plan.SoleRoots[result] >= 0)

                cells[i].EndWrite())

    /// Runs a plan whose first roots are new values of cells, and replaces all of them, or none if it fails. All outputs go to `values`,
    /// which has room for each.
    member internal this.Write(plan: Plan, binding: Binding, cells: CellState[], values: Value[]) : unit =
        lock Gate.instance (fun () ->
            Engine.Claim cells

            try
                Engine.Reading(plan, binding, plan.Leaves.Length, 1)
            with _ ->
                for cell in cells do
                    cell.EndWrite()

                reraise ()

            Engine.Lend(plan, binding, cells, values))

        try
            this.Fill(plan, binding, values)
        with _ ->
            Engine.Settle(plan, binding, cells, values, false)
            reraise ()

        Engine.Settle(plan, binding, cells, values, true)

    static member private RefuseSymbolic(root: Node) =
        raise (
            TapeException(
                "read",
                "a value that is known now",
                $"one of a function that is being compiled ({root.Primitive.Name} of shape {root.Shape})",
                root.Path,
                "Return it from the function and read the result, or call the function without compile."
            )
        )

    // What sweeps over these nodes will ask for: inputs and outputs that derivatives use, computed and not looked at differently.
    static member private Residuals(order: Order) =
        let wanted = HashSet<int>()

        let rec base' position =
            let n = order.Nodes[position]

            if isNull n.Value && not (isNull n.Primitive.View) then
                base' order.Operands[order.Starts[position]]
            else
                position

        let want position =
            let position = base' position
            let n = order.Nodes[position]

            if isNull n.Value && n.Arity > 0 then
                wanted.Add position |> ignore

        for i in 0 .. order.Count - 1 do
            let n = order.Nodes[i]

            if n.Tracked && isNull n.Value && n.Arity > 0 then
                let saves = n.Primitive.Saves

                if saves &&& Primitive.output <> 0 then
                    want i

                for k in 0 .. n.Arity - 1 do
                    if k < 30 && saves &&& (1 <<< k) <> 0 then
                        want order.Operands[order.Starts[i] + k]

        wanted |> Seq.sort |> Array.ofSeq

    // Registers what was kept with the cells whose write will release it.
    static member private Keep(order: Order, kept: Node[]) =
        let retention = Retention kept

        for n in kept do
            n.Keeper <- retention

        for i in 0 .. order.Count - 1 do
            let n = order.Nodes[i]

            match n.Payload with
            | :? CellVersion as v when n.Tracked -> v.Cell.AddDependent retention
            | _ -> ()

    member private this.Evaluate(order: Order) =
        let recording =
            Context.Current.Recording
            && order.Roots |> Array.exists (fun p -> order.Nodes[p].Tracked)

        let kept = if recording then Engine.Residuals order else [||]

        let outputs =
            if kept.Length = 0 then
                order.Roots
            else
                Array.append order.Roots (kept |> Array.filter (fun p -> not (Array.contains p order.Roots)))

        let values = this.Compute(this.PlanFor(order, outputs), order)

        lock Gate.instance (fun () ->
            let tracked = List<Node>()

            for i in 0 .. outputs.Length - 1 do
                order.Nodes[outputs[i]].Value <- values[i]

            for position in outputs do
                let node = order.Nodes[position]

                if node.Arity > 0 then
                    if node.Tracked then tracked.Add node else node.Release null

            if tracked.Count > 0 then
                Engine.Keep(order, tracked.ToArray()))

    /// Computes the values of nodes, and keeps what a sweep may still need of tracked ones while recording is on.
    member internal this.Evaluate(roots: Node[]) : unit =
        let pending = roots |> Array.filter (fun r -> isNull r.Value)

        if pending.Length > 0 then
            for root in pending do
                if root.Symbolic then
                    Engine.RefuseSymbolic root

            let order = Walk.borrow Walk.pending pending

            try
                this.Evaluate order
            finally
                Walk.giveBack order

    /// Writes cells: computes every new value first, then replaces all of them, so that a failure changes no cell.
    /// The roots are a value for each cell, and nodes computed in the same run, such as the loss; they are plain values afterwards.
    member internal this.Assign(cells: CellState[], roots: Node[]) =
        for i in 0 .. cells.Length - 1 do
            cells[i].Check(roots[i].Shape, roots[i].DType)

        for root in roots do
            if root.Symbolic then
                Engine.RefuseSymbolic root

        let order = Walk.borrow Walk.pending roots

        let struct (plan, values) =
            try
                let plan = this.PlanFor(order, order.Roots)
                let values = Array.zeroCreate<Value> plan.Outputs.Length
                this.Write(plan, order, cells, values)
                struct (plan, values)
            finally
                Walk.giveBack order

        if cells.Length > 0 && roots.Length > cells.Length then
            let reason = Released(cells[0].Name, cells[0].Version - 1L)

            lock Gate.instance (fun () ->
                for i in cells.Length .. roots.Length - 1 do
                    roots[i].Value <- values[plan.Results[i]]
                    roots[i].Release reason)
