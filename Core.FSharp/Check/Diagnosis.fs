namespace Hybrid.Core.Checking

open System
open System.Collections.Generic

/// Explains a wrong manual gradient by trying a table of usual mistakes on the numbers.
[<AbstractClass; Sealed>]
type Diagnosis =
    /// The mistakes that are recognised, likeliest first.
    static member Hypotheses: IReadOnlyList<string> =
        Hypotheses.table |> List.map (fun h -> h.Name) |> Array.ofList :> IReadOnlyList<string>

    /// The hypotheses that the numbers bear out, likeliest first, at most three; empty for no simple explanation. A gradient that is not
    /// finite is explained by nothing.
    static member internal Explain(evidence: Evidence) : IReadOnlyList<Finding> =
        let finite = Array.forall Double.IsFinite

        if not (finite evidence.Manual && finite evidence.Automatic) then
            [||] :> IReadOnlyList<Finding>
        else
            let right =
                evidence.ManualShape.AsSpan().SequenceEqual(ReadOnlySpan<int> evidence.Shape)

            Hypotheses.table
            |> Seq.filter (fun h -> h.OtherShape <> right)
            |> Seq.choose (fun h -> h.Look evidence |> Option.map (fun text -> Finding(h.Name, text)))
            |> Seq.truncate 3
            |> Array.ofSeq
            :> IReadOnlyList<Finding>
