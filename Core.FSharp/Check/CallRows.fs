namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core

/// The rows of one Call at one state.
[<Sealed>]
type internal CallRows(subject: Subject, state: State, options: CheckOptions) =
    let call = subject.Call
    let path = call.Path
    let paths = Paths(subject, state)
    let targets = paths.Targets

    let isDetached (n: Node) =
        Object.ReferenceEquals(n.Primitive, Leaves.stopPrimitive)

    let known (name: string) (v: Value) =
        {
            Name = name
            Shape = v.Shape.ToArray()
            Values = v.ToDoubles()
        }

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
                if isNull (fst paths.Automatic[index]) then
                    Array.zeroCreate (int t.Original.Shape.Size)
                else
                    fst paths.Automatic[index]
            Tolerance =
                if paths.Independence[index] = Independence.HostCode && paths.IsSingle then
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
                paths.OutputValues.Value
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
                        if i <> index && not (isNull (fst paths.Automatic[i])) then
                            {
                                Name = $"the gradient of {targets[i].Name}"
                                Shape = targets[i].Original.Shape.ToArray()
                                Values = fst paths.Automatic[i]
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
        let copy, differences = paths.Differences.Value
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
        let a, ea = paths.Automatic[index]
        let m, em = paths.Manual[index]
        let size = int t.Original.Shape.Size
        let isParameter = t.Kind = GradientOf.Parameter
        let trainable = isParameter && (t.Original.Payload :?> CellVersion).Cell.Trainable
        row.Independence <- paths.Independence[index]

        let allZero (x: float[]) =
            isNull x || x |> Array.forall (fun v -> v = 0.0)

        let finish verdict reason =
            row.Verdict <- verdict
            row.Reason <- reason
            row

        if paths.Fault <> "" then
            finish Verdict.Error paths.Fault
        elif state.Cotangents |> Array.forall isNull then
            finish Verdict.NotChecked "no result that a gradient could come from"
        elif not (Values.isFloat t.Original.DType) then
            finish Verdict.NotChecked $"{Value.NameOf t.Original.DType} numbers have no derivative"
        elif isDetached t.Original then
            finish Verdict.NotChecked "treated as constant"
        elif size = 0 then
            finish Verdict.NotChecked "it has no elements"
        elif isNull a && not (allZero m) && paths.IsCut then
            finish Verdict.NotChecked "values that it leads to were computed without recording; run the network on CallCheck.Track(input)"
        elif isNull a && trainable then
            finish Verdict.Error "no gradient reaches it: nothing that the layer returns is computed from it"
        elif not (isNull m) && not (Shapes.same t.Manual.Shape t.Original.Shape) then
            row.Diagnosis <- Diagnosis.Explain(this.Evidence(index, m, t.Manual.Shape))
            finish Verdict.Disagree $"the manual gradient has shape {t.Manual.Shape} instead of {t.Original.Shape}"
        else
            let a, ea =
                (if isNull a then
                     Array.zeroCreate size, Array.zeroCreate size
                 else
                     a, ea)

            let host = row.Independence = Independence.HostCode

            let m' =
                if paths.HasManual && isNull m then
                    Array.zeroCreate size
                else
                    m

            let bound =
                if isNull m' then
                    ea
                elif host && not (isNull t.Automatic) then
                    let factor =
                        if paths.IsSingle then
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

            // Those that left the domain say nothing.
            let samples =
                if options.Differences then
                    this.Samples(t, a, ea, worst :: List.ofArray (Array.truncate 8 excess))
                    |> List.filter (fun s -> Double.IsFinite s.Difference)
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
                row.Comparison <- Comparison.OfArrays(a, m', t.Original.Shape, host && paths.IsSingle)
                row.Bound <- bound[worst]
                row.BoundRatio <- ratio worst
                row.ManualAtWorst <- m'[worst]

            row.AutomaticAtWorst <- a[worst]
            row.WorstIndex <- Text.indexOf t.Original.Shape worst

            match samples |> List.tryFind (fun s -> s.Position = worst) with
            | Some s -> row.DifferenceAtWorst <- s.Difference
            | Option.None -> ()

            if not samples.IsEmpty then
                let copy, taken = paths.Differences.Value
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
                match paths.ScaledManual.TryFind index with
                | Some(g: float[]) when not (isNull m) ->
                    [ 0 .. size - 1 ]
                    |> List.tryFind (fun i -> g[i] <> -2.0 * m[i] && not (Double.IsNaN m[i]) && Math.Abs m[i] > 1e-290)
                | _ -> Option.None

            let diagnose () =
                if not (isNull m') then
                    row.Diagnosis <- Diagnosis.Explain(this.Evidence(index, m', t.Original.Shape))

            match scaling with
            | Some i ->
                diagnose ()
                let at = Shape.Format(Text.indexOf t.Original.Shape i)
                let g = paths.ScaledManual[index][i]

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
                        "the automatic gradient differs"
                    else
                        "manual and automatic agree, and both differ"

                finish Verdict.Disagree $"{who} from {wrong.Length} of {smooth.Length} central differences"
            | Option.None when kinks |> List.exists (fun s -> s.Position >= 0) ->
                finish Verdict.Kink $"{kinks.Length} of {samples.Length} differences left out: a sign or argmax changes between x - h, x and x + h"
            | Option.None when allZero a && allZero m ->
                row.IsVacuous <- true
                finish Verdict.NotChecked "zero everywhere by all paths: nothing was shown"
            | Option.None when isNull m' && samples.IsEmpty ->
                let differences =
                    if options.Differences then
                        "all differences leave the function's domain"
                    else
                        "differences are off"

                finish Verdict.NotChecked $"no backward by hand, and {differences}"
            | Option.None when isNull m' -> finish Verdict.Agree "no backward by hand: automatic against differences"
            | Option.None -> finish Verdict.Agree ""

    /// One row for each input and parameter.
    member this.Rows() : CheckRow[] = Array.init targets.Length this.Row
