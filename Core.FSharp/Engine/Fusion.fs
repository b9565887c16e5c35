namespace Hybrid.Core

open System
open System.Collections.Generic
open Hybrid.Kernels

/// Functions of elements over one shape that will run as one step. A group stays open while nothing outside of it needs what it
/// computes; open groups are therefore independent of each other, and a member may join whatever its group has by then.
[<Sealed; AllowNullLiteral>]
type internal FusedGroup(shape: Shape) =
    // Beyond this, streams fall out of the first-level cache.
    static let mostStreams = 24

    let inputs = List<struct (Block * Layout * ElementType)>()
    let members = List<struct (int * Node * int[])>()
    let steps = Dictionary<int, int>()
    let placed = Dictionary<int, FusedPlace>()
    let moves = List<string>()

    let same (a: Layout) (b: Layout) =
        a.Offset = b.Offset && ReadOnlySpan<int64>(a.Strides).SequenceEqual b.Strides

    let input block layout dtype =
        match inputs.FindIndex(fun (struct (b, l, _)) -> Object.ReferenceEquals(b, block) && same l layout) with
        | -1 ->
            inputs.Add(struct (block, layout, dtype))
            inputs.Count - 1
        | known -> known

    member _.Shape = shape

    /// Blocks, layouts and element types of what comes from outside.
    member _.Inputs = inputs

    /// The positions of the members, in order.
    member _.Positions =
        members.ConvertAll(fun (struct (position, _, _)) -> position).ToArray()

    /// How many operations it does.
    member _.Count = members.Count + moves.Count

    /// Whether another member still fits.
    member _.HasRoom =
        members.Count < FusedProgram.MaxSteps
        && inputs.Count + members.Count + 3 <= 2 * mostStreams
        && inputs.Count + 3 <= mostStreams

    member _.Contains position = steps.ContainsKey position

    /// Adds the node at a position, given the positions of its operands, and their blocks and layouts.
    member _.Add(position: int, node: Node, operands: int[], block: int -> Block, layout: int -> Layout) =
        let sources =
            operands
            |> Array.mapi (fun k operand ->
                match steps.TryGetValue operand with
                | true, step -> -1 - step // Inputs are not all known yet, and come first.
                | _ -> input (block operand) (layout operand) (node.Input k).DType)

        steps[position] <- members.Count
        members.Add(struct (position, node, sources))

    /// Lets the results at some positions stand in the result of a node that only puts them there.
    member _.Place(node: Node, positions: int[]) =
        moves.Add node.Primitive.Name

        (positions, node.Primitive.Places.Invoke node)
        ||> Array.iter2 (fun position layout -> placed[position] <- FusedPlace(layout.Offset, layout.Strides))

    /// How often members use the result at a position.
    member _.UsesOf position =
        let own = -1 - steps[position]
        let mutable uses = 0

        for struct (_, _, sources) in members do
            for source in sources do
                if source = own then
                    uses <- uses + 1

        uses

    /// The program, and the names of its functions; `wanted` tells which results go to memory.
    member _.Program(wanted: int -> bool) =
        let step (struct (position, node: Node, sources: int[])) =
            let operands =
                sources |> Array.map (fun s -> if s >= 0 then s else inputs.Count - 1 - s)

            let place =
                match placed.TryGetValue position with
                | true, place -> place
                | _ -> null

            FusedStep(node.Primitive.Element.Invoke node, operands, wanted position, place)

        let described =
            inputs.ConvertAll(fun (struct (_, layout, dtype)) -> struct (dtype.Size(), layout.Strides))

        let names = members.ConvertAll(fun (struct (_, node, _)) -> node.Primitive.Name)
        names.AddRange moves

        FusedProgram(shape.Dimensions, described.ToArray(), members.ConvertAll(step).ToArray()), names
