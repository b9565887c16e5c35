namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core
open Hybrid.Kernels

/// A copy of a graph in which some nodes are replaced by others: the same function on other values, or in float64. Keys and masks
/// that the graph has captured stay as they are. Two copies share no computed node.
[<Sealed>]
type internal Replay(promote: bool) =
    let copies = Dictionary<Node, Node>(HashIdentity.Reference)
    let mutable cut = false

    let target (dtype: ElementType) =
        if promote && dtype = ElementType.Float32 then
            ElementType.Float64
        else
            dtype

    let value (v: Value) =
        if promote && v.DType = ElementType.Float32 then
            Leaves.value (Value.OfSpan(ReadOnlySpan<float>(v.ToDoubles()), v.Shape))
        else
            Leaves.value v

    let descent =
        { new Walk.Descent with
            member _.Count node =
                if copies.ContainsKey node then 0 else node.Arity

            member _.Child(node, i) = node.Input i
        }

    let leaf (n: Node) =
        if not (isNull n.Value) then
            // A computed value whose inputs are gone: a constant here, although it may have depended on what is replaced.
            if n.Primitive.Arity <> 0 then
                cut <- true

            value n.Value
        elif Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive) then
            Leaves.constant (target n.DType) (Leaves.number n)
        elif Object.ReferenceEquals(n.Primitive, Leaves.scalarPrimitive) then
            Leaves.scalar (target n.DType) (Leaves.number n)
        else
            raise (
                TapeException(
                    "check",
                    "a graph whose leaves have values",
                    $"a {n.Primitive.Name} of shape {n.Shape}",
                    n.Path,
                    "Check outside of compile, and before a step writes the parameters."
                )
            )

    let remake (n: Node) (inputs: Node[]) =
        let at i =
            if i < inputs.Length then inputs[i] else null

        let fresh =
            if n.Primitive.Arity < 0 || n.Primitive.Arity > 3 then
                Node.MakeMany(n.Primitive, n.Attribute, n.Attributes, inputs)
            else
                Node.Make(n.Primitive, n.Attribute, n.Attributes, at 0, at 1, at 2)

        // Random numbers and one-hot rows have their type in the attribute: the same numbers, in the wider type.
        if fresh.DType <> target fresh.DType then
            Elementwise.cast (target fresh.DType) fresh
        else
            fresh

    let copy (n: Node) =
        let inputs = Array.init n.Arity (fun i -> copies[n.Input i])

        if n.Arity = 0 then
            leaf n
        elif Object.ReferenceEquals(n.Primitive, Leaves.stopPrimitive) then
            Leaves.stopGradient inputs[0]
        elif n.Primitive.Family = Family.Leaf then
            inputs[0]
        elif n.Primitive.Name = "to" then
            Elementwise.cast (target n.DType) inputs[0]
        else
            remake n inputs

    /// Stands `replacement` in for a node; before `Of` meets it.
    member _.Bind(original: Node, replacement: Node) = copies[original] <- replacement

    /// Whether a node has been replaced or copied.
    member _.Knows(original: Node) = copies.ContainsKey original

    /// Whether a computed value was met whose inputs are gone, so that what it depended on cannot be followed.
    member _.IsCut = cut

    /// The copies of some nodes.
    member _.Of(roots: Node[]) : Node[] =
        lock Gate.instance (fun () ->
            use _ = Recording.On()
            let context = Context.Current
            let scope = context.Scope

            try
                for n in (Walk.order descent roots).Nodes do
                    if not (copies.ContainsKey n) then
                        context.Scope <- n.Scope
                        copies[n] <- copy n
            finally
                context.Scope <- scope

            roots |> Array.map (fun r -> copies[r]))

/// A graph that is run again and again with other values at some of its leaves, by one plan.
[<Sealed>]
type internal Runner(roots: Node[]) =
    let order = Walk.order Walk.pending roots

    // A root that is a value already has nothing to run.
    let plan = Engine.Current.PlanFor(order, order.Roots)

    /// The values of the roots, with `replaced` standing in for the values of leaf nodes.
    member _.Run(replaced: (Node * Value) list) : Value[] =
        let binding =
            { new Binding() with
                member _.Leaf position =
                    let n = order.Nodes[position]

                    match replaced |> List.tryFind (fun (node, _) -> Object.ReferenceEquals(node, n)) with
                    | Some(_, v) -> v
                    | Option.None -> n.Value

                member _.Scalar position = order.Nodes[position]
                member _.Path position = order.Nodes[position].Path
                member _.Cell _ = null
            }

        Engine.Current.Compute(plan, binding)
