/// What goes wrong in gradients that are written by hand, as a table: each entry says what it would look like, and looks.
module internal Hybrid.Core.Checking.Hypotheses

open System
open System.Globalization

/// One kind of mistake.
type Hypothesis =
    {
        /// Its name, such as `sign flipped or wrong factor`.
        Name: string
        /// Whether it looks at gradients of a wrong shape; the others look at gradients of the right one.
        OtherShape: bool
        /// The sentence with its evidence, if the numbers bear it out.
        Look: Evidence -> string option
    }

let private none: string option = Option.None

let private number (n: int) = n.ToString CultureInfo.InvariantCulture

let private all (e: Evidence) =
    if e.Manual.Length = 1 then
        "its one element"
    else
        $"all {number e.Manual.Length} elements"

let private sameShape (e: Evidence) =
    e.ManualShape.AsSpan().SequenceEqual(ReadOnlySpan<int> e.Shape)

let private format (shape: int[]) = Hybrid.Core.Shape.Format shape

/// What a factor other than 1 may come from; empty if it has no name.
let private meaning (e: Evidence) (c: float) =
    let size = Math.Abs c
    let near = Fits.near e.Tolerance

    let named =
        [
            for name, n in e.Sizes |> List.distinctBy snd do
                if n > 1 then
                    if near (float n) size then
                        $"multiplied by {name}, {number n}: a sum where a mean belongs"
                    elif near (1.0 / float n) size then
                        $"divided by {name}, {number n}: a mean where a sum belongs"
            if near 2.0 size then
                "counted twice, or a factor 2 too large"
            if near 0.5 size then
                "a factor 2 short"
        ]

    match c < 0.0, named with
    | true, [] when near 1.0 size -> "the sign is flipped"
    | true, [] -> "the sign is flipped, and the factor is wrong"
    | true, _ -> "the sign is flipped, and it is " + String.Join(", or ", named)
    | false, [] -> "a constant factor is wrong"
    | false, _ -> "it is " + String.Join(", or ", named)

// c with a = c b, if it is worth mentioning.
let private fits (e: Evidence) a b =
    match Fits.factor e.Tolerance a b with
    | ValueSome c when Fits.counts e.Tolerance a c -> ValueSome c
    | _ -> ValueNone

let private isOne (e: Evidence) c = Fits.near e.Tolerance 1.0 c

// "X" for c = 1, else "c x X".
let private times (e: Evidence) (c: float) (what: string) =
    if isOne e c then what else $"{Text.factor c} x {what}"

let private automatic e c = times e c "automatic"

let private first (candidates: seq<string option>) = candidates |> Seq.tryPick id

// ---- another shape ----------------------------------------------------------------------------------------------------

let private notSummed (e: Evidence) =
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

let private otherShape (e: Evidence) =
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

let private zero (e: Evidence) =
    let m, a = Fits.largest e.Manual, Fits.largest e.Automatic

    if m = 0.0 && a > 0.0 then
        Some $"manual is zero in {all e}: the gradient is not computed, not reported, or lost"
    elif a = 0.0 && m > 0.0 then
        Some $"automatic is zero in {all e}, and manual is not: the results do not change with this tensor"
    else
        none

let private wrongFactor (e: Evidence) =
    match Fits.factor e.Tolerance e.Manual e.Automatic with
    | ValueSome c when
        not (isOne e c)
        && (Fits.counts e.Tolerance e.Manual c
            || e.Sizes
               |> List.exists (fun (_, n) -> Fits.near e.Tolerance (1.0 / float n) c || Fits.near e.Tolerance (float n) c))
        ->
        Some $"manual = {Text.factor c} x automatic in {all e}: {meaning e c}"
    | _ -> none

let private transposed (e: Evidence) =
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

let private flipped (e: Evidence) =
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
            match fits e e.Manual (Fits.flip e.Shape axes e.Automatic) with
            | ValueSome c ->
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

    if place |> Array.forall Option.isSome then
        let order = place |> Array.map Option.get |> Array.truncate 8
        let more = if place.Length > 8 then ", ..." else ""
        let text = String.Join(", ", order |> Array.map number) + more
        Some $"the {what} of manual are the {what} {text} of automatic: they are in another order"
    else
        none

