namespace Hybrid.Core

open System
open System.Collections.Generic

/// What a plan is run on: values and numbers by position, and the layer path there, for errors.
[<AbstractClass; AllowNullLiteral>]
type internal Binding() =
    abstract Leaf: position: int -> Value
    abstract Scalar: position: int -> Node
    abstract Path: position: int -> string

    /// The cell whose current version is read at a position; null if it is no cell.
    abstract Cell: position: int -> CellState

    /// Notes for all these cells that a run that reads them starts (1) or ends (-1). The gate is held.
    abstract Reading: change: int -> unit

/// Nodes in evaluation order: every node stands after its inputs. Node i has the operands Operands[Starts[i]] up to
/// Operands[Starts[i + 1] - 1], as positions. The arrays of an order that is used again may be longer than Count says.
[<Sealed; AllowNullLiteral>]
type internal Order() =
    inherit Binding()
    let mutable nodes: Node[] = Array.Empty()
    let mutable starts: int[] = [| 0 |]
    let mutable operands: int[] = Array.Empty()
    let mutable count = 0

    let grown (array: 'T[]) needed =
        if needed < array.Length then
            array
        else
            let larger = Array.zeroCreate (max 64 (2 * needed))
            Array.blit array 0 larger 0 array.Length
            larger

    member _.Nodes = nodes
    member _.Starts = starts
    member _.Operands = operands

    /// The positions of the nodes that were asked for.
    member val Roots: int[] = Array.Empty() with get, set

    member _.Count = count

    /// Gives a node the next position. Its operands, so many, are to be written from the index on that is returned.
    member _.Add(node: Node, arity: int) =
        let first = starts[count]
        nodes <- grown nodes count
        operands <- grown operands (first + arity)
        starts <- grown starts (count + 1)
        nodes[count] <- node
        node.Position <- count
        count <- count + 1
        starts[count] <- first + arity
        first

    /// The same order in arrays of just the size.
    member this.Exact() : Order =
        let exact = Order()
        exact.Copy this
        exact

    member private this.Copy(other: Order) =
        count <- other.Count
        nodes <- Array.sub other.Nodes 0 count
        starts <- Array.sub other.Starts 0 (count + 1)
        operands <- Array.sub other.Operands 0 starts[count]
        this.Roots <- other.Roots

    /// Forgets the nodes.
    member _.Clear() =
        Array.Clear(nodes, 0, count)
        count <- 0

    override this.Leaf position =
        match nodes[position].Value with
        | null -> this.Cell(position).Value
        | value -> value

    override _.Cell position =
        match nodes[position].Payload with
        | :? CellState as cell when isNull nodes[position].Value -> cell
        | _ -> null

    override this.Reading change =
        for i in 0 .. count - 1 do
            match this.Cell i with
            | null -> ()
            | cell -> cell.Reading change

    override _.Scalar position = nodes[position]
    override _.Path position = nodes[position].Path

/// Iterative post-order walks. Marks and scratch are valid for one walk, which holds the gate, so that depth is bounded by memory
/// alone and a walk allocates nothing but its result.
module internal Walk =
    let mutable private epoch = 0
    let mutable private stack: Node[] = Array.zeroCreate 256
    let mutable private next: int[] = Array.zeroCreate 256

    // Scratch that a very large graph needed is not held on to.
    let private most = 65_536

    /// What a walk descends to from a node.
    [<AbstractClass>]
    type Descent() =
        abstract Count: Node -> int
        abstract Child: Node * int -> Node

    // Adds what leads to the roots to an empty order.
    let private find (result: Order) (descent: Descent) (roots: Node[]) =
        lock Gate.instance (fun () ->
            epoch <- epoch + 1
            let now = epoch
            let mutable depth = 0

            let inline push (node: Node) =
                if depth = stack.Length then
                    Array.Resize(&stack, 2 * depth)
                    Array.Resize(&next, 2 * depth)

                node.Mark <- now
                stack[depth] <- node
                next[depth] <- 0
                depth <- depth + 1

            for root in roots do
                if root.Mark <> now then
                    push root

                while depth > 0 do
                    let node = stack[depth - 1]
                    let arity = descent.Count node
                    let child = next[depth - 1]

                    if child < arity then
                        next[depth - 1] <- child + 1
                        let input = descent.Child(node, child)

                        if input.Mark <> now then
                            push input
                    else
                        depth <- depth - 1
                        stack[depth] <- null
                        let first = result.Add(node, arity)

                        for i in 0 .. arity - 1 do
                            result.Operands[first + i] <- descent.Child(node, i).Position

            result.Roots <- roots |> Array.map (fun root -> root.Position)

            if stack.Length > most then
                stack <- Array.zeroCreate 256
                next <- Array.zeroCreate 256)

    /// What leads to the roots, in evaluation order, in memory of this thread that `giveBack` takes again.
    let borrow (descent: Descent) (roots: Node[]) : Order =
        let context = Context.Current

        let result =
            match context.Order with
            | :? Order as scratch -> scratch
            | _ -> Order()

        context.Order <- null
        find result descent roots
        result

    /// Ends the use of a borrowed order.
    let giveBack (order: Order) =
        order.Clear()

        if order.Nodes.Length <= most then
            Context.Current.Order <- order

    /// As `borrow`, in arrays of just the size, to keep.
    let order (descent: Descent) (roots: Node[]) : Order =
        let found = borrow descent roots
        let exact = found.Exact()
        giveBack found
        exact

    /// To all inputs.
    let everything =
        { new Descent() with
            member _.Count node = node.Arity
            member _.Child(node, i) = node.Input i
        }

    /// To what has no value yet: what an evaluation has to run.
    let pending =
        { new Descent() with
            member _.Count node =
                if isNull node.Value then node.Arity else 0

            member _.Child(node, i) = node.Input i
        }

    let private manualCall (cross: Func<CallRecord, bool>) (node: Node) =
        if isNull cross then
            null
        else
            match node.Payload with
            | :? CallOutput as o when not (isNull o.Call.Rule) && cross.Invoke o.Call -> o.Call
            | _ -> null

    /// To what a gradient can flow to. Calls that are crossed by hand are one step, from outputs to inputs and parameters.
    let tracked (cross: Func<CallRecord, bool>) =
        { new Descent() with
            member _.Count node =
                if not node.Tracked then
                    0
                else
                    match manualCall cross node with
                    | null -> node.Arity
                    | call -> call.Inputs.Length + call.Parameters.Length

            member _.Child(node, i) =
                match manualCall cross node with
                | null -> node.Input i
                | call when i < call.Inputs.Length -> call.Inputs[i]
                | call -> call.Parameters[i - call.Inputs.Length]
        }

    /// The Call that a node is an output of and that is crossed by hand; null otherwise.
    let crossed cross node = manualCall cross node
