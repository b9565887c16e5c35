namespace Hybrid.Core

open System
open System.Diagnostics
open Hybrid.Kernels

/// How an input of a group reaches a block of images.
type internal LaneInput =
    /// A tensor [batch, ...]: the block's images are laid side by side.
    | Packed = 0
    /// Laid side by side already, block after block, by another group.
    | Kept = 1
    /// The same for every image, such as weights.
    | Shared = 2
    /// The number of images in the block, an int32.
    | Images = 3

/// An input of a group. `Elements` are those of an image, of `Size` bytes each; `Slot` is among the inputs of the group's node.
[<Struct>]
type internal LaneSource =
    {
        Kind: LaneInput
        Slot: int
        Size: int
        Elements: int64
    }

/// What becomes of a result of the plan for a block; offsets in bytes from the group's output, -1 where there is none.
[<Struct>]
type internal LaneResult =
    {
        Size: int
        Elements: int64
        /// Where blocks are kept, for other groups.
        Kept: int64
        /// Where images are put back one after another, or where a sum over images goes.
        Plain: int64
        /// For sums that run on through the blocks of a group: what closes them; null otherwise.
        Contraction: LaneContraction
        Partials: int64
    }

/// One thread's memory for running groups. Only one group runs on a thread at a time.
[<Sealed; AllowNullLiteral>]
type private LaneScratch() =
    [<ThreadStatic; DefaultValue>]
    static val mutable private current: LaneScratch

    static member Current =
        if isNull LaneScratch.current then
            LaneScratch.current <- LaneScratch()

        LaneScratch.current

    member val Memory = Storage 0L with get, set
    member val Pointers: nativeint[] = [||] with get, set
    member val Operands = Operands WorkerPool.Serial

