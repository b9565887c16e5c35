namespace Hybrid.Core

open System
open System.Collections.Generic

/// What some cells become, as a function of one tensor and of cells, such as an optimiser's update of a parameter by its gradient. The
/// function runs once, and what it built is applied from then on: for rules that do the same operations with the same numbers every time.
/// Numbers that change have to be in cells: tensors that it captures stay what they are. Reading a value inside, writing a cell otherwise than by
/// reporting it, and using gradients of cells are refused with a CellException.
[<Sealed>]
type CellRule(rule: Action<Tensor, Action<Cell, Tensor>>) =
    let mutable written: CellState[] = null
    let mutable formula: Formula = null
    // Where each operand comes from: the argument, for which stands null, a cell, or a value that the function captured.
    let mutable operands: Node[] = [||]
    let mutable shape: Shape = null
    let mutable dtype = Hybrid.Kernels.ElementType.Float32

    let trace (argument: Node) =
        let context = Context.Current
        let placeholder = Leaves.placeholder argument.Shape argument.DType
        let cells, values = List<CellState>(), List<Node>()
        context.Trace <- Trace true

        try
            rule.Invoke(
                Tensor placeholder,
                fun cell value ->
                    cell.State.Check(value.Shape, value.DType)
                    cells.Add cell.State
                    values.Add value.Node
            )
        finally
            context.Trace <- null

        let struct (body, leaves) = Formulas.extract (values.ToArray())

        operands <-
            leaves
            |> Array.map (fun leaf ->
                match leaf.Payload with
                | _ when Object.ReferenceEquals(leaf, placeholder) -> null
                | :? CellVersion as v when isNull leaf.Value -> v.Cell.Current
                | _ -> leaf)

        let key = List<int>()
        Planner.encode body body.Roots key
        formula <- Formula(body, key.ToArray())
        shape <- argument.Shape
        dtype <- argument.DType
        written <- cells.ToArray()

    // Whether the formula can be applied: to an argument of the shape and type of the first, where it has an operand at all.
    member private _.Fits(argument: Node) =
        if isNull formula then
            trace argument

        operands.Length > 0
        && argument.DType = dtype
        && Shapes.same argument.Shape shape

    member private _.Add(argument: Tensor, cells: List<CellState>, nodes: List<Node>) =
        let bound = operands |> Array.map (fun n -> if isNull n then argument.Node else n)

        cells.AddRange written
        Formulas.apply formula bound nodes

    /// Writes the cells of several rules in one run, each for an argument of its own; if anything fails, none changes. Inside a compiled
    /// function, and for arguments of another shape or type than a rule's first, the functions themselves run.
    static member SetAll(rules: IReadOnlyList<CellRule>, arguments: IReadOnlyList<Tensor>) : unit =
        if rules.Count <> arguments.Count then
            invalidArg (nameof arguments) $"There are {rules.Count} rules and {arguments.Count} arguments."

        let tracing = not (isNull Context.Current.Trace)
        // For an optimiser's step: a parameter and its state, and the loss.
        let room = 4 * rules.Count
        let cells, nodes = List<CellState> room, List<Node>(room + 1)

        for i in 0 .. rules.Count - 1 do
            if not tracing && rules[i].Fits arguments[i].Node then
                rules[i].Add(arguments[i], cells, nodes)
            else
                rules[i]
                    .Run(
                        arguments[i],
                        fun cell value ->
                            cells.Add cell.State
                            nodes.Add value.Node
                    )

        if cells.Count > 0 then
            CellAccess.write (cells.ToArray()) nodes

    member private _.Run(argument: Tensor, change: Action<Cell, Tensor>) = rule.Invoke(argument, change)
