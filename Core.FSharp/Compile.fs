namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Threading

/// Where a leaf of a compiled function's plan gets its value at each call.
[<Struct>]
type internal Source =
    | Argument of argument: int
    | CellInput of cell: CellState
    | Captured of value: Value
    | Unbound

/// What one call of a compiled function runs on, and the table of what it computes. Used again by the calls that follow.
[<Sealed; AllowNullLiteral>]
type internal Arguments(sources: Source[], order: Order, scopes: Scope[], outputs: int) =
    inherit Binding()

    member val Given: Tensor[] = null with get, set
    member val Values: Value[] = Array.zeroCreate outputs

    override this.Leaf position =
        match sources[position] with
        | Argument i -> this.Given[i].Value
        | CellInput cell -> cell.Value
        | Captured v -> v
        | Unbound -> invalidOp "not a leaf"

    override _.Scalar position = order.Nodes[position]

    override _.Path position =
        match scopes[position] with
        | null -> ""
        | s -> s.Path

    override _.Cell position =
        match sources[position] with
        | CellInput cell -> cell
        | _ -> null

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
    (
        signature: Signature,
        plan: Plan,
        sources: Source[],
        order: Order,
        results: Node[],
        cells: TracedCell[],
        written: TracedCell[],
        graded: TracedCell[]
    ) =
    let outputs = results.Length

    // What a sweep from outside would silently leave out.
    let tracked = results |> Array.map (fun n -> n.Tracked)

    let compiled =
        match cells |> Array.tryFind (fun c -> c.Input.Tracked) with
        | Some traced -> Compiled $"read the trainable cell '{traced.Cell.Name}'"
        | None -> Compiled "captured a tensor with a gradient to come"

    let changed = written |> Array.map (fun c -> c.Cell)
    let scopes = order.Nodes |> Array.map (fun n -> n.Scope)
    let mutable idle: Arguments = null

    /// Whether a call now would be traced alike.
    member _.Fits(arguments: Tensor[]) =
        let mutable fits = signature.Fits arguments

        for traced in cells do
            fits <- fits && traced.Trainable = traced.Cell.Trainable

        fits

    /// Runs the plan, writes the cells and returns the function's results.
    member this.Run(engine: Engine, arguments: Tensor[]) : Tensor[] =
        let call =
            match Interlocked.Exchange(&idle, null) with
            | null -> Arguments(sources, order, scopes, plan.Outputs.Length)
            | used -> used

        call.Given <- arguments

        try
            this.Run(engine, call)
        finally
            call.Given <- null
            Array.Clear call.Values
            idle <- call

    member private _.Run(engine: Engine, call: Arguments) : Tensor[] =
        for traced in cells do
            if traced.GradientContinued && not (isNull traced.Cell.Gradient) then
                raise (
                    TapeException(
                        "compile",
                        $"no gradient from before the call on cell '{traced.Cell.Name}', whose gradient the compiled function reads or adds to",
                        "one",
                        "",
                        "Call ZeroGrad inside of the compiled function, and Backward after it."
                    )
                )

        // Evaluated before any cell is held.
        for argument in call.Given do
            argument.Value |> ignore

        let values = call.Values
        engine.Write(plan, call, changed, values)

        for i in 0 .. graded.Length - 1 do
            let cell = graded[i].Cell

            if isNull graded[i].Gradient then
                cell.Gradient <- null
            else
                cell.Gradient <- Leaves.value values[plan.Results[written.Length + i]]

            cell.GradientOrigin <- null

        let results =
            if outputs = 0 then
                Array.Empty()
            else
                Array.zeroCreate outputs

        for i in 0 .. outputs - 1 do
            let value = values[plan.Results[plan.Results.Length - outputs + i]]

            results[i] <-
                Tensor(
                    if tracked[i] then
                        Node.MakeLeaf(Leaves.valuePrimitive, 0L, compiled, value.Shape, value.DType, value, true)
                    else
                        Leaves.value value
                )

        results

/// A function that is traced once for each signature (shapes, element types, modes, and which of its cells are trainable) and then runs as one plan. Cells that
/// it reads or writes are inputs and outputs of the plan; host numbers and tensors that it captured keep the value they had. Calls of a function that returns
/// nothing, and writes cells that nobody reads from call to call, take no memory after the first few. Where an argument has a gradient to come, as
/// inside of `grad`, the function itself is called and differentiated. Gradients of cells are computed inside: Backward from a result that depends on
/// a trainable cell, or on what was captured and has a gradient to come, is refused.
[<Sealed>]
type CompiledFunction(f: Func<Tensor[], Tensor[]>) =
    let specialisations = List<Specialisation>()

    let trace (engine: Engine) (arguments: Tensor[]) =
        let context = Context.Current
        let trace = Trace false
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

        // Cells first, so that a loss comes out of the pass that its gradient takes.
        let roots =
            Array.concat
                [
                    written |> Array.map (fun c -> c.Current)
                    graded |> Array.map (fun c -> c.Gradient) |> Array.filter (isNull >> not)
                    results
                ]

        // What does not depend on the arguments or cells is computed now, once; but a number that is repeated to a shape stays a
        // number, and what only looks at memory differently costs nothing in the plan.
        let remains (n: Node) =
            n.Symbolic || not (isNull n.Primitive.View)

        let symbolic =
            { new Walk.Descent with
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

        Specialisation(Signature arguments, plan, order.Nodes |> Array.map source, order, results, cells, written, graded)

    /// Runs the function. Throws TapeException if it reads a value that depends on its arguments or on cells, or if it reads or adds to a gradient that
    /// a cell has from before the call.
    member _.Invoke([<ParamArray>] arguments: Tensor[]) : Tensor[] =
        let differentiated =
            Context.Current.Recording && arguments |> Array.exists (fun a -> a.Node.Tracked)

        if differentiated || not (isNull (Trace.Current :> obj)) then
            f.Invoke arguments // Inside another compiled function it is simply a part of that one.
        else
            let engine = Engine.Current

            let specialisation =
                lock specialisations (fun () ->
                    let mutable found = null

                    for s in specialisations do
                        if s.Fits arguments then
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
