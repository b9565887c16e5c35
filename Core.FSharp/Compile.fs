namespace Hybrid.Core

open System
open System.Collections.Generic

/// Where a leaf of a compiled function's plan gets its value at each call.
[<Struct>]
type internal Source =
    | Argument of argument: int
    | CellInput of cell: CellState
    | Captured of value: Value
    | Unbound

/// What one call of a compiled function runs on.
[<Sealed>]
type internal Arguments(sources: Source[], order: Order, scopes: Scope[], arguments: Tensor[]) =
    inherit Binding()

    override _.Leaf position =
        match sources[position] with
        | Argument i -> arguments[i].Value
        | CellInput cell -> cell.Value
        | Captured v -> v
        | Unbound -> invalidOp "not a leaf"

    override _.Scalar position = order.Nodes[position]

    override _.Path position =
        match scopes[position] with
        | null -> ""
        | s -> s.Path

/// What a compiled function is traced anew for: shapes and types of its arguments, and modes.
[<Sealed>]
type internal Signature(arguments: Tensor[]) =
    let shapes = arguments |> Array.map (fun a -> a.Shape)
    let types = arguments |> Array.map (fun a -> a.DType)
    let training, recording = Context.Current.Training, Context.Current.Recording

    /// Whether a call now would be traced alike.
    member _.Fits(others: Tensor[]) =
        let context = Context.Current

        let mutable fits =
            others.Length = shapes.Length
            && context.Training = training
            && context.Recording = recording

        for i in 0 .. shapes.Length - 1 do
            fits <- fits && others[i].DType = types[i] && Shapes.same others[i].Shape shapes[i]

        fits

/// One signature of a compiled function: its plan, and what to do with the outputs.
[<Sealed; AllowNullLiteral>]
type internal Specialisation
    (signature: Signature, plan: Plan, sources: Source[], order: Order, outputs: int, cells: TracedCell[], written: TracedCell[], graded: TracedCell[])
    =
    // For each written cell: the version that this function wrote last, and memory for the next one. A version's memory is used
    // again if nothing outside has ever seen it: at once where the plan can write over it, otherwise after it was replaced.
    let mine: Value[] = Array.zeroCreate written.Length
    let spare: Value[] = Array.zeroCreate written.Length

    // Whether an output belongs to a written cell alone, and is not also returned.
    let alone =
        Array.init written.Length (fun i ->
            let number = plan.Results[outputs + i]
            (plan.Results |> Array.filter (fun r -> r = number)).Length = 1)

    // Whether the plan lets the new version of a written cell take the memory of the version that it replaces.
    let inPlace =
        Array.init written.Length (fun i ->
            alone[i]
            && plan.Overwrites
               |> Array.exists (fun (struct (result, position)) ->
                   result = plan.Results[outputs + i]
                   && (match sources[position] with
                       | CellInput cell -> Object.ReferenceEquals(cell, written[i].Cell)
                       | _ -> false)))

    let scopes = order.Nodes |> Array.map (fun n -> n.Scope)

    // Which cells the call that holds their claims is writing over.
    let overwriting: bool[] = Array.zeroCreate written.Length

    member _.Signature = signature

    /// Runs the plan, writes the cells and returns the function's results.
    member _.Run(engine: Engine, arguments: Tensor[]) : Tensor[] =
        for traced in cells do
            if traced.GradientContinued && not (isNull traced.Cell.Gradient) then
                raise (
                    TapeException(
                        "compile",
                        $"no gradient yet on cell '{traced.Cell.Name}', as when the function was compiled",
                        "one from before the call",
                        "",
                        "Call ZeroGrad inside the compiled function before Backward."
                    )
                )

        // Evaluated before any cell is held.
        for argument in arguments do
            argument.Value |> ignore

        let mutable claimed = 0

        for traced in cells do
            traced.Cell.Reading 1

        try
            for traced in written do
                traced.Cell.BeginWrite()
                claimed <- claimed + 1

            let values = Array.zeroCreate<Value> plan.Outputs.Length

            for i in 0 .. written.Length - 1 do
                let cell = written[i].Cell

                overwriting[i] <- inPlace[i] && Object.ReferenceEquals(cell.Value, mine[i]) && cell.TryOverwrite()

                if overwriting[i] then
                    values[plan.Results[outputs + i]] <- cell.Value
                elif alone[i] then
                    values[plan.Results[outputs + i]] <- spare[i]
                    spare[i] <- null

            for number in 0 .. values.Length - 1 do
                if isNull values[number] then
                    let struct (shape, dtype) = plan.Outputs[number]
                    values[number] <- Value.Allocate(shape, dtype)

            engine.RunPlan(plan, Arguments(sources, order, scopes, arguments), values)

            for i in 0 .. written.Length - 1 do
                let cell = written[i].Cell
                let old = cell.Value
                let free = cell.Commit values[plan.Results[outputs + i]]

                if free && not overwriting[i] && Object.ReferenceEquals(old, mine[i]) then
                    spare[i] <- old

                mine[i] <- if alone[i] then cell.Value else null

            for i in 0 .. graded.Length - 1 do
                let cell = graded[i].Cell

                if isNull graded[i].Gradient then
                    cell.Gradient <- null
                else
                    cell.Gradient <- Leaves.value values[plan.Results[outputs + written.Length + i]]

                cell.GradientOrigin <- null

            let results = Array.zeroCreate<Tensor> outputs

            for i in 0 .. outputs - 1 do
                results[i] <- Tensor(Leaves.value values[plan.Results[i]])

            results
        finally
            if claimed = written.Length then
                for i in 0 .. written.Length - 1 do
                    if overwriting[i] then
                        overwriting[i] <- false
                        written[i].Cell.Settle()

            for traced in cells do
                traced.Cell.Reading -1

            for i in 0 .. claimed - 1 do
                written[i].Cell.EndWrite()

