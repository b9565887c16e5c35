namespace Hybrid.Core

open System
open System.Collections.Generic

/// A cell inside a function that is being compiled: an input, and an output if the function writes it.
[<Sealed>]
type internal TracedCell(cell: CellState) =
    let input =
        Node.MakeLeaf(
            Leaves.placeholderPrimitive,
            0L,
            CellVersion(cell, cell.Version),
            cell.Shape,
            cell.DType,
            null,
            cell.Trainable && cell.DType <= Hybrid.Kernels.ElementType.Float64
        )

    member _.Cell = cell
    member _.Input = input

    /// Whether the cell was trainable.
    member val Trainable = cell.Trainable
    member val Current = input with get, set
    member val Gradient: Node = null with get, set

    /// Whether the function set or cleared the gradient at all.
    member val GradientTouched = false with get, set

    /// Whether it read or added to the gradient that was there before, of which there must be none.
    member val GradientContinued = false with get, set

    member this.Written = not (Object.ReferenceEquals(this.Current, input))

/// What a function that is being compiled does to cells, which happens at each call and not while it is traced. A rule of cells may only read them.
[<Sealed; AllowNullLiteral>]
type internal Trace(isRule: bool) =
    let cells = Dictionary<CellState, TracedCell>(HashIdentity.Reference)

    /// The cells that the function reads or writes, in the order of first use.
    member val Cells = List<TracedCell>() with get

    /// Refuses what a rule of cells must not do, as it would happen once and not at each application.
    member _.Refuse(cell: CellState, what: string) =
        if isRule then
            raise (
                CellException(
                    "rule",
                    "a function that reads cells and reports what they become",
                    $"{what} of cell '{cell.Name}'",
                    Context.Current.Path,
                    "Report new values through the changes; an optimiser that does more leaves IsFixed false."
                )
            )

    member this.Of(cell: CellState) =
        match cells.TryGetValue cell with
        | true, traced -> traced
        | _ ->
            let traced = TracedCell cell
            cells[cell] <- traced
            this.Cells.Add traced
            traced

    static member Current =
        match Context.Current.Trace with
        | :? Trace as t -> t
        | _ -> null

/// Reading and writing cells, in a trace or outside of one.
module internal CellAccess =
    /// The node that denotes the cell's value now.
    let read (cell: CellState) : Node =
        match Trace.Current with
        | null -> cell.Leaf
        | trace -> trace.Of(cell).Current

    // Adds to the new values of cells the losses that the cells' gradients come from and that nobody has read yet, each once.
    let private addLosses (cells: CellState[]) (nodes: List<Node>) =
        for cell in cells do
            let loss = cell.GradientOrigin

            if
                not (isNull loss)
                && isNull loss.Value
                && not loss.Symbolic
                && nodes.IndexOf(loss, cells.Length) < 0
            then
                nodes.Add loss

        nodes.ToArray()

    /// Writes several cells at once, and computes the losses that their gradients come from in the same run; see Engine.Assign.
    /// The list is given away.
    let write (cells: CellState[]) (nodes: List<Node>) =
        match Trace.Current with
        | null -> Engine.Current.Assign(cells, addLosses cells nodes)
        | trace ->
            for i in 0 .. cells.Length - 1 do
                trace.Refuse(cells[i], "a write")
                cells[i].Check(nodes[i].Shape, nodes[i].DType)

            for i in 0 .. cells.Length - 1 do
                // What is read after the write is a plain input to whatever follows, as a fresh version of the cell would be.
                trace.Of(cells[i]).Current <- Node.MakeCut(Leaves.stopPrimitive, CellVersion(cells[i], 0L), nodes[i], cells[i].Trainable)

    /// The accumulated gradient, or null.
    let gradient (cell: CellState) : Node =
        match Trace.Current with
        | null -> cell.Gradient
        | trace ->
            trace.Refuse(cell, "the gradient")
            let traced = trace.Of cell

            if not traced.GradientTouched then
                traced.GradientContinued <- true

            traced.Gradient

    let clearGradient (cell: CellState) =
        match Trace.Current with
        | null ->
            cell.Gradient <- null
            cell.GradientOrigin <- null
        | trace ->
            trace.Refuse(cell, "the gradient")
            let traced = trace.Of cell
            traced.Gradient <- null
            traced.GradientTouched <- true

    /// Adds to the accumulated gradient. One that is still pending is evaluated first, so that laziness stays bounded.
    let accumulate (cell: CellState) (g: Node) (origin: Node) =
        if not (Shapes.same g.Shape cell.Shape) then
            raise (
                ShapeException(
                    "accumulate",
                    $"a gradient of shape {cell.Shape}, as cell '{cell.Name}' has",
                    string g.Shape,
                    Context.Current.Path,
                    "A gradient has the shape of its parameter."
                )
            )

        if g.DType <> cell.DType then
            raise (
                ElementTypeException(
                    "accumulate",
                    $"a gradient of type {Value.NameOf cell.DType}, as cell '{cell.Name}' has",
                    Value.NameOf g.DType,
                    Context.Current.Path,
                    "A gradient has the type of its parameter: convert it with To."
                )
            )

        match Trace.Current with
        | null ->
            match cell.Gradient with
            | null -> cell.Gradient <- g
            | before ->
                if isNull before.Value then
                    Engine.Current.Evaluate [| before |]

                cell.Gradient <- Elementwise.add before g

            cell.GradientOrigin <- origin
        | trace ->
            trace.Refuse(cell, "the gradient")
            let traced = trace.Of cell

            if not traced.GradientTouched then
                traced.GradientTouched <- true
                traced.GradientContinued <- true

            traced.Gradient <-
                if isNull traced.Gradient then
                    g
                else
                    Elementwise.add traced.Gradient g
