/// Sums of products over windows: convolution and its two transposes. Images are `[batch, channels, height, width]`, weights
/// `[filters, channels, kernel height, kernel width]`.
module internal Hybrid.Core.Convolutions

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive
open Hybrid.Core.Windows

/// The kernel's own description of a convolution of images x with weights w into y.
let describe (win: Window) (x: Shape) (w: Shape) (y: Shape) =
    let struct (sh, sw) = win.Stride
    let struct (top, _, left, _) = win.Padding
    let struct (dh, dw) = win.Dilation
    ConvolutionShape(x[0], x[1], x[2], x[3], w[0], w[2], w[3], y[2], y[3], sh, sw, top, left, dh, dw)

let private contraction name text : Primitive =
    { define name Family.Contraction 2 with
        Text = text
        Latex = text
        Access = Access.Contiguous
        Type = Lower.floating
        Linear = Linearity.Separately
        Saves = 3
    }

let private convPrimitive =
    { contraction "conv2d" "conv2d({0}, {1})" with
        Latex = @"{0} \star {1}"
        Shape =
            ShapeRule(fun n ->
                let struct (height, width) = placesOf (window n) n.A.Shape
                Shape [| n.A.Shape[0]; n.B.Shape[0]; height; width |])
        Access = Access.Planes
        Lower =
            Lowering(fun n inputs ->
                let shape, dtype = describe (window n) n.A.Shape n.B.Shape n.Shape, n.DType

                if inputs |> Array.forall (fun layout -> layout.IsContiguous) then
                    Kernel(fun o -> Convolution.Forward(dtype, shape, o.Output, o.Inputs[0], o.Inputs[1], o.Pool))
                elif shape.TakesPlanes(dtype.Size()) then
                    let x, w = (Lower.planes inputs[0]).Value, (Lower.planes inputs[1]).Value
                    Kernel(fun o -> Convolution.ForwardPlanes(dtype, shape, o.Output, o.Inputs[0], x, o.Inputs[1], w, o.Pool))
                else
                    null)
    }

let private convInputPrimitive =
    { contraction "conv2dInput" "conv2dInput({0}, {1})" with
        Latex = @"{0} \star^{\top} {1}"
        // Attributes add the images' height and width.
        Shape = ShapeRule(fun n -> Shape [| n.A.Shape[0]; n.B.Shape[1]; n.Attributes[10]; n.Attributes[11] |])
        Lower =
            Lowering(fun n _ ->
                let shape, dtype = describe (window n) n.Shape n.B.Shape n.A.Shape, n.DType
                Kernel(fun o -> Convolution.BackwardInput(dtype, shape, o.Output, o.Inputs[0], o.Inputs[1], o.Pool)))
    }

let private convWeightPrimitive =
    { contraction "conv2dWeight" "conv2dWeight({0}, {1})" with
        Latex = @"{0} \star_{w} {1}"
        Shape =
            ShapeRule(fun n ->
                let struct (kh, kw) = (window n).Kernel
                Shape [| n.B.Shape[1]; n.A.Shape[1]; kh; kw |])
        Lower =
            Lowering(fun n _ ->
                let shape, dtype = describe (window n) n.A.Shape n.Shape n.B.Shape, n.DType
                Kernel(fun o -> Convolution.BackwardWeight(dtype, shape, o.Output, o.Inputs[0], o.Inputs[1], o.Pool)))
    }

// The convolution, under the name that errors give it; 1-D weights have height 1 already.
let private convolve operation (win: Window) (x: Node) (w: Node) =
    if x.DType <> w.DType then
        Elementwise.mixed operation x w

    let line = isLine operation

    if w.Shape.Rank <> (if line then 3 else 4) then
        let expected =
            if line then
                "weights [filters, channels, kernel]"
            else
                "weights [filters, channels, kernel height, kernel width]"

        refuse operation expected (string w.Shape) "Reshape the weights first."

    let shown = x.Shape
    let x4 = images operation x

    let w4 =
        if line then
            Moves.reshape [| w.Shape[0]; w.Shape[1]; 1; w.Shape[2] |] w
        else
            w

    if shown[1] <> w.Shape[1] then
        refuse
            operation
            $"an input of {w.Shape[1]} channels, as the weights {w.Shape} have"
            $"{shown[1]} in {shown}"
            "Axis 1 holds the channels; check the number of input channels of the layer."

    let win =
        { win with
            Kernel = struct (w4.Shape[2], w4.Shape[3])
        }

    let win = check operation win shown x4.Shape

    Node.Make(convPrimitive, 0L, pack win [], x4, w4, null) |> result operation

