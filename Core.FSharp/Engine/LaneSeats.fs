/// Where the nodes of a graph are computed: which of them in blocks of images side by side, in which group, and in which of two forms where blocks have a
/// quicker one.
module internal Hybrid.Core.LaneSeats

open System
open System.Collections.Generic
open Hybrid.Core.LaneRules

/// Where a node is computed. Nodes of one `Level`, batch and number of lanes are one group: what leads from a group to another through nodes outside raises the level.
[<Struct>]
type Seat =
    {
        Level: int
        Batch: int
        /// 0 for nodes outside of groups.
        Lanes: int
        /// Computed in a group from blocks, but itself no tensor of blocks.
        Closes: bool
    }

// Whether a node sums over images.
let private closes (n: Node) =
    n.Primitive.Name = "conv2dWeight" || n.Primitive.Name = "conv2dOverImages"

let isBlocks (s: Seat) = s.Lanes > 0 && not s.Closes

/// Whether a node in one seat takes what another seat holds block by block.
let passes (from: Seat) (into: Seat) (rule: Rule) k =
    isBlocks from
    && from.Lanes = into.Lanes
    && from.Batch = into.Batch
    && rule.Shared &&& (1 <<< k) = 0

let private seatOf (work: Order) (seats: Seat[]) i =
    let n = work.Nodes[i]
    let inputs = Array.init n.Arity (fun k -> seats[work.Operands[work.Starts[i] + k]])
    let rule = ruleOf n

    let plain =
        {
            Level = 0
            Batch = 0
            Lanes = 0
            Closes = false
        }

    // The tensor of blocks that the node goes on with, or the blocks that it starts.
    let seat =
        match rule with
        | ValueSome r when r.Starts && r.Fits n (lanesOf n) ->
            { plain with
                Batch = batchOf n
                Lanes = lanesOf n
                Closes = closes n
            }
        | ValueSome r when not r.Starts ->
            match inputs |> Array.tryFind isBlocks with
            | Some s when r.Fits n s.Lanes ->
                { plain with
                    Batch = s.Batch
                    Lanes = s.Lanes
                }
            | _ -> plain
        | _ -> plain

    let level k (from: Seat) =
        if from.Lanes = 0 then
            from.Level
        elif seat.Lanes > 0 && passes from seat rule.Value k then
            from.Level
        else
            from.Level + 1

    { seat with
        Level = Seq.append [ 0 ] (inputs |> Seq.mapi level) |> Seq.max
    }

/// The seat of every node; none where there is nothing to start from.
let private seatsOf (work: Order) =
    // Not even the table of rules is made for graphs that have no use for it.
    let seats =
        Array.zeroCreate<Seat>(
            if work.Nodes |> Array.exists (fun n -> Convolutions.isConvolution n || closes n) then
                work.Count
            else
                0
        )

    for i in 0 .. seats.Length - 1 do
        seats[i] <- seatOf work seats i

    seats

/// Which of a group's results are wanted, and how: kept in blocks for other groups, or as a plain tensor.
let wants (work: Order) (seats: Seat[]) =
    let kept = Array.zeroCreate<bool> work.Count
    let plain = Array.zeroCreate<bool> work.Count

    for i in 0 .. work.Count - 1 do
        let n, seat = work.Nodes[i], seats[i]

        for k in 0 .. n.Arity - 1 do
            let p = work.Operands[work.Starts[i] + k]

            if seats[p].Lanes > 0 then
                if seat.Lanes > 0 && passes seats[p] seat (ruleOf n).Value k then
                    kept[p] <- kept[p] || seats[p].Level <> seat.Level
                else
                    plain[p] <- true

    for root in work.Roots do
        plain[root] <- plain[root] || seats[root].Lanes > 0

    struct (kept, plain)

// ---- forms that blocks have alone -----------------------------------------------------------------------------------------

/// A new node stands for the same position as the one that it was made for.
let standsFor (origin: Dictionary<Node, int>) (n: Node) (made: Node) =
    match origin.TryGetValue n with
    | true, position -> origin[made] <- position
    | _ -> ()

