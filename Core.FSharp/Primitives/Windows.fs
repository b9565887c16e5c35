/// Windows that slide along the last two axes of images `[batch, channels, height, width]`: how they move, where they fit, and how nodes keep them.
/// One-dimensional windows are two-dimensional ones of height 1.
module internal Hybrid.Core.Windows

/// How a window moves: all numbers are pairs of height and width. Padding is before and after: top, bottom, left, right.
[<Struct>]
type Window =
    {
        Kernel: struct (int * int)
        Stride: struct (int * int)
        Padding: struct (int * int * int * int)
        Dilation: struct (int * int)
    }

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

// The number of places of a window along an axis.
let private places length kernel stride before after dilation =
    (length + before + after - dilation * (kernel - 1) - 1) / stride + 1

/// Attributes of every node with a window: the window's ten numbers, then what the primitive adds.
let pack (w: Window) (more: int list) =
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, bottom, left, right) = w.Padding
    let struct (dh, dw) = w.Dilation
    Array.ofList ([ kh; kw; sh; sw; top; bottom; left; right; dh; dw ] @ more)

/// The window of such a node.
let window (n: Node) : Window =
    let a = n.Attributes

    {
        Kernel = struct (a[0], a[1])
        Stride = struct (a[2], a[3])
        Padding = struct (a[4], a[5], a[6], a[7])
        Dilation = struct (a[8], a[9])
    }

/// Whether an operation is one-dimensional: built of the two-dimensional one, with errors that speak of lengths and show what the user gave.
let isLine (operation: string) = operation.EndsWith "1d"

/// Refuses what an operation cannot slide over.
let refuse operation expected got advice =
    raise (ShapeException(operation, expected, got, Context.Current.Path, advice))

/// Checks a window against the images, `shown` in errors, that it slides over. Gives it back with no stride larger than takes it from the first place
/// beyond the last, and no dilation where there is nothing to spread, as these numbers are multiplied.
let check (operation: string) (w: Window) (shown: Shape) (shape: Shape) : Window =
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

    let fitted axis length before after kernel stride dilation =
        let reach = int64 dilation * int64 (kernel - 1) + 1L
        let padding = int64 before + int64 after
        let padded = int64 length + padding

        if padded > int64 System.Int32.MaxValue then
            refuse
                operation
                $"a {axis} of at most {System.Int32.MaxValue}, its padding included"
                $"{length} in {shown} and {padding} of padding"
                "Use less padding."

        if padded < reach then
            let less = if padding > 0L then $" less {padding} of padding" else ""

            refuse
                operation
                $"a {axis} of at least {reach - padding}, as the window reaches over {reach}{less}"
                $"{length} in {shown}"
                "Use a smaller kernel or dilation, or more padding."

        struct (int (min (int64 stride) (padded - reach + 1L)), (if kernel = 1 then 1 else dilation))

    let struct (sh, dh) = fitted "height" shape[2] top bottom kh sh dh

    let struct (sw, dw) =
        fitted (if line then "length" else "width") shape[3] left right kw sw dw

    { w with
        Stride = struct (sh, sw)
        Dilation = struct (dh, dw)
    }

/// Height and width of what a window makes of images.
let placesOf (w: Window) (shape: Shape) =
    let struct (kh, kw) = w.Kernel
    let struct (sh, sw) = w.Stride
    let struct (top, bottom, left, right) = w.Padding
    let struct (dh, dw) = w.Dilation
    struct (places shape[2] kh sh top bottom dh, places shape[3] kw sw left right dw)

/// The images as the two-dimensional operation takes them.
let images operation (x: Node) =
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
let result operation (y: Node) =
    if isLine operation then
        Moves.reshape [| y.Shape[0]; y.Shape[1]; y.Shape[3] |] y
    else
        y
