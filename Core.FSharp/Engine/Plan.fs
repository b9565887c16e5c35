namespace Hybrid.Core

open System
open System.Diagnostics
open System.Threading
open Hybrid.Kernels

/// One kernel call of a plan: where its outputs go, where the inputs are, and which node of the graph it comes from.
type internal Step =
    {
        Name: string
        Kernel: Kernel
        Outputs: int[]
        Inputs: int[]
        Offsets: nativeint[]
        /// The slot of the transpose of the second input, which the kernel uses where there is one; -1 for none.
        Transpose: int
        Shape: Shape
        DType: ElementType
        /// Bytes that are read and written, each operand counted once.
        Bytes: int64
        MultiplyAdds: int64
        Origin: int
        /// How many operations it computes: more than one where they are fused.
        Operations: int
        /// The fused program, by which outputs may take the memory of inputs; null for other steps.
        Program: FusedProgram
        /// Whether the kernel refuses some values, such as positions out of range.
        MayFail: bool
    }

    /// Runs the kernel on the memory at the slots' addresses.
    member this.Run(operands: Operands, pointers: nativeint[]) =
        if operands.Inputs.Length < this.Inputs.Length then
            operands.Inputs <- Array.zeroCreate (2 * this.Inputs.Length)

        for k in 0 .. this.Inputs.Length - 1 do
            operands.Inputs[k] <-
                pointers[this.Inputs[k]]
                + (if this.Offsets.Length > k then this.Offsets[k] else 0n)

        if operands.Outputs.Length < this.Outputs.Length then
            operands.Outputs <- Array.zeroCreate (2 * this.Outputs.Length)

        operands.Outputs[1] <- 0n
        operands.Transpose <- if this.Transpose < 0 then 0n else pointers[this.Transpose]

        for k in 0 .. this.Outputs.Length - 1 do
            operands.Outputs[k] <- pointers[this.Outputs[k]]

        this.Kernel.Invoke operands

/// Where a slot's memory comes from at each run.
[<Struct>]
type internal Place =
    /// The value at a position of the graph.
    | Leaf of leaf: int
    /// The transpose of the leaf of another slot, a matrix, once it has been used often; otherwise nowhere.
    | Transpose of matrix: int
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
type internal Plan
    (
        key: int[],
        hash: int,
        steps: Step[],
        places: Place[],
        results: int[],
        shapes: struct (Shape * ElementType)[],
        arenaBytes: int64,
        overwrites: struct (int * int)[]
    ) =
    member _.Key = key
    member _.Hash = hash
    member _.Steps = steps
    member _.Places = places

    /// The positions of the leaves that a run reads.
    member val Leaves =
        places
        |> Array.choose (fun place ->
            match place with
            | Leaf position -> Some position
            | _ -> None)

    /// For each root, the number of the output that holds it.
    member _.Results = results

    /// The value of each root, from those of the outputs; the same array where no root comes twice.
    member _.ByRoot(values: Value[]) : Value[] =
        if results.Length = values.Length then
            values
        else
            Array.init results.Length (fun i -> values[results[i]])

    /// The only root that an output holds; -1 where it holds several.
    member val SoleRoots =
        Array.init shapes.Length (fun result ->
            let root = Array.IndexOf(results, result)

            if Array.LastIndexOf(results, result) = root then
                root
            else
                -1)

    /// Shape and type of each output.
    member _.Outputs = shapes

    member _.ArenaBytes = arenaBytes

    /// Pairs of an output and a leaf whose memory it may take: nothing reads the leaf later, and nothing can fail any more by then.
    member _.Overwrites = overwrites

    /// How many operations a run computes.
    member val Operations = steps |> Array.sumBy (fun s -> int64 s.Operations)

    /// Runs that were timed, and the ticks that each step took in them.
    member val TimedRuns = 0L with get, set
    member val StepTicks = Array.zeroCreate<int64> steps.Length

    /// Adds to the time of a step what has passed since a time stamp; the time now.
    member this.Took(step: int, since: int64) =
        let now = Stopwatch.GetTimestamp()
        Interlocked.Add(&this.StepTicks[step], now - since) |> ignore
        now

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
