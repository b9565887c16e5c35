namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Linq

/// A place in memory while a plan is being made: its size in bytes, and from which step to which it is in use.
[<Sealed; AllowNullLiteral>]
type internal Block(size: int64) =
    member _.Size = size

    /// Its number among the plan's places; -1 while it has none.
    member val Slot = -1 with get, set

    member val First = Int32.MaxValue with get, set
    member val Last = -1 with get, set

    /// The group of fused operations that will write it, until the group is a step.
    member val Writer: obj = null with get, set

    /// The block whose memory it may take: the step that first writes this one is the last to read that one. Null if there is none.
    member val Over: Block = null with get, set

    /// Notes that a step uses it.
    member this.Use step =
        this.First <- min this.First step
        this.Last <- max this.Last step

/// One stretch of memory for all intermediates of a plan.
module internal Arena =
    // Larger blocks begin at pages, for the reason that StoragePool.Page gives.
    let private up (offset: int64) (size: int64) =
        let unit = if size >= 4096L then 4096L else 64L
        (offset + unit - 1L) &&& -unit

    /// Offsets of blocks by first fit, and the bytes in all: a block takes the lowest gap among those in use at the same time, or what it may write over.
    let assign (blocks: Block seq) =
        let placed = List<struct (Block * int64)>()
        // Blocks still in use, by offset.
        let alive = List<struct (Block * int64)>()
        let mutable top = 0L

        for block in blocks.OrderBy(fun b -> b.First) do
            alive.RemoveAll(fun (struct (other, _)) -> other.Last < block.First) |> ignore
            let mutable offset = 0L

            match alive.FindIndex(fun (struct (other, _)) -> Object.ReferenceEquals(other, block.Over)) with
            | -1 ->
                let mutable index = 0

                // The gap before alive[index] ends where it starts.
                while index < alive.Count
                      && (let struct (_, start) = alive[index]
                          start - offset < block.Size) do
                    let struct (other, start) = alive[index]
                    offset <- max offset (up (start + other.Size) block.Size)
                    index <- index + 1

                alive.Insert(index, struct (block, offset))
            | index ->
                let struct (_, start) = alive[index]
                offset <- start
                alive[index] <- struct (block, start)

            placed.Add(struct (block, offset))
            top <- max top (offset + block.Size)

        struct (placed, top)