/// A node with other inputs, if they are others.
let withInputs (origin: Dictionary<Node, int>) (n: Node) (inputs: Node[]) =
    if n.EveryInput(fun k -> Object.ReferenceEquals(inputs[k], n.Input k)) then
        n
    else
        let made = Node.Remake(n, inputs)
        standsFor origin n made
        made

// The roots of a graph in which other nodes stand for some; `better` is given a node's position and the node with its inputs replaced, and gives null to keep it.
let private replaced (origin: Dictionary<Node, int>) (work: Order) (better: int -> Node -> Node) =
    let made = Array.zeroCreate<Node> work.Count

    for i in 0 .. work.Count - 1 do
        let n = work.Nodes[i]

        let copy =
            withInputs origin n (Array.init n.Arity (fun k -> made[work.Operands[work.Starts[i] + k]]))

        made[i] <-
            match better i copy with
            | null -> copy
            | other ->
                standsFor origin n other
                other

    work.Roots |> Array.map (fun root -> made[root])

// The roots of a graph in which convolutions that sum over images say so.
let private overImages (origin: Dictionary<Node, int>) (roots: Node[]) =
    let work = Walk.order Walk.everything roots

    if work.Nodes |> Array.forall (fun n -> isNull (LaneRules.overImages n)) then
        roots
    else
        replaced origin work (fun _ n -> LaneRules.overImages n)

// The roots of a graph in which pooling leaves positions out that a rectifier holds back, where nothing but pooling and gradients behind the rectifier asks for
// them: masks and choices are not computed then. Null where there is none.
let private rectified (origin: Dictionary<Node, int>) (work: Order) (seats: Seat[]) =
    let candidates =
        Array.init work.Count (fun i -> work.Nodes[i].Primitive.Name = "maxPositions" && isBlocks seats[i])

    let gradients = Array.zeroCreate<bool> work.Count

    for i in 0 .. work.Count - 1 do
        let n = work.Nodes[i]

        for k in 0 .. n.Arity - 1 do
            let p = work.Operands[work.Starts[i] + k]

            if candidates[p] then
                let largest = n.Primitive.Name = "takeAt" && Object.ReferenceEquals(n.A, n.B.A)
                let gradient = not (isNull (behindRectifier n))
                gradients[p] <- gradients[p] || gradient
                candidates[p] <- isBlocks seats[i] && (largest || gradient)

    for root in work.Roots do
        candidates[root] <- false

    let chosen = Array.map2 (&&) candidates gradients

    if Array.contains true chosen then
        replaced origin work (fun i n ->
            if chosen[i] then
                rectifiedPositions n
            elif n.Primitive.Name = "putAt" && chosen[work.Operands[work.Starts[i] + 1]] then
                Node.Remake(n, [| behindRectifier n; n.B |])
            else
                null)
    else
        null

// Whether all that reads positions without those that a rectifier holds back is computed from blocks, with them: nothing else knows of such positions.
let private staysInBlocks (work: Order) (seats: Seat[]) =
    let mutable stays = true

    for i in 0 .. work.Count - 1 do
        for k in work.Starts[i] .. work.Starts[i + 1] - 1 do
            let p = work.Operands[k]

            if isRectified work.Nodes[p] then
                let together =
                    isBlocks seats[p]
                    && isBlocks seats[i]
                    && seats[i].Lanes = seats[p].Lanes
                    && seats[i].Batch = seats[p].Batch

                let sameGroup =
                    seats[i].Level = seats[p].Level || work.Nodes[i].Primitive.Name = "putAt"

                stays <- stays && together && sameGroup

    stays

/// A graph in the form that blocks take it in, and where its nodes are computed. `origin` learns which position new nodes stand for.
let seated (origin: Dictionary<Node, int>) (roots: Node[]) : struct (Order * Seat[]) =
    let work = Walk.order Walk.everything (overImages origin roots)
    let seats = seatsOf work

    let better =
        if Array.exists isBlocks seats then
            rectified origin work seats
        else
            null

    if isNull better then
        struct (work, seats)
    else
        // A gradient of another type may take its node elsewhere, now that no mask of the positions' type is beside it.
        let without = Walk.order Walk.everything better
        let others = seatsOf without

        if staysInBlocks without others then
            struct (without, others)
        else
            struct (work, seats)