/// Steps that handle each block of images by itself, run block by block, so that what passes between them stays in the cache.
[<Sealed; AllowNullLiteral>]
type internal LaneGroup(plan: Plan, batch: int, lanes: int, sources: LaneSource[], results: LaneResult[], multiplyAdds: int64) =
    inherit Kernel(null)

    let whole (bytes: int64) = (bytes + 63L) &&& ~~~63L

    let sourceBytes (s: LaneSource) =
        match s.Kind with
        | LaneInput.Packed -> whole (s.Elements * int64 (s.Size * lanes))
        | LaneInput.Images -> 64L
        | _ -> 0L

    let resultBytes (r: LaneResult) =
        if r.Kept < 0L then
            whole (r.Elements * int64 (r.Size * lanes))
        else
            0L

    let starts (bytes: int64[]) from =
        bytes |> Array.scan (+) from |> Array.map nativeint

    let sourceStarts = starts (sources |> Array.map sourceBytes) 0L

    let resultStarts =
        starts (results |> Array.map resultBytes) (int64 sourceStarts[sources.Length])

    let arenaStart = resultStarts[results.Length]
    let scratchBytes = int64 arenaStart + plan.ArenaBytes
    let blocks = (batch + lanes - 1) / lanes

    // The blocks that one sum runs through must be of one part.
    let blocksOfItem =
        if results |> Array.exists (fun r -> not (isNull r.Contraction)) then
            LaneContraction.GroupBlocks
        else
            1

    let items = (blocks + blocksOfItem - 1) / blocksOfItem

    let locate (scratch: LaneScratch) (inputs: nativeint[]) (output: nativeint) block =
        let memory = scratch.Memory.Pointer
        let pointers = scratch.Pointers
        let places = plan.Places

        for i in 0 .. places.Length - 1 do
            pointers[i] <-
                match places[i] with
                | Leaf leaf ->
                    let s = sources[leaf]

                    match s.Kind with
                    | LaneInput.Kept -> inputs[s.Slot] + nativeint (int64 block * s.Elements * int64 (s.Size * lanes))
                    | LaneInput.Shared -> inputs[s.Slot]
                    | _ -> memory + sourceStarts[leaf]
                | Result number ->
                    let r = results[number]

                    if r.Kept < 0L then
                        memory + resultStarts[number]
                    else
                        output + nativeint (r.Kept + int64 block * r.Elements * int64 (r.Size * lanes))
                | Constant storage -> storage.Pointer
                | Arena offset -> memory + arenaStart + nativeint offset
                | Transpose _
                | Scalar _ -> invalidOp "a block has no scalars or matrices"

    let pack (scratch: LaneScratch) (inputs: nativeint[]) block images =
        for i in 0 .. sources.Length - 1 do
            let s = sources[i]
            let target = scratch.Memory.Pointer + sourceStarts[i]

            if s.Kind = LaneInput.Packed then
                let first =
                    inputs[s.Slot]
                    + nativeint (int64 block * int64 lanes * s.Elements * int64 s.Size)

                LaneBlock.Pack(s.Size, lanes, target, first, images, s.Elements)
            elif s.Kind = LaneInput.Images then
                Runtime.InteropServices.Marshal.WriteInt32(target, images)

    let run (scratch: LaneScratch) measure =
        let mutable before = if measure then Stopwatch.GetTimestamp() else 0L

        for number in 0 .. plan.Steps.Length - 1 do
            plan.Steps[number].Run(scratch.Operands, scratch.Pointers)

            if measure then
                before <- plan.Took(number, before)

    // Where a result of a block is, after the block has run.
    let found (scratch: LaneScratch) (output: nativeint) block number =
        let r = results[number]

        if r.Kept < 0L then
            scratch.Memory.Pointer + resultStarts[number]
        else
            output + nativeint (r.Kept + int64 block * r.Elements * int64 (r.Size * lanes))

    let unpack scratch (output: nativeint) block images =
        for i in 0 .. results.Length - 1 do
            let r = results[i]

            if isNull r.Contraction && r.Plain >= 0L then
                let target =
                    output
                    + nativeint (r.Plain + int64 block * int64 lanes * r.Elements * int64 r.Size)

                LaneBlock.Unpack(r.Size, lanes, target, found scratch output block i, images, r.Elements)

    let overContractions (action: LaneResult -> int -> unit) =
        for i in 0 .. results.Length - 1 do
            if not (isNull results[i].Contraction) then
                action results[i] i

    member _.Items = items

    /// The plan for one block.
    member _.Plan = plan

    /// How many blocks a run takes through it.
    member _.Blocks = blocks

    override _.MultiplyAdds = multiplyAdds

    override this.Invoke operands =
        LaneRun.Start(this, operands)

        if operands.Measure then
            plan.TimedRuns <- plan.TimedRuns + 1L

    /// Runs the blocks of one item on the calling thread.
    member _.RunItem(item: int, inputs: nativeint[], output: nativeint, measure: bool) =
        let scratch = LaneScratch.Current

        if scratch.Memory.Bytes < scratchBytes then
            scratch.Memory <- Storage scratchBytes

        if scratch.Pointers.Length < plan.Places.Length then
            scratch.Pointers <- Array.zeroCreate plan.Places.Length

        overContractions (fun r i ->
            let sums = scratch.Memory.Pointer + resultStarts[i]
            Hybrid.Kernels.Elementwise.Fill(ElementType.Float32, sums, r.Elements * 16L, 0.0, WorkerPool.Serial))

        for block in item * blocksOfItem .. min blocks ((item + 1) * blocksOfItem) - 1 do
            let images = min lanes (batch - block * lanes)
            locate scratch inputs output block
            pack scratch inputs block images
            run scratch measure
            unpack scratch output block images

        overContractions (fun r i ->
            let partial =
                output + nativeint (r.Partials + int64 item * r.Elements * int64 r.Size)

            r.Contraction.Close(partial, scratch.Memory.Pointer + resultStarts[i]))

        GC.KeepAlive scratch

    /// Adds up what the items left.
    member _.Finish(output: nativeint) =
        overContractions (fun r _ -> r.Contraction.Combine(output + nativeint r.Plain, output + nativeint r.Partials, items))

/// A run of a group, its items shared among threads. Items are independent, so how they are shared changes no bit.
and [<Sealed; AllowNullLiteral>] internal LaneRun private () =
    inherit PartedJob()

    [<ThreadStatic; DefaultValue>]
    static val mutable private current: LaneRun

    let mutable group: LaneGroup = null
    let mutable inputs: nativeint[] = [||]
    let mutable output = 0n
    let mutable parts = 1
    let mutable measure = false

    override _.Part part =
        for item in group.Items * part / parts .. group.Items * (part + 1) / parts - 1 do
            group.RunItem(item, inputs, output, measure)

    member private this.Begin(g: LaneGroup, operands: Operands) =
        group <- g
        measure <- operands.Measure
        inputs <- operands.Inputs
        output <- operands.Output

        parts <-
            if operands.Pool.Threads = 1 || g.MultiplyAdds < LaneRun.Grain then
                1
            else
                min g.Items (4 * operands.Pool.Threads)

        this.Run(parts, operands.Pool)
        g.Finish output
        group <- null

    /// Multiply-adds from which a second thread is worth its start.
    static member Grain = 1L <<< 20

    /// Runs a group as a plan's step.
    static member Start(group: LaneGroup, operands: Operands) =
        if isNull LaneRun.current then
            LaneRun.current <- LaneRun()

        LaneRun.current.Begin(group, operands)
