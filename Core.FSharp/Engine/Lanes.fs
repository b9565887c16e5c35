/// Networks of convolutions keep their images side by side, one in each lane of a register, from the first convolution to the last. This pass
/// makes groups of the nodes that `LaneSeats` puts together: each group is one node, which takes block after block of images through all of its
/// operations.
module internal Hybrid.Core.Lanes

open System
open System.Collections.Generic
open Hybrid.Kernels
open Hybrid.Core.Primitive
open Hybrid.Core.LaneRules
open Hybrid.Core.LaneSeats

// ---- groups -----------------------------------------------------------------------------------------------------------

/// The shape of a block of a tensor [batch, ...].
let private blockOf lanes (shape: Shape) =
    Shape(Array.append (Array.tail shape.Raw) [| lanes |])

/// A range of a group's memory as a tensor.
let private part (group: Node) (offset: int64) (shape: Shape) (dtype: ElementType) =
    let start = offset / int64 (dtype.Size())

    let p =
        { define "part" Family.Move 1 with
            Shape = ShapeRule(fun _ -> shape)
            Type = TypeRule(fun _ -> dtype)
            View = ViewRule(fun _ layout -> Layout(shape, Shapes.strides shape, layout.Offset * 8L / int64 (dtype.Size()) + start))
        }

    Node.Make(p, 0L, null, group, null, null)

/// A group in the making: the nodes for one block, and what goes in and out. `finished` gives a node of the outer graph as it will be.
[<Sealed>]
type private Builder(seat: Seat, finished: Node -> Node, origin: Dictionary<Node, int>) =
    let lanes = seat.Lanes
    let blocks = Dictionary<Node, Node>(HashIdentity.Reference)
    let inputs = List<Node>()
    let sources = List<LaneSource>()
    let leaves = List<Node>()
    let known = Dictionary<struct (Node * LaneInput), Node>()
    let weights = Dictionary<Node, Node>(HashIdentity.Reference)

    let source (outer: Node) kind (shape: Shape) dtype elements =
        match known.TryGetValue(struct (outer, kind)) with
        | true, leaf -> leaf
        | _ ->
            let leaf =
                Node.MakeLeaf(Leaves.placeholderPrimitive, int64 leaves.Count, null, shape, dtype, null, false)

            sources.Add
                {
                    Kind = kind
                    Slot = inputs.Count
                    Size = dtype.Size()
                    Elements = elements
                }

            if not (isNull outer) then
                inputs.Add outer

            leaves.Add leaf
            known[struct (outer, kind)] <- leaf
            leaf

    let perImage (outer: Node) kind (shape: Shape) =
        source outer kind (blockOf lanes shape) outer.DType (shape.Size / int64 shape[0])

    let shared (outer: Node) =
        if Object.ReferenceEquals(outer.Primitive, Leaves.constantPrimitive) then
            Leaves.constant outer.DType (Leaves.number outer)
        else
            source outer LaneInput.Shared outer.Shape outer.DType 0L

    // What is repeated for every image is repeated for every block.
    let repeated (x: Node) =
        let a = x.A

        let dims =
            if a.Shape.Rank = x.Shape.Rank then
                Array.tail a.Shape.Raw
            else
                a.Shape.Raw

        let leaf = shared (finished a)
        let shape = blockOf lanes x.Shape

        if a.Shape.Rank = 0 then
            Moves.broadcastTo shape leaf
        else
            Moves.reshape (Array.append dims [| 1 |]) leaf |> Moves.broadcastTo shape

    // A tensor of the outer graph that has no blocks yet.
    let rec packed (x: Node) =
        if
            x.Primitive.Name = "broadcastTo"
            && (x.A.Shape.Rank < x.Shape.Rank || x.A.Shape[0] <> x.Shape[0])
        then
            repeated x
        elif x.Primitive.Name = "broadcastTo" then
            packed x.A |> Moves.broadcastTo (blockOf lanes x.Shape)
        else
            perImage (finished x) LaneInput.Packed x.Shape

    /// The block of a node that the group computes.
    member _.Item
        with get n = blocks[n]
        and set n (block: Node) = blocks[n] <- block

    member _.Holds n = blocks.ContainsKey n

    /// The block of a tensor outside of the group; `kept` if another group keeps it in blocks.
    member _.Take(x: Node, kept: Node) =
        if isNull kept then
            packed x
        else
            source kept LaneInput.Kept (blockOf lanes x.Shape) x.DType (x.Shape.Size / int64 x.Shape[0])

    /// A tensor outside of the group that is the same for every image.
    member _.Shared(x: Node) = shared (finished x)

    member _.Images() =
        source null LaneInput.Images Shape.Scalar ElementType.Int32 0L

    member _.Weights (n: Node) (tensor: Node) (kernel: LaneConvolution) =
        match weights.TryGetValue n with
        | true, laid -> laid
        | _ ->
            let size = kernel.WeightBytes / int64 (n.DType.Size())

            let laid =
                operation "convWeights" (Shape [| int size |]) n.DType [ finished tensor ] (fun o -> kernel.PackWeights(o.Output, o.Inputs[0]))

            standsFor origin n laid
            weights[n] <- source laid LaneInput.Shared laid.Shape laid.DType 0L
            weights[n]

    /// The group's node and, for each result, its parts: kept in blocks, and plain; null where it is not wanted.
    member _.Close(lay: Order -> Node[] -> Plan, results: struct (Node * bool * bool)[]) : struct (Node * Node)[] =
        let mutable size = 0L

        let reserve (bytes: int64) =
            let at = size
            size <- (size + bytes + 63L) &&& ~~~63L
            at

        let count = (seat.Batch + lanes - 1) / lanes

        let groups = (count + LaneContraction.GroupBlocks - 1) / LaneContraction.GroupBlocks

        // Looked at under another shape, a block is the same memory.
        let rec bare (block: Node) =
            if block.Primitive.Name = "reshape" && block.A.Arity > 0 then
                bare block.A
            else
                block

        let roots = results |> Array.map (fun (struct (n, _, _)) -> bare blocks[n])
        let order = Walk.order Walk.everything (leaves.ToArray())
        let plan = lay order roots

        let result number =
            let all =
                [
                    for i in 0 .. results.Length - 1 do
                        if plan.Results[i] = number then
                            results[i]
                ]

            let struct (n, _, _) = all.Head
            let bytes = n.DType.Size() |> int64
            let contraction = contraction n

            let elements =
                if not (isNull contraction) then
                    n.Shape.Size
                else
                    n.Shape.Size / int64 n.Shape[0]

            let kept = all |> List.exists (fun (struct (_, kept, _)) -> kept)
            let plain = all |> List.exists (fun (struct (_, _, plain)) -> plain)

            {
                Size = n.DType.Size()
                Elements = elements
                Kept =
                    if kept then
                        reserve (int64 (count * lanes) * elements * bytes)
                    else
                        -1L
                Plain = if plain then reserve (n.Shape.Size * bytes) else -1L
                Contraction = contraction
                Partials =
                    if isNull contraction then
                        -1L
                    else
                        reserve (int64 groups * elements * bytes)
            }

        let kinds = Array.init plan.Outputs.Length result
        let steps = plan.Steps |> Seq.map (fun s -> s.Name) |> String.concat " "

        let multiplyAdds = blocks.Keys |> Seq.sumBy Cost.multiplyAdds

        let group =
            LaneGroup(plan, seat.Batch, lanes, sources.ToArray(), kinds, multiplyAdds)

        let node =
            step $"{lanes} lanes ({steps})" (Shape [| int (size / 8L) |]) ElementType.Float64 (List.ofSeq inputs) group

        let parts i =
            let struct (n, kept, plain) = results[i]
            let at = kinds[plan.Results[i]]
            let keptShape = Shape [| count * lanes * int at.Elements |]

            struct ((if kept then part node at.Kept keptShape n.DType else null), (if plain then part node at.Plain n.Shape n.DType else null))

        let struct (first, _, _) = results[0]
        standsFor origin first node
        Array.init results.Length parts

