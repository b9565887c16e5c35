/// What pooling makes of windows: the largest element, by its position, and the mean. Images are `[batch, channels, height, width]`.
module internal Hybrid.Core.Pools

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive
open Hybrid.Core.Windows

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

// From planes of one size into planes of another; inline, as a function of five arguments would be called through an object at every step.
let inline private byPlanes ([<InlineIfLambda>] run) =
    Lowering(fun n _ ->
        let planes = n.Shape[0] * n.Shape[1]

        let from, into, dtype =
            n.A.Shape[2] * n.A.Shape[3], n.Shape[2] * n.Shape[3], n.DType

        Kernel(fun (o: Operands) -> run dtype planes from into o))

let private takeAtPrimitive =
    { define "takeAt" Family.Selection 2 with
        Text = "{0}[{1}]"
        Latex = "{0}_{{1}}"
        Access = Access.Contiguous
        Linear = Linearity.First
        Saves = 2
        Shape = ShapeRule(fun n -> n.B.Shape)
        Lower = byPlanes (fun dtype planes from into o -> Pooling.Take(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1], o.Pool))
    }

let private putAtPrimitive =
    { define "putAt" Family.Selection 2 with
        Text = "putAt({0}, {1})"
        Latex = @"\operatorname{put}({0}, {1})"
        Access = Access.Contiguous
        Linear = Linearity.First
        Saves = 2
        Shape = ShapeRule(fun n -> Shape [| n.A.Shape[0]; n.A.Shape[1]; n.Attributes[0]; n.Attributes[1] |])
        Lower = byPlanes (fun dtype planes from into o -> Pooling.Put(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1], o.Pool))
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
    let win = check operation win x.Shape x4.Shape
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
    let win = check operation win x.Shape x4.Shape
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
        positionsPrimitive
        takeAtPrimitive
        putAtPrimitive
        averagePrimitive
        averageInputPrimitive
    ]
