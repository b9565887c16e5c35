/// Sums of products and choices over windows that slide along the last two axes: convolution with its two transposes, and pooling.
/// Tensors are `[batch, channels, height, width]`, weights `[filters, channels, kernel height, kernel width]`. One-dimensional
/// windows are two-dimensional ones of height 1.
module internal Hybrid.Core.Windows

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive

/// How a window moves: all numbers are pairs of height and width. Padding is before and after: top, bottom, left, right.
[<Struct>]
type Window =
    {
        Kernel: struct (int * int)
        Stride: struct (int * int)
        Padding: struct (int * int * int * int)
        Dilation: struct (int * int)
    }

// The number of places of a window along an axis.
let private places length kernel stride before after dilation =
    (length + before + after - dilation * (kernel - 1) - 1) / stride + 1

// Attributes of every node here: the window's ten numbers, then what the primitive adds.
let private pack (w: Window) (more: int list) =
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, bottom, left, right) = w.Padding
    let struct (dh, dw) = w.Dilation
    Array.ofList ([ kh; kw; sh; sw; top; bottom; left; right; dh; dw ] @ more)

/// The window of a node of this family.
let window (n: Node) : Window =
    let a = n.Attributes

    {
        Kernel = struct (a[0], a[1])
        Stride = struct (a[2], a[3])
        Padding = struct (a[4], a[5], a[6], a[7])
        Dilation = struct (a[8], a[9])
    }

// One-dimensional operations are built of two-dimensional ones; their errors speak of lengths and show what the user gave.
let private isLine (operation: string) = operation.EndsWith "1d"

let private refuse operation expected got advice =
    raise (ShapeException(operation, expected, got, Context.Current.Path, advice))

/// Checks a window against the images, `shown` in errors, that it slides over.
let private check (operation: string) (w: Window) (shown: Shape) (shape: Shape) =
    let line = isLine operation
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, bottom, left, right) = w.Padding
    let struct (dh, dw) = w.Dilation

    let positive what (a: int) (b: int) =
        if a < 1 || b < 1 then
            let got = if line then string b else $"{a} x {b}"
            let value = if line then "it" else "both of its numbers"
            refuse operation $"a {what} of at least 1" got $"Give {value} a value of 1 or more."

    positive "kernel" kh kw
    positive "stride" sh sw
    positive "dilation" dh dw

    if min (min top bottom) (min left right) < 0 then
        let got = if line then string left else $"{top} x {left}"
        refuse operation "a padding of at least 0" got "Cut off what should not be seen, with Slice."

    let fits axis length before after kernel dilation =
        let reach = dilation * (kernel - 1) + 1

        if length + before + after < reach then
            let padded =
                if before + after > 0 then
                    $" less {before + after} of padding"
                else
                    ""

            refuse
                operation
                $"a {axis} of at least {reach - before - after}, as the window reaches over {reach}{padded}"
                $"{length} in {shown}"
                "Use a smaller kernel or dilation, or more padding."

    fits "height" shape[2] top bottom kh dh
    fits (if line then "length" else "width") shape[3] left right kw dw

/// Height and width of what a window makes of images.
let private placesOf (w: Window) (shape: Shape) =
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, bottom, left, right) = w.Padding
    let struct (dh, dw) = w.Dilation
    struct (places shape[2] kh sh top bottom dh, places shape[3] kw sw left right dw)

/// The images as the two-dimensional operation takes them.
let private images operation (x: Node) =
    let line = isLine operation

    if x.Shape.Rank <> (if line then 3 else 4) then
        if line then
            refuse operation "a tensor [batch, channels, length]" (string x.Shape) "Reshape it first; a single signal has one channel."
        else
            refuse operation "a tensor [batch, channels, height, width]" (string x.Shape) "Reshape it first; images in grey have one channel."

    if line then
        Moves.reshape [| x.Shape[0]; x.Shape[1]; 1; x.Shape[2] |] x
    else
        x

/// The result as the one-dimensional operation gives it.
let private result operation (y: Node) =
    if isLine operation then
        Moves.reshape [| y.Shape[0]; y.Shape[1]; y.Shape[3] |] y
    else
        y

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

    check operation win shown x4.Shape

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

/// A window: kernel, stride and dilation as height and width, padding as top, bottom, left, right.
let windowOf kernel stride padding dilation =
    let (kh, kw), (sh, sw), (top, bottom, left, right), (dh, dw) =
        kernel, stride, padding, dilation

    {
        Kernel = struct (kh, kw)
        Stride = struct (sh, sw)
        Padding = struct (top, bottom, left, right)
        Dilation = struct (dh, dw)
    }

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

// ---- choices by position, and maximum pooling -------------------------------------------------------------------------

// Attributes of a position node: the window; of the other two: height and width of the images.

