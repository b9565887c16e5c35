namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open Hybrid.Kernels

/// One kernel call of a plan: where the output goes, where the inputs are, and which node of the graph it comes from.
type internal Step =
    {
        Name: string
        Kernel: Kernel
        Output: int
        Inputs: int[]
        Offsets: nativeint[]
        Elements: int64
        DType: ElementType
        Origin: int
    }

/// Where a slot's memory comes from at each run.
[<Struct>]
type internal Place =
    /// The value at a position of the graph.
    | Leaf of leaf: int
    /// The number of a scalar leaf at a position of the graph.
    | Scalar of scalar: int
    /// Memory of the plan itself.
    | Constant of storage: Storage
    /// The value of an output, by its number.
    | Result of result: int
    /// A range of the arena.
    | Arena of offset: int64

/// An evaluation with every decision made: kernels in order, and a place for every intermediate. Holds no value of the graph
/// that it was made from; it runs any graph of the same structure.
[<Sealed; AllowNullLiteral>]
type internal Plan(key: int[], hash: int, steps: Step[], places: Place[], results: int[], shapes: struct (Shape * ElementType)[], arenaBytes: int64) =
    member _.Key = key
    member _.Hash = hash
    member _.Steps = steps
    member _.Places = places

    /// For each root, the number of the output that holds it.
    member _.Results = results

    /// Shape and type of each output.
    member _.Outputs = shapes

    member _.ArenaBytes = arenaBytes

    /// When it was last used, by the cache's own count.
    member val LastUse = 0L with get, set

    /// Bytes that the plan itself holds.
    member _.Bytes =
        int64 key.Length * 4L
        + int64 steps.Length * 200L
        + Array.sumBy
            (fun p ->
                match p with
                | Constant s -> s.Bytes + 100L
                | _ -> 24L)
            places

