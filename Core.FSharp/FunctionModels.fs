/// Models as plain functions. F# sees them without a name; C#, which has a Model of its own in Hybrid.Layers, does not.
[<AutoOpen>]
module Hybrid.Core.FunctionModels

open System
open Hybrid.Kernels

/// A model as a plain function of its declared parameters.
type Model =
    {
        /// The cells that training changes.
        Parameters: Cell list
        /// From inputs to results.
        Forward: Tensor -> Tensor
    }

/// Models as values: made from cells and functions, chained, and stepped by plain gradient descent.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Model =
    /// A model of a function and the cells that it reads.
    let create (parameters: Cell list) (forward: Tensor -> Tensor) =
        {
            Parameters = parameters
            Forward = forward
        }

    /// A function without parameters as a model.
    let ofFunction (f: Tensor -> Tensor) = create [] f

    /// The first model's results as the second one's inputs.
    let andThen (second: Model) (first: Model) =
        create (first.Parameters @ second.Parameters) (first.Forward >> second.Forward)

    /// x W' + b with W `[outputs, inputs]` and b `[outputs]`, uniform in plus or minus 1 / sqrt(inputs) as PyTorch's default, from a seed.
    /// Float64.
    let linear (seed: int) (inputs: int) (outputs: int) =
        let bound = 1.0 / Math.Sqrt(float inputs)

        let draw stream (shape: Shape) =
            let key = Leaves.value (Value.OfSpan(ReadOnlySpan<int> [| seed; 0 |], Shape.Of 2))
            let unit = Tensor.Of(Randoms.uniform stream ElementType.Float64 shape key)
            unit * (2.0 * bound) - bound

        let w = Cell("weight", draw 0 (Shape.Of [| outputs; inputs |]))
        let b = Cell("bias", draw 1 (Shape.Of outputs))
        create [ w; b ] (fun x -> x.MatMul(w.Value.Transpose()) + b.Value)

    /// One step of gradient descent on a loss: gradients anew, then every parameter at once. Returns the loss before the step.
    let descend (rate: float) (loss: Model -> Tensor) (model: Model) : Tensor =
        for p in model.Parameters do
            p.ZeroGrad()

        let value = loss model
        value.Backward()
        let trained = model.Parameters |> List.filter (fun p -> not (isNull p.Grad))
        Cell.SetAll(ResizeArray trained, ResizeArray(trained |> List.map (fun p -> p.Value - p.Grad * rate)))
        value
