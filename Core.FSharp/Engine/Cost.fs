/// What an operation is expected to cost, from shapes alone.
module internal Hybrid.Core.Cost

open Hybrid.Kernels

// One core of a server of these years with 512-bit registers; only the proportions matter.
let private multiplyAddsPerMicrosecond = 50_000.0
let private cacheBytesPerMicrosecond = 50_000.0
let private memoryBytesPerMicrosecond = 10_000.0
let private cacheBytes = 1L <<< 20
let private callMicroseconds = 0.1

/// How many products a matrix product or a convolution sums up; 0 for everything else.
let multiplyAdds (n: Node) : int64 =
    if n.Arity < 2 || n.Primitive.Family <> Family.Contraction then
        0L
    else
        match n.Primitive.Name with
        | "matmul"
        | "affine"
        | "affineRelu"
        | "gatedMatmul" -> n.Shape.Size * int64 n.A.Shape[n.A.Shape.Rank - 1]
        // Each filter meets each place of the output, whichever of the three is the result.
        | "conv2d" when n.B.Shape[0] > 0 -> n.Shape.Size * (n.B.Shape.Size / int64 n.B.Shape[0])
        | "conv2dInput" when n.B.Shape[0] > 0 -> n.A.Shape.Size * (n.B.Shape.Size / int64 n.B.Shape[0])
        | "conv2dOverImages" when n.B.Shape.Size > 0L -> n.Shape.Size * (n.B.Shape.Size / int64 n.B.Shape[1])
        | "conv2dWeight" when n.Shape.Size > 0L -> n.B.Shape.Size * (n.Shape.Size / int64 n.Shape[0])
        | _ -> 0L

/// Microseconds on one thread, given the products and the bytes that are read and written.
let microseconds (multiplyAdds: int64) (bytes: int64) =
    let rate =
        if bytes <= cacheBytes then
            cacheBytesPerMicrosecond
        else
            memoryBytesPerMicrosecond

    callMicroseconds
    + max (float multiplyAdds / multiplyAddsPerMicrosecond) (float bytes / rate)
