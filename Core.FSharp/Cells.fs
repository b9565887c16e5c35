namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Threading
open Hybrid.Kernels

/// Guards what walks write into nodes (marks, positions) and what evaluation changes in them (values, released inputs).
/// Re-entrant; held for microseconds while ordering, and while a sweep applies its rules.
module internal Gate =
    let instance = obj ()

    // Runs that wait are rare, and waking nobody would still cost a call for each cell that is written over.
    let mutable private waiting = 0

    /// Lets the gate go until somebody calls `wake`. The gate is held.
    let wait () =
        waiting <- waiting + 1

        try
            Monitor.Wait instance |> ignore
        finally
            waiting <- waiting - 1

    /// Ends all waits. The gate is held.
    let wake () =
        if waiting > 0 then
            Monitor.PulseAll instance

/// Why a node has no inputs any more: the cell that was written, and the version of it that the node had read.
[<Sealed; AllowNullLiteral>]
type internal Released(cell: string, version: int64) =
    member _.Cell = cell
    member _.Version = version

/// Why a node has no inputs: it is a result of a compiled function, which did something that leads to gradients.
[<Sealed; AllowNullLiteral>]
type internal Compiled(did: string) =
    member _.Did = did

/// The values that one evaluation kept because a sweep may still need them. It lives as long as the nodes do, and no longer than
/// the first write to a cell that they were computed from.
[<Sealed; AllowNullLiteral>]
type internal Retention(nodes: Node[]) as this =
    let weak = WeakReference<Retention> this
    let mutable nodes = nodes

    /// What cells hold, so that a tape that nobody can reach any more is collected.
    member _.Weak = weak

    /// Makes every kept node a plain value.
    member _.Release(cell: string, version: int64) =
        lock Gate.instance (fun () ->
            if not (isNull nodes) then
                let reason = Released(cell, version)

                for node in nodes do
                    node.Release reason

                nodes <- null)

/// One version of a cell, as the leaf node that reads it knows it.
[<Sealed; AllowNullLiteral>]
type internal CellVersion(cell: CellState, version: int64) =
    member _.Cell = cell
    member _.Version = version

