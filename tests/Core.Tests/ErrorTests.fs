/// Whole error texts: what was expected, what was got, where, and what to do.
module Hybrid.Core.Tests.ErrorTests

open Hybrid.Core
open Hybrid.Core.Tests.Trials
open Hybrid.Kernels
open Xunit

let private of' dtype (dims: int list) =
    let shape = Shape.Of(Array.ofList dims)
    value dtype shape (Array.zeroCreate (int shape.Size)) |> Leaves.value

let private f32 dims = of' ElementType.Float32 dims
let private f64 dims = of' ElementType.Float64 dims
let private i32 dims = of' ElementType.Int32 dims
let private bool dims = of' ElementType.Bool dims
let private u8 dims = of' ElementType.UInt8 dims

let private numbers dtype (data: float list) =
    value dtype (Shape.Of data.Length) (Array.ofList data) |> Leaves.value

let private ints = List.map float >> numbers ElementType.Int32

let private key = ints [ 1; 2 ]

let private moving stride (height, width) dilation =
    Windows.windowOf (2, 2) stride (height, height, width, width) dilation

let private plain = moving (1, 1) (0, 0) (1, 1)

/// Calls that are refused when the expression is built.
let private built: (string * (unit -> Node) * string) list =
    [
        "reshape to another size",
        (fun () -> Moves.reshape [| 4; 2 |] (f32 [ 2; 3 ])),
        "reshape: expected a shape of 6 elements, as [2, 3] has, got [4, 2] with 8. Use -1 for one length to have it computed."
        "reshape with an unknown",
        (fun () -> Moves.reshape [| 4; -1 |] (f32 [ 2; 3 ])),
        "reshape: expected lengths whose product divides 6, the size of [2, 3], got [4, -1]. Only one length can be -1, and the others must divide the size."
        "reshape with two unknowns",
        (fun () -> Moves.reshape [| -1; -1 |] (f32 [ 2; 3 ])),
        "reshape: expected lengths whose product divides 6, the size of [2, 3], got [-1, -1]. Only one length can be -1, and the others must divide the size."
        "permute",
        (fun () -> Moves.permute [| 0; 0 |] (f32 [ 2; 3 ])),
        "permute: expected every axis of [2, 3] once, got [0, 0]. Name each axis of the tensor exactly once."
        "permute by an axis that is not there",
        (fun () -> Moves.permute [| 0; 2 |] (f32 [ 2; 3 ])),
        "permute: expected an axis from -2 to 1 for shape [2, 3], got 2. Axes count from 0; -1 is the last."
        "transpose of a vector",
        (fun () -> Moves.transpose (f32 [ 3 ])),
        "transpose: expected at least two axes, got [3]. Reshape the vector to a row or a column first."
        "broadcastTo",
        (fun () -> Moves.broadcastTo (Shape.Of(2, 4)) (f32 [ 2; 3 ])),
        "broadcastTo: expected a shape that [2, 3] can be repeated to, got [2, 4]. Aligned at the last axis, each length must be kept, or be 1, or be new."
        "broadcastTo fewer axes",
        (fun () -> Moves.broadcastTo (Shape.Of 3) (f32 [ 2; 3 ])),
        "broadcastTo: expected a shape that [2, 3] can be repeated to, got [3]. Aligned at the last axis, each length must be kept, or be 1, or be new."
        "an axis beyond the last",
        (fun () -> Slices.flip 2 (f32 [ 2; 3 ])),
        "flip: expected an axis from -2 to 1 for shape [2, 3], got 2. Axes count from 0; -1 is the last."
        "an axis of a scalar",
        (fun () -> Slices.flip 0 (f32 [])),
        "flip: expected no axis, since the tensor is a scalar, got 0. Axes count from 0; -1 is the last."
        "an axis twice",
        (fun () -> Moves.sum (Moves.checkAxes "sum" [| 0; -2 |] (f32 [ 2; 3 ])) (f32 [ 2; 3 ])),
        "sum: expected each axis once, got [0, -2]. Remove the axis that is named twice."
        "sum of a mask",
        (fun () -> Moves.sum [| 0 |] (bool [ 3 ])),
        "sum: expected float32, float64 or int32, got bool. Convert with To(float32) first."
        "concat of nothing", (fun () -> Slices.concat 0 [||]), "concat: expected at least one tensor, got none. Check the list that is concatenated."
        "concat of shapes",
        (fun () -> Slices.concat 0 [| f32 [ 2; 3 ]; f32 [ 2; 4 ] |]),
        "concat: expected shapes that differ in axis 0 alone, got [2, 3] and [2, 4] (tensor 1). Reshape or slice the tensors first."
        "concat of types",
        (fun () -> Slices.concat 0 [| f32 [ 2 ]; f64 [ 2 ] |]),
        "concat: expected tensors of one element type, float32 as the first, got float64 (tensor 1). Convert with To first."

        "add of types",
        (fun () -> Elementwise.add (f32 [ 2 ]) (f64 [ 2 ])),
        "add: expected tensors of one element type, got float32 and float64. Types never mix silently: convert one of them with To."
        "add of shapes",
        (fun () -> Elementwise.add (f32 [ 2; 3 ]) (f32 [ 2 ])),
        "add: expected shapes that broadcast (aligned at the last axis, lengths equal or 1), got [2, 3] and [2]. Reshape or slice one of them."
        "exp of integers", (fun () -> Elementwise.exp (i32 [ 2 ])), "exp: expected float32 or float64, got int32. Convert with To(float32) first."
        "div of integers",
        (fun () -> Elementwise.div (i32 [ 2 ]) (i32 [ 2 ])),
        "div: expected float32 or float64, got int32. Convert with To(float32) first."
        "add of masks",
        (fun () -> Elementwise.add (bool [ 2 ]) (bool [ 2 ])),
        "add: expected float32, float64 or int32, got bool. Convert with To(float32) first."
        "not of a number", (fun () -> Elementwise.logicalNot (f32 [ 2 ])), "not: expected bool, got float32. Make a mask with a comparison first."
        "where by a number",
        (fun () -> Elementwise.where (f32 [ 2 ]) (f32 [ 2 ]) (f32 [ 2 ])),
        "where: expected a bool mask, got float32. Make the mask with a comparison."
        "where of types",
        (fun () -> Elementwise.where (bool [ 2 ]) (f32 [ 2 ]) (f64 [ 2 ])),
        "where: expected tensors of one element type, got float32 and float64. Types never mix silently: convert one of them with To."
        "where of shapes",
        (fun () -> Elementwise.where (bool [ 2 ]) (f32 [ 3 ]) (f32 [])),
        "where: expected shapes that broadcast (aligned at the last axis, lengths equal or 1), got [2], [3] and []. Reshape or slice one of them."

        "amax over nothing",
        (fun () -> Reductions.amax [| 1 |] (f32 [ 2; 0 ])),
        "amax: expected at least one element along each reduced axis, got [2, 0]. Skip empty batches before they get here."
        "argmax over nothing",
        (fun () -> Reductions.argmax 0 (f32 [ 0; 2 ])),
        "argmax: expected at least one element along each reduced axis, got [0, 2]. Skip empty batches before they get here."
        "amax of bytes",
        (fun () -> Reductions.amax [| 0 |] (u8 [ 2 ])),
        "amax: expected float32 or float64, got uint8. Convert with To(float32) first."

        "matmul of a scalar",
        (fun () -> Contractions.matmul (f32 []) (f32 [ 2; 3 ])),
        "matmul: expected vectors, matrices or batches of matrices, got [] and [2, 3]. Use mul to scale by a number."
        "matmul of shapes",
        (fun () -> Contractions.matmul (f32 [ 2; 3 ]) (f32 [ 2; 3 ])),
        "matmul: expected as many columns on the left as rows on the right, got [2, 3] and [2, 3]. Transpose or reshape one of them."
        "matmul of vectors",
        (fun () -> Contractions.matmul (f32 [ 2 ]) (f32 [ 3 ])),
        "matmul: expected as many columns on the left as rows on the right, got [2] and [3]. Transpose or reshape one of them."
        "matmul of batches",
        (fun () -> Contractions.matmul (f32 [ 2; 2; 3 ]) (f32 [ 3; 3; 2 ])),
        "matmul: expected axes before the last two that broadcast (aligned at the right, lengths equal or 1), got [2, 2, 3] and [3, 3, 2]. Reshape one of them."
        "matmul of types",
        (fun () -> Contractions.matmul (f32 [ 2; 3 ]) (f64 [ 3; 2 ])),
        "matmul: expected tensors of one element type, got float32 and float64. Types never mix silently: convert one of them with To."
        "matmul of integers",
        (fun () -> Contractions.matmul (i32 [ 2; 3 ]) (i32 [ 3; 2 ])),
        "matmul: expected float32 or float64, got int32. Convert with To(float32) first."
        "conv2d of one image",
        (fun () -> Convolutions.conv2d plain (f32 [ 2; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a tensor [batch, channels, height, width], got [2, 5, 5]. Reshape it first; images in grey have one channel."
        "conv2d with weights of a line",
        (fun () -> Convolutions.conv2d plain (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3 ])),
        "conv2d: expected weights [filters, channels, kernel height, kernel width], got [3, 2, 3]. Reshape the weights first."
        "conv2d of other channels",
        (fun () -> Convolutions.conv2d plain (f32 [ 1; 1; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected an input of 2 channels, as the weights [3, 2, 3, 3] have, got 1 in [1, 1, 5, 5]. Axis 1 holds the channels; check the number of input channels of the layer."
        "conv2d of types",
        (fun () -> Convolutions.conv2d plain (f32 [ 1; 2; 5; 5 ]) (f64 [ 3; 2; 3; 3 ])),
        "conv2d: expected tensors of one element type, got float32 and float64. Types never mix silently: convert one of them with To."
        "conv2d of integers",
        (fun () -> Convolutions.conv2d plain (i32 [ 1; 2; 5; 5 ]) (i32 [ 3; 2; 3; 3 ])),
        "conv2d: expected float32 or float64, got int32. Convert with To(float32) first."
        "conv2d of a small image",
        (fun () -> Convolutions.conv2d (moving (1, 1) (1, 0) (2, 2)) (f32 [ 1; 2; 5; 4 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a width of at least 5, as the window reaches over 5, got 4 in [1, 2, 5, 4]. Use a smaller kernel or dilation, or more padding."
        "conv2d of a small image with padding",
        (fun () -> Convolutions.conv2d (moving (1, 1) (1, 0) (1, 1)) (f32 [ 1; 2; 2; 4 ]) (f32 [ 3; 2; 5; 3 ])),
        "conv2d: expected a height of at least 3, as the window reaches over 5 less 2 of padding, got 2 in [1, 2, 2, 4]. Use a smaller kernel or dilation, or more padding."
        "conv2d of a dilation whose reach is no int",
        (fun () -> Convolutions.conv2d (moving (1, 1) (0, 0) (1, System.Int32.MaxValue)) (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a width of at least 4294967295, as the window reaches over 4294967295, got 5 in [1, 2, 5, 5]. Use a smaller kernel or dilation, or more padding."
        "conv2d of padding beyond an int",
        (fun () -> Convolutions.conv2d (moving (1, 1) (System.Int32.MaxValue, 0) (1, 1)) (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a height of at most 2147483647, its padding included, got 5 in [1, 2, 5, 5] and 4294967294 of padding. Use less padding."
        "conv2d without a stride",
        (fun () -> Convolutions.conv2d (moving (1, 0) (0, 0) (1, 1)) (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a stride of at least 1, got 1 x 0. Give both of its numbers a value of 1 or more."
        "conv2d with less than no padding",
        (fun () -> Convolutions.conv2d (moving (1, 1) (0, -1) (1, 1)) (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3; 3 ])),
        "conv2d: expected a padding of at least 0, got 0 x -1. Cut off what should not be seen, with Slice."
        "conv1d of images",
        (fun () -> Convolutions.conv1d plain (f32 [ 1; 2; 5; 5 ]) (f32 [ 3; 2; 3 ])),
        "conv1d: expected a tensor [batch, channels, length], got [1, 2, 5, 5]. Reshape it first; a single signal has one channel."
        "conv1d of a short signal",
        (fun () -> Convolutions.conv1d plain (f32 [ 1; 2; 2 ]) (f32 [ 3; 2; 3 ])),
        "conv1d: expected a length of at least 3, as the window reaches over 3, got 2 in [1, 2, 2]. Use a smaller kernel or dilation, or more padding."
        "conv1d without dilation",
        (fun () -> Convolutions.conv1d (moving (1, 1) (0, 0) (1, 0)) (f32 [ 1; 2; 5 ]) (f32 [ 3; 2; 3 ])),
        "conv1d: expected a dilation of at least 1, got 0. Give it a value of 1 or more."
        "maxPool2d of integers",
        (fun () -> Pools.maxPool2d plain (i32 [ 1; 2; 5; 5 ])),
        "maxPositions: expected float32 or float64, got int32. Convert with To(float32) first."
        "maxPool2d of padding",
        (fun () -> Pools.maxPool2d (moving (1, 1) (0, 2) (1, 1)) (f32 [ 1; 2; 5; 5 ])),
        "maxPool2d: expected an element of the input under each place of the window, got padding alone at place 0 of the width of [1, 2, 5, 5]. Padding is at most half of the kernel as a rule."
        "avgPool1d of a matrix",
        (fun () -> Pools.avgPool1d plain (f32 [ 2; 5 ])),
        "avgPool1d: expected a tensor [batch, channels, length], got [2, 5]. Reshape it first; a single signal has one channel."

        "outer of matrices",
        (fun () -> Contractions.outer (f32 [ 2; 3 ]) (f32 [ 3 ])),
        "outer: expected two vectors, got [2, 3] and [3]. Reshape them to one axis first."
        "linear",
        (fun () -> Ops.linear (f32 [ 2; 3 ]) (f32 [ 3 ]) null),
        "linear: expected a weight of shape [outputs, inputs], got [3]. Reshape the weight to two axes."

        "gather by floats",
        (fun () -> Selection.gather (f32 [ 3; 2 ]) (f32 [ 2 ])),
        "gather: expected positions of type int32 or uint8, got float32. Convert them with To(int32)."
        "gather from a scalar",
        (fun () -> Selection.gather (f32 []) (i32 [ 2 ])),
        "gather: expected a table with at least one axis, got a scalar. Gather takes rows of a vector or matrix."
        "scatterAdd",
        (fun () -> Selection.scatterAdd 4 (f32 [ 2; 3 ]) (i32 [ 3 ])),
        "scatterAdd: expected updates whose shape begins with [3], that of the positions, got [2, 3]. Give one row of updates for each position."
        "scatterAdd of bytes",
        (fun () -> Selection.scatterAdd 4 (u8 [ 3 ]) (i32 [ 3 ])),
        "scatterAdd: expected float32, float64 or int32, got uint8. Convert with To(float32) first."
        "takeAlong",
        (fun () -> Selection.takeAlong 1 (f32 [ 2; 3 ]) (i32 [ 3 ])),
        "takeAlong: expected positions of shape [2], that of the tensor without axis 1, got [3]. Give one position for each line along the axis."
        "putAlong shapes",
        (fun () -> Selection.putAlong 0 3 (f32 [ 2 ]) (i32 [ 3 ])),
        "putAlong: expected positions of shape [2], as the updates, got [3]. Give one position for each update."
        "putAlong axis",
        (fun () -> Selection.putAlong 2 3 (f32 [ 2 ]) (i32 [ 2 ])),
        "putAlong: expected a new axis from 0 to 1 for shape [2], got 2. The axis counts in the result."
        "oneHot of a mask",
        (fun () -> Selection.oneHot 3 ElementType.Float32 (bool [ 2 ])),
        "oneHot: expected labels of type int32 or uint8, got bool. Convert them with To(int32)."
        "oneHot of less than no classes",
        (fun () -> Selection.oneHot -1 ElementType.Float32 (i32 [ 2 ])),
        "shape: expected lengths of at least 0, got [2, -1]. Give every axis a length of 0 or more."
        "scatterAdd to less than no rows",
        (fun () -> Selection.scatterAdd -1 (f32 [ 2 ]) (i32 [ 2 ])),
        "shape: expected lengths of at least 0, got [-1]. Give every axis a length of 0 or more."
        "a product beyond memory",
        (fun () -> Elementwise.mul (Moves.broadcastTo (Shape.Of(100000, 1)) (f32 [])) (Moves.broadcastTo (Shape.Of 100000) (f32 []))),
        "shape: expected at most 2,147,483,647 elements, got [100000, 100000]. Split the tensor, for example into smaller batches."
        "gatherAlong",
        (fun () -> Ops.gatherAlong 1 (f32 [ 2; 3 ]) (i32 [ 3; 1 ])),
        "gatherAlong: expected positions of a shape that differs from [2, 3] in axis 1 alone, got [3, 1]. Repeat the positions along the other axes first."

        "softmax over an axis that is not there",
        (fun () -> Normalisation.softmax 2 (f32 [ 2; 3 ])),
        "softmax: expected an axis from -2 to 1 for shape [2, 3], got 2. Axes count from 0; -1 is the last."
        "softmax of integers",
        (fun () -> Normalisation.softmax -1 (i32 [ 2; 3 ])),
        "softmax: expected float32 or float64, got int32. Convert with To(float32) first."
        "crossEntropy with one-hot labels",
        (fun () -> Normalisation.crossEntropy (f32 [ 2; 3 ]) (i32 [ 2; 3 ])),
        "crossEntropy: expected labels of shape [2], one for each row of logits [2, 3], got [2, 3]. The last axis holds the classes; labels are class numbers, not one-hot rows."
        "crossEntropy of a scalar",
        (fun () -> Normalisation.crossEntropy (f32 []) (i32 [])),
        "crossEntropy: expected logits with an axis of classes, got a scalar. The last axis holds the classes."
        "crossEntropy with float labels",
        (fun () -> Normalisation.crossEntropy (f32 [ 2; 3 ]) (f32 [ 2 ])),
        "crossEntropy: expected labels of type int32 or uint8, got float32. Convert them with To(int32)."
        "crossEntropyGradient shape",
        (fun () -> Normalisation.crossEntropyGradient (f32 [ 3 ]) (Normalisation.crossEntropy (f32 [ 2; 3 ]) (i32 [ 2 ]))),
        "crossEntropyGradient: expected a gradient of shape [2], that of the losses, got [3]. Give one number for each row of logits."
        "crossEntropyGradient type",
        (fun () -> Normalisation.crossEntropyGradient (f64 [ 2 ]) (Normalisation.crossEntropy (f32 [ 2; 3 ]) (i32 [ 2 ]))),
        "crossEntropyGradient: expected tensors of one element type, got float64 and float32. Types never mix silently: convert one of them with To."
        "bce of types",
        (fun () -> Normalisation.bce (f32 [ 2 ]) (i32 [ 2 ])),
        "bce: expected tensors of one element type, got float32 and int32. Types never mix silently: convert one of them with To."

        "uniform of integers",
        (fun () -> Randoms.uniform 0 ElementType.Int32 (Shape.Of 2) key),
        "uniform: expected float32 or float64, got int32. Draw floats, and convert the result with To."
        "uniform by a long key",
        (fun () -> Randoms.uniform 0 ElementType.Float32 (Shape.Of 2) (i32 [ 3 ])),
        "uniform: expected a key of shape [2], got [3]. A key is 64 bits in two int32 numbers, the low half first."
        "normal by floats",
        (fun () -> Randoms.normal 0 ElementType.Float32 (Shape.Of 2) (f32 [ 2 ])),
        "normal: expected a key of type int32, got float32. A key is 64 bits in two int32 numbers, the low half first."

        "unsqueeze",
        (fun () -> Ops.unsqueeze 3 (f32 [ 2; 3 ])),
        "unsqueeze: expected an axis from -3 to 2 for shape [2, 3], got 3. The axis counts in the result; -1 is the last."
        "stack of nothing", (fun () -> Ops.stack 0 [||]), "stack: expected at least one tensor, got none. Check the list that is stacked."
        "stack of shapes",
        (fun () -> Ops.stack 0 [| f32 [ 2 ]; f32 [ 3 ] |]),
        "stack: expected tensors of one shape, [2] as the first, got [3] (tensor 1). Use concat along an axis."
        "slice backwards",
        (fun () -> Ops.sliceAxis 0 0 ValueNone -1 (f32 [ 3 ])),
        "slice: expected a step of at least 1, got -1. Use Flip for the reverse order."
        "select",
        (fun () -> Ops.select 1 3 (f32 [ 2; 3 ])),
        "select: expected a position from -3 to 2 along axis 1 of [2, 3], got 3. Positions count from 0; -1 is the last."
        "split",
        (fun () -> (Ops.split 0 [| 1; 1 |] (f32 [ 3 ]))[0]),
        "split: expected lengths that add up to 3, the length of axis 0 of [3], got [1, 1]. Give every element a part."
        "pad",
        (fun () -> Ops.pad [| 1 |] [| 0; 1 |] [| 0; 0 |] 0.0 (f32 [ 2; 3 ])),
        "pad: expected lists of 2 numbers of at least 0, one for each axis of [2, 3], got [1], [0, 1] and [0, 0]. Use slice to cut elements off."
    ]

/// Calls that are refused when values are first seen.
let private evaluated: (string * (unit -> Node) * string) list =
    [
        "gather",
        (fun () -> Selection.gather (f32 [ 3; 2 ]) (ints [ 0; 2; 3 ])),
        "gather: expected rows from 0 to 2, got 3 at [2]. Check the indices, or give the table more rows."
        "gather by a scalar",
        (fun () -> Selection.gather (f32 [ 3 ]) (Moves.reshape [||] (ints [ -1 ]))),
        "gather: expected rows from 0 to 2, got -1. Check the indices, or give the table more rows."
        "gather from nothing",
        (fun () -> Selection.gather (f32 [ 0; 2 ]) (ints [ 0 ])),
        "gather: expected nothing, as there are no rows, got 0 at [0]. Check the indices, or give the table more rows."
        "scatterAdd",
        (fun () -> Selection.scatterAdd 2 (f32 [ 2; 2 ]) (ints [ 0; 2 ])),
        "scatterAdd: expected rows from 0 to 1, got 2 at [1]. Check the indices, or give the table more rows."
        "takeAlong",
        (fun () -> Selection.takeAlong 0 (f32 [ 2; 3 ]) (ints [ 0; 1; -1 ])),
        "takeAlong: expected positions from 0 to 1, got -1 at [2]. Positions count along the axis from 0."
        "putAlong",
        (fun () -> Selection.putAlong 0 2 (f32 [ 3 ]) (ints [ 0; 1; 9 ])),
        "putAlong: expected positions from 0 to 1, got 9 at [2]. Positions count along the axis from 0."
        "oneHot",
        (fun () -> Selection.oneHot 10 ElementType.Float32 (ints [ 9; 10 ])),
        "oneHot: expected labels from 0 to 9, got 10 at [1]. Check the labels, or the number of classes."
        "oneHot of bytes",
        (fun () -> Selection.oneHot 10 ElementType.Float32 (numbers ElementType.UInt8 [ 9.0; 255.0 ])),
        "oneHot: expected labels from 0 to 9, got 255 at [1]. Check the labels, or the number of classes."
        "crossEntropy",
        (fun () -> Normalisation.crossEntropy (f32 [ 2; 2; 3 ]) (Moves.reshape [| 2; 2 |] (ints [ 0; 1; 2; 3 ]))),
        "crossEntropy: expected labels from 0 to 2, got 3 at [1, 1]. Labels are positions among the classes: check them, or the size of the last layer."
        "crossEntropyGradient",
        (fun () -> Normalisation.crossEntropyGradient (f32 [ 2 ]) (Normalisation.crossEntropy (f32 [ 2; 3 ]) (ints [ 0; -1 ]))),
        "crossEntropy: expected labels from 0 to 2, got -1 at [1]. Labels are positions among the classes: check them, or the size of the last layer."
        "bce of logits",
        (fun () -> Normalisation.bce (numbers ElementType.Float32 [ 0.5; 1.5 ]) (f32 [ 2 ])),
        "bce: expected probabilities from 0 to 1, got 1.5 at [1]. Apply sigmoid first."
        "bce of NaN",
        (fun () -> Normalisation.bce (numbers ElementType.Float64 [ nan ]) (f64 [ 1 ])),
        "bce: expected probabilities from 0 to 1, got NaN at [0]. Apply sigmoid first."
        "bce of no number as target",
        (fun () -> Normalisation.bce (f32 [ 2 ]) (numbers ElementType.Float32 [ 1.0; nan ])),
        "bce: expected targets from 0 to 1, got NaN at [1]. Scale the targets to the interval [0, 1]."
        "bce of targets above 1",
        (fun () -> Normalisation.bce (f32 [ 2 ]) (numbers ElementType.Float32 [ 255.0; 0.0 ])),
        "bce: expected targets from 0 to 1, got 255 at [0]. Scale the targets to the interval [0, 1]."
        "bce of wrong targets",
        (fun () -> Normalisation.bce (f64 [ 2 ]) (numbers ElementType.Float64 [ 1.0; -0.1 ])),
        "bce: expected targets from 0 to 1, got -0.1 at [1]. Scale the targets to the interval [0, 1]."
    ]

let private names (table: (string * (unit -> Node) * string) list) =
    let data = TheoryData<string>()

    for name, _, _ in table do
        data.Add name

    data

let builtNames = names built
let evaluatedNames = names evaluated

[<Theory; MemberData(nameof builtNames)>]
let ``Refused when it is built`` (name: string) =
    let _, call, expected = built |> List.find (fun (n, _, _) -> n = name)
    let e = Assert.ThrowsAny<HybridException>(fun () -> call () |> ignore)
    Assert.Equal(expected, e.Message)

[<Theory; MemberData(nameof evaluatedNames)>]
let ``Refused when its values are seen`` (name: string) =
    let _, call, expected = evaluated |> List.find (fun (n, _, _) -> n = name)
    let node = call ()
    let e = Assert.Throws<ValueException>(fun () -> Engine.Default.Evaluate [| node |])
    Assert.Equal(expected, e.Message)
    Assert.Null node.Value

[<Fact>]
let ``The layer path is in the message and in the error`` () =
    use _ = Mode.Layer "net"
    use _ = Mode.Layer "2:Embedding"

    let e =
        Assert.Throws<ElementTypeException>(fun () -> Elementwise.add (f32 [ 2 ]) (f64 [ 2 ]) |> ignore)

    Assert.Equal(
        "add: expected tensors of one element type, got float32 and float64 (in net/2:Embedding). Types never mix silently: convert one of them with To.",
        e.Message
    )

    Assert.Equal<string list>([ "add"; "net/2:Embedding" ], [ e.Operation; e.Path ])
    let node = Selection.gather (f32 [ 3; 2 ]) (ints [ 5 ])
    use _ = Mode.Layer "elsewhere"
    let e = Assert.Throws<ValueException>(fun () -> Engine.Default.Evaluate [| node |])

    Assert.Equal("gather: expected rows from 0 to 2, got 5 at [0] (in net/2:Embedding). Check the indices, or give the table more rows.", e.Message)

[<Fact>]
let ``No bad call is lost`` () =
    Assert.True(builtNames.Count >= 65, $"{builtNames.Count} refused when built")
    Assert.True(evaluatedNames.Count >= 13, $"{evaluatedNames.Count} refused when evaluated")