let private permuted (e: Evidence) =
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

let private shifted (e: Evidence) =
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

// ---- something else in its place --------------------------------------------------------------------------------------

let private otherArgument (e: Evidence) =
    e.Others
    |> Seq.tryPick (fun o ->
        match fits e e.Manual o.Values with
        | ValueSome c when isOne e c || o.Shape = e.Shape -> Some $"manual = {times e c o.Name} in {all e}: it is the gradient of another argument"
        | _ -> none)

let private oneExample (e: Evidence) =
    let parts = e.Contributions.Value

    let alone k part =
        match fits e e.Manual part with
        | ValueSome c when isOne e c || Fits.near e.Tolerance (1.0 / float parts.Length) c ->
            let share = $"the contribution of example {number k}"
            Some $"manual = {times e c share} in {all e}: it is not summed over the batch of {number parts.Length}"
        | _ -> none

    let allBut k (part: float[]) =
        if
            parts.Length > 2
            && Fits.largest part > 0.0
            && Fits.same e.Tolerance e.Manual (Array.map2 (-) e.Automatic part)
        then
            Some $"manual = automatic without the contribution of example {number k} in {all e}: an example of the batch is left out"
        else
            none

    first (Seq.append (parts |> Seq.mapi alone) (parts |> Seq.mapi allBut))

let private cotangentPassed (e: Evidence) =
    e.Cotangents
    |> Seq.tryPick (fun g ->
        match fits e e.Manual g.Values with
        | ValueSome c when Fits.isPlain e.Tolerance c ->
            Some $"manual = {times e c g.Name} in {all e}: the derivative is missing, delta stands where delta * f'(x) belongs"
        | _ -> none)

/// Derivatives that layers have, by the tensor t that they are taken at.
let private derivatives: (string * (float -> float)) list =
    [
        "(1 - t^2)", (fun t -> 1.0 - t * t)
        "t (1 - t)", (fun t -> t * (1.0 - t))
        "[t > 0]", (fun t -> if t > 0.0 then 1.0 else 0.0)
        "[t <= 0]", (fun t -> if t <= 0.0 then 1.0 else 0.0)
        "t", id
        "t^2", (fun t -> t * t)
        "(1 - t)", (fun t -> 1.0 - t)
        "1 / t", (fun t -> 1.0 / t)
        "1 / t^2", (fun t -> 1.0 / (t * t))
        "exp(t)", Math.Exp
        "cos(t)", Math.Cos
        "sin(t)", Math.Sin
        "sign(t)", (fun t -> float (Math.Sign t))
        "1 / (2 sqrt(t))", (fun t -> if t > 0.0 then 0.5 / Math.Sqrt t else nan)
    ]

// base * f(t) for each derivative f and each tensor t of the same size: with the names of both.
let private products (e: Evidence) (start: float[]) =
    seq {
        for t in e.Outputs @ e.Inputs do
            if t.Values.Length = start.Length then
                for name, f in derivatives do
                    let values =
                        Array.map2 (fun g x -> if Double.IsNaN x then nan else g * f x) start t.Values

                    name,
                    t.Name,
                    (if values |> Array.forall Double.IsFinite then
                         values
                     else
                         [||])
    }

let private wrongDerivative (e: Evidence) =
    e.Cotangents
    |> Seq.tryPick (fun g ->
        if g.Values.Length <> e.Manual.Length then
            none
        else
            let find (x: float[]) =
                products e g.Values
                |> Seq.tryPick (fun (f, t, values) ->
                    match fits e x values with
                    | ValueSome c when Fits.isPlain e.Tolerance c -> Some(c, f, t)
                    | _ -> Option.None)

            let say (c, f: string, t: string) = $"{times e c g.Name} * {f} at t = {t}"

            match find e.Manual, find e.Automatic with
            | Some(_, f, t as ours), Some(_, f', t' as theirs) when f = f' && t <> t' ->
                Some $"manual = {say ours} in {all e}, where automatic = {say theirs}: {t} stands where {t'} belongs"
            | Some(_, "[t <= 0]", _ as ours), _ -> Some $"manual = {say ours} in {all e}: the mask is inverted"
            | Some ours, Some theirs -> Some $"manual = {say ours} in {all e}, where automatic = {say theirs}: the derivative is another function's"
            | Some ours, Option.None -> Some $"manual = {say ours} in {all e}: the derivative is another function's"
            | _ -> none)

