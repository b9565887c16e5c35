namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open System.Globalization
open System.IO
open System.Text
open System.Text.Json
open Hybrid.Core

/// What a row of a check says.
type Verdict =
    /// All numbers that could be compared agree within their bounds.
    | Agree = 0
    /// Manual and automatic differ, or the differences differ, only where the function has a kink: x - h, x and x + h do not take the same branch.
    | Kink = 1
    /// Nothing was compared; the reason says why.
    | NotChecked = 2
    /// Two of the numbers differ by more than rounding can explain.
    | Disagree = 3
    /// The gradient cannot be right whatever its value: the reason says why, such as a trainable parameter that no gradient reaches.
    | Error = 4

/// How far the manual and the automatic path are apart as computations. They always run in separate plans without shared nodes.
type Independence =
    /// There are no two expressions to compare: no backward written by hand.
    | None = 0
    /// The same expression, simplified: agreement shows that the formula was written down as the automatic path derives it, no more.
    | SameExpression = 1
    /// Another expression made of the same kernels.
    | SameKernels = 2
    /// Other kernels.
    | Independent = 3
    /// The manual gradient was computed outside of the graph, by code that read values.
    | HostCode = 4

/// What a tensor is to the function that is checked.
type GradientOf =
    /// An input.
    | Input = 0
    /// A parameter.
    | Parameter = 1

/// Why a manual gradient is wrong: one sentence with its evidence.
[<Sealed; AllowNullLiteral>]
type Finding internal (name: string, text: string) =
    /// The hypothesis, such as `sign flipped`; see `Diagnosis.Hypotheses`.
    member _.Name = name

    /// The sentence, such as "manual = -1.000000 x automatic in all 40 elements: the sign is flipped".
    member _.Text = text

    /// The sentence.
    override _.ToString() = text

/// The comparison of a gradient with central differences, in float64.
[<Sealed; AllowNullLiteral>]
type DifferenceResult
    internal (coordinates: int, total: int64, projections: int, kinks: int, step: float, exact: bool, error: float, bound: float, agrees: bool) =
    /// The coordinates at which a difference was taken.
    member _.Coordinates = coordinates

    /// The number of elements of the tensor.
    member _.Total = total

    /// The random directions along which a difference was taken.
    member _.Projections = projections

    /// The coordinates and directions that were left out, since a sign mask or argmax changes between x - h, x and x + h.
    member _.Kinks = kinks

    /// The step h, for values of magnitude up to 1.
    member _.Step = step

    /// Whether the function is linear in this tensor, so that differences have no truncation error and a large step is taken.
    member _.IsExact = exact

    /// The largest difference from the gradient that was checked (the automatic one).
    member _.MaxAbsolute = error

    /// The bound at that place: truncation, estimated from a second step, and rounding.
    member _.Bound = bound

    /// Whether all are within their bounds.
    member _.Agrees = agrees

/// One row of a check: the gradient with respect to one input or parameter of one layer.
[<Sealed; AllowNullLiteral>]
type CheckRow internal (path: string, name: string, kind: GradientOf, shape: Shape) =
    /// The layer path, such as `net/2:Conv2d`.
    member _.Path = path

    /// `input`, `input 1`, `weight`, ...
    member _.Name = name

    /// Input or parameter.
    member _.Kind = kind

    /// The shape of the tensor, and of a right gradient.
    member _.Shape = shape

    /// The verdict.
    member val Verdict = Verdict.NotChecked with get, internal set

    /// Why the verdict is what it is; empty where the numbers say it all.
    member val Reason = "" with get, internal set

    /// Nothing was shown, since the gradient is zero everywhere by all paths.
    member val IsVacuous = false with get, internal set

    /// How far the two paths are apart.
    member val Independence = Independence.None with get, internal set

    /// Automatic (left) against manual (right); null where there is no manual gradient.
    member val Comparison: Comparison = null with get, internal set

    /// What rounding can explain of |manual - automatic|, at the worst index.
    member val Bound = 0.0 with get, internal set

    /// The largest |manual - automatic| divided by its bound; agreement is at most 1.
    member val BoundRatio = 0.0 with get, internal set

    /// The comparison with central differences; null where none were taken.
    member val Difference: DifferenceResult = null with get, internal set

    /// The multi-dimensional index of the worst element: the one furthest outside (or nearest to) its bound.
    member val WorstIndex: int[] = [||] with get, internal set

    /// The manual gradient at the worst index; NaN for none.
    member val ManualAtWorst = nan with get, internal set

    /// The automatic gradient at the worst index; NaN for none.
    member val AutomaticAtWorst = nan with get, internal set

    /// The central difference at the worst index; NaN for none.
    member val DifferenceAtWorst = nan with get, internal set

    /// Why the manual gradient is wrong, the likeliest first; empty where it is not, or where there is no simple explanation.
    member val Diagnosis: IReadOnlyList<Finding> = Array.empty<Finding> :> IReadOnlyList<Finding> with get, internal set