// ---- the pass ---------------------------------------------------------------------------------------------------------

/// The roots of a graph in which groups of blocks stand for the nodes that could be grouped. `lay` makes the plan for a block; `origin` learns which position
/// new nodes stand for.
let apply (lay: Order -> Node[] -> Plan) (origin: Dictionary<Node, int>) (roots: Node[]) : Node[] =
    let struct (work, seats) = seated origin roots

    if seats |> Array.forall (fun s -> s.Lanes = 0) then
        work.Roots |> Array.map (fun root -> work.Nodes[root])
    else
        let struct (kept, plain) = wants work seats
        let outer = Array.zeroCreate<Node> work.Count
        let blocks = Array.zeroCreate<Node> work.Count
        let position = Dictionary<Node, int>(HashIdentity.Reference)
        let uses = Array.zeroCreate<int> work.Count

        for p in Array.append work.Operands work.Roots do
            uses[p] <- uses[p] + 1

        for i in 0 .. work.Count - 1 do
            position[work.Nodes[i]] <- i

        let remake i =
            let n = work.Nodes[i]

            outer[i] <- withInputs origin n (Array.init n.Arity (fun k -> outer[work.Operands[work.Starts[i] + k]]))

        let build (seat: Seat) (members: int[]) =
            let builder = Builder(seat, (fun n -> outer[position[n]]), origin)

            for i in members do
                let n = work.Nodes[i]
                let rule = (ruleOf n).Value

                let take (n: Node) k =
                    let x = n.Input k

                    if builder.Holds x then
                        builder[x]
                    else
                        let p = position[x]

                        builder.Take(
                            x,
                            (if passes seats[p] seat (ruleOf n).Value k then
                                 blocks[p]
                             else
                                 null)
                        )

                let site =
                    {
                        Node = n
                        BlockOf = take
                        Images = builder.Images
                        Weights = (fun n tensor kernel -> builder.Weights n tensor kernel)
                        Shared = builder.Shared
                        Holds = builder.Holds
                        Absorbs = fun x -> builder.Holds x && uses[position[x]] = 1
                        Shape =
                            if seats[i].Closes then
                                Shape [| int n.Shape.Size; seat.Lanes |]
                            else
                                blockOf seat.Lanes n.Shape
                    }

                builder[n] <- rule.Build site n

            let wanted = members |> Array.filter (fun i -> kept[i] || plain[i])

            let parts =
                builder.Close(lay, wanted |> Array.map (fun i -> struct (work.Nodes[i], kept[i], plain[i])))

            for i in 0 .. wanted.Length - 1 do
                let struct (inBlocks, asTensor) = parts[i]
                blocks[wanted[i]] <- inBlocks
                outer[wanted[i]] <- asTensor

        let levels = seats |> Seq.map (fun s -> s.Level) |> Seq.max

        for level in 0..levels do
            let here =
                [| 0 .. work.Count - 1 |] |> Array.filter (fun i -> seats[i].Level = level)

            for i in here do
                if seats[i].Lanes = 0 then
                    remake i

            for (batch, lanes), members in
                here
                |> Array.filter (fun i -> seats[i].Lanes > 0)
                |> Array.groupBy (fun i -> seats[i].Batch, seats[i].Lanes) do
                build
                    { seats[members[0]] with
                        Batch = batch
                        Lanes = lanes
                    }
                    members

        work.Roots |> Array.map (fun root -> outer[root])
