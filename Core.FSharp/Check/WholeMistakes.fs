/// Mistakes that leave a gradient's elements right but for a factor, their order or their shape.
module internal Hybrid.Core.Checking.WholeMistakes

open System
open Hybrid.Core.Checking.Sentences

// ---- another shape ----------------------------------------------------------------------------------------------------

let notSummed (e: Evidence) =
    let lead = e.ManualShape.Length - e.Shape.Length

    if sameShape e || lead < 0 then
        none
    else
        let axes =
            [
                for a in 0 .. e.ManualShape.Length - 1 do
                    if a < lead || (e.Shape[a - lead] = 1 && e.ManualShape[a] <> 1) then
                        a
            ]

        let place =
            if axes.Length = 1 then
                $"axis {number axes.Head}"
            else
                "axes " + String.Join(", ", axes |> List.map number)

        match fits e (Fits.sumOver e.ManualShape axes e.Manual) e.Automatic with
        | ValueSome c when not axes.IsEmpty ->
            Some $"manual summed over {place} = {automatic e c}: the gradient of a tensor that was broadcast is not summed"
        | _ -> none

let otherShape (e: Evidence) =
    if sameShape e || e.Manual.Length <> e.Automatic.Length then
        none
    elif Fits.same e.Tolerance e.Manual e.Automatic then
        Some $"manual has the right elements in shape {format e.ManualShape} instead of {format e.Shape}: reshape it"
    else
        Fits.orders (min 4 e.Shape.Length)
        |> Seq.tryPick (fun order ->
            if
                order.Length = e.Shape.Length
                && (order |> Array.map (fun a -> e.Shape[a])) = e.ManualShape
            then
                match fits e e.Manual (Fits.permute e.Shape order e.Automatic) with
                | ValueSome c -> Some $"manual = {automatic e c} with its axes in the order {format order}: it is transposed"
                | _ -> none
            else
                none)

// ---- the whole tensor -------------------------------------------------------------------------------------------------

let zero (e: Evidence) =
    let m, a = Fits.largest e.Manual, Fits.largest e.Automatic

    if m = 0.0 && a > 0.0 then
        Some $"manual is zero in {all e}: the gradient is not computed, not reported, or lost"
    elif a = 0.0 && m > 0.0 then
        Some $"automatic is zero in {all e}, and manual is not: the results do not change with this tensor"
    else
        none

let wrongFactor (e: Evidence) =
    match Fits.factor e.Tolerance e.Manual e.Automatic with
    | ValueSome c when
        not (isOne e c)
        && (Fits.counts e.Tolerance e.Manual c
            || e.Sizes
               |> List.exists (fun (_, n) -> Fits.near e.Tolerance (1.0 / float n) c || Fits.near e.Tolerance (float n) c))
        ->
        Some $"manual = {Text.factor c} x automatic in {all e}: {meaning e c}"
    | _ -> none

let transposed (e: Evidence) =
    let rank = e.Shape.Length

    if not (sameShape e) || rank < 2 || rank > 4 then
        none
    else
        Fits.orders rank
        |> Seq.tryPick (fun order ->
            match fits e e.Manual (Fits.permute e.Shape order e.Automatic) with
            | ValueSome c when (order |> Array.map (fun a -> e.Shape[a])) = e.Shape ->
                Some $"manual = {automatic e c} with its axes in the order {format order}, in {all e}: it is transposed"
            | ValueSome _ ->
                Some
                    $"manual has the elements of automatic with its axes in the order {format order}, under the old shape: it is reshaped where it should be transposed"
            | _ -> none)

let flipped (e: Evidence) =
    let rank = e.Shape.Length

    if not (sameShape e) || rank = 0 || rank > 4 then
        none
    else
        [
            for mask in 1 .. (1 <<< rank) - 1 ->
                [
                    for a in 0 .. rank - 1 do
                        if mask &&& (1 <<< a) <> 0 then
                            a
                ]
        ]
        |> Seq.filter (List.forall (fun a -> e.Shape[a] > 1))
        |> Seq.tryPick (fun axes ->
            let reversed = Fits.flip e.Shape axes e.Automatic

            match fits e e.Manual reversed with
            | ValueSome c when not (Fits.same e.Tolerance reversed e.Automatic) ->
                let names = String.Join(", ", axes |> List.map number)
                Some $"manual = {automatic e c} reversed along axis {names}, in {all e}: a kernel or sequence is flipped"
            | _ -> none)

let private permutedAlong (e: Evidence) (axis: int) (what: string) =
    let ours, theirs =
        Fits.slices e.Shape axis e.Manual, Fits.slices e.Shape axis e.Automatic

    let taken = Array.create theirs.Length false

    let place =
        ours
        |> Array.map (fun row ->
            let k =
                theirs
                |> Array.indexed
                |> Array.tryFindIndex (fun (i, r) -> not taken[i] && Fits.same e.Tolerance row r)

            k |> Option.iter (fun i -> taken[i] <- true)
            k)

    let moved = place |> Array.indexed |> Array.exists (fun (i, k) -> k <> Some i)

    if moved && place |> Array.forall Option.isSome then
        let order = place |> Array.map Option.get |> Array.truncate 8
        let more = if place.Length > 8 then ", ..." else ""
        let text = String.Join(", ", order |> Array.map number) + more
        Some $"the {what} of manual are the {what} {text} of automatic: they are in another order"
    else
        none

let permuted (e: Evidence) =
    let rank = e.Shape.Length

    if not (sameShape e) || rank = 0 then
        none
    else
        [
            0, (if rank = 1 then "elements" else "rows")
            if rank > 1 then
                rank - 1, (if rank = 2 then "columns" else "slices along the last axis")
        ]
        |> Seq.tryPick (fun (axis, what) ->
            if e.Shape[axis] > 1 && e.Shape[axis] <= 256 then
                permutedAlong e axis what
            else
                none)

let shifted (e: Evidence) =
    if not (sameShape e) then
        none
    else
        [
            for axis in 0 .. e.Shape.Length - 1 do
                for step in [ 1; -1; 2; -2 ] -> axis, step
        ]
        |> Seq.tryPick (fun (axis, step) ->
            let n, s = e.Shape[axis], (Fits.strides e.Shape)[axis]

            if n < 2 * abs step + 2 then
                none
            else
                let inside =
                    [|
                        for i in 0 .. e.Manual.Length - 1 do
                            let k = Fits.coordinate e.Shape axis i - step

                            if k >= 0 && k < n then
                                i
                    |]

                let ours = inside |> Array.map (fun i -> e.Manual[i])
                let theirs = inside |> Array.map (fun i -> e.Automatic[i - step * s])

                if Fits.same e.Tolerance ours theirs && (ours |> Array.distinct).Length > 2 then
                    Some
                        $"manual is automatic moved by {number step} along axis {number axis}, in {number inside.Length} of {number e.Manual.Length} elements: an index is off"
                else
                    none)