/// A check: its rows and what they say together. Immutable once made.
[<Sealed; AllowNullLiteral>]
type CheckReport internal (title: string, rows: CheckRow[]) =
    static let words =
        dict
            [
                Verdict.Agree, "agree"
                Verdict.Kink, "kink"
                Verdict.NotChecked, "not checked"
                Verdict.Disagree, "DISAGREE"
                Verdict.Error, "ERROR"
            ]

    static let paths =
        dict
            [
                Independence.None, "-"
                Independence.SameExpression, "same expression"
                Independence.SameKernels, "same kernels"
                Independence.Independent, "independent"
                Independence.HostCode, "host code"
            ]

    let number (c: Comparison) f = if isNull c then "-" else f c

    let difference (r: CheckRow) =
        match r.Difference with
        | null -> "-"
        | d when d.Coordinates + d.Projections = d.Kinks -> "kink"
        | d -> Text.short d.MaxAbsolute

    let cells (r: CheckRow) =
        [|
            r.Path
            r.Name
            string r.Shape
            number r.Comparison (fun c -> Text.short c.MaxAbsolute)
            number r.Comparison (fun c -> Text.short c.MaxRelative)
            number r.Comparison (fun c -> Text.count c.MaxUlp)
            number r.Comparison (fun _ -> Text.short r.Bound)
            difference r
            paths[r.Independence]
            words[r.Verdict]
        |]

    let header =
        [|
            "layer"
            "gradient"
            "shape"
            "absolute"
            "relative"
            "ulp"
            "bound"
            "difference"
            "paths"
            "verdict"
        |]

    let rightAligned =
        [| false; false; false; true; true; true; true; true; false; false |]

    /// What was checked.
    member _.Title = title

    /// One row for each input and parameter of each layer.
    member _.Rows = rows :> IReadOnlyList<CheckRow>

    /// The gravest verdict of the rows; `NotChecked` only where no row was compared at all.
    member _.Verdict =
        let worst = rows |> Array.fold (fun v r -> max v r.Verdict) Verdict.Agree

        if worst >= Verdict.Disagree then
            worst
        elif rows |> Array.exists (fun r -> r.Verdict = Verdict.Agree) then
            if rows |> Array.exists (fun r -> r.Verdict = Verdict.Kink) then
                Verdict.Kink
            else
                Verdict.Agree
        elif rows |> Array.exists (fun r -> r.Verdict = Verdict.Kink) then
            Verdict.Kink
        else
            Verdict.NotChecked

    /// Whether no row disagrees or is an error, no gradient was zero everywhere, and at least one row was compared.
    member this.Succeeded =
        (this.Verdict = Verdict.Agree || this.Verdict = Verdict.Kink)
        && rows |> Array.forall (fun r -> not r.IsVacuous)

    /// The rows that disagree or are errors.
    member _.Failures =
        rows |> Array.filter (fun r -> r.Verdict >= Verdict.Disagree) :> IReadOnlyList<CheckRow>

    /// The table alone, without the notes below it.
    member _.Table =
        let all = Array.append [| header |] (rows |> Array.map cells)

        let widths =
            Array.init header.Length (fun i -> all |> Array.map (fun row -> row[i].Length) |> Array.max)

        let line (row: string[]) =
            let parts =
                row
                |> Array.mapi (fun i c ->
                    if rightAligned[i] then
                        c.PadLeft widths[i]
                    else
                        c.PadRight widths[i])

            String.Join("  ", parts).TrimEnd()

        String.Join("\n", Array.append [| line all[0]; String('-', (line all[0]).Length) |] (all[1..] |> Array.map line))

    /// For each row that has more to say than its numbers: the three values at the worst index, the reason and the diagnosis.
    member _.Notes =
        let text = StringBuilder()

        for r in rows do
            if r.Verdict <> Verdict.Agree then
                text.Append($"\n{r.Path} {r.Name}: {words[r.Verdict]}") |> ignore

                if r.Reason <> "" then
                    text.Append($": {r.Reason}") |> ignore

                if r.Verdict = Verdict.Disagree || r.Verdict = Verdict.Kink then
                    if not (Double.IsNaN r.AutomaticAtWorst) then
                        let part name (x: float) =
                            if Double.IsNaN x then "" else $", {name} {Text.value x}"

                        let values =
                            part "manual" r.ManualAtWorst
                            + part "automatic" r.AutomaticAtWorst
                            + part "difference" r.DifferenceAtWorst

                        text.Append($"\n  at {Shape.Format r.WorstIndex}: {values.Substring 2}")
                        |> ignore

                for finding in r.Diagnosis do
                    text.Append($"\n  {finding.Text}") |> ignore

                if
                    r.Verdict = Verdict.Disagree
                    && r.Diagnosis.Count = 0
                    && not (isNull r.Comparison)
                then
                    text.Append("\n  no simple explanation") |> ignore

        text.ToString()

    /// Title, table and notes.
    override this.ToString() =
        let n = rows.Length
        let plural = if n = 1 then "row" else "rows"
        $"{title}: {words[this.Verdict]} ({n} {plural})\n{this.Table}{this.Notes}\n"

    /// The report as JSON: title, verdict, and an object for each row. Numbers that are not finite are strings.
    member this.ToJson() : string =
        use stream = new MemoryStream()
        use json = new Utf8JsonWriter(stream, JsonWriterOptions(Indented = true))

        let num (name: string) (x: float) =
            if Double.IsFinite x then
                json.WriteNumber(name, x)
            else
                json.WriteString(name, x.ToString CultureInfo.InvariantCulture)

        let indices (name: string) (xs: int[]) =
            json.WriteStartArray name

            for x in xs do
                json.WriteNumberValue x

            json.WriteEndArray()

        json.WriteStartObject()
        json.WriteString("title", title)
        json.WriteString("verdict", words[this.Verdict].ToLowerInvariant())
        json.WriteBoolean("succeeded", this.Succeeded)
        json.WriteStartArray "rows"

        for r in rows do
            json.WriteStartObject()
            json.WriteString("layer", r.Path)
            json.WriteString("gradient", r.Name)
            json.WriteString("kind", (if r.Kind = GradientOf.Input then "input" else "parameter"))
            indices "shape" (r.Shape.ToArray())
            json.WriteString("verdict", words[r.Verdict].ToLowerInvariant())
            json.WriteString("reason", r.Reason)
            json.WriteBoolean("vacuous", r.IsVacuous)
            json.WriteString("paths", paths[r.Independence])

            if not (isNull r.Comparison) then
                num "absolute" r.Comparison.MaxAbsolute
                num "relative" r.Comparison.MaxRelative
                json.WriteNumber("ulp", r.Comparison.MaxUlp)
                num "bound" r.Bound
                num "boundRatio" r.BoundRatio

            if not (isNull r.Difference) then
                let d = r.Difference
                json.WriteStartObject "difference"
                json.WriteNumber("coordinates", d.Coordinates)
                json.WriteNumber("total", d.Total)
                json.WriteNumber("projections", d.Projections)
                json.WriteNumber("kinks", d.Kinks)
                num "step" d.Step
                json.WriteBoolean("exact", d.IsExact)
                num "absolute" d.MaxAbsolute
                num "bound" d.Bound
                json.WriteBoolean("agrees", d.Agrees)
                json.WriteEndObject()

            indices "worstIndex" r.WorstIndex
            num "manual" r.ManualAtWorst
            num "automatic" r.AutomaticAtWorst
            num "centralDifference" r.DifferenceAtWorst
            json.WriteStartArray "diagnosis"

            for f in r.Diagnosis do
                json.WriteStartObject()
                json.WriteString("name", f.Name)
                json.WriteString("text", f.Text)
                json.WriteEndObject()

            json.WriteEndArray()
            json.WriteEndObject()

        json.WriteEndArray()
        json.WriteEndObject()
        json.Flush()
        Encoding.UTF8.GetString(stream.ToArray())

/// Thrown by assertions: the message is the report's table, notes and diagnosis.
type GradientCheckException internal (report: CheckReport) =
    inherit Exception(string report)

    /// The report.
    member _.Report = report

/// What a check does, and how much of it. Immutable but for initialisers.
[<Sealed; AllowNullLiteral>]
type CheckOptions() =
    /// Where cotangents, coordinates and directions are drawn from.
    member val Seed = 0UL with get, set

    /// Whether central differences are taken. Default true.
    member val Differences = true with get, set

    /// Tensors of at most this many elements have a difference taken at every coordinate. Default 64.
    member val AllCoordinatesUpTo = 64 with get, set

    /// The number of seeded coordinates for larger tensors. Default 12.
    member val Coordinates = 12 with get, set

    /// The number of random directions for larger tensors. Default 3.
    member val Projections = 3 with get, set

    /// What bounds are multiplied by, for what a first-order analysis leaves out. Default 2.
    member val Safety = 2.0 with get, set

    /// Called before each row with the number of rows done, the number of all rows and the row's name; null for none.
    member val Progress: Action<int, int, string> = null with get, set

    /// Stops the check between rows.
    member val Cancellation = Threading.CancellationToken.None with get, set
