namespace Hybrid.Core.Checking

open System.Collections.Generic
open Hybrid.Core
open Hybrid.Kernels

/// The branches that a function takes: signs of what is clipped, results of comparisons, positions of the largest. A central
/// difference means something only if x - h, x and x + h take the same ones.
module internal Switches =
    let private sign x = Elementwise.sign x

    let private against (n: Node) = sign (Elementwise.sub n.A n.B)

    let private winners (n: Node) =
        Elementwise.equal n.A (Moves.expandLike n n)

    let private below (bound: float) (x: Node) =
        Elementwise.less x (Leaves.constant x.DType bound)

    /// The nodes whose values tell which branch a node takes; none for smooth ones. A test holds this table to the primitives that
    /// declare a convention.
    let branches: IReadOnlyDictionary<string, Node -> Node list> =
        let table = Dictionary<string, Node -> Node list>()
        let itself (n: Node) = [ n ]

        for name in [ "equal"; "less"; "lessEqual"; "sign"; "floor"; "argmax"; "argmin" ] do
            table[name] <- itself

        for name in [ "relu"; "abs" ] do
            table[name] <- fun n -> [ sign n.A ]

        table["affineRelu"] <- fun n -> [ sign (Elementwise.add (Contractions.matmul n.A n.B) n.C) ]

        table["gatedMatmul"] <- fun n -> [ sign n.C ]

        for name in [ "maximum"; "minimum" ] do
            table[name] <- fun n -> [ against n ]

        for name in [ "amax"; "amin" ] do
            table[name] <- fun n -> [ winners n ]

        table["pow"] <- fun n -> [ sign n.A; sign n.B ]

        table["bce"] <-
            fun n ->
                [
                    below -100.0 (Elementwise.log n.A)
                    below -100.0 (Elementwise.log1p (Elementwise.neg n.A))
                ]

        table["to"] <-
            fun n ->
                if n.A.DType <= ElementType.Float64 && n.DType > ElementType.Float64 then
                    [ n ]
                else
                    []
        // Treated as constants, as their conventions say: no branch.
        for name in [ "stopGradient"; "oneHot"; "uniform"; "normal" ] do
            table[name] <- fun _ -> []

        table

    /// The branch nodes of the graph that leads to some nodes.
    let ofNodes (roots: Node[]) : Node[] =
        lock Gate.instance (fun () ->
            use _ = Mode.NoGrad()

            (Walk.order Walk.everything roots).Nodes
            |> Array.collect (fun n ->
                match branches.TryGetValue n.Primitive.Name with
                | true, rule -> rule n |> Array.ofList
                // Integers and masks that are made of numbers are choices, such as the positions of max pooling.
                | _ when n.DType > ElementType.Float64 && n.Arity > 0 && n.A.DType <= ElementType.Float64 -> [| n |]
                | _ -> [||]))

    /// Whether a result is linear in a leaf, by the primitives that lie between them: then differences of any step are exact.
    let isLinear (result: Node) (leaf: Node) =
        lock Gate.instance (fun () ->
            let order = Walk.order Walk.everything [| result |]
            let depends = Array.zeroCreate<bool> order.Count
            let mutable linear = true

            for i in 0 .. order.Count - 1 do
                let n = order.Nodes[i]

                let which =
                    [
                        for k in 0 .. n.Arity - 1 do
                            if depends[order.Operands[order.Starts[i] + k]] then
                                k
                    ]

                depends[i] <- obj.ReferenceEquals(n, leaf) || not which.IsEmpty

                linear <-
                    linear
                    && (which.IsEmpty
                        || match n.Primitive.Linear with
                           | Linearity.Jointly -> n.DType <= ElementType.Float64 && n.A.DType <= ElementType.Float64
                           | Linearity.Separately -> which.Length = 1
                           | Linearity.First -> which = [ 0 ]
                           | Linearity.AfterFirst -> not (List.contains 0 which)
                           | _ -> false)

            linear)