/// Makes plans from graphs.
module internal Planner =
    // A place in memory while a plan is being made.
    [<Sealed; AllowNullLiteral>]
    type private Block(size: int64) =
        member _.Size = size
        member val Slot = -1 with get, set
        member val First = Int32.MaxValue with get, set
        member val Last = -1 with get, set

    /// What a plan is found by: everything that its making depends on, and nothing that changes from step to step.
    let encode (order: Order) (outputs: int[]) (code: List<int>) : unit =
        code.Clear()

        let wide (v: int64) =
            code.Add(int v)
            code.Add(int (v >>> 32))

        let dims (shape: Shape) =
            code.Add shape.Rank

            for d in shape.Dimensions do
                code.Add d

        for i in 0 .. order.Count - 1 do
            let n = order.Nodes[i]
            let isValue = not (isNull n.Value)
            code.Add(if isValue then 0 else n.Primitive.Code)
            code.Add(int (byte n.DType))

            if isValue || n.Primitive.IsPlaceholder then
                dims n.Shape
            elif n.Arity = 0 then
                if Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive) then
                    wide n.Attribute
            else
                wide n.Attribute

                if not (isNull n.Attributes) then
                    code.Add n.Attributes.Length
                    code.AddRange n.Attributes

                code.Add n.Arity

                for k in order.Starts[i] .. order.Starts[i + 1] - 1 do
                    code.Add order.Operands[k]

        code.Add -1
        code.AddRange outputs

    let hash (code: ReadOnlySpan<int>) =
        let mutable h = HashCode()
        h.AddBytes(MemoryMarshal.AsBytes code)
        h.ToHashCode()

    let private bytesOf (shape: Shape) (dtype: ElementType) = shape.Size * int64 (dtype.Size())

    let private align (n: int64) = (n + 63L) &&& ~~~63L

    let private fits (access: Access) (layout: Layout) =
        match access with
        | Access.Strided -> true
        | Access.Matrix -> (Lower.matrices layout).IsSome
        | _ -> layout.IsContiguous

    /// Places of all blocks by first fit: a block takes the lowest gap among those alive at the same time.
    let private assign (blocks: Block list) =
        let placed = List<struct (Block * int64)>()
        // Blocks still alive, by offset.
        let alive = List<struct (Block * int64)>()
        let mutable top = 0L

        for block in blocks |> List.sortBy (fun b -> b.First) do
            alive.RemoveAll(fun (struct (other, _)) -> other.Last < block.First) |> ignore
            let mutable offset = 0L
            let mutable index = 0

            // The gap before alive[index] ends where it starts.
            while index < alive.Count
                  && (let struct (_, start) = alive[index]
                      start - offset < align block.Size) do
                let struct (other, start) = alive[index]
                offset <- max offset (start + align other.Size)
                index <- index + 1

            alive.Insert(index, struct (block, offset))
            placed.Add(struct (block, offset))
            top <- max top (offset + align block.Size)

        struct (placed, top)

    /// A plan for nodes whose placeholders are numbered by their positions in an order. `origin` names the position that a node stands for.
    let lay (order: Order) (origin: Dictionary<Node, int>) (roots: Node[]) (key: int[]) : Plan =
        let work = Walk.order Walk.everything roots

        let distinct =
            roots
            |> Array.distinctBy (fun r -> LanguagePrimitives.PhysicalHash r, r.Position)
            |> Array.map (fun r -> r.Position)
            |> Array.distinct

        let results = roots |> Array.map (fun r -> Array.IndexOf(distinct, r.Position))
        let blocks = Array.zeroCreate<Block> work.Count
        let layouts = Array.zeroCreate<Layout> work.Count
        let places = List<Place>()
        let temporaries = List<Block>()
        let steps = List<struct (Step * Block * Block[])>()

        let fixedBlock place =
            let block = Block 0L
            block.Slot <- places.Count
            places.Add place
            block

        let temporary size =
            let block = Block size
            temporaries.Add block
            block

        let add name kernel (output: Block) (inputs: Block[]) (inputLayouts: Layout[]) (n: Node) o =
            let at = steps.Count

            for b in inputs do
                b.Last <- max b.Last at

            output.First <- min output.First at
            output.Last <- max output.Last at

            steps.Add(
                struct ({
                            Name = name
                            Kernel = kernel
                            Output = 0
                            Inputs = [||]
                            Offsets =
                                inputLayouts
                                |> Array.mapi (fun i l -> nativeint (l.Offset * int64 ((if n.Arity > i then n.Input i else n).DType.Size())))
                            Elements = n.Shape.Size
                            DType = n.DType
                            Origin = o
                        },
                        output,
                        inputs)
            )

        let originOf (n: Node) =
            match origin.TryGetValue n with
            | true, i -> i
            | _ -> order.Count - 1

        // A copy of a node's elements, row-major, in a block of its own.
        let copyTo (target: Block) (n: Node) (block: Block) (layout: Layout) o =
            let space =
                IterationSpace.Create(layout.Shape.Dimensions, ReadOnlySpan<int64[]> [| Shapes.strides layout.Shape; layout.Strides |])

            let dtype = n.DType
            let offset = nativeint (layout.Offset * int64 (dtype.Size()))

            add
                "copy"
                (Kernel(fun ops -> Hybrid.Kernels.Elementwise.Copy(dtype, space, ops.Output, ops.Inputs[0] + offset, ops.Pool)))
                target
                [| block |]
                [||]
                n
                o

        for i in 0 .. work.Count - 1 do
            let n = work.Nodes[i]
            let operand k = work.Operands[work.Starts[i] + k]

            if n.Arity = 0 then
                layouts[i] <- Layout.Contiguous n.Shape

                blocks[i] <-
                    if Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive) then
                        let storage = Storage(bytesOf n.Shape n.DType)
                        Hybrid.Kernels.Elementwise.Fill(n.DType, storage.Pointer, 1L, Leaves.number n, WorkerPool.Serial)
                        fixedBlock (Constant storage)
                    else
                        let position = int n.Attribute
                        let source = order.Nodes[position]

                        if
                            isNull source.Value
                            && Object.ReferenceEquals(source.Primitive, Leaves.scalarPrimitive)
                        then
                            fixedBlock (Scalar position)
                        else
                            fixedBlock (Leaf position)
            else
                let viewed =
                    if isNull n.Primitive.View then
                        null
                    else
                        n.Primitive.View.Invoke(n, layouts[operand 0])

                if not (isNull viewed) then
                    layouts[i] <- viewed
                    blocks[i] <- blocks[operand 0]
                else
                    let inputBlocks = Array.init n.Arity (fun k -> blocks[operand k])
                    let inputLayouts = Array.init n.Arity (fun k -> layouts[operand k])

                    for k in 0 .. n.Arity - 1 do
                        if not (fits n.Primitive.Access inputLayouts[k]) then
                            let block = temporary (bytesOf (n.Input k).Shape (n.Input k).DType)
                            copyTo block (n.Input k) inputBlocks[k] inputLayouts[k] (originOf n)
                            inputBlocks[k] <- block
                            inputLayouts[k] <- Layout.Contiguous (n.Input k).Shape

                    if isNull n.Primitive.View then
                        layouts[i] <- Layout.Contiguous n.Shape
                        blocks[i] <- temporary (bytesOf n.Shape n.DType)
                        let kernel = n.Primitive.Lower.Invoke(n, inputLayouts)

                        add n.Primitive.Name kernel blocks[i] inputBlocks inputLayouts n (originOf n)
                    else
                        // The view could not look at the memory as it was; the copy above made it contiguous.
                        layouts[i] <- n.Primitive.View.Invoke(n, inputLayouts[0])
                        blocks[i] <- inputBlocks[0]

        // Outputs: a block computed whole for one output becomes that output; anything else is copied.
        let claimed = HashSet<Block>(HashIdentity.Reference)

        distinct
        |> Array.iteri (fun number position ->
            let block, layout, n = blocks[position], layouts[position], work.Nodes[position]

            if
                block.Slot < 0
                && layout.IsContiguous
                && layout.Offset = 0L
                && bytesOf n.Shape n.DType = block.Size
                && claimed.Add block
            then
                block.Slot <- places.Count
                places.Add(Result number)
            else
                let target = fixedBlock (Result number)
                copyTo target n block layout (originOf n))

        // Results live to the end; the rest share the arena.
        let struct (placed, arena) =
            temporaries
            |> Seq.filter (fun b -> b.Slot < 0 && b.Last >= 0)
            |> List.ofSeq
            |> assign

        for struct (block, offset) in placed do
            block.Slot <- places.Count
            places.Add(Arena offset)

        let finished =
            steps
            |> Seq.map (fun (struct (step, output, inputs)) ->
                { step with
                    Output = output.Slot
                    Inputs = inputs |> Array.map (fun b -> b.Slot)
                })
            |> Array.ofSeq

        let shapes =
            distinct
            |> Array.map (fun p -> struct (work.Nodes[p].Shape, work.Nodes[p].DType))

        Plan(key, hash (ReadOnlySpan<int> key), finished, places.ToArray(), results, shapes, arena)

    /// A plan for the roots of an order. `outputs` are positions whose values are wanted.
    let make
        (order: Order)
        (outputs: int[])
        (rewrite: bool)
        (inexact: bool)
        (layout: (Order -> Node[] -> Plan) -> Dictionary<Node, int> -> Node[] -> Node[])
        (key: int[])
        : Plan =
        let struct (rebuilt, origin) = Rewrite.rebuild order rewrite inexact
        let roots = outputs |> Array.map (fun i -> rebuilt[i])

        let inner (order: Order) (roots: Node[]) =
            lay order (Dictionary HashIdentity.Reference) roots [||]

        lay order origin (layout inner origin roots) key
