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

/// The rows of one Call at one state.
[<Sealed>]
type internal CallRows(subject: Subject, state: State, options: CheckOptions) =
    let call = subject.Call
    let path = call.Path
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

    // Null for no rule; the rule's own error otherwise.
    let manual, fault =
        if isNull call.Rule then
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

    let hasManual = not (isNull call.Rule) && fault = ""

    let outputs = automaticCopy.Outputs()

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

    let known (name: string) (v: Value) =
        {
            Name = name
            Shape = v.Shape.ToArray()
            Values = v.ToDoubles()
        }

    let outputValues =
        lazy
            (let copy = Copied(subject, state, false)
             Array.map2 (fun (n: Node) x -> Values.ofDoubles n.Shape x) (copy.Outputs()) (Values.evaluate (copy.Outputs())))

    // ---- rows -------------------------------------------------------------------------------------------------------------

    member private _.Evidence(index: int, manual: float[], manualShape: Shape) : Evidence =
        let t = targets[index]

        let batch =
            if call.Outputs[0].Shape.Rank > 0 then
                call.Outputs[0].Shape[0]
            else
                0

        let numbered (prefix: string) count i =
            if count = 1 then prefix else $"{prefix} {i}"

        let floats =
            Array.filter (fun (v: Value) -> not (isNull v) && Values.isFloat v.DType)

        let contributions =
            lazy
                (if batch < 2 || isNull t.Automatic || isNull state.Cotangents[0] then
                     [||]
                 else
                     let x = state.Cotangents[0].ToDoubles()
                     let row = x.Length / batch

                     Array.init (min batch 64) (fun k ->
                         let masked = x |> Array.mapi (fun i v -> if i / row = k then v else 0.0)

                         let fresh =
                             Copied(
                                 subject,
                                 { state with
                                     Cotangents =
                                         state.Cotangents
                                         |> Array.mapi (fun i c -> if i = 0 then Values.ofDoubles c.Shape masked else null)
                                 },
                                 true
                             )

                         CallRows.Gradient(fresh, t.Original)))

        {
            ManualShape = manualShape.ToArray()
            Manual = manual
            Shape = t.Original.Shape.ToArray()
            Automatic =
                if isNull (fst automaticNumbers[index]) then
                    Array.zeroCreate (int t.Original.Shape.Size)
                else
                    fst automaticNumbers[index]
            Tolerance =
                if independence[index] = Independence.HostCode && single then
                    3e-4
                else
                    1.5e-8
            Sizes =
                [
                    if batch > 0 then
                        "the batch size", batch
                    "the number of elements", int t.Original.Shape.Size
                    "the number of results", int call.Outputs[0].Shape.Size
                ]
            Cotangents =
                state.Cotangents
                |> floats
                |> Array.mapi (fun i v -> known (numbered "the cotangent" state.Cotangents.Length i) v)
                |> List.ofArray
            Inputs =
                state.Inputs
                |> floats
                |> Array.mapi (fun i v -> known (numbered "the input" call.Inputs.Length i) v)
                |> List.ofArray
            Outputs =
                outputValues.Value
                |> floats
                |> Array.mapi (fun i v -> known (numbered "the output" call.Outputs.Length i) v)
                |> List.ofArray
            Parameters =
                state.Parameters
                |> Array.mapi (fun i v -> known $"the parameter {subject.ParameterName i}" v)
                |> List.ofArray
            Others =
                [
                    for i in 0 .. targets.Length - 1 do
                        if i <> index && not (isNull (fst automaticNumbers[i])) then
                            {
                                Name = $"the gradient of {targets[i].Name}"
                                Shape = targets[i].Original.Shape.ToArray()
                                Values = fst automaticNumbers[i]
                            }
                ]
            Contributions = contributions
        }

    // The automatic gradient of one original on a fresh copy.
    static member private Gradient(copy: Copied, original: Node) : float[] =
        lock Gate.instance (fun () ->
            use _ = Recording.On()

            let pairs =
                Array.zip (copy.Outputs()) copy.Cotangents
                |> Array.filter (fun (_, g) -> not (isNull g))

            let parts =
                pairs
                |> Array.map (fun (y, g) -> (Sweep.withRespectTo null y g [| copy.Leaf original |]).[0])
                |> Array.filter (isNull >> not)

            if parts.Length = 0 then
                Array.zeroCreate (int original.Shape.Size)
            else
                (Values.evaluate [| parts |> Array.reduce Elementwise.add |]).[0])

    member private _.Samples(t: Target, gradient: float[], slack: float[], also: int list) : Taken list =
        let copy, differences = differences.Value
        let leaf = copy.Leaf t.Original
        let x = t.Start.ToDoubles()
        let draws = Draws(options.Seed, $"{path} {t.Name}")
        let small = x.Length <= options.AllCoordinatesUpTo

        let chosen =
            if small then
                [ 0 .. x.Length - 1 ]
            else
                List.ofArray (draws.Positions(x.Length, options.Coordinates)) @ also
                |> List.distinct

        [
            for i in chosen -> differences.Coordinate(leaf, x, i, gradient, slack, options.Safety)
            if not small then
                for _ in 1 .. options.Projections -> differences.Projection(leaf, x, gradient, slack, draws, options.Safety)
        ]

    member private this.Row(index: int) : CheckRow =
        let t = targets[index]
        let row = CheckRow(path, t.Name, t.Kind, t.Original.Shape)
        let a, ea = automaticNumbers[index]
        let m, em = manualNumbers[index]
        let size = int t.Original.Shape.Size
        let isParameter = t.Kind = GradientOf.Parameter
        let trainable = isParameter && (t.Original.Payload :?> CellVersion).Cell.Trainable
        row.Independence <- independence[index]

        let allZero (x: float[]) =
            isNull x || x |> Array.forall (fun v -> v = 0.0)

        let finish verdict reason =
            row.Verdict <- verdict
            row.Reason <- reason
            row

        if fault <> "" then
            finish Verdict.Error fault
        elif not (Values.isFloat t.Original.DType) then
            finish Verdict.NotChecked $"{Value.NameOf t.Original.DType} numbers have no derivative"
        elif isDetached t.Original then
            finish Verdict.NotChecked "treated as constant"
        elif size = 0 then
            finish Verdict.NotChecked "it has no elements"
        elif isNull a && not (allZero m) && automaticCopy.Replay.IsCut then
            finish Verdict.NotChecked "values that it leads to were computed without recording; run the network on CallCheck.Track(input)"
        elif isNull a && trainable then
            finish Verdict.Error "no gradient reaches it: nothing that the layer returns is computed from it"
        elif not (isNull m) && not (Shapes.same t.Manual.Shape t.Original.Shape) then
            row.Diagnosis <- Diagnosing.explain (this.Evidence(index, m, t.Manual.Shape))
            finish Verdict.Disagree $"the manual gradient has shape {t.Manual.Shape} instead of {t.Original.Shape}"
        else
            let a, ea =
                (if isNull a then
                     Array.zeroCreate size, Array.zeroCreate size
                 else
                     a, ea)

            let host = row.Independence = Independence.HostCode
            let m' = if hasManual && isNull m then Array.zeroCreate size else m

            let bound =
                if isNull m' then
                    ea
                elif host && not (isNull t.Automatic) then
                    let factor =
                        if single then
                            ErrorBounds.unit32 / ErrorBounds.unit64
                        else
                            1.0

                    ea |> Array.map (fun e -> options.Safety * (1.0 + factor) * e)
                else
                    Array.init size (fun i -> options.Safety * (ea[i] + (if isNull em then 0.0 else em[i])))

            let gap i =
                let d = Math.Abs(m'[i] - a[i])

                if m'[i] = a[i] || (Double.IsNaN m'[i] && Double.IsNaN a[i]) then
                    0.0
                elif Double.IsNaN d then
                    infinity
                else
                    d

            let ratio i =
                if gap i = 0.0 then 0.0 else gap i / bound[i]

            let outside i =
                let r = ratio i in r > 1.0 || Double.IsNaN r

            let excess =
                if isNull m' then
                    [||]
                else
                    [| 0 .. size - 1 |] |> Array.filter outside

            let worst =
                if isNull m' then
                    0
                else
                    [| 0 .. size - 1 |]
                    |> Array.maxBy (fun i ->
                        (if outside i then 1 else 0), (let r = ratio i in if Double.IsNaN r then infinity else r), gap i, Math.Abs a[i])

            let samples =
                if options.Differences then
                    this.Samples(t, a, ea, worst :: List.ofArray (Array.truncate 8 excess))
                else
                    []

            let off s =
                not (Math.Abs(s.Difference - s.Expected) <= s.Bound)

            let smooth = samples |> List.filter (fun s -> not s.Kink)
            let wrong = smooth |> List.filter off
            let kinks = samples |> List.filter (fun s -> s.Kink)

            let kinkAt i =
                kinks |> List.exists (fun s -> s.Position = i)

            let worst =
                match wrong with
                | _ when excess.Length > 0 -> worst
                | [] -> worst
                | _ ->
                    match wrong |> List.filter (fun s -> s.Position >= 0) with
                    | [] -> worst
                    | coordinates ->
                        (coordinates
                         |> List.maxBy (fun s -> Math.Abs(s.Difference - s.Expected) / s.Bound))
                            .Position

            if not (isNull m') then
                row.Comparison <- Comparison.OfArrays(a, m', t.Original.Shape, host && single)
                row.Bound <- bound[worst]
                row.BoundRatio <- ratio worst
                row.ManualAtWorst <- m'[worst]

            row.AutomaticAtWorst <- a[worst]
            row.WorstIndex <- Text.indexOf t.Original.Shape worst

            match samples |> List.tryFind (fun s -> s.Position = worst) with
            | Some s -> row.DifferenceAtWorst <- s.Difference
            | Option.None -> ()

            if not samples.IsEmpty then
                let copy, taken = differences.Value
                let linear = taken.IsLinear(copy.Leaf t.Original)
                let error s = Math.Abs(s.Difference - s.Expected)

                let largest =
                    match smooth with
                    | [] -> Option.None
                    | _ -> Option.Some(smooth |> List.maxBy (fun s -> error s / s.Bound))

                row.Difference <-
                    DifferenceResult(
                        (samples |> List.filter (fun s -> s.Position >= 0)).Length,
                        int64 size,
                        (samples |> List.filter (fun s -> s.Position < 0)).Length,
                        kinks.Length,
                        taken.Step linear,
                        linear,
                        (match largest with
                         | Some s -> error s
                         | Option.None -> nan),
                        (match largest with
                         | Some s -> s.Bound
                         | Option.None -> nan),
                        wrong.IsEmpty
                    )

            let scaling =
                match scaledManual.TryFind index with
                | Some(g: float[]) when not (isNull m) ->
                    [ 0 .. size - 1 ]
                    |> List.tryFind (fun i -> g[i] <> -2.0 * m[i] && not (Double.IsNaN m[i]) && Math.Abs m[i] > 1e-290)
                | _ -> Option.None

            let diagnose () =
                if not (isNull m') then
                    row.Diagnosis <- Diagnosing.explain (this.Evidence(index, m', t.Original.Shape))

            match scaling with
            | Some i ->
                diagnose ()
                let at = Shape.Format(Text.indexOf t.Original.Shape i)
                let g = scaledManual[index][i]

                finish
                    Verdict.Error
                    $"the backward is not linear in its cotangent: -2 times the cotangent gives {Text.value g} at {at} instead of -2 x {Text.value m[i]}"
            | Option.None when excess.Length > 0 && excess |> Array.forall kinkAt ->
                finish Verdict.Kink "manual and automatic differ only at kinks of the function, where each may follow a convention of its own"
            | Option.None when excess.Length > 0 ->
                diagnose ()
                let count = $"{excess.Length} of {size} elements differ by more than rounding"

                let side =
                    match samples |> List.tryFind (fun s -> s.Position = worst && not s.Kink) with
                    | Some s when not (off s) -> "; the difference sides with the automatic path"
                    | Some s when Math.Abs(s.Difference - m'[worst]) <= s.Bound -> "; the difference sides with the manual path"
                    | _ -> ""

                finish Verdict.Disagree (count + side)
            | Option.None when not wrong.IsEmpty ->
                let who =
                    if isNull m' then
                        "the automatic gradient"
                    else
                        "manual and automatic agree, and both"

                finish Verdict.Disagree $"{who} differ from {wrong.Length} of {smooth.Length} central differences"
            | Option.None when kinks |> List.exists (fun s -> s.Position >= 0) ->
                finish Verdict.Kink $"{kinks.Length} of {samples.Length} differences left out: a sign or argmax changes between x - h, x and x + h"
            | Option.None when allZero a && allZero m ->
                row.IsVacuous <- true
                finish Verdict.NotChecked "zero everywhere by all paths: nothing was shown"
            | Option.None when isNull m' && samples.IsEmpty -> finish Verdict.NotChecked "no backward by hand, and differences are off"
            | Option.None when isNull m' -> finish Verdict.Agree "no backward by hand: automatic against differences"
            | Option.None -> finish Verdict.Agree ""

    /// One row for each input and parameter.
    member this.Rows() : CheckRow[] = Array.init targets.Length this.Row

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
        let calls, inputs, cotangents, missing =
            lock Gate.instance (fun () ->
                use _ = Recording.On()
                let root = result.Node

                let cotangent =
                    if isNull cotangent then
                        Elementwise.constantLike root 1.0
                    else
                        cotangent.Node

                let order = Walk.order (Walk.tracked null) [| root |]

                let gradients =
                    Sweep.run order null (Array.create order.Count true) [| struct (order.Roots[0], cotangent) |]

                let arriving = Dictionary<Node, Node>(HashIdentity.Reference)
                order.Nodes |> Array.iteri (fun i n -> arriving[n] <- gradients[i])

                let calls =
                    (Walk.order Walk.everything [| root |]).Nodes
                    |> Array.choose (fun n ->
                        match n.Payload with
                        | :? CallOutput as o -> Some o.Call
                        | _ -> Option.None)
                    |> Array.distinctBy (fun c -> c.Id)
                    |> Array.filter (fun c -> not (isNull c.Rule) || not (Subject(c).IsComposite))

                let arrives (o: Node) =
                    match arriving.TryGetValue o with
                    | true, g -> g
                    | _ -> null

                let missing =
                    if isNull parameters then
                        [||]
                    else
                        unreached order gradients root parameters

                let flat f = calls |> Array.collect f |> current
                calls, flat (fun c -> c.Inputs), flat (fun c -> c.Outputs |> Array.map arrives), missing)

        let mutable input = 0
        let mutable output = 0

        let states =
            calls
            |> Array.map (fun call ->
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
                (fun i (call: CallRecord) state ->
                    options.Cancellation.ThrowIfCancellationRequested()

                    if not (isNull options.Progress) then
                        options.Progress.Invoke(i, calls.Length, call.Path)

                    CallRows(Subject call, state, options).Rows())
                calls
                states

        Array.append (Array.concat rows) missing
