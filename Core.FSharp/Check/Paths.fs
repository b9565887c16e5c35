namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core
open Hybrid.Kernels

/// What a gradient is taken with respect to, with the gradients of both paths as expressions.
type internal Target =
    {
        Original: Node
        Name: string
        Kind: GradientOf
        Start: Value
        /// Null where the backward by hand gives none.
        Manual: Node
        /// Null where the automatic path gives none.
        Automatic: Node
        /// The automatic path's leaf.
        Leaf: Node
    }

/// The gradients of one Call at one state by both paths, which are built and evaluated apart.
[<Sealed>]
type internal Paths(subject: Subject, state: State) =
    let call = subject.Call
    let single = call.Outputs |> Array.exists (fun o -> o.DType = ElementType.Float32)

    let isDetached (n: Node) =
        Object.ReferenceEquals(n.Primitive, Leaves.stopPrimitive)

    let originals =
        Array.append
            (call.Inputs
             |> Array.mapi (fun i n -> n, subject.InputName i, GradientOf.Input, state.Inputs[i]))
            (call.Parameters
             |> Array.mapi (fun i n -> n, subject.ParameterName i, GradientOf.Parameter, state.Parameters[i]))

    // ---- the two paths --------------------------------------------------------------------------------------------------

    let manualCopy = Copied(subject, state, false)
    let automaticCopy = Copied(subject, state, true)

    // The gradients that the rule gives for cotangents `factor` times the state's, one for each of `originals`, and the cotangents' leaves.
    let runRule (factor: float) =
        use _ = Recording.On()

        let leaves =
            Array.map2
                (fun (v: Value) (o: Node) ->
                    if isNull v then
                        null
                    else
                        let scaled =
                            Values.ofDoubles v.Shape (v.ToDoubles() |> Array.map (fun x -> factor * x))

                        Leaves.value (Values.narrow o.DType scaled))
                state.Cotangents
                call.Outputs

        let parameters = Dictionary<CellState, Node>(HashIdentity.Reference)

        let accumulate =
            Action<Cell, Tensor>(fun cell g ->
                parameters[cell.State] <-
                    match parameters.TryGetValue cell.State with
                    | true, before -> Elementwise.add before g.Node
                    | _ -> g.Node)

        let tensors = leaves |> Array.map (fun n -> if isNull n then null else Tensor.Of n)
        let inputs = (call.Face :?> Call).Backward(tensors, accumulate)

        let gradients =
            Array.append
                (Array.init call.Inputs.Length (fun i ->
                    if i < inputs.Length && not (isNull inputs[i]) then
                        inputs[i].Node
                    else
                        null))
                (Array.init call.Parameters.Length (fun i ->
                    match parameters.TryGetValue(subject.Cell i) with
                    | true, g -> g
                    | _ -> null))

        let strangers =
            parameters.Keys
            |> Seq.filter (fun c ->
                call.Parameters
                |> Array.exists (fun p -> Object.ReferenceEquals((p.Payload :?> CellVersion).Cell, c))
                |> not)

        gradients, leaves, strangers |> Seq.map (fun c -> c.Name) |> Array.ofSeq

    let outputs = automaticCopy.Outputs()

    // Empty for no rule, or for one that failed, with its error.
    let manual, fault =
        if isNull call.Rule || state.Cotangents |> Array.forall isNull then
            [||], ""
        else
            try
                let gradients, leaves, strangers = runRule 1.0

                Array.iter2
                    (fun (a: Node) b ->
                        if not (isNull a) then
                            manualCopy.Replay.Bind(a, b))
                    leaves
                    manualCopy.Cotangents

                Array.iter2 (fun (o: Node) y -> manualCopy.Replay.Bind(o, y)) call.Outputs (manualCopy.Outputs())
                let present = gradients |> Array.filter (isNull >> not)
                let copies = manualCopy.Replay.Of present
                let mutable next = -1

                let all =
                    gradients
                    |> Array.map (fun g ->
                        if isNull g then
                            null
                        else
                            next <- next + 1
                            copies[next])

                let fault =
                    if strangers.Length = 0 then
                        ""
                    else
                        let names = String.Join(", ", strangers)
                        $"the backward accumulates a gradient for '{names}', which the layer does not list among its parameters"

                all, fault
            with :? HybridException as e ->
                [||], "the backward threw: " + e.Message

    let hasManual = manual.Length > 0

    let automatic =
        lock Gate.instance (fun () ->
            use _ = Recording.On()

            let roots =
                Array.zip outputs automaticCopy.Cotangents
                |> Array.filter (fun (_, g) -> not (isNull g))

            if roots.Length = 0 then
                originals |> Array.map (fun _ -> null)
            else
                let order = Walk.order (Walk.tracked null) (roots |> Array.map fst)
                let leaves = originals |> Array.map (fun (n, _, _, _) -> automaticCopy.Leaf n)
                let positions = Dictionary<Node, int>(HashIdentity.Reference)
                order.Nodes |> Array.iteri (fun i n -> positions[n] <- i)
                let wrt = Array.zeroCreate<bool> order.Count

                for leaf in leaves do
                    match positions.TryGetValue leaf with
                    | true, i -> wrt[i] <- true
                    | _ -> ()

                let seeds = roots |> Array.mapi (fun i (_, g) -> struct (order.Roots[i], g))
                let gradients = Sweep.run order null wrt seeds

                leaves
                |> Array.map (fun leaf ->
                    match positions.TryGetValue leaf with
                    | true, i -> gradients[i]
                    | _ -> null))

    // One target for each tensor: an input that is given twice has the sum of both gradients.
    let targets =
        let groups = Dictionary<Node, List<int>>(HashIdentity.Reference)
        let order = List<Node>()

        originals
        |> Array.iteri (fun i (n, _, _, _) ->
            match groups.TryGetValue n with
            | true, list -> list.Add i
            | _ ->
                groups[n] <- List [ i ]
                order.Add n)

        order.ToArray()
        |> Array.map (fun n -> n, groups[n])
        |> Array.map (fun (n, list) ->
            let _, _, kind, start = originals[list[0]]

            let sum a b =
                if isNull a then b
                elif isNull b then a
                else Elementwise.add a b

            let names = list |> Seq.map (fun i -> originals[i] |> fun (_, name, _, _) -> name)

            {
                Original = n
                Name = String.Join(" + ", names)
                Kind = kind
                Start = start
                Manual =
                    if hasManual then
                        list |> Seq.map (fun i -> manual[i]) |> Seq.fold sum null
                    else
                        null
                Automatic = automatic[list[0]]
                Leaf = automaticCopy.Leaf n
            })

    let labels =
        let all = Dictionary<Node, string>(HashIdentity.Reference)
        manualCopy.Labels all
        automaticCopy.Labels all
        all

    let structure = Structure()
    let manualCotangents = manualCopy.Cotangents |> Array.filter (isNull >> not)

    let isHostCode (t: Target) =
        not (isNull t.Manual) && not (Structure.Reaches(t.Manual, manualCotangents))

    let independence =
        targets
        |> Array.map (fun t ->
            if isNull t.Manual || isNull t.Automatic then
                Independence.None
            elif isHostCode t then
                Independence.HostCode
            else
                structure.Compare(t.Manual, t.Automatic, labels))

    let present nodes = nodes |> Array.filter (isNull >> not)

    do
        let ours = targets |> Array.map (fun t -> t.Manual) |> present
        let theirs = targets |> Array.map (fun t -> t.Automatic) |> present

        if Structure.SharesWork(ours, theirs) then
            invalidOp "R15: the manual and the automatic path share a computed node."

    // Whether the rule scales with its cotangent: -2 times it must give -2 times the gradient, bit for bit.
    let nonlinear =
        lazy
            (if not hasManual then
                 Map.empty
             else
                 let graphs =
                     targets
                     |> Array.indexed
                     |> Array.filter (fun (_, t) -> not (isNull t.Manual) && not (isHostCode t))

                 let nodes = graphs |> Array.map (fun (_, t) -> t.Manual)

                 let scaled =
                     if nodes.Length = 0 then
                         [||]
                     else
                         let twice =
                             manualCotangents
                             |> Array.map (fun n -> n, Values.ofDoubles n.Shape (n.Value.ToDoubles() |> Array.map (fun x -> -2.0 * x)))

                         let copy = Replay(false)
                         twice |> Array.iter (fun (n, v) -> copy.Bind(n, Leaves.value v))
                         copy.Of nodes |> Values.evaluate

                 Array.map2 (fun (i, _) (g: float[]) -> i, g) graphs scaled |> Map.ofArray)

    // ---- values -----------------------------------------------------------------------------------------------------------

    let numbers (unit: float) (nodes: Node[]) =
        let there = nodes |> Array.filter (isNull >> not)
        let bounds = ErrorBounds.ofNodes unit there
        let values = Values.evaluate (Array.append there bounds)
        let mutable k = -1

        nodes
        |> Array.map (fun n ->
            if isNull n then
                null, null
            else
                k <- k + 1
                let e = values[there.Length + k]
                values[k], (if isNull e then Array.zeroCreate values[k].Length else e))

    // Nonlinearity first, since evaluation makes computed nodes values.
    let scaledManual = nonlinear.Value

    let manualNumbers =
        numbers ErrorBounds.unit64 (targets |> Array.map (fun t -> t.Manual))

    let automaticNumbers =
        numbers ErrorBounds.unit64 (targets |> Array.map (fun t -> t.Automatic))

    let differences =
        lazy
            (use _ = Mode.NoGrad()
             let copy = Copied(subject, state, false)
             let outputs = copy.Outputs()
             // What is treated as constant stays what it is at x.
             let kept = Replay(false)

             let stops = (Walk.order Walk.everything outputs).Nodes |> Array.filter isDetached

             if stops.Length > 0 then
                 let values = Values.evaluate (Replay(false).Of(stops |> Array.map (fun n -> n.A)))
                 Array.iter2 (fun (n: Node) v -> kept.Bind(n, Leaves.value (Values.ofDoubles n.Shape v))) stops values

             for n, _, _, _ in originals do
                 kept.Bind(copy.Leaf n, copy.Leaf n)

             let pairs =
                 Array.zip (kept.Of outputs) copy.Cotangents
                 |> Array.filter (fun (_, g) -> not (isNull g))

             copy, Differences(Array.map fst pairs, Array.map snd pairs))

    let outputValues =
        lazy
            (let copy = Copied(subject, state, false)
             Array.map2 (fun (n: Node) x -> Values.ofDoubles n.Shape x) (copy.Outputs()) (Values.evaluate (copy.Outputs())))

    /// What gradients are taken with respect to.
    member _.Targets = targets

    /// How far apart the two expressions of each target are.
    member _.Independence = independence

    /// Why the backward by hand cannot be used; empty if it can.
    member _.Fault = fault

    /// Whether there is a backward by hand that can be used.
    member _.HasManual = hasManual

    /// Whether the Call's own type is float32.
    member _.IsSingle = single

    /// Whether values inside the Call have lost what they were computed from.
    member _.IsCut = automaticCopy.Replay.IsCut || subject.IsCut

    /// Each target's manual gradient and its rounding bound; nulls for none.
    member _.Manual = manualNumbers

    /// Each target's automatic gradient and its rounding bound; nulls for none.
    member _.Automatic = automaticNumbers

    /// The manual gradients for -2 times the cotangents, by target.
    member _.ScaledManual = scaledManual

    /// The copy that differences are taken on, and the differences.
    member _.Differences = differences

    /// What the Call computes.
    member _.OutputValues = outputValues
