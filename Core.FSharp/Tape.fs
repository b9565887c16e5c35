namespace Hybrid.Core

open System
open System.Collections.Generic

/// The backward sweep: reverse mode as a fold over the tape in reverse.
module internal Sweep =
    let private plus (a: Node) (b: Node) =
        if isNull a then b
        elif isNull b then a
        else Elementwise.add a b

    let private released (node: Node) (reason: Released) =
        raise (
            TapeException(
                "backward",
                "a tape that is still there",
                $"a value whose tape was released when cell '{reason.Cell}' was written (it had read version {reason.Version})",
                node.Path,
                "Call Backward before the step that writes the cell, or compute the expression again."
            )
        )

    let private compiled (node: Node) (reason: Compiled) =
        raise (
            TapeException(
                "backward",
                "values that gradients can flow through",
                $"a result of a compiled function that {reason.Did}",
                node.Path,
                "Call Backward inside of the compiled function, or call the function itself; Detach makes such a result a plain number."
            )
        )

    /// Crosses Calls by the backward written by hand, and adds what that reports to the gradients by position.
    [<Sealed; AllowNullLiteral>]
    type private Crossing(order: Order, gradients: Node[]) =
        // The Call that is being crossed, and the position that its operands belong to.
        let mutable call: CallRecord = null
        let mutable first = 0

        let add operand (g: Node) =
            let position = order.Operands[order.Starts[first] + operand]
            gradients[position] <- plus gradients[position] g

        let accumulate =
            Action<CellState, Node>(fun cell g ->
                let mutable index = call.Parameters.Length - 1

                while index >= 0
                      && not (Object.ReferenceEquals((call.Parameters[index].Payload :?> CellVersion).Cell, cell)) do
                    index <- index - 1

                if index < 0 then
                    raise (
                        CellException(
                            "Accumulate",
                            "a parameter of the layer",
                            $"cell '{cell.Name}', which the Call of {call.Path} does not list",
                            call.Path,
                            "Return every parameter of the layer from Parameters()."
                        )
                    )

                add (call.Inputs.Length + index) g)

        member _.Cross(position: int, crossed: CallRecord, outputGradients: Node[]) =
            call <- crossed
            first <- position
            let inputs = call.Inputs.Length
            let results = call.Rule.Invoke(call, outputGradients, accumulate)

            if results.Length <> inputs then
                raise (
                    ShapeException(
                        "manual backward",
                        $"one gradient for each of the {inputs} inputs of {call.Path}",
                        $"{results.Length}",
                        call.Path,
                        "Return null for an input that has no gradient."
                    )
                )

            for i in 0 .. inputs - 1 do
                if not (isNull results[i]) then
                    add i results[i]

    /// The gradients of `seeds` (position and cotangent) by position. `cross` says which Calls are taken by hand; null: none.
    /// `needed` says which gradients are wanted, and afterwards which were needed for them.
    let run (order: Order) (cross: Func<CallRecord, bool>) (needed: bool[]) (seeds: struct (int * Node)[]) : Node[] =
        let context = Context.Current
        let scope = context.Scope
        let nodes, starts, operands = order.Nodes, order.Starts, order.Operands
        let gradients = Array.zeroCreate<Node> order.Count
        let crossing = if isNull cross then null else Crossing(order, gradients)

        // A Call of several outputs is crossed once all that use them have been, which is at its first; the gradients that have come by then.
        let mutable calls: Dictionary<CallRecord, struct (int * Node[])> = null

        for i in 0 .. order.Count - 1 do
            for k in starts[i] .. starts[i + 1] - 1 do
                needed[i] <- needed[i] || needed[operands[k]]

            match Walk.crossed cross nodes[i] with
            | null -> ()
            | call when call.Outputs.Length = 1 -> ()
            | call ->
                if isNull calls then
                    calls <- Dictionary HashIdentity.Reference

                calls.TryAdd(call, struct (i, Array.zeroCreate call.Outputs.Length)) |> ignore

            match nodes[i].Payload with
            | :? Released as reason when nodes[i].Tracked -> released nodes[i] reason
            | :? Compiled as reason when nodes[i].Tracked -> compiled nodes[i] reason
            | _ -> ()

        for struct (position, g) in seeds do
            gradients[position] <- plus gradients[position] g

        let several = calls

        let crossCall i (call: CallRecord) (g: Node) =
            let struct (first, all) =
                if call.Outputs.Length = 1 then
                    struct (i, [| g |])
                else
                    several[call]

            all[(nodes[i].Payload :?> CallOutput).Index] <- g

            if first = i && needed[i] && not (Array.forall isNull all) then
                context.Scope <- call.Scope
                crossing.Cross(i, call, all)

        try
            for i in order.Count - 1 .. -1 .. 0 do
                let node, g = nodes[i], gradients[i]

                match Walk.crossed cross node with
                | null ->
                    if not (isNull g) then
                        context.Scope <- node.Scope

                        for k in starts[i] .. starts[i + 1] - 1 do
                            if needed[operands[k]] then
                                let part = node.Primitive.Vjp.Invoke(node, k - starts[i], g)
                                gradients[operands[k]] <- plus gradients[operands[k]] part
                | call -> crossCall i call g
        finally
            context.Scope <- scope

        gradients

    /// The gradients of a result with respect to given nodes; null where none flows. `cotangent` has the result's shape.
    let withRespectTo (cross: Func<CallRecord, bool>) (result: Node) (cotangent: Node) (targets: Node[]) : Node[] =
        lock Gate.instance (fun () ->
            let order = Walk.order (Walk.tracked cross) [| result |]
            let position = Dictionary<Node, int>(HashIdentity.Reference)
            order.Nodes |> Array.iteri (fun i n -> position[n] <- i)
            let needed = Array.zeroCreate<bool> order.Count

            for t in targets do
                match position.TryGetValue t with
                | true, i -> needed[i] <- true
                | _ -> ()

            let gradients = run order cross needed [| struct (order.Roots[0], cotangent) |]

            targets
            |> Array.map (fun t ->
                match position.TryGetValue t with
                | true, i -> gradients[i]
                | _ -> null))

    /// The trainable cells that a result was computed from, with the gradient of each.
    let withRespectToCells (cross: Func<CallRecord, bool>) (result: Node) (cotangent: Node) : List<struct (CellState * Node)> =
        lock Gate.instance (fun () ->
            let order = Walk.borrow (Walk.tracked cross) [| result |]

            let cellOf (n: Node) =
                match n.Payload with
                | :? CellVersion as v when n.Tracked -> v.Cell
                | _ -> null

            let needed = Array.zeroCreate<bool> order.Count

            for i in 0 .. order.Count - 1 do
                needed[i] <- not (isNull (cellOf order.Nodes[i]))

            try
                let gradients = run order cross needed [| struct (order.Roots[0], cotangent) |]
                let found = List<struct (CellState * Node)>()

                for i in 0 .. order.Count - 1 do
                    match cellOf order.Nodes[i] with
                    | null -> ()
                    | _ when isNull gradients[i] -> ()
                    | cell -> found.Add(struct (cell, gradients[i]))

                found
            finally
                Walk.giveBack order)
