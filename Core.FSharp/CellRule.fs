namespace Hybrid.Core

open System
open System.Collections.Generic

/// What some cells become, as a function of tensors and of cells. The function runs once, and what it built is applied from then on: for
/// rules that do the same operations with the same numbers at every step, as an optimiser's do. Numbers that change have to be
/// arguments or cells; reading a value inside is refused.
[<Sealed>]
type CellRule(rule: Action<Tensor[], Action<Cell, Tensor>>) =
    let mutable written: Cell[] = null
    let mutable formula: Formula = null
    // Where each operand comes from: an argument, the current version of a cell, or a value that the function captured.
    let mutable sources: Func<Tensor[], Node>[] = [||]
    let mutable expected: Tensor[] = [||]

    let source (placeholders: Node[]) (operand: Node) : Func<Tensor[], Node> =
        match operand.Payload with
        | _ when not (isNull operand.Value) -> Func<_, _>(fun _ -> operand)
        | :? CellVersion as v -> Func<_, _>(fun _ -> v.Cell.Leaf)
        | _ ->
            let i = Array.IndexOf(placeholders, operand)
            Func<_, _>(fun arguments -> arguments[i].Node)

    let trace (arguments: Tensor[]) =
        let context = Context.Current

        let placeholders =
            arguments |> Array.map (fun a -> Leaves.placeholder a.Shape a.DType)

        let cells, values = List<Cell>(), List<Node>()
        context.Trace <- Trace()

        try
            rule.Invoke(
                placeholders |> Array.map Tensor.Of,
                fun cell value ->
                    cells.Add cell
                    values.Add value.Node
            )
        finally
            context.Trace <- null

        let struct (body, operands) = Formulas.extract (values.ToArray())
        let key = List<int>()
        Planner.encode body body.Roots key
        sources <- operands |> Array.map (source placeholders)
        formula <- Formula(body, key.ToArray())
        expected <- placeholders |> Array.map Tensor.Of
        written <- cells.ToArray()

    let fits (arguments: Tensor[]) =
        arguments.Length = expected.Length
        && Array.forall2 (fun (a: Tensor) (e: Tensor) -> a.DType = e.DType && Shapes.same a.Shape e.Shape) arguments expected

    /// Reports what each cell becomes to `change`. Inside a compiled function, and for arguments of other shapes or types than the first,
    /// the function itself runs.
    member _.Apply(arguments: Tensor[], change: Action<Cell, Tensor>) : unit =
        if not (isNull Context.Current.Trace) then
            rule.Invoke(arguments, change)
        else
            if isNull formula then
                trace arguments

            if fits arguments && sources.Length > 0 then
                let results =
                    Formulas.apply formula (sources |> Array.map (fun s -> s.Invoke arguments))

                for i in 0 .. written.Length - 1 do
                    change.Invoke(written[i], Tensor.Of results[i])
            else
                rule.Invoke(arguments, change)
