namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core

/// Checks of Calls: the backward that the layer's author wrote against the automatic one against central differences.
[<AbstractClass; Sealed>]
type CallCheck =
    /// A tensor of the same value that gradients flow to, to run a network on: so that the gradient of its input is checked too.
    static member Track(x: Tensor) : Tensor =
        if Values.isFloat x.DType then
            use _ = Recording.On()
            Tensor.Of(Leaves.variable x.Node)
        else
            x

    /// Checks one Call at the state it was made in, with cotangents drawn from the seed.
    static member Of(call: Call, options: CheckOptions) : CheckReport =
        CheckReport($"check of {call.Path}", CheckRows.standalone call.Record (CallCheck.OrDefault options))

    /// Checks every Call on the tape of a result that has a backward by hand,
    /// at the state the network ran in and with the cotangent that arrives there: a disagreement is pinned to its layer. Calls without a
    /// backward by hand that contain no other Call are held to differences. `cotangent` has the result's shape; null stands for 1 where the result is one
    /// number, and else for numbers drawn from the seed. `parameters` (null for none) are held to R14: each
    /// trainable one must be reached by a gradient.
    static member OfTape(result: Tensor, cotangent: Tensor, parameters: IReadOnlyList<Cell>, options: CheckOptions) : CheckReport =
        CheckReport("check of the network, layer by layer", CheckRows.network result cotangent parameters (CallCheck.OrDefault options))

    /// Checks a function and its gradient by hand: `manual` gives one gradient for each input (null for none), from the inputs and the
    /// cotangent of the result.
    static member OfFunction
        (name: string, f: Func<Tensor[], Tensor>, manual: Func<Tensor[], Tensor, Tensor[]>, inputs: Tensor[], options: CheckOptions)
        : CheckReport =
        use _ = Recording.On()

        let rule =
            if isNull manual then
                null
            else
                CustomRule(fun call cotangents ->
                    if isNull cotangents[0] then
                        Array.zeroCreate call.Inputs.Length
                    else
                        manual.Invoke(Seq.toArray call.Inputs, cotangents[0]))

        let inputs = inputs |> Array.map CallCheck.Track

        let call =
            Call.Enter(name, inputs, [||], Func<Call, Tensor[], Tensor[]>(fun _ x -> [| f.Invoke x |]), rule)

        CallCheck.Of(call, options)

    /// Throws GradientCheckException, whose message is table and diagnosis, unless the report succeeded.
    static member Assert(report: CheckReport) : unit =
        if not report.Succeeded then
            raise (GradientCheckException report)

    static member private OrDefault(options: CheckOptions) =
        if isNull options then CheckOptions() else options

/// Checks of plain functions, for scripts.
[<AutoOpen>]
module FunctionChecks =
    /// Checks the gradient by hand of a scalar-valued function at x: `manual x` has x's shape.
    let checkGradient (f: Tensor -> Tensor) (manual: Tensor -> Tensor) (x: Tensor) : CheckReport =
        let rule =
            Func<Tensor[], Tensor, Tensor[]>(fun inputs g -> [| manual inputs[0] * g |])

        CallCheck.OfFunction("f", Func<Tensor[], Tensor>(fun inputs -> f inputs[0]), rule, [| x |], null)

    /// Checks the vector-Jacobian product by hand of a function at x: `manual x cotangent` has x's shape.
    let checkVjp (f: Tensor -> Tensor) (manual: Tensor -> Tensor -> Tensor) (x: Tensor) : CheckReport =
        let rule =
            Func<Tensor[], Tensor, Tensor[]>(fun inputs g -> [| manual inputs[0] g |])

        CallCheck.OfFunction("f", Func<Tensor[], Tensor>(fun inputs -> f inputs[0]), rule, [| x |], null)
