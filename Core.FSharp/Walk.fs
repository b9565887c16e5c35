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

        if count >= nodes.Length then
            nodes <- grown nodes count

        if first + arity > operands.Length then
            operands <- grown operands (first + arity)

        if count + 1 >= starts.Length then
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

    override _.Scalar position = nodes[position]
    override _.Path position = nodes[position].Path

/// Iterative post-order walks. Marks and scratch are valid for one walk, which holds the gate, so that depth is bounded by memory
/// alone and a walk allocates nothing but its result.
module internal Walk =
    // A node whose operands are being visited: how many there are, and which comes next.
    [<Struct>]
    type private Frame =
        {
            mutable Node: Node
            mutable Arity: int
            mutable Next: int
        }

    let mutable private epoch = 0
    let mutable private frames: Frame[] = Array.zeroCreate 256

    // Scratch that a very large graph needed is not held on to.
    let private most = 65_536

    /// What a walk descends to from a node: always the same, and found without another walk. The JIT makes a walk of its own for each struct, with these
    /// methods in place.
    type Descent =
        abstract Count: Node -> int
        abstract Child: Node * int -> Node

    // Adds what leads to a root to an order. The gate is held.
    let private follow (result: Order) (descent: 'D :> Descent) now (root: Node) =
        let mutable stack = frames
        let mutable depth = 0
        let mutable arrived = root

        while depth > 0 || not (isNull arrived) do
            if isNull arrived then
                let top = &stack[depth - 1]

                if top.Next < top.Arity then
                    arrived <- descent.Child(top.Node, top.Next)
                    top.Next <- top.Next + 1
                else
                    let first = result.Add(top.Node, top.Arity)
                    let operands = result.Operands

                    for i in 0 .. top.Arity - 1 do
                        operands[first + i] <- descent.Child(top.Node, i).Position

                    top.Node <- null
                    depth <- depth - 1
            else
                let node = arrived
                arrived <- null

                if node.Mark <> now then
                    node.Mark <- now
                    let arity = descent.Count node

                    if arity = 0 then
                        result.Add(node, 0) |> ignore
                    else
                        if depth = stack.Length then
                            Array.Resize(&stack, 2 * depth)
                            frames <- stack

                        stack[depth] <- { Node = node; Arity = arity; Next = 0 }
                        depth <- depth + 1

    // Adds what leads to the roots to an empty order.
    let private find (result: Order) (descent: 'D :> Descent) (roots: Node[]) =
        lock Gate.instance (fun () ->
            epoch <- epoch + 1

            for root in roots do
                follow result descent epoch root

            result.Roots <- roots |> Array.map (fun root -> root.Position)

            if frames.Length > most then
                frames <- Array.zeroCreate 256)

    /// What leads to the roots, in evaluation order, in memory of this thread that `giveBack` takes again.
    let borrow (descent: 'D :> Descent) (roots: Node[]) : Order =
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
    let order (descent: 'D :> Descent) (roots: Node[]) : Order =
        let found = borrow descent roots
        let exact = found.Exact()
        giveBack found
        exact

    [<Struct>]
    type Everything =
        interface Descent with
            member _.Count node = node.Arity
            member _.Child(node, i) = node.Input i

    /// To all inputs.
    let everything = Everything()

    [<Struct>]
    type Pending =
        interface Descent with
            member _.Count node =
                if isNull node.Value then node.Arity else 0

            member _.Child(node, i) = node.Input i

    /// To what has no value yet: what an evaluation has to run.
    let pending = Pending()

    let private manualCall (cross: Func<CallRecord, bool>) (node: Node) =
        if isNull cross then
            null
        else
            match node.Payload with
            | :? CallOutput as o when not (isNull o.Call.Rule) && cross.Invoke o.Call -> o.Call
            | _ -> null

    [<Struct>]
    type Tracked(cross: Func<CallRecord, bool>) =
        interface Descent with
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

    /// To what a gradient can flow to. Calls that are crossed by hand are one step, from outputs to inputs and parameters.
    let tracked (cross: Func<CallRecord, bool>) = Tracked cross

    /// The Call that a node is an output of and that is crossed by hand; null otherwise.
    let crossed cross node = manualCall cross node
