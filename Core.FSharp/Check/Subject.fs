namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core
open Hybrid.Kernels

/// A Call and the state it is checked at: its functions as copies that nothing else uses.
[<Sealed>]
type internal Subject(call: CallRecord) =
    let originals = call.Outputs |> Array.map (fun o -> if o.Arity = 0 then o else o.A)

    let replay = Replay(false)

    let results =
        for n in Array.append call.Inputs call.Parameters do
            replay.Bind(n, n)

        replay.Of originals

    /// Whether values inside the Call have lost what they were computed from.
    member _.IsCut = replay.IsCut

    /// The Call.
    member _.Call = call

    /// The name of an input: `input`, or `input 1` where there are several.
    member _.InputName index =
        if call.Inputs.Length = 1 then "input" else $"input {index}"

    /// The cell of a parameter.
    member _.Cell index =
        (call.Parameters[index].Payload :?> CellVersion).Cell

    /// The name of a parameter without the path of its layer.
    member this.ParameterName index =
        let name = this.Cell(index).Name
        name.Substring(name.LastIndexOf '.' + 1)

    /// What the outputs are computed by, behind the boundaries: copies that reading the outputs does not make values of.
    member _.Results: Node[] = results

    /// Whether the Call contains other Calls: a container, or a layer made of layers.
    member _.IsComposite =
        let stop =
            HashSet<Node>(Array.append call.Inputs call.Parameters, HashIdentity.Reference)

        let inside =
            { new Walk.Descent with
                member _.Count n = if stop.Contains n then 0 else n.Arity
                member _.Child(n, i) = n.Input i
            }

        (Walk.order inside originals).Nodes
        |> Array.exists (fun n -> not (stop.Contains n) && (n.Payload :? CallOutput))

/// The values that a Call is checked at, as float64 numbers that its own type can hold.
type internal State =
    {
        Inputs: Value[]
        Parameters: Value[]
        /// One for each output; null where nothing flows.
        Cotangents: Value[]
        /// Whether the cotangents were drawn by the check, and so are never zero.
        Seeded: bool
    }

module internal Values =
    let isFloat (dtype: ElementType) = dtype <= ElementType.Float64

    let ofDoubles (shape: Shape) (x: float[]) =
        Value.OfSpan(ReadOnlySpan<float> x, shape)

    /// Float values as float64, others as they are.
    let widen (v: Value) =
        if v.DType = ElementType.Float32 then
            ofDoubles v.Shape (v.ToDoubles())
        else
            v

    /// Float64 numbers as a type: float32 numbers are rounded.
    let narrow (dtype: ElementType) (v: Value) =
        if dtype = ElementType.Float32 then
            Value.OfSpan(ReadOnlySpan<float32>(v.ToDoubles() |> Array.map float32), v.Shape)
        else
            v

    let evaluate (nodes: Node[]) =
        use _ = Mode.NoGrad()
        Engine.Current.Evaluate(nodes |> Array.filter (isNull >> not))
        nodes |> Array.map (fun n -> if isNull n then null else n.Value.ToDoubles())

/// The function of a Call, copied: its inputs, parameters and cotangents as leaves, its outputs, and gradients once they are built.
[<Sealed>]
type internal Copied(subject: Subject, state: State, variables: bool) =
    let replay = Replay(true)
    let call = subject.Call

    let bind (original: Node) (v: Value) =
        let leaf = Leaves.value v

        let leaf =
            if variables && Values.isFloat v.DType then
                Leaves.variable leaf
            else
                leaf

        if not (replay.Knows original) then
            replay.Bind(original, leaf)

        leaf

    let cotangents =
        state.Cotangents
        |> Array.map (fun v -> if isNull v then null else Leaves.value v)

    do
        use _ = Recording.On()
        Array.iter2 (fun n v -> bind n v |> ignore) call.Inputs state.Inputs
        Array.iter2 (fun n v -> bind n v |> ignore) call.Parameters state.Parameters

    /// The graph copier.
    member _.Replay = replay

    /// The leaf that stands for an original input or parameter.
    member _.Leaf(original: Node) = (replay.Of [| original |]).[0]

    /// The leaves of the cotangents; null where nothing flows.
    member _.Cotangents = cotangents

    /// The outputs as functions of the leaves.
    member _.Outputs() = replay.Of subject.Results

    /// What each leaf stands for, for comparing structures.
    member this.Labels(into: Dictionary<Node, string>) =
        let name label (n: Node) =
            into[n] <- label

            if n.Arity = 1 then
                into[n.A] <- label

        call.Inputs |> Array.iteri (fun i n -> name $"input {i}" (this.Leaf n))
        call.Parameters |> Array.iteri (fun i n -> name $"parameter {i}" (this.Leaf n))

        cotangents
        |> Array.iteri (fun i n ->
            if not (isNull n) then
                into[n] <- $"cotangent {i}")
