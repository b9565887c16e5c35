/// Tensors as text, bounded: a small value prints as code that pastes back, a large one as its first and last elements.
module internal Hybrid.Core.Printing

open System
open System.Globalization
open Hybrid.Kernels

/// The largest number of elements that are printed in full.
let private whole = 64

// How many elements of a larger tensor are shown at each end.
let private ends = 3

let private real (suffix: string) (text: string) =
    if text.IndexOfAny [| '.'; 'E'; 'N'; '∞'; 'I' |] >= 0 then
        text + suffix
    else
        text + ".0" + suffix

/// One element as an F# literal of its type.
let private literal (dtype: ElementType) (value: float) =
    match dtype with
    | ElementType.Float32 when Double.IsNaN value -> "nanf"
    | ElementType.Float64 when Double.IsNaN value -> "nan"
    | ElementType.Float32 when Double.IsInfinity value -> if value > 0.0 then "infinityf" else "-infinityf"
    | ElementType.Float64 when Double.IsInfinity value -> if value > 0.0 then "infinity" else "-infinity"
    | ElementType.Float32 -> real "f" ((float32 value).ToString("R", CultureInfo.InvariantCulture))
    | ElementType.Float64 -> real "" (value.ToString("R", CultureInfo.InvariantCulture))
    | ElementType.Int32 -> (int value).ToString CultureInfo.InvariantCulture
    | ElementType.UInt8 -> (int value).ToString CultureInfo.InvariantCulture + "uy"
    | _ -> if value <> 0.0 then "true" else "false"

let private dimensions (shape: Shape) =
    String.Join(", ", shape.ToArray() |> Array.map (fun d -> d.ToString CultureInfo.InvariantCulture))

/// A known value. Reads as many elements as it prints, and no more.
let value (v: Value) =
    let elements (from: int) (count: int) =
        v.ReadDoubles(from, count) |> Array.map (literal v.DType) |> String.concat "; "

    let size = int v.Shape.Size

    if v.Shape.Rank = 0 then
        let suffix =
            if v.DType = ElementType.Float32 then
                ""
            else
                $", ElementType.{v.DType}"

        $"Tensor.Scalar({literal ElementType.Float64 (v.ReadDoubles(0, 1)[0])}{suffix})"
    elif size = 0 then
        $"Tensor.Zeros(Shape.Of({dimensions v.Shape}), ElementType.{v.DType})"
    elif size <= whole then
        $"Tensor.From([| {elements 0 size} |], {dimensions v.Shape})"
    else
        $"Tensor {v.Shape} {Value.NameOf v.DType} [{elements 0 ends}; ... {elements (size - ends) ends}]"

/// A node, without computing anything.
let node (n: Node) =
    match n.Value with
    | null -> $"Tensor {n.Shape} {Value.NameOf n.DType} (pending {n.Primitive.Name})"
    | v -> value v
