namespace Hybrid.Core

open System
open System.Collections.Generic
open Hybrid.Kernels

/// A plan in the making: nodes become steps one by one, in an order in which operands come first.
[<Sealed>]
type internal Draft(order: Order, work: Order, origin: Dictionary<Node, int>, roots: int[], fuse: bool) =
    static let bytesOf (shape: Shape) (dtype: ElementType) = shape.Size * int64 (dtype.Size())

    static let fits (access: Access) (layout: Layout) =
        match access with
        | Access.Strided -> true
        | Access.Matrix -> (Lower.matrices layout).IsSome
        | Access.Planes -> (Lower.planes layout).IsSome
        | _ -> layout.IsContiguous

    // Families with kernels that refuse some values, such as positions out of range.
    static let mayFail (n: Node) =
        n.Primitive.Family = Family.Selection
        || n.Primitive.Family = Family.Normalisation

    // Most groups that may wait for members at the same time.
    static let mostOpen = 8

    let blocks = Array.zeroCreate<Block> work.Count
    let layouts = Array.zeroCreate<Layout> work.Count
    let places = List<Place>()
    let temporaries = List<Block>()
    let steps = List<struct (Step * Block[] * Block[])>()
    let groups = List<FusedGroup>()
    let uses = Array.zeroCreate<int> work.Count
    let operand i k = work.Operands[work.Starts[i] + k]

    // Nodes that are computed when they are asked for: masks for one reader, which cost nothing to compute beside it, and what a later kernel
    // computes alongside. None waits for another, so that asking goes no deeper than one.
    let waiting = Array.zeroCreate<bool> work.Count

    do
        for position in Array.append work.Operands roots do
            uses[position] <- uses[position] + 1

        for i in 0 .. work.Count - 1 do
            let n = work.Nodes[i]

            waiting[i] <-
                fuse
                && n.DType = ElementType.Bool
                && uses[i] = 1
                && not (isNull n.Primitive.Element)
                && n.EveryInput(fun k -> not waiting[operand i k])

            // What a kernel makes alongside is seen by no trap, so it is left to itself with one; and what is known need not be made at all.
            if fuse && n.Primitive.Alongside >= 0 then
                let other = operand i n.Primitive.Alongside
                waiting[other] <- work.Nodes[other].Arity > 0

    let fixedBlock place =
        let block = Block(0L, Slot = places.Count)
        places.Add place
        block

    let temporary (shape: Shape) dtype =
        let block = Block(bytesOf shape dtype)
        temporaries.Add block
        block

    let originOf (n: Node) =
        match origin.TryGetValue n with
        | true, i -> i
        | _ -> order.Count - 1

    let add name operations kernel (outputs: Block[]) (inputs: Block[]) (offsets: nativeint[]) bytes (program: FusedProgram) (n: Node) =
        for b in Array.append inputs outputs do
            b.Use steps.Count

        let step =
            {
                Name = name
                Kernel = kernel
                Outputs = [||]
                Inputs = [||]
                Offsets = offsets
                Transpose = -1
                Shape = n.Shape
                DType = n.DType
                Bytes = bytes
                MultiplyAdds = Cost.multiplyAdds n + kernel.MultiplyAdds
                Origin = originOf n
                Operations = operations
                Program = program
                MayFail = mayFail n
            }

        steps.Add(struct (step, outputs, inputs))

    let offset (layout: Layout) (dtype: ElementType) =
        nativeint (layout.Offset * int64 (dtype.Size()))

    // Bytes of the elements that a layout shows, a repeated one counted once.
    let touched (layout: Layout) (dtype: ElementType) =
        let mutable bytes = int64 (dtype.Size())

        for axis in 0 .. layout.Shape.Rank - 1 do
            if layout.Strides[axis] <> 0L || layout.Shape[axis] = 0 then
                bytes <- bytes * int64 layout.Shape[axis]

        bytes

    // Makes a group a step: from now on its results can be used.
    let close (group: FusedGroup) =
        groups.Remove group |> ignore
        let positions = group.Positions
        let wanted = positions |> Array.filter (fun p -> group.UsesOf p < uses[p])

        for p in positions do
            blocks[p].Writer <- null

        let program, names = group.Program(fun p -> Array.contains p wanted)
        let inputs = group.Inputs.ToArray()

        let offsets =
            inputs |> Array.map (fun (struct (_, layout, dtype)) -> offset layout dtype)

        let sources, results = inputs.Length, wanted.Length

        let read =
            inputs |> Array.sumBy (fun (struct (_, layout, dtype)) -> touched layout dtype)

        let kernel =
            Kernel(fun o -> program.Run(ReadOnlySpan(o.Inputs, 0, sources), ReadOnlySpan(o.Outputs, 0, results), o.Pool))

        add
            (String.Join("+", names))
            group.Count
            kernel
            (wanted |> Array.map (fun p -> blocks[p]))
            (inputs |> Array.map (fun (struct (block, _, _)) -> block))
            offsets
            (read
             + (wanted |> Array.sumBy (fun p -> bytesOf work.Nodes[p].Shape work.Nodes[p].DType)))
            program
            work.Nodes[positions[positions.Length - 1]]

    // What reads a block needs its writer to be a step.
    let settle (block: Block) =
        match block.Writer with
        | :? FusedGroup as group -> close group
        | _ -> ()

    // A copy of a node's elements, row-major, in a block of its own.
    let copyTo (target: Block) (n: Node) (block: Block) (layout: Layout) =
        settle block

        let space =
            IterationSpace.Create(layout.Shape.Dimensions, ReadOnlySpan<int64[]> [| Shapes.strides layout.Shape; layout.Strides |])

        let dtype = n.DType

        add
            "copy"
            1
            (Kernel(fun ops -> Hybrid.Kernels.Elementwise.Copy(dtype, space, ops.Output, ops.Inputs[0], ops.Pool)))
            [| target |]
            [| block |]
            [| offset layout dtype |]
            (touched layout dtype + bytesOf n.Shape dtype)
            null
            n

    let leaf (n: Node) =
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

    let join i (n: Node) =
        let operands = Array.init n.Arity (operand i)

        // An operand of another group, or one of this group that is looked at differently, must be there first.
        for p in operands do
            match blocks[p].Writer with
            | :? FusedGroup as group when not (Shapes.same group.Shape n.Shape && group.Contains p) -> close group
            | _ -> ()

        let group =
            match groups.Find(fun g -> Shapes.same g.Shape n.Shape) with
            | null -> FusedGroup n.Shape
            | g when g.HasRoom -> g
            | full ->
                close full
                FusedGroup n.Shape

        group.Add(i, n, operands, (fun p -> blocks[p]), (fun p -> layouts[p]))
        groups.Remove group |> ignore
        groups.Add group
        layouts[i] <- Layout.Contiguous n.Shape
        blocks[i] <- temporary n.Shape n.DType
        blocks[i].Writer <- group

        if groups.Count > mostOpen then
            close groups[0]

    // A node that puts into its result what one group computes for it alone: the group writes it there.
    let writesInPlace i (n: Node) =
        let writer =
            if isNull n.Primitive.Places then
                null
            else
                blocks[operand i 0].Writer

        let operands = Array.init n.Arity (operand i)

        match writer with
        | :? FusedGroup as group when operands |> Array.forall (fun p -> group.Contains p && uses[p] = 1) ->
            layouts[i] <- Layout.Contiguous n.Shape
            blocks[i] <- temporary n.Shape n.DType
            blocks[i].Writer <- group

            group.Place(n, operands)

            for p in operands do
                blocks[p] <- blocks[i]

            true
        | _ -> false

    // The inputs that a kernel reads: not what it computes alongside.
    let read (n: Node) =
        [| 0 .. n.Arity - 1 |] |> Array.filter (fun k -> k <> n.Primitive.Alongside)

    // The memory of what a kernel computes alongside, if it is still wanted, and not by this node alone.
    let alongside i (n: Node) =
        match n.Primitive.Alongside with
        | k when k >= 0 && waiting[operand i k] && uses[operand i k] > 1 ->
            let p, other = operand i k, n.Input k
            waiting[p] <- false
            layouts[p] <- Layout.Contiguous other.Shape
            blocks[p] <- temporary other.Shape other.DType
            [| blocks[p] |]
        | _ -> [||]

    // A primitive whose kernel stands alone, its inputs copied where it cannot take them as they lie.
    let lower i (n: Node) =
        let sources = read n
        let present = sources |> Array.map (fun k -> layouts[operand i k])

        // The inputs as the kernel takes them, and the kernel; null for a view.
        let rec choose fit =
            let taken =
                Array.map2
                    (fun k layout ->
                        if fit layout then
                            layout
                        else
                            Layout.Contiguous (n.Input k).Shape)
                    sources
                    present

            if not (isNull n.Primitive.View) then
                struct (taken, null)
            elif not (isNull n.Primitive.Element) then
                struct (taken, Lower.element n taken)
            else
                match n.Primitive.Lower.Invoke(n, taken) with
                | null -> choose (fun layout -> layout.IsContiguous)
                | kernel -> struct (taken, kernel)

        let struct (taken, kernel) = choose (fits n.Primitive.Access)

        let inputs =
            Array.map3
                (fun k (layout: Layout) chosen ->
                    let block, source = blocks[operand i k], n.Input k

                    if Object.ReferenceEquals(layout, chosen) then
                        settle block
                        block
                    else
                        let copied = temporary source.Shape source.DType
                        copyTo copied source block layout
                        copied)
                sources
                present
                taken

        if isNull kernel then
            // The view could not look at the memory as it was; the copy made it contiguous.
            layouts[i] <- n.Primitive.View.Invoke(n, taken[0])
            blocks[i] <- inputs[0]
        else
            layouts[i] <- Layout.Contiguous n.Shape
            blocks[i] <- temporary n.Shape n.DType
            let types = sources |> Array.map (fun k -> (n.Input k).DType)
            let outputs = Array.append [| blocks[i] |] (alongside i n)

            let bytes =
                Array.sum (Array.map2 touched taken types)
                + Array.sumBy (fun (b: Block) -> b.Size) outputs

            add n.Primitive.Name 1 kernel outputs inputs (Array.map2 offset taken types) bytes null n

    // Outputs of the steps from one on that may take the memory of an input, with that input. One that the step also reads with other strides is none: it
    // would be read where it was written.
    let writesOver first =
        let once (block: Block) (inputs: Block[]) =
            (inputs |> Array.filter (fun b -> Object.ReferenceEquals(b, block))).Length = 1

        [|
            for number in first .. steps.Count - 1 do
                let struct (step, outputs, inputs) = steps[number]

                if not (isNull step.Program) then
                    for k in 0 .. outputs.Length - 1 do
                        for j in 0 .. inputs.Length - 1 do
                            if
                                step.Offsets[j] = 0n
                                && inputs[j].Last = number
                                && once inputs[j] inputs
                                && step.Program.MayOverwrite(k, j)
                            then
                                struct (outputs[k], inputs[j])
        |]

    // See Plan.Overwrites.
    let overwrites () =
        [|
            for struct (output, input) in writesOver (steps.FindLastIndex(fun (struct (step, _, _)) -> step.MayFail) + 1) do
                match places[output.Slot], places[input.Slot] with
                | Result result, Leaf leaf -> struct (result, leaf)
                | _ -> ()
        |]

    // The slot of the transpose of a leaf, for a step that would rather read that; -1 for none. All steps share it, so that it counts a run once.
    let transposeFor (step: Step) (inputs: Block[]) =
        match step.Kernel.Untransposed with
        | null -> -1
        | wanted ->
            match places[inputs[1].Slot] with
            // A transposed matrix of these lengths without gaps in its columns is all of it.
            | Leaf position when Shapes.same order.Nodes[position].Shape wanted ->
                match places.IndexOf(Transpose inputs[1].Slot) with
                | -1 -> (fixedBlock (Transpose inputs[1].Slot)).Slot
                | slot -> slot
            | _ -> -1

    // Makes a step of the node at a position, or a place, or a way to look at another's memory.
    let rec make i =
        let n = work.Nodes[i]

        for k in read n do
            ask (operand i k)

        if n.Arity = 0 then
            layouts[i] <- Layout.Contiguous n.Shape
            blocks[i] <- leaf n
        else
            let viewed =
                if isNull n.Primitive.View then
                    null
                else
                    n.Primitive.View.Invoke(n, layouts[operand i 0])

            if not (isNull viewed) then
                layouts[i] <- viewed
                blocks[i] <- blocks[operand i 0]
            elif fuse && not (isNull n.Primitive.Element) then
                join i n
            elif not (writesInPlace i n) then
                lower i n

    and ask i =
        if waiting[i] then
            waiting[i] <- false
            make i

    /// Which nodes may fail, or are needed by one that may.
    static member Early(work: Order) =
        let early = Array.zeroCreate<bool> work.Count

        for i in work.Count - 1 .. -1 .. 0 do
            early[i] <- early[i] || mayFail work.Nodes[i]

            if early[i] then
                for k in work.Starts[i] .. work.Starts[i + 1] - 1 do
                    early[work.Operands[k]] <- true

        early

    /// Takes the nodes one by one, operands first.
    member _.Visit i =
        if not waiting[i] then
            make i

    /// The steps with every block in its place: a block computed whole for one output becomes that output, other outputs are
    /// copied, the rest share the arena.
    member _.Finish(distinct: int[]) =
        let claimed = HashSet<Block>(HashIdentity.Reference)

        Array.iter ask distinct

        while groups.Count > 0 do
            close groups[0]

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
                copyTo (fixedBlock (Result number)) n block layout)

        for struct (output, input) in writesOver 0 do
            if output.Size = input.Size then
                output.Over <- input

        let struct (placed, bytes) =
            temporaries.FindAll(fun b -> b.Slot < 0 && b.Last >= 0) |> Arena.assign

        for struct (block, start) in placed do
            block.Slot <- places.Count
            places.Add(Arena start)

        let overwrites = overwrites ()
        let slots (blocks: Block[]) = blocks |> Array.map (fun b -> b.Slot)

        let finished =
            steps.ConvertAll(fun (struct (step, outputs, inputs)) ->
                { step with
                    Outputs = slots outputs
                    Inputs = slots inputs
                    Transpose = transposeFor step inputs
                })

        struct (finished.ToArray(), places.ToArray(), bytes, overwrites)