let private extraFactor (e: Evidence) =
    let plain goal (_, _, values) =
        match fits e goal values with
        | ValueSome c when Fits.isPlain e.Tolerance c -> Some c
        | _ -> Option.None

    // Both ways for each derivative in turn, so that t is tried before 1 / t.
    Seq.zip (products e e.Automatic) (products e e.Manual)
    |> Seq.tryPick (fun ((f, t, _ as extra), (_, _, _ as missing)) ->
        match plain e.Manual extra, plain e.Automatic missing with
        | Some c, _ -> Some $"manual = automatic * {times e c f} at t = {t}, in {all e}: a factor is applied twice, or should not be there"
        | _, Some c -> Some $"automatic = manual * {times e c f} at t = {t}, in {all e}: that factor is missing"
        | _ -> none)

// ---- a part of it -----------------------------------------------------------------------------------------------------

let private invertedMask (e: Evidence) =
    let pairs = Array.zip e.Manual e.Automatic
    let both = pairs |> Array.forall (fun (m, a) -> (m = 0.0) <> (a = 0.0))

    if
        sameShape e
        && both
        && pairs |> Array.exists (fun (m, _) -> m = 0.0)
        && pairs |> Array.exists (fun (_, a) -> a = 0.0)
    then
        Some $"manual is zero exactly where automatic is not, in {all e}: the mask is inverted"
    else
        none

let private masked (e: Evidence) =
    let right m a =
        Math.Abs(m - a: float) <= e.Tolerance * Fits.largest e.Automatic

    let count f =
        Array.map2 (fun m a -> if f m a then 1 else 0) e.Manual e.Automatic |> Array.sum

    if not (sameShape e) then
        none
    else
        let n = e.Manual.Length
        let lost = count (fun m a -> m = 0.0 && a <> 0.0)
        let extra = count (fun m a -> m <> 0.0 && a = 0.0)
        let wrong = count (fun m a -> m <> 0.0 && a <> 0.0 && not (right m a))

        if wrong = 0 && lost > 0 && extra = 0 && lost < n then
            Some
                $"manual is zero in {number lost} of {number n} elements where automatic is not, and right in the others: a mask hides too much, or contributions are lost"
        elif wrong = 0 && extra > 0 && lost = 0 && extra < n then
            Some $"manual is not zero in {number extra} of {number n} elements where automatic is, and right in the others: a mask is missing"
        else
            none

let private missingTerm (e: Evidence) =
    if not (sameShape e) || e.Manual.Length < 2 then
        none
    else
        let gap = Array.map2 (-) e.Automatic e.Manual

        let thing =
            e.Cotangents @ e.Inputs @ e.Parameters @ e.Outputs @ e.Others
            |> Seq.tryPick (fun t ->
                match fits e gap t.Values with
                | ValueSome c when t.Values.Length = gap.Length ->
                    if c > 0.0 then
                        Some $"automatic - manual = {times e c t.Name} in {all e}: that term is missing"
                    else
                        Some $"manual - automatic = {times e -c t.Name} in {all e}: that term should not be there"
                | _ -> none)

        // gap = t * (one number for each line along an axis)
        let perLine (t: float[]) axis =
            e.Shape[axis] > 2
            && e.Manual.Length > e.Shape[axis]
            && Fits.largest gap > 0.0
            && (let s = Fits.strides e.Shape

                let lines =
                    [| 0 .. gap.Length - 1 |]
                    |> Array.groupBy (fun i -> i - (i / s[axis] % e.Shape[axis]) * s[axis])

                lines
                |> Array.forall (fun (_, line) ->
                    let g, v = line |> Array.map (fun i -> gap[i]), line |> Array.map (fun i -> t[i])

                    Fits.largest g <= e.Tolerance * Fits.largest gap
                    || (Fits.factor (e.Tolerance * Math.Max(1.0, Fits.largest gap / Fits.largest g)) g v).IsSome))

        let reduced () =
            [
                for axis in e.Shape.Length - 1 .. -1 .. 0 do
                    axis, "the same", Array.create gap.Length 1.0

                    for t in e.Outputs @ e.Inputs do
                        if t.Values.Length = gap.Length then
                            axis, $"{t.Name} times one number", t.Values
            ]
            |> Seq.tryPick (fun (axis, what, t) ->
                if perLine t axis then
                    Some $"automatic - manual is {what} along each line of axis {number axis}: a term that is summed over that axis is missing"
                else
                    none)

        match thing with
        | Some text -> Some text
        | Option.None -> reduced ()

