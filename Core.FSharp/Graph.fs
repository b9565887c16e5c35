namespace Hybrid.Core

open System
open System.Globalization

/// What can be said of a graph without running it. Nothing here evaluates, and what was evaluated and released counts as an input.
[<AbstractClass; Sealed>]
type Graph =
    // FNV-1a over words: unlike HashCode, the same in every process.
    static member private Mixed(hash: uint64, word: int64) =
        let mutable h = hash
        let mutable rest = uint64 word

        for _ in 1..8 do
            h <- (h ^^^ (rest &&& 0xFFUL)) * 1099511628211UL
            rest <- rest >>> 8

        h

    static member private Everything(results: Tensor[]) =
        Walk.order Walk.everything (results |> Array.map (fun t -> t.Node))

    /// A hash of the structure that leads to some results, as 16 hexadecimal digits: operations, their attributes, what is shared, and of
    /// inputs shape, type and whether gradients flow to them, but no numbers that the host gave. Calls are looked through: a network
    /// has the hash of the same operations without layers. The same in every process.
    static member Hash([<ParamArray>] results: Tensor[]) : string =
        lock Gate.instance (fun () ->
            let order = Graph.Everything results
            let ids: int64[] = Array.zeroCreate order.Count
            let mutable count = 0L
            let mutable hash = 14695981039346656037UL
            let mix (word: int64) = hash <- Graph.Mixed(hash, word)

            for i in 0 .. order.Count - 1 do
                let n = order.Nodes[i]

                if Object.ReferenceEquals(n.Primitive, Leaves.outputPrimitive) && n.Arity = 1 then
                    ids[i] <- ids[order.Operands[order.Starts[i]]]
                else
                    ids[i] <- count
                    count <- count + 1L

                    if n.Arity = 0 then
                        let isConstant = Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive)
                        mix (if isConstant then -2L else -1L)
                        mix (if isConstant then n.Attribute else 0L)
                        mix (if n.Tracked then 1L else 0L)
                    else
                        for c in n.Primitive.Name do
                            mix (int64 c)

                        mix n.Attribute

                        if not (isNull n.Attributes) then
                            for a in n.Attributes do
                                mix (int64 a)

                        for k in order.Starts[i] .. order.Starts[i + 1] - 1 do
                            mix ids[order.Operands[k]]

                    mix (int64 n.DType)
                    mix (int64 n.Shape.Rank)

                    for d in n.Shape.ToArray() do
                        mix (int64 d)

            for root in order.Roots do
                mix ids[root]

            hash.ToString("x16", CultureInfo.InvariantCulture))

    /// How many products are summed up by the matrix products and convolutions that lead to some results, each counted once.
    static member MultiplyAdds([<ParamArray>] results: Tensor[]) : int64 =
        lock Gate.instance (fun () ->
            let order = Graph.Everything results
            order.Nodes |> Array.sumBy Cost.multiplyAdds)

    /// Whether a result is computed from a cell, also where no gradient can flow; in any version of the cell.
    static member Reads(result: Tensor, cell: Cell) : bool =
        lock Gate.instance (fun () ->
            (Graph.Everything [| result |]).Nodes
            |> Array.exists (fun n ->
                match n.Payload with
                | :? CellVersion as v -> Object.ReferenceEquals(v.Cell, cell.State)
                | _ -> false))