/// The engine's side of a cell: the only thing that changes. Each version has one leaf node, so that reading twice gives one input.
and [<Sealed; AllowNullLiteral>] internal CellState(name: string, initial: Value, trainable: bool) =
    let mutable value = initial
    let mutable version = 0L
    let mutable leaf: Node = null
    let mutable trainable = trainable
    let mutable writing = 0
    let mutable readers = 0
    let mutable overwritten = false
    // Whether nothing but this cell has ever had the memory of the current version.
    let mutable owned = false
    // Memory of an older version that nothing else has had.
    let mutable spare: Value = null
    let mutable current: Node = null
    let dependents = List<WeakReference<Retention>>()
    let mutable purgeAt = 8

    // The gate is held: waits until no run is writing over the current version.
    let settled () =
        while overwritten do
            Gate.wait ()

    member val Name = name with get, set

    /// Whether it was made trainable.
    member val IsParameter = trainable

    /// The public object that stands for this state.
    member val Face: obj = null with get, set

    /// The accumulated gradient, perhaps pending; null for none.
    member val Gradient: Node = null with get, set

    /// The loss nodes that pending gradients come from, evaluated together with them.
    member val GradientOrigin: Node = null with get, set

    member _.Shape = value.Shape
    member _.DType = value.DType
    member _.Version = version

    member _.Trainable
        with get () = trainable
        and set on =
            lock Gate.instance (fun () ->
                if trainable <> on then
                    trainable <- on

                    // Expressions of the version may be about: its memory is no longer the cell's alone.
                    if not (isNull leaf) then
                        owned <- false

                    leaf <- null)

    /// The current value; immutable, as every value.
    member _.Value = value

    /// The leaf of the current version. Reading denotes this version whatever is written later.
    member this.Leaf =
        lock Gate.instance (fun () ->
            settled ()

            if isNull leaf then
                leaf <-
                    Node.MakeLeaf(
                        Leaves.valuePrimitive,
                        0L,
                        CellVersion(this, version),
                        value.Shape,
                        value.DType,
                        value,
                        trainable && value.DType <= ElementType.Float64
                    )

            leaf)

    /// The leaf that stands for whatever version is current when a plan runs. Reading it so is not seen by TryOverwrite, so nobody may hold an
    /// expression of it beyond the run.
    member this.Current =
        lock Gate.instance (fun () ->
            if isNull current then
                current <- Node.MakeLeaf(Leaves.currentPrimitive, 0L, this, value.Shape, value.DType, null, false)

            current)

    /// Notes that an evaluation kept values computed from the current version. The gate is held.
    member _.AddDependent(retention: Retention) =
        dependents.Add retention.Weak

        if dependents.Count >= purgeAt then
            dependents.RemoveAll(fun w -> not (fst (w.TryGetTarget()))) |> ignore
            purgeAt <- max 8 (2 * dependents.Count)

    /// Claims the cell for one writer. Throws CellException if another run is writing it.
    member this.BeginWrite() =
        if Interlocked.CompareExchange(&writing, 1, 0) <> 0 then
            raise (
                CellException(
                    "write",
                    $"one writer at a time for cell '{this.Name}'",
                    "a second run that writes it",
                    Context.Current.Path,
                    "Let one thread update a model, or give each thread a model of its own."
                )
            )

    /// Gives up the claim, and ends what TryOverwrite began, after Commit or where the run failed before it wrote.
    member _.EndWrite() =
        if overwritten then
            lock Gate.instance (fun () ->
                overwritten <- false
                Gate.wake ())

        Volatile.Write(&writing, 0)

    /// Notes that a run starts (1) or ends (-1) that reads the memory of the current version without giving it out. The gate is held.
    member _.Reading(change: int) =
        if change > 0 then
            settled ()

        readers <- readers + change

    /// Whether the next version may be written over the current one, which no expression has read and no run but the caller's is
    /// reading. Whoever reads the cell meanwhile waits, until the run that holds the claim calls EndWrite. The gate is held.
    member _.TryOverwrite() : bool =
        overwritten <- owned && isNull leaf && readers <= 1
        overwritten

    /// Memory for the next version that an older one has left; null if there is none. The caller holds the claim.
    member _.TakeSpare() : Value =
        let taken = spare
        spare <- null
        taken

    /// Replaces the value; the caller has checked shape and type, holds the claim and the gate, and reads no more. `own` says that nothing else
    /// has the memory of the new version.
    member this.Commit(next: Value, own: bool) =
        if owned && isNull leaf && readers = 0 && not (Object.ReferenceEquals(next, value)) then
            value.Forget()
            spare <- value

        next.Forget()
        value <- next
        owned <- own
        leaf <- null
        version <- version + 1L

        for weak in dependents do
            match weak.TryGetTarget() with
            | true, retention -> retention.Release(this.Name, version - 1L)
            | _ -> ()

        dependents.Clear()

    /// Checks a value or expression that is about to be written.
    member this.Check(shape: Shape, dtype: ElementType) =
        let refuse expected got =
            raise (
                CellException(
                    "write",
                    $"{expected} for cell '{this.Name}'",
                    got,
                    Context.Current.Path,
                    "A cell keeps its shape and type; make a new one for another."
                )
            )

        if not (Shapes.same shape value.Shape) then
            refuse $"shape {value.Shape}" (string shape)

        if dtype <> value.DType then
            refuse (Value.NameOf value.DType) (Value.NameOf dtype)

/// What a manual backward gives back: one gradient an input (null for none), parameters' gradients through `Accumulate`.
type internal CallRule = delegate of CallRecord * outputGradients: Node[] * accumulate: Action<CellState, Node> -> Node[]

/// One entry into a layer. Two entries are two Calls, even on the same input.
and [<Sealed; AllowNullLiteral>] internal CallRecord(id: int64, scope: Scope, inputs: Node[], training: bool) =
    static let mutable last = 0L

    member _.Id = id
    member _.Scope = scope
    member _.Path = scope.Path
    member _.Inputs = inputs
    member _.Training = training

    /// The leaves of the cells that the layer declared as its parameters, at the versions that were read.
    member val Parameters: Node[] = [||] with get, set

    /// The backward that the layer's author wrote; null if sweeps always look through the Call.
    member val Rule: CallRule = null with get, set

    /// What the rule is made of, where many Calls share one.
    member val Author: obj = null with get, set

    member val Outputs: Node[] = [||] with get, set
    member val Face: obj = null with get, set

    /// The next identity of a Call.
    static member NextId() = Interlocked.Increment &last

/// Which output of which Call a boundary node is.
[<Sealed; AllowNullLiteral>]
type internal CallOutput(call: CallRecord, index: int) =
    member _.Call = call
    member _.Index = index