let private confined (e: Evidence) =
    let scale = Fits.largest e.Automatic

    if not (sameShape e) || e.Shape.Length = 0 then
        none
    else
        let wrong =
            [|
                for i in 0 .. e.Manual.Length - 1 do
                    if not (Math.Abs(e.Manual[i] - e.Automatic[i]) <= e.Tolerance * scale) then
                        i
            |]

        let on axis =
            wrong |> Array.map (Fits.coordinate e.Shape axis) |> Array.distinct

        let line =
            [ 0 .. e.Shape.Length - 1 ]
            |> Seq.tryPick (fun axis ->
                match on axis with
                | [| k |] when e.Shape[axis] > 1 -> Some $"the {number wrong.Length} wrong elements all have index {number k} on axis {number axis}"
                | _ -> none)

        let edge i =
            [ 0 .. e.Shape.Length - 1 ]
            |> List.exists (fun axis ->
                let k = Fits.coordinate e.Shape axis i
                e.Shape[axis] > 2 && (k = 0 || k = e.Shape[axis] - 1))

        if wrong.Length = 0 || wrong.Length = e.Manual.Length then
            none
        else
            match line with
            | Some text -> Some text
            | Option.None when wrong |> Array.forall edge ->
                Some $"the {number wrong.Length} wrong elements are all at the border: padding, or the last stride, may be off"
            | _ -> none

let private clipped (e: Evidence) =
    let limit = Fits.largest e.Manual
    let held a = Math.Clamp(a, -limit, limit)

    let count =
        e.Automatic
        |> Array.filter (fun a -> Math.Abs a > limit * (1.0 + e.Tolerance))
        |> Array.length

    if
        sameShape e
        && limit > 0.0
        && count > 0
        && count < e.Manual.Length
        && Fits.same e.Tolerance e.Manual (e.Automatic |> Array.map held)
    then
        Some
            $"manual = automatic held between -{Text.value limit} and {Text.value limit}: it is clipped in {number count} of {number e.Manual.Length} elements"
    else
        none

let private close (e: Evidence) =
    if not (sameShape e) then
        none
    else
        let gap =
            Array.map2 (fun m a -> Math.Abs(m - a: float)) e.Manual e.Automatic
            |> Fits.largest

        let relative = gap / Fits.largest e.Automatic

        if relative < 5e-7 then
            Some $"manual is right to {Text.short relative}: something is computed in single precision, or an epsilon differs"
        elif relative < 1e-3 then
            Some $"manual is right to {Text.short relative}: an epsilon differs, or an approximation is used"
        else
            none

let private otherShapes = [ "broadcast not summed"; "another shape" ]

/// The table, likeliest first. All entries are tried; the first ones that fit are told.
let table: Hypothesis list =
    [
        for name, look in
            [
                "broadcast not summed", notSummed
                "another shape", otherShape
                "zero", zero
                "sign flipped or wrong factor", wrongFactor
                "not summed over the batch", oneExample
                "right to a few digits", close
                "gradient of another argument", otherArgument
                "derivative missing", cotangentPassed
                "derivative of the wrong tensor or function", wrongDerivative
                "transposed", transposed
                "flipped", flipped
                "mask inverted", invertedMask
                "mask missing or too wide", masked
                "factor missing or applied twice", extraFactor
                "clipped", clipped
                "term missing", missingTerm
                "shifted", shifted
                "rows or columns in another order", permuted
                "confined to a part", confined
            ] ->
            {
                Name = name
                OtherShape = List.contains name otherShapes
                Look = look
            }
    ]
