/// The closed vocabulary: every primitive of every family.
module internal Hybrid.Core.Primitives

open System.Collections.Generic

/// Every primitive, by families. A new one is added to the list at the end of its family's file.
let all =
    [
        Leaves.all
        Moves.all
        Slices.all
        Elementwise.all
        Reductions.all
        Contractions.all
        Selection.all
        Convolutions.all
        Pools.all
        Normalisation.all
        Randoms.all
    ]
    |> List.concat

let private byName =
    let table = Dictionary<string, Primitive>()

    for p in all do
        table.Add(p.Name, p)

    table

/// The primitive of a name, such as `matmul`; ValueNone if there is none.
let tryFind name =
    match byName.TryGetValue name with
    | true, p -> ValueSome p
    | _ -> ValueNone