/// The kernel's own description of a pooling of images x into y.
let poolShape (win: Window) (x: Shape) (y: Shape) =
    let struct (kh, kw) = win.Kernel
    let struct (sh, sw) = win.Stride
    let struct (top, _, left, _) = win.Padding
    let struct (dh, dw) = win.Dilation
    PoolingShape(x[0] * x[1], x[2], x[3], y[2], y[3], kh, kw, sh, sw, top, left, dh, dw)

let private positionsPrimitive =
    { define "maxPositions" Family.Selection 1 with
        Text = "maxPositions({0})"
        Latex = @"\arg\max_{\mathrm{window}} {0}"
        Access = Access.Contiguous
        Shape =
            ShapeRule(fun n ->
                let struct (height, width) = placesOf (window n) n.A.Shape
                Shape [| n.A.Shape[0]; n.A.Shape[1]; height; width |])
        Type =
            TypeRule(fun n ->
                Lower.floating.Invoke n |> ignore
                ElementType.Int32)
        Lower =
            Lowering(fun n _ ->
                let shape, dtype = poolShape (window n) n.A.Shape n.Shape, n.A.DType
                Kernel(fun o -> Pooling.MaxPositions(dtype, shape, o.Output, o.Inputs[0], o.Pool)))
        Vjp = Vjp(fun _ _ _ -> null)
    }

let private takeAtPrimitive =
    { define "takeAt" Family.Selection 2 with
        Text = "{0}[{1}]"
        Latex = "{0}_{{1}}"
        Access = Access.Contiguous
        Linear = Linearity.First
        Saves = 2
        Shape = ShapeRule(fun n -> n.B.Shape)
        Lower =
            Lowering(fun n _ ->
                let planes = n.Shape[0] * n.Shape[1]

                let from, into, dtype =
                    n.A.Shape[2] * n.A.Shape[3], n.Shape[2] * n.Shape[3], n.DType

                Kernel(fun o -> Pooling.Take(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1], o.Pool)))
    }

let private putAtPrimitive =
    { define "putAt" Family.Selection 2 with
        Text = "putAt({0}, {1})"
        Latex = @"\operatorname{put}({0}, {1})"
        Access = Access.Contiguous
        Linear = Linearity.First
        Saves = 2
        Shape = ShapeRule(fun n -> Shape [| n.A.Shape[0]; n.A.Shape[1]; n.Attributes[0]; n.Attributes[1] |])
        Lower =
            Lowering(fun n _ ->
                let planes = n.Shape[0] * n.Shape[1]

                let from, into, dtype =
                    n.A.Shape[2] * n.A.Shape[3], n.Shape[2] * n.Shape[3], n.DType

                Kernel(fun o -> Pooling.Put(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1], o.Pool)))
    }

// A window of padding alone has no largest element.
let private covers operation (w: Window) (shown: Shape) (x: Shape) =
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, _, left, _) = w.Padding
    let struct (dh, dw) = w.Dilation
    let struct (rows, columns) = placesOf w x

    let along axis length kernel stride before dilation places =
        for place in 0 .. places - 1 do
            let start = place * stride - before
            let skipped = if start < 0 then (dilation - 1 - start) / dilation else 0

            if skipped >= kernel || start + skipped * dilation >= length then
                refuse
                    operation
                    "an element of the input under each place of the window"
                    $"padding alone at place {place} of the {axis} of {shown}"
                    "Padding is at most half of the kernel as a rule."

    along "height" x[2] kh sh top dh rows
    along (if isLine operation then "length" else "width") x[3] kw sw left dw columns

/// For each place of the window, the position of the largest element in the plane of height times width, counted row by row; the first
/// of equal ones. Padding never wins.
let maxPositions (win: Window) (x: Node) =
    Node.Make(positionsPrimitive, 0L, pack win [], x, null, null)

/// The elements of each plane `[batch, channels, height, width]` at positions `[batch, channels, ..]`.
let takeAt (x: Node) (positions: Node) =
    Node.Make(takeAtPrimitive, 0L, null, x, positions, null)

/// The transpose of takeAt: planes of a height and width, zero but for the sum of what is put at each position.
let putAt (height: int) (width: int) (g: Node) (positions: Node) =
    Node.Make(putAtPrimitive, 0L, [| height; width |], g, positions, null)

let private halves = windowOf (2, 2) (2, 2) (0, 0, 0, 0) (1, 1)
let private overlapping = windowOf (3, 2) (1, 1) (1, 1, 0, 1) (1, 1)
let private spread = windowOf (2, 2) (1, 2) (0, 0, 1, 1) (2, 2)

positionsPrimitive.Samples <-
    lazy
        [
            sample "halves" [ [ 2; 3; 4; 4 ] ] (fun x -> maxPositions halves x[0])
            sample "overlapping and padded" [ [ 1; 2; 4; 5 ] ] (fun x -> maxPositions overlapping x[0])
            sample "dilated" [ [ 2; 1; 5; 6 ] ] (fun x -> maxPositions spread x[0])
            sample "no images" [ [ 0; 1; 4; 4 ] ] (fun x -> maxPositions halves x[0])
        ]

