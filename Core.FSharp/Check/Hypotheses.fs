/// What goes wrong in gradients that are written by hand, as a table: each entry says what it would look like, and looks.
module internal Hybrid.Core.Checking.Hypotheses

open System
open Hybrid.Core.Checking.Sentences
open Hybrid.Core.Checking.WholeMistakes

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
        "sign(t)", (fun t -> if Double.IsNaN t then t else float (Math.Sign t))
        "1 / (2 sqrt(t))", (fun t -> if t > 0.0 then 0.5 / Math.Sqrt t else nan)
    ]

// base * f(t) for each derivative f and each tensor t of the same size: with the names of both.
let private products (e: Evidence) (start: float[]) =
    seq {
        for t in e.Outputs @ e.Inputs do
            if t.Values.Length = start.Length then
                for name, f in derivatives do
                    let slope = t.Values |> Array.map f
                    // One number everywhere is a factor, and says nothing of t.
                    let says = slope |> Array.exists (fun v -> v <> slope[0])
                    let values = Array.map2 (*) start slope

                    name,
                    t.Name,
                    (if says && Array.forall Double.IsFinite values then
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
            | Some(_, f, t), Some(_, f', t') when f = f' && t = t' -> none
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
        // Those that differ by more than a part of some size.
        let beyond (size: int -> float) =
            [|
                for i in 0 .. e.Manual.Length - 1 do
                    if not (Math.Abs(e.Manual[i] - e.Automatic[i]) <= e.Tolerance * size i) then
                        i
            |]

        let wrong = beyond (fun _ -> scale)
        let atAll = beyond (fun i -> Math.Abs e.Automatic[i])

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

        // Where small differences lie elsewhere, the large ones are not confined to a place.
        if
            wrong.Length = 0
            || wrong.Length = e.Manual.Length
            || atAll.Length > wrong.Length
        then
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
