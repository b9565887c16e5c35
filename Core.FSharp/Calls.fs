namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Collections.Immutable
open System.Runtime.InteropServices
open System.Text

/// A backward written by hand: from the Call and the gradients of its outputs (null where none flows) to the gradients of its inputs
/// (null for none). Parameters' gradients are reported by `Cell.Accumulate`.
type CustomRule = delegate of call: Call * outputGradients: Tensor[] -> Tensor[]

/// One entry into a layer: what went in, what came out, which parameters and mode. Two entries are two Calls.
and [<Sealed; AllowNullLiteral>] Call internal (record: CallRecord, given: Tensor[]) =
    let frozen (items: 'T[]) =
        ImmutableCollectionsMarshal.AsImmutableArray items

    let tensors (nodes: Node[]) = nodes |> Array.map Tensor.Of |> frozen

    let mutable outputs = ImmutableArray<Tensor>()

    static let custom =
        CallRule(fun record outputGradients accumulate ->
            let context = Context.Current
            let before = context.Sink
            context.Sink <- accumulate

            try
                let gradients =
                    outputGradients |> Array.map (fun g -> if isNull g then null else Tensor.Of g)

                (record.Author :?> CustomRule).Invoke(record.Face :?> Call, gradients)
                |> Array.map (fun t -> if isNull t then null else t.Node)
            finally
                context.Sink <- before)

    member internal _.Record = record

    /// A number that no other Call of this process has.
    member _.Id = record.Id

    /// The layer path, such as `net/2:Conv2d`.
    member _.Path = record.Path

    /// What went in: the very tensors that the layer was given.
    member _.Inputs: ImmutableArray<Tensor> = frozen given

    /// What came out: the same tensors at each reading.
    member _.Outputs: ImmutableArray<Tensor> =
        if outputs.IsDefaultOrEmpty then
            outputs <- tensors record.Outputs

        outputs

    /// The cells that the layer declared as its own, as they were when it was entered.
    member _.Parameters: ImmutableArray<Cell> =
        record.Parameters
        |> Array.map (fun n -> Cell.Of (n.Payload :?> CellVersion).Cell)
        |> frozen

    /// The values of the parameters that the Call used, in the order of `Parameters`.
    member _.ParameterValues: ImmutableArray<Tensor> = tensors record.Parameters

    /// Whether training mode was in force.
    member _.IsTraining = record.Training

    /// Whether there is a backward written by hand.
    member _.HasRule = not (isNull record.Rule)

    /// What the layer keeps for its own backward, such as its children's Calls.
    member val Saved: obj = null with get, set

    /// Enters a layer: runs `forward` under the layer's name and records inputs, outputs and parameters. `rule` is the backward
    /// written by hand, or null.
    static member Enter
        (name: string, inputs: Tensor[], parameters: IReadOnlyList<Cell>, forward: Func<Call, Tensor[], Tensor[]>, rule: CustomRule)
        : Call =
        let context = Context.Current
        let before = context.Scope
        let scope = Scope(name, before)

        let record =
            CallRecord(CallRecord.NextId(), scope, inputs |> Array.map (fun t -> t.Node), context.Training)

        let call = Call(record, Arrays.copy inputs)
        record.Face <- call

        if not (isNull rule) then
            record.Rule <- custom
            record.Author <- rule

        context.Scope <- scope

        try
            let versions =
                if parameters.Count = 0 then
                    Array.Empty()
                else
                    Array.zeroCreate<Node> parameters.Count

            for i in 0 .. versions.Length - 1 do
                versions[i] <- CellAccess.read parameters[i].State

            record.Parameters <- versions
            let results = forward.Invoke(call, inputs)
            let boundaries = Array.zeroCreate<Node> results.Length

            for i in 0 .. boundaries.Length - 1 do
                boundaries[i] <- Node.MakeBoundary(Leaves.outputPrimitive, CallOutput(record, i), results[i].Node, false)

            record.Outputs <- boundaries
        finally
            context.Scope <- before

        call

    /// Runs the backward written by hand. Parameters' gradients go to `accumulate`; if it is null, to where `Cell.Accumulate` puts them:
    /// the sweep that is under way, or else the cells' own `Grad`.
    /// Throws TapeException if the Call has none.
    member this.Backward(outputGradients: Tensor[], accumulate: Action<Cell, Tensor>) : Tensor[] =
        if isNull record.Rule then
            raise (
                TapeException(
                    "manual backward",
                    "a layer with a backward written by hand",
                    $"{record.Path}, which has none",
                    record.Path,
                    "Give the layer a backward, or use the automatic path."
                )
            )

        let context = Context.Current
        let scope = context.Scope
        let outer = context.Sink
        context.Scope <- record.Scope

        try
            record.Rule.Invoke(
                record,
                outputGradients |> Array.map (fun t -> if isNull t then null else t.Node),
                Action<CellState, Node>(fun cell g ->
                    if not (isNull accumulate) then
                        accumulate.Invoke(Cell.Of cell, Tensor.Of g)
                    else
                        match outer with
                        | :? Action<CellState, Node> as sink -> sink.Invoke(cell, g)
                        | _ -> CellAccess.accumulate cell g null)
            )
            |> Array.map (fun n -> if isNull n then null else Tensor.Of n)
        finally
            context.Scope <- scope

    /// Identity, path and shapes.
    override _.ToString() =
        let shapes (nodes: Node[]) =
            String.Join(", ", nodes |> Array.map (fun n -> string n.Shape))

        $"Call {record.Path}: {shapes record.Inputs} -> {shapes record.Outputs}"

/// The gradients that one sweep found. Immutable.
[<Sealed>]
type Gradients internal (cells: Dictionary<CellState, Node>, tensors: Dictionary<Node, Node>) =
    /// The gradient of a cell; null if none flows to it.
    member _.Item
        with get (cell: Cell): Tensor =
            match cells.TryGetValue cell.State with
            | true, g -> Tensor.Of g
            | _ -> null

    /// The gradient of a tensor on the tape; null if none flows to it.
    member _.Item
        with get (tensor: Tensor): Tensor =
            match tensors.TryGetValue tensor.Node with
            | true, g -> Tensor.Of g
            | _ -> null

    /// The cells that a gradient flows to.
    member _.Cells = cells.Keys |> Seq.map Cell.Of |> Array.ofSeq

/// What leads to a result, in evaluation order: a value that can be printed, stepped through and swept backward. Sweeping twice gives the
/// same gradients and touches nothing.
[<Sealed>]
type Tape private (result: Node) =
    let order = Walk.order (Walk.tracked null) [| result |]

    let calls () =
        order.Nodes
        |> Array.choose (fun n ->
            match n.Payload with
            | :? CallOutput as o -> Some(o.Call.Face :?> Call)
            | _ -> None)
        |> Array.distinctBy (fun c -> c.Id)

    /// The tape of a result.
    static member Of(result: Tensor) = Tape result.Node

    /// The number of operations and inputs that a gradient can flow through.
    member _.Count = order.Count

    /// The tensors on the tape, every one after what it was computed from.
    member _.Tensors = order.Nodes |> Array.map Tensor.Of

    /// The Calls on the tape, in the order of their first output.
    member _.Calls = calls ()

    /// The gradients of the result, multiplied by `cotangent` (ones if null), for every tensor and cell on the tape. `manual` says
    /// which Calls are crossed by their backward written by hand; null: none.
    member _.Sweep(cotangent: Tensor, manual: Func<Call, bool>) : Gradients =
        let cotangent =
            if isNull cotangent then
                Elementwise.constantLike result 1.0
            else
                cotangent.Node

        if not (Shapes.same cotangent.Shape result.Shape) then
            raise (
                ShapeException(
                    "sweep",
                    $"a cotangent of shape {result.Shape}, as the result has",
                    string cotangent.Shape,
                    result.Path,
                    "A cotangent has the shape of the result."
                )
            )

        // Asked for each Call before the walk, which nothing may interrupt.
        let cross =
            if isNull manual then
                null
            else
                let crossed =
                    HashSet<CallRecord>(calls () |> Seq.filter manual.Invoke |> Seq.map (fun c -> c.Record), HashIdentity.Reference)

                Func<CallRecord, bool>(crossed.Contains)

        lock Gate.instance (fun () ->
            let order = Walk.order (Walk.tracked cross) [| result |]

            let gradients =
                Sweep.run order cross (Array.create order.Count true) [| struct (order.Roots[0], cotangent) |]

            let cells = Dictionary<CellState, Node>(HashIdentity.Reference)
            let tensors = Dictionary<Node, Node>(HashIdentity.Reference)

            for i in 0 .. order.Count - 1 do
                if not (isNull gradients[i]) then
                    tensors[order.Nodes[i]] <- gradients[i]

                    match order.Nodes[i].Payload with
                    | :? CellVersion as v when order.Nodes[i].Tracked ->
                        cells[v.Cell] <-
                            match cells.TryGetValue v.Cell with
                            | true, before -> Elementwise.add before gradients[i]
                            | _ -> gradients[i]
                    | _ -> ()

            Gradients(cells, tensors))

    /// One line an operation: number, name, shape, operands and layer.
    override _.ToString() =
        let text = StringBuilder()

        for i in 0 .. order.Count - 1 do
            let n = order.Nodes[i]

            let operands =
                String.Join(
                    ", ",
                    [
                        for k in order.Starts[i] .. order.Starts[i + 1] - 1 -> $"#{order.Operands[k]}"
                    ]
                )

            let name =
                match n.Payload with
                | :? CellVersion as v -> $"cell {v.Cell.Name} version {v.Version}"
                | :? CallOutput as o -> $"output {o.Index} of {o.Call.Path}"
                | _ -> n.Primitive.Name

            let place = if n.Path = "" then "" else $" in {n.Path}"

            text.Append($"#{i} {name}({operands}) {n.Shape} {Value.NameOf n.DType}{place}\n")
            |> ignore

        text.ToString()
