/// A plan in words.
module internal Hybrid.Core.Explain

open System
open System.Diagnostics
open System.Globalization
open System.Text
open Hybrid.Kernels

let private text (format: FormattableString) =
    format.ToString CultureInfo.InvariantCulture

let rec private place (plan: Plan) slot =
    match plan.Places[slot] with
    | Leaf position -> $"in{position}"
    | Transpose matrix -> $"transpose of {place plan matrix}"
    | Scalar position -> $"number{position}"
    | Constant _ -> "constant"
    | Result number -> $"out{number}"
    | Arena offset -> text $"arena+{offset}"

// A step inside of a group is shown indented, for all blocks together; its places are within a block.
let rec private rows indent times (plan: Plan) : string seq =
    plan.Steps
    |> Seq.mapi (fun i step ->
        seq {
            yield row indent times plan i step

            match step.Kernel with
            | :? LaneGroup as group -> yield! rows (indent + "  ") (int64 group.Blocks) group.Plan
            | _ -> ()
        })
    |> Seq.concat

and private row indent times (plan: Plan) i (step: Step) =
    let places slots =
        slots |> Array.map (place plan) |> String.concat ","

    let predicted = float times * Cost.microseconds step.MultiplyAdds step.Bytes

    let measured =
        if plan.TimedRuns = 0L then
            "-"
        else
            text $"{float plan.StepTicks[i] / float plan.TimedRuns / float Stopwatch.Frequency * 1e6:F1}"

    let inputs =
        if step.Transpose < 0 then
            step.Inputs
        else
            Array.append step.Inputs [| step.Transpose |]

    let shape = $"{Value.NameOf step.DType}{step.Shape}"

    text
        $"{i, 5}  {times * step.Bytes, 12:N0} {predicted, 12:F1} {measured, 12}  {indent}{step.Name} {shape}  {places inputs} -> {places step.Outputs}"

/// A line for each step: number, bytes read and written, predicted and measured microseconds, what is computed and where. Below a group of images, the
/// steps that each of its blocks goes through.
let plan (plan: Plan) : string =
    let lines = StringBuilder()
    let line (s: string) = lines.AppendLine s |> ignore

    let constants =
        plan.Places
        |> Array.sumBy (fun p ->
            match p with
            | Constant s -> s.Bytes
            | _ -> 0L)

    line (text $"{plan.Steps.Length} steps for {plan.Operations} operations; arena {plan.ArenaBytes:N0} bytes, constants {constants:N0} bytes")
    line " step         bytes predicted us  measured us  operation"
    rows "" 1L plan |> Seq.iter line
    lines.ToString().TrimEnd()
