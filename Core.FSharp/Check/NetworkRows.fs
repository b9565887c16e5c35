namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core

/// The rows of a Call, and of every Call on a tape.
module internal CheckRows =
    let private seeded (seed: uint64) (path: string) (index: int) (o: Node) =
        if Values.isFloat o.DType then
            let draws = Draws(seed, $"{path} cotangent {index}")
            let x = Array.init (int o.Shape.Size) (fun _ -> float (float32 (draws.NonZero())))
            Values.ofDoubles o.Shape x
        else
            null

    // Values of nodes in their own type, from copies, so that nothing of the original is evaluated or released.
    let private current (nodes: Node[]) =
        let there = nodes |> Array.filter (isNull >> not)
        let copies = Replay(false).Of there
        use _ = Mode.NoGrad()
        Engine.Current.Evaluate copies
        let mutable k = -1

        nodes
        |> Array.map (fun n ->
            if isNull n then
                null
            else
                k <- k + 1
                Values.widen copies[k].Value)

    let private parameterValues (call: CallRecord) =
        call.Parameters |> Array.map (fun n -> Values.widen n.Value)

    /// The rows of one Call at the state it was made in, with seeded cotangents.
    let standalone (call: CallRecord) (options: CheckOptions) : CheckRow[] =
        let state =
            {
                Inputs = current call.Inputs
                Parameters = parameterValues call
                Cotangents = call.Outputs |> Array.mapi (seeded options.Seed call.Path)
                Seeded = true
            }

        CallRows(Subject call, state, options).Rows()

    // R14: every trainable parameter is reached.
    let private unreached (order: Order) (gradients: Node[]) (result: Node) (parameters: IReadOnlyList<Cell>) =
        let reached = HashSet<CellState>(HashIdentity.Reference)

        for i in 0 .. order.Count - 1 do
            match order.Nodes[i].Payload with
            | :? CellVersion as v when not (isNull gradients[i]) -> reached.Add v.Cell |> ignore
            | _ -> ()

        let read = HashSet<CellState>(HashIdentity.Reference)

        for n in (Walk.order Walk.everything [| result |]).Nodes do
            match n.Payload with
            | :? CellVersion as v -> read.Add v.Cell |> ignore
            | _ -> ()

        [|
            for cell in parameters do
                if cell.Trainable && not (reached.Contains cell.State) then
                    let row = CheckRow("parameters", cell.Name, GradientOf.Parameter, cell.Shape)
                    row.Verdict <- Verdict.Error

                    row.Reason <-
                        if read.Contains cell.State then
                            "no gradient reaches it: what is computed from it passes through operations that stop gradients"
                        else
                            "no gradient reaches it: nothing that leads to the result is computed from it"

                    row
        |]

    /// The rows of every Call that leads to a result, at the state and with the cotangent that it has there.
    let network (result: Tensor) (cotangent: Tensor) (parameters: IReadOnlyList<Cell>) (options: CheckOptions) : CheckRow[] =
        let subjects, inputs, cotangents, missing =
            lock Gate.instance (fun () ->
                use _ = Recording.On()
                let root = result.Node

                let cotangent =
                    if not (isNull cotangent) then
                        if not (Shapes.same cotangent.Shape root.Shape) then
                            raise (
                                ShapeException(
                                    "check",
                                    $"a cotangent of shape {root.Shape}, as the result has",
                                    string cotangent.Shape,
                                    root.Path,
                                    "A cotangent has the shape of the result."
                                )
                            )

                        cotangent.Node
                    elif root.Shape.Size = 1L then
                        Elementwise.constantLike root 1.0
                    else
                        Leaves.value (Values.narrow root.DType (seeded options.Seed "result" 0 root))

                let order = Walk.order (Walk.tracked null) [| root |]

                let gradients =
                    Sweep.run order null (Array.create order.Count true) [| struct (order.Roots[0], cotangent) |]

                let arriving = Dictionary<Node, Node>(HashIdentity.Reference)
                order.Nodes |> Array.iteri (fun i n -> arriving[n] <- gradients[i])

                let subjects =
                    (Walk.order Walk.everything [| root |]).Nodes
                    |> Array.choose (fun n ->
                        match n.Payload with
                        | :? CallOutput as o -> Some o.Call
                        | _ -> Option.None)
                    |> Array.distinctBy (fun c -> c.Id)
                    |> Array.map Subject
                    |> Array.filter (fun s -> not (isNull s.Call.Rule) || not s.IsComposite)

                let arrives (o: Node) =
                    match arriving.TryGetValue o with
                    | true, g -> g
                    | _ -> null

                let missing =
                    if isNull parameters then
                        [||]
                    else
                        unreached order gradients root parameters

                let flat f =
                    subjects |> Array.collect (fun s -> f s.Call) |> current

                subjects, flat (fun c -> c.Inputs), flat (fun c -> c.Outputs |> Array.map arrives), missing)

        let mutable input = 0
        let mutable output = 0

        let states =
            subjects
            |> Array.map (fun subject ->
                let call = subject.Call
                let here = Array.sub cotangents output call.Outputs.Length

                let zero =
                    here
                    |> Array.forall (fun g -> isNull g || g.ToDoubles() |> Array.forall (fun x -> x = 0.0))

                let state =
                    {
                        Inputs = Array.sub inputs input call.Inputs.Length
                        Parameters = parameterValues call
                        Cotangents =
                            if zero then
                                call.Outputs |> Array.mapi (seeded options.Seed call.Path)
                            else
                                here
                        Seeded = zero
                    }

                input <- input + call.Inputs.Length
                output <- output + call.Outputs.Length
                state)

        let rows =
            Array.mapi2
                (fun i (subject: Subject) state ->
                    options.Cancellation.ThrowIfCancellationRequested()

                    if not (isNull options.Progress) then
                        options.Progress.Invoke(i, subjects.Length, subject.Call.Path)

                    CallRows(subject, state, options).Rows())
                subjects
                states

        Array.append (Array.concat rows) missing
