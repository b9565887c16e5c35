namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Numerics
open System.Runtime.InteropServices
open Hybrid.Kernels

/// Makes plans from graphs.
module internal Planner =
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

            if
                isValue
                || n.Primitive.IsPlaceholder
                || Object.ReferenceEquals(n.Primitive, Leaves.currentPrimitive)
            then
                dims n.Shape
            elif n.Arity = 0 then
                if Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive) then
                    wide n.Attribute
            else
                wide n.Attribute

                if not (isNull n.Attributes) then
                    code.Add n.Attributes.Length
                    code.AddRange n.Attributes

                match Formulas.of' n with
                | null -> ()
                | formula -> code.Add formula.Number

                code.Add n.Arity

                for k in order.Starts[i] .. order.Starts[i + 1] - 1 do
                    code.Add order.Operands[k]

        code.Add -1
        code.AddRange outputs

    // A checksum is all that a lookup needs, as keys are compared whole, and takes about half of what HashCode does.
    let hash (code: ReadOnlySpan<int>) =
        let mutable h = uint32 code.Length

        for two in MemoryMarshal.Cast<int, uint64> code do
            h <- BitOperations.Crc32C(h, two)

        // Where the length is odd, the last is left out: the number of an output.
        int h

    /// How a plan is made.
    [<Struct>]
    type Making =
        {
            /// Whether rules simplify, and equal work is shared.
            Rewrite: bool
            /// Whether rules that may change bits are among them.
            Inexact: bool
            /// Whether functions of elements run together.
            Fuse: bool
        }

    /// A plan for nodes whose placeholders are numbered by their positions in an order; `origin` names the position that a node stands for.
    let lay (order: Order) (origin: Dictionary<Node, int>) (roots: Node[]) (fuse: bool) (key: int[]) : Plan =
        let work = Walk.order Walk.everything roots
        let positions = roots |> Array.map (fun r -> r.Position)
        let distinct = Array.distinct positions
        let draft = Draft(order, work, origin, positions, fuse)

        // What may fail, as a loss does, comes first with all that it needs: its operands have just been computed, and need not be kept for it; and only after it
        // may outputs take the memory of leaves.
        let early = Draft.Early work

        for first in [ true; false ] do
            for i in 0 .. work.Count - 1 do
                if early[i] = first then
                    draft.Visit i

        let struct (steps, places, arena, overwrites) = draft.Finish distinct

        let shapes =
            distinct
            |> Array.map (fun p -> struct (work.Nodes[p].Shape, work.Nodes[p].DType))

        let results = positions |> Array.map (fun p -> Array.IndexOf(distinct, p))
        Plan(key, hash (ReadOnlySpan<int> key), steps, places, results, shapes, arena, overwrites)

    /// A plan for the roots of an order. `outputs` are positions whose values are wanted; `layout` may choose another form for parts of the graph, and
    /// is given what lays plans for these.
    let make
        (order: Order)
        (outputs: int[])
        (making: Making)
        (layout: (Order -> Node[] -> Plan) -> Dictionary<Node, int> -> Node[] -> Node[])
        (key: int[])
        : Plan =
        let struct (rebuilt, origin) =
            Rewrite.rebuild order outputs making.Rewrite making.Inexact making.Fuse

        let roots = outputs |> Array.map (fun i -> rebuilt[i])

        let inner (order: Order) (roots: Node[]) =
            lay order (Dictionary HashIdentity.Reference) roots making.Fuse [||]

        lay order origin (layout inner origin roots) making.Fuse key