/// The convolution (as everywhere in this field, a correlation) of images `[batch, channels, height, width]` with weights
/// `[filters, channels, kernel height, kernel width]`; the window's kernel is the weights'.
let conv2d (win: Window) (x: Node) (w: Node) = convolve "conv2d" win x w

/// The same along one axis: `[batch, channels, length]` with `[filters, channels, kernel]`; the window's first numbers are not used.
let conv1d (win: Window) (x: Node) (w: Node) = convolve "conv1d" win x w

/// Whether a node is a convolution or one of its transposes.
let isConvolution (n: Node) =
    Object.ReferenceEquals(n.Primitive, convPrimitive)
    || Object.ReferenceEquals(n.Primitive, convInputPrimitive)
    || Object.ReferenceEquals(n.Primitive, convWeightPrimitive)

/// The transpose of conv2d by its images: from gradients `[batch, filters, ..]` to images of a height and width.
let conv2dInput (win: Window) (height: int) (width: int) (g: Node) (w: Node) =
    Node.Make(convInputPrimitive, 0L, pack win [ height; width ], g, w, null)

/// The transpose of conv2d by its weights.
let conv2dWeight (win: Window) (x: Node) (g: Node) =
    Node.Make(convWeightPrimitive, 0L, pack win [], x, g, null)

let private plain = windowOf (2, 3) (1, 1) (0, 0, 0, 0) (1, 1)
let private strided = windowOf (2, 3) (2, 1) (1, 0, 1, 2) (1, 2)

tie
    convPrimitive
    (fun n i g ->
        if i = 0 then
            conv2dInput (window n) n.A.Shape[2] n.A.Shape[3] g n.B
        else
            conv2dWeight (window n) n.A g)
    (lazy
        [
            sample "plain" [ [ 2; 2; 4; 5 ]; [ 3; 2; 2; 3 ] ] (fun x -> conv2d plain x[0] x[1])
            sample "strided, padded and dilated" [ [ 2; 2; 5; 6 ]; [ 3; 2; 2; 3 ] ] (fun x -> conv2d strided x[0] x[1])
            sample "no images" [ [ 0; 2; 4; 5 ]; [ 3; 2; 2; 3 ] ] (fun x -> conv2d plain x[0] x[1])
        ])

tie
    convInputPrimitive
    (fun n i g ->
        if i = 0 then
            conv2d (window n) g n.B
        else
            conv2dWeight (window n) g n.A)
    (lazy
        [
            sample "plain" [ [ 2; 3; 3; 3 ]; [ 3; 2; 2; 3 ] ] (fun x -> conv2dInput plain 4 5 x[0] x[1])
            sample "strided, padded and dilated" [ [ 2; 3; 3; 5 ]; [ 3; 2; 2; 3 ] ] (fun x -> conv2dInput strided 5 6 x[0] x[1])
        ])

tie
    convWeightPrimitive
    (fun n i g ->
        if i = 0 then
            conv2dInput (window n) n.A.Shape[2] n.A.Shape[3] n.B g
        else
            conv2d (window n) n.A g)
    (lazy
        [
            sample "plain" [ [ 2; 2; 4; 5 ]; [ 2; 3; 3; 3 ] ] (fun x -> conv2dWeight plain x[0] x[1])
            sample "strided, padded and dilated" [ [ 2; 2; 5; 6 ]; [ 2; 3; 3; 5 ] ] (fun x -> conv2dWeight strided x[0] x[1])
        ])

/// The primitives of this family.
let all = [ convPrimitive; convInputPrimitive; convWeightPrimitive ]