tie
    takeAtPrimitive
    (fun n i g ->
        if i = 0 then
            putAt n.A.Shape[2] n.A.Shape[3] g n.B
        else
            null)
    (lazy
        [
            sample "halves" [ [ 2; 3; 4; 4 ] ] (fun x -> takeAt x[0] (maxPositions halves x[0]))
            sample "overlapping and padded" [ [ 1; 2; 4; 5 ] ] (fun x -> takeAt x[0] (maxPositions overlapping x[0]))
            sample "dilated" [ [ 2; 1; 5; 6 ] ] (fun x -> takeAt x[0] (maxPositions spread x[0]))
        ])

tie
    putAtPrimitive
    (fun n i g -> if i = 0 then takeAt g n.B else null)
    (lazy
        [
            sample "halves" [ [ 2; 3; 2; 2 ]; [ 2; 3; 4; 4 ] ] (fun x -> putAt 4 4 x[0] (maxPositions halves x[1]))
            sample "overlapping and padded" [ [ 1; 2; 4; 5 ]; [ 1; 2; 4; 5 ] ] (fun x -> putAt 4 5 x[0] (maxPositions overlapping x[1]))
        ])

let private largest operation (win: Window) (x: Node) =
    let x4 = images operation x
    check operation win x.Shape x4.Shape
    covers operation win x.Shape x4.Shape
    takeAt x4 (maxPositions win x4) |> result operation

/// The largest element under each place of the window; the first of equal ones takes all of the gradient.
let maxPool2d (win: Window) (x: Node) = largest "maxPool2d" win x

/// The same along one axis, `[batch, channels, length]`; the window's first numbers are not used.
let maxPool1d (win: Window) (x: Node) = largest "maxPool1d" win x

// ---- average pooling --------------------------------------------------------------------------------------------------

let private averaging name text : Primitive =
    { define name Family.Reduction 1 with
        Type = Lower.floating
        Text = text
        Latex = text
        Access = Access.Contiguous
        Linear = Linearity.Jointly
    }

let private averagePrimitive =
    { averaging "avgPool2d" "avgPool2d({0})" with
        Shape =
            ShapeRule(fun n ->
                let struct (height, width) = placesOf (window n) n.A.Shape
                Shape [| n.A.Shape[0]; n.A.Shape[1]; height; width |])
        Lower =
            Lowering(fun n _ ->
                let shape, dtype = poolShape (window n) n.A.Shape n.Shape, n.DType
                Kernel(fun o -> Pooling.Average(dtype, shape, o.Output, o.Inputs[0], o.Pool)))
    }

let private averageInputPrimitive =
    { averaging "avgPool2dInput" "avgPool2dInput({0})" with
        Shape = ShapeRule(fun n -> Shape [| n.A.Shape[0]; n.A.Shape[1]; n.Attributes[10]; n.Attributes[11] |])
        Lower =
            Lowering(fun n _ ->
                let shape, dtype = poolShape (window n) n.Shape n.A.Shape, n.DType
                Kernel(fun o -> Pooling.AverageBackward(dtype, shape, o.Output, o.Inputs[0], o.Pool)))
    }

let private average operation (win: Window) (x: Node) =
    let x4 = images operation x
    check operation win x.Shape x4.Shape
    Node.Make(averagePrimitive, 0L, pack win [], x4, null, null) |> result operation

/// The mean under each place of the window; padding counts as zeros, as PyTorch's default has it.
let avgPool2d (win: Window) (x: Node) = average "avgPool2d" win x

/// The same along one axis, `[batch, channels, length]`; the window's first numbers are not used.
let avgPool1d (win: Window) (x: Node) = average "avgPool1d" win x

/// The transpose of avgPool2d, to images of a height and width.
let avgPool2dInput (win: Window) (height: int) (width: int) (g: Node) =
    Node.Make(averageInputPrimitive, 0L, pack win [ height; width ], g, null, null)

tie
    averagePrimitive
    (fun n _ g -> avgPool2dInput (window n) n.A.Shape[2] n.A.Shape[3] g)
    (lazy
        [
            sample "halves" [ [ 2; 3; 4; 4 ] ] (fun x -> avgPool2d halves x[0])
            sample "overlapping and padded" [ [ 1; 2; 4; 5 ] ] (fun x -> avgPool2d overlapping x[0])
        ])

tie
    averageInputPrimitive
    (fun n _ g -> avgPool2d (window n) g)
    (lazy
        [
            sample "halves" [ [ 2; 3; 2; 2 ] ] (fun x -> avgPool2dInput halves 4 4 x[0])
            sample "overlapping and padded" [ [ 1; 2; 4; 5 ] ] (fun x -> avgPool2dInput overlapping 4 5 x[0])
        ])

/// The primitives of this family.
let all =
    [
        convPrimitive
        convInputPrimitive
        convWeightPrimitive
        positionsPrimitive
        takeAtPrimitive
        putAtPrimitive
        averagePrimitive
        averageInputPrimitive
    ]