/// A function that is traced once for each signature (shapes, element types and mode) and then runs as one plan. Cells that it reads or
/// writes are inputs and outputs of the plan; host numbers and tensors that it captured keep the value they had.
[<Sealed>]
type CompiledFunction(f: Func<Tensor[], Tensor[]>) =
    let specialisations = List<Specialisation>()

    let trace (engine: Engine) (arguments: Tensor[]) =
        let context = Context.Current
        let trace = Trace()
        let before = context.Trace
        let inputs = arguments |> Array.map (fun a -> Leaves.placeholder a.Shape a.DType)
        context.Trace <- trace

        let results =
            try
                f.Invoke(inputs |> Array.map Tensor.Of) |> Array.map (fun t -> t.Node)
            finally
                context.Trace <- before

        let cells = trace.Cells.ToArray()
        let written = cells |> Array.filter (fun c -> c.Written)

        // Those with a gradient first, as their gradients are outputs.
        let graded =
            cells
            |> Array.filter (fun c -> c.GradientTouched)
            |> Array.sortBy (fun c -> isNull c.Gradient)

        let roots =
            Array.concat
                [
                    results
                    written |> Array.map (fun c -> c.Current)
                    graded |> Array.map (fun c -> c.Gradient) |> Array.filter (isNull >> not)
                ]

        // What does not depend on the arguments or cells is computed now, once; but a number that is repeated to a shape stays a
        // number, and what only looks at memory differently costs nothing in the plan.
        let remains (n: Node) =
            n.Symbolic || not (isNull n.Primitive.View)

        let symbolic =
            { new Walk.Descent() with
                member _.Count node = if remains node then node.Arity else 0
                member _.Child(node, i) = node.Input i
            }

        let frontier =
            (Walk.order symbolic roots).Nodes
            |> Array.filter (fun n -> not (remains n) && n.Arity > 0 && isNull n.Value)

        engine.Evaluate frontier
        let order = Walk.order Walk.pending roots
        let plan = engine.PlanFor(order, order.Roots)

        let source (n: Node) =
            match n.Payload with
            | _ when not (isNull n.Value) -> Captured n.Value
            | :? CellVersion as v when n.Arity = 0 -> CellInput v.Cell
            | _ ->
                match Array.FindIndex(inputs, (fun i -> Object.ReferenceEquals(i, n))) with
                | -1 -> Unbound
                | i -> Argument i

        Specialisation(Signature arguments, plan, order.Nodes |> Array.map source, order, results.Length, cells, written, graded)

    /// Runs the function. Throws TapeException if it reads a value that depends on its arguments or on cells.
    member _.Invoke([<ParamArray>] arguments: Tensor[]) : Tensor[] =
        if not (isNull (Trace.Current :> obj)) then
            f.Invoke arguments // Inside another compiled function it is simply a part of that one.
        else
            let engine = Engine.Current

            let specialisation =
                lock specialisations (fun () ->
                    let mutable found = null

                    for s in specialisations do
                        if s.Signature.Fits arguments then
                            found <- s

                    if isNull found then
                        found <- trace engine arguments
                        specialisations.Add found

                    found)

            specialisation.Run(engine, arguments)

/// Compiling, for F#.
[<AutoOpen>]
module Compile =
    /// A function of one tensor as one plan; see CompiledFunction.
    let compile (f: Tensor -> Tensor) : Tensor -> Tensor =
        let compiled = CompiledFunction(fun a -> [| f a[0] |])
        fun x -> compiled.Invoke([| x |])[0]
