namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open System.Text
open Hybrid.Core

/// Whether two expressions are the same. Both are simplified by the exact rules and shared as for a plan; then every node gets a
/// number by primitive, attributes, shape, type and the numbers of its inputs, and leaves by what they stand for.
[<Sealed>]
type internal Structure() =
    let numbers = Dictionary<string, int>()

    let number key =
        match numbers.TryGetValue key with
        | true, n -> n
        | _ ->
            let n = numbers.Count
            numbers[key] <- n
            n

    // A captured value is known by its contents.
    let contents (v: Value) =
        let mutable hash = 14695981039346656037UL

        for x in v.ToDoubles() do
            hash <- (hash ^^^ uint64 (BitConverter.DoubleToInt64Bits x)) * 1099511628211UL

        $"value {v.Shape} {v.DType} {hash}"

    /// The number of an expression, and the kernels that it needs, sorted. Call it before anything is evaluated.
    member _.Of(root: Node, labels: IReadOnlyDictionary<Node, string>) : struct (int * string[]) =
        lock Gate.instance (fun () ->
            use _ = Mode.NoGrad()
            let order = Walk.order Walk.everything [| root |]
            let struct (rebuilt, _) = Rewrite.rebuild order order.Roots true false false
            let graph = Walk.order Walk.everything [| rebuilt[order.Roots[0]] |]
            let ids = Array.zeroCreate<int> graph.Count
            let kernels = List<string>()

            for i in 0 .. graph.Count - 1 do
                let n = graph.Nodes[i]

                let key =
                    if n.Primitive.IsPlaceholder then
                        let original = order.Nodes[int n.Attribute]

                        match labels.TryGetValue original with
                        | true, label -> label
                        | _ when not (isNull original.Value) -> contents original.Value
                        | _ -> $"{original.Primitive.Name} {original.Attribute} {original.DType}"
                    else
                        let key = StringBuilder()

                        key.Append(n.Primitive.Name).Append(' ').Append(n.Attribute).Append(' ').Append(n.DType).Append(n.Shape)
                        |> ignore

                        if not (isNull n.Attributes) then
                            key.AppendJoin(',', n.Attributes) |> ignore

                        for k in graph.Starts[i] .. graph.Starts[i + 1] - 1 do
                            key.Append(" #").Append(ids[graph.Operands[k]]) |> ignore

                        if n.Primitive.Family <> Family.Leaf && isNull n.Primitive.View then
                            kernels.Add $"{n.Primitive.Name} {n.DType}"

                        key.ToString()

                ids[i] <- number key

            kernels.Sort StringComparer.Ordinal
            struct (ids[graph.Roots[0]], kernels.ToArray()))

    /// How far apart two expressions are.
    member this.Compare(manual: Node, automatic: Node, labels: IReadOnlyDictionary<Node, string>) : Independence =
        let struct (a, kernelsA) = this.Of(manual, labels)
        let struct (b, kernelsB) = this.Of(automatic, labels)

        if a = b then
            Independence.SameExpression
        elif kernelsA.AsSpan().SequenceEqual(ReadOnlySpan<string> kernelsB) then
            Independence.SameKernels
        else
            Independence.Independent

    /// Whether a graph contains a computed node of another: then one run could have served both.
    static member SharesWork(a: Node[], b: Node[]) =
        lock Gate.instance (fun () ->
            let left =
                HashSet<Node>((Walk.order Walk.everything a).Nodes, HashIdentity.Reference)

            (Walk.order Walk.everything b).Nodes
            |> Array.exists (fun n -> n.Arity > 0 && left.Contains n))

    /// Whether a graph contains one of some leaves.
    static member Reaches(root: Node, leaves: Node[]) =
        let wanted = HashSet<Node>(leaves, HashIdentity.Reference)
        (Walk.order Walk.everything [| root |]).Nodes |> Array.exists wanted.Contains
