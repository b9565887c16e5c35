namespace Hybrid.Core.Checking

open System

/// A tensor that a wrong gradient may turn out to be: an input, the cotangent, another gradient.
type internal Known =
    {
        /// As it stands in a sentence, such as `the cotangent`.
        Name: string
        Shape: int[]
        Values: float[]
    }

/// What a diagnosis looks at. All arrays are row-major.
type internal Evidence =
    {
        /// The shape of the manual gradient, which may be wrong.
        ManualShape: int[]
        Manual: float[]
        Shape: int[]
        Automatic: float[]
        /// The largest relative difference that counts as none.
        Tolerance: float
        /// Lengths that have a name, such as `the batch size`.
        Sizes: (string * int) list
        Cotangents: Known list
        Inputs: Known list
        Outputs: Known list
        Parameters: Known list
        /// The automatic gradients with respect to the layer's other inputs and parameters.
        Others: Known list
        /// The contribution of each example of the batch to the automatic gradient; empty where there is no batch.
        Contributions: Lazy<float[][]>
    }
