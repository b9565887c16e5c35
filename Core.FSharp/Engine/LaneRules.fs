/// How operations that compute each image by itself are computed for images side by side, one in each lane of a register: a table of rules by name. No rule
/// changes a bit.
module internal Hybrid.Core.LaneRules

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive

/// What a rule builds with: inputs as they are for a block, and outside of the group.
type Site =
    {
        Node: Node
        /// The shape of a block of the node.
        Shape: Shape
        /// The block's own part of a node's input k.
        BlockOf: Node -> int -> Node
        /// The number of images in the block.
        Images: unit -> Node
        /// The weights of a node, from a tensor, as a kernel wants them; made once for all blocks.
        Weights: Node -> Node -> LaneConvolution -> Node
        /// A tensor that is the same for every image.
        Shared: Node -> Node
        /// Whether the group computes a node.
        Holds: Node -> bool
        /// Whether the group computes a node for one reader alone, which may then do its work too.
        Absorbs: Node -> bool
    }

    /// The block's own part of input k.
    member this.Block k = this.BlockOf this.Node k

/// How a node that computes each image by itself is computed for a block of images.
type Rule =
    {
        /// Whether the layout pays even if no input has it yet.
        Starts: bool
        /// Whether the node is one that the rule can build for blocks of a number of lanes.
        Fits: Node -> int -> bool
        /// The inputs that are the same for every image, as bits.
        Shared: int
        Build: Site -> Node -> Node
    }

let private made alongside name (shape: Shape) (dtype: ElementType) (inputs: Node list) (kernel: Kernel) =
    let p =
        { define name Family.Move inputs.Length with
            Access = Access.Contiguous
            Alongside = alongside
            Shape = ShapeRule(fun _ -> shape)
            Type = TypeRule(fun _ -> dtype)
            Lower = Lowering(fun _ _ -> kernel)
        }

    Node.MakeMany(p, 0L, null, Array.ofList inputs)

/// A primitive of plans alone: a kernel that is known already.
let step name shape dtype inputs kernel = made -1 name shape dtype inputs kernel

/// The same, of a function.
let operation name shape dtype inputs (run: Operands -> unit) =
    step name shape dtype inputs (Kernel run)

// The same, with an input that it computes alongside.
let private withAlongside (other: Node) name shape dtype (inputs: Node list) (run: Operands -> unit) =
    made inputs.Length name shape dtype (inputs @ [ other ]) (Kernel run)

/// The images that a convolution is given.
let batchOf (n: Node) = n.A.Shape[0]

/// Images of a block of the node's type.
let lanesOf (n: Node) = LaneBlock.Lanes n.DType

// Half empty registers are no slower than what the kernels for single images do.
let private fillsLanes (n: Node) lanes =
    2 * batchOf n >= lanes
    && n.Shape.Size > 0L
    && n.A.Shape.Size > 0L
    && n.B.Shape.Size > 0L

let private forwardShape (n: Node) =
    Convolutions.describe (Windows.window n) n.A.Shape n.B.Shape n.Shape

/// A convolution, what is added to each of its channels (null for nothing), and whether the result is rectified.
[<Struct>]
type private Biased =
    {
        Convolution: Node
        Bias: Node
        Rectified: bool
    }

// The tensor [channels] that an operand of [batch, channels, ...] repeats everywhere else, or null.
let private perChannel (x: Node) =
    let axis =
        if x.Primitive.Name = "broadcastTo" then
            x.A.Shape.Rank - x.Shape.Rank + 1
        else
            -1

    if axis >= 0 && x.A.Shape[axis] = x.Shape[1] && x.A.Shape.Size = int64 x.Shape[1] then
        x.A
    else
        null

// A convolution that can do a node's work as it stores its sums, if there is one.
let rec private biased (site: Site) (n: Node) : Biased voption =
    let inner () =
        if site.Absorbs n.A then biased site n.A else ValueNone

    match n.Primitive.Name with
    | "conv2d" ->
        ValueSome
            {
                Convolution = n
                Bias = null
                Rectified = false
            }
    | "reshape" when n.Shape.Rank > 1 && n.A.Shape.Rank > 1 && n.Shape[1] = n.A.Shape[1] -> inner ()
    | "add" ->
        match inner () with
        | ValueSome c when isNull c.Bias && not c.Rectified ->
            match perChannel n.B with
            | null -> ValueNone
            | bias -> ValueSome { c with Bias = bias }
        | _ -> ValueNone
    | "relu" ->
        match inner () with
        | ValueSome c -> ValueSome { c with Rectified = true }
        | ValueNone -> ValueNone
    | _ -> ValueNone

// All that `biased` found as one kernel.
let private buildBiased (site: Site) (c: Biased) =
    let n = c.Convolution
    let made = LaneConvolution.Forward(n.DType, forwardShape n)
    let inputs = [ site.BlockOf n 0; site.Weights n n.B made ]
    let name = if c.Rectified then "+relu" else ""

    if isNull c.Bias then
        operation ("conv2d" + name) site.Shape n.DType inputs (fun o -> made.Run(o.Output, o.Inputs[0], o.Inputs[1], 0n, c.Rectified))
    else
        operation ("conv2d+add" + name) site.Shape n.DType (inputs @ [ site.Shared c.Bias ]) (fun o ->
            made.Run(o.Output, o.Inputs[0], o.Inputs[1], o.Inputs[2], c.Rectified))

let private convolution (shape: Node -> ConvolutionShape) fits build =
    {
        Starts = true
        Fits = fun n lanes -> fillsLanes n lanes && fits (shape n) (n.DType.Size())
        Shared = 2
        Build = build
    }

let private forward =
    convolution forwardShape (fun shape size -> not (shape.TakesPlanes size)) (fun site n -> buildBiased site (biased site n).Value)

let private backwardInput =
    let shape (n: Node) =
        Convolutions.describe (Windows.window n) n.Shape n.B.Shape n.A.Shape

    convolution shape (fun _ _ -> true) (fun site n ->
        let made = LaneConvolution.BackwardInput(n.DType, shape n)

        operation "conv2dInput" site.Shape n.DType [ site.Block 0; site.Weights n n.B made ] (fun o -> made.Run(o.Output, o.Inputs[0], o.Inputs[1])))

// The permutation that exchanges images and channels, and the shape that it makes.
let private exchange = [| 1; 0; 2; 3 |]

let private exchanged (shape: Shape) =
    Shape(exchange |> Array.map (fun axis -> shape[axis]))

/// A convolution whose images and filters were made by exchanging images and channels, so that it sums over images, as one of the tensors before that, which
/// may be blocks; null if the node is none.
let overImages (n: Node) : Node =
    let isExchange (x: Node) =
        x.Primitive.Name = "permute"
        && ReadOnlySpan<int>(x.Attributes).SequenceEqual exchange

    if
        n.Primitive.Name = "conv2d"
        && isExchange n.A
        && isExchange n.B
        && (forwardShape n).FillsWithChannels(n.DType.Size())
        && n.Shape.Size > 0L
        && n.A.Shape.Size > 0L
    then
        let p =
            { define "conv2dOverImages" Family.Contraction 2 with
                Shape = ShapeRule(fun _ -> n.Shape)
                Type = TypeRule(fun _ -> n.DType)
            }

        Node.Make(p, 0L, n.Attributes, n.A.A, n.B.A, null)
    else
        null

/// Whether a node is positions that leave out what a rectifier holds back.
let isRectified (n: Node) = n.Primitive.Name = "rectifiedPositions"

let private isPositions (n: Node) =
    n.Primitive.Name = "maxPositions" || isRectified n

/// What a rectifier's gradient lets through to what pooling put back at these positions, or null: `g` of `putAt(where(takeAt(x, positions) <= 0, 0, g), positions)`.
let behindRectifier (put: Node) : Node =
    let chosen = put.A

    if
        put.Primitive.Name = "putAt"
        && chosen.Primitive.Name = "where"
        && Rewrite.isNumber 0.0 chosen.B
        && chosen.A.Primitive.Name = "lessEqual"
        && Rewrite.isNumber 0.0 chosen.A.B
        && chosen.A.A.Primitive.Name = "takeAt"
        && Object.ReferenceEquals(chosen.A.A.B, put.B)
        && Object.ReferenceEquals(chosen.A.A.A, put.B.A)
    then
        chosen.C
    else
        null

/// The positions of largest elements, -1 for those that are zero or below: gradients are put nowhere then, as if a rectifier had held them back.
let rectifiedPositions (positions: Node) : Node =
    let p =
        { define "rectifiedPositions" Family.Selection 1 with
            Shape = ShapeRule(fun _ -> positions.Shape)
            Type = TypeRule(fun _ -> positions.DType)
        }

    Node.Make(p, 0L, positions.Attributes, positions.A, null, null)

/// The kernel of a node that sums over the images of blocks, and is no tensor of blocks itself; null for other nodes.
let contraction (n: Node) : LaneContraction =
    match n.Primitive.Name with
    | "conv2dWeight" -> LaneContraction.BackwardWeight(n.DType, Convolutions.describe (Windows.window n) n.A.Shape n.Shape n.B.Shape)
    | "conv2dOverImages" ->
        LaneContraction.Forward(n.DType, Convolutions.describe (Windows.window n) (exchanged n.A.Shape) (exchanged n.B.Shape) n.Shape)
    | _ -> null

let private sumsOver =
    {
        Starts = true
        Fits = fillsLanes
        Shared = 0
        Build =
            fun site n ->
                let kernel = contraction n

                operation n.Primitive.Name site.Shape n.DType [ site.Block 0; site.Block 1; site.Images() ] (fun o ->
                    kernel.Add(o.Output, o.Inputs[0], o.Inputs[1], Runtime.InteropServices.Marshal.ReadInt32 o.Inputs[2]))
    }

let private follows build =
    {
        Starts = false
        Fits = fun n lanes -> n.Shape.Size > 0L && n.A.DType <= ElementType.Float64 && lanesOf n.A = lanes
        Shared = 0
        Build = build
    }

// The planes of one image.
let private pool (n: Node) (x: Shape) (y: Shape) =
    let shape = Pools.poolShape (Windows.window n) x y

    PoolingShape(
        x[1],
        shape.Height,
        shape.Width,
        shape.OutHeight,
        shape.OutWidth,
        shape.KernelHeight,
        shape.KernelWidth,
        shape.StrideHeight,
        shape.StrideWidth,
        shape.PadTop,
        shape.PadLeft,
        shape.DilationHeight,
        shape.DilationWidth
    )

let private pooling (run: ElementType * PoolingShape * nativeint * nativeint -> unit) transposed =
    follows (fun site n ->
        let shape =
            if transposed then
                pool n n.Shape n.A.Shape
            else
                pool n n.A.Shape n.Shape

        let dtype = n.A.DType
        operation n.Primitive.Name site.Shape n.DType [ site.Block 0 ] (fun o -> run (dtype, shape, o.Output, o.Inputs[0])))

let private plane (shape: Shape) = shape[2] * shape[3]

let private take =
    follows (fun site n ->
        let dtype = n.DType

        if isPositions n.B && Object.ReferenceEquals(n.B.A, n.A) && site.Holds n.B then
            let shape, rectified = pool n.B n.A.Shape n.Shape, isRectified n.B

            withAlongside (site.Block 1) "maxPool" site.Shape dtype [ site.Block 0 ] (fun o ->
                LanePooling.Max(dtype, shape, o.Output, o.Second, o.Inputs[0], rectified))
        else
            let planes, from, into = n.Shape[1], plane n.A.Shape, plane n.Shape

            operation "takeAt" site.Shape dtype [ site.Block 0; site.Block 1 ] (fun o ->
                LanePooling.Take(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1])))

let private put =
    follows (fun site n ->
        let dtype = n.DType
        let make = operation "putAt" site.Shape dtype [ site.Block 0; site.Block 1 ]

        if isPositions n.B && Shapes.same n.B.A.Shape n.Shape then
            let shape = pool n.B n.Shape n.A.Shape
            make (fun o -> LanePooling.MaxBackward(dtype, shape, o.Output, o.Inputs[0], o.Inputs[1]))
        else
            let planes, from, into = n.Shape[1], plane n.A.Shape, plane n.Shape
            make (fun o -> LanePooling.Put(dtype, planes, from, into, o.Output, o.Inputs[0], o.Inputs[1])))

let private sameBatch (n: Node) (_: int) =
    n.Shape.Size > 0L
    && n.Shape.Rank > 0
    && n.A.Shape.Rank > 0
    && n.Shape[0] = n.A.Shape[0]

let private reshape =
    { follows (fun site _ -> Moves.reshape site.Shape.Raw (site.Block 0)) with
        Fits = sameBatch
    }

let private broadcast =
    { follows (fun site _ -> Moves.broadcastTo site.Shape (site.Block 0)) with
        Fits = fun n lanes -> sameBatch n lanes && n.Shape.Rank = n.A.Shape.Rank
    }

// Start, length and step of each axis: of the images there are as many as before, and lanes come last.
let private inBlock (site: Site) (ranges: int[]) =
    Array.append (Array.skip 3 ranges) [| 0; Array.last site.Shape.Raw; 1 |]

// Slices and their transposes that leave the images alone.
let private ranges (build: int[] -> Node -> Node) =
    { follows (fun site n -> build (inBlock site n.Attributes) (site.Block 0)) with
        Fits = sameBatch
    }

// Puts tensors where the parts of a sum stand; together they fill it.
let private interleave (sum: Node) (parts: Node[]) =
    let places = Slices.partLayouts sum

    let p =
        { define "interleave" Family.Move parts.Length with
            Shape = ShapeRule(fun _ -> sum.Shape)
            Lower = Lowering(fun n inputs -> Slices.copyInto n places inputs)
            Places = PlaceRule(fun _ -> places)
        }

    Node.MakeMany(p, 0L, null, parts)

let private paddedSum =
    { follows (fun site n ->
          let parts =
              Array.chunkBySize (3 * n.Shape.Rank) n.Attributes
              |> Array.collect (inBlock site)

          let sum = Slices.paddedSum parts (Array.init n.Arity site.Block)

          // Where it adds nothing but zeros to each part, it need not wait for the parts: what computes them can write them where they stand.
          if Slices.isFilled sum then
              let zero = Leaves.constant n.DType 0.0
              interleave sum (Array.init n.Arity (fun k -> Elementwise.add zero (sum.Input k)))
          else
              sum) with
        Fits =
            fun n lanes ->
                Seq.forall (fun k -> (n.Input k).Shape[0] = n.Shape[0]) (seq { 0 .. n.Arity - 1 })
                && sameBatch n lanes
    }

// A sum of each image by itself, over its last axes.
let private sum =
    { follows (fun site n ->
          let reduce = Lower.extent n.A.Shape (Moves.firstAxis n) (Moves.axisCount n) |> int64

          let outer, dtype = site.Shape.Size / int64 (lanesOf n), n.DType
          operation "sum" site.Shape dtype [ site.Block 0 ] (fun o -> LaneBlock.Sum(dtype, o.Output, o.Inputs[0], outer, reduce))) with
        Fits =
            fun n lanes ->
                n.DType <= ElementType.Float64
                && lanesOf n = lanes
                && n.Shape.Size > 0L
                && Moves.firstAxis n > 0
                && Moves.firstAxis n + Moves.axisCount n = n.A.Shape.Rank
    }

// The matrix [outputs, inputs] whose transpose a product multiplies with, if it is small, as it is laid out anew in each run and read by each block; or null.
let private smallMatrix (n: Node) =
    let b = n.B

    if
        b.Primitive.Name = "permute"
        && b.Shape.Rank = 2
        && b.Attributes[0] = 1
        && b.Shape.Size * int64 (b.DType.Size()) <= 16_384L
    then
        b.A
    else
        null

// Images from which laying out the matrix pays.
let private productBatch = 256

// A product with a matrix, for images that are vectors: a convolution of images of one element.
let private product rectify =
    { follows (fun site n ->
          let made =
              LaneConvolution.Forward(n.DType, ConvolutionShape(batchOf n, n.A.Shape[1], 1, 1, n.Shape[1], 1, 1, 1, 1, 1, 1, 0, 0, 1, 1))

          let inputs = [ site.Block 0; site.Weights n (smallMatrix n) made ]
          let make = operation n.Primitive.Name site.Shape n.DType

          if n.Arity < 3 then
              make inputs (fun o -> made.Run(o.Output, o.Inputs[0], o.Inputs[1]))
          else
              make (inputs @ [ site.Shared n.C ]) (fun o -> made.Run(o.Output, o.Inputs[0], o.Inputs[1], o.Inputs[2], rectify))) with
        Fits =
            fun n lanes ->
                lanesOf n = lanes
                && n.Shape.Rank = 2
                && batchOf n >= productBatch
                && n.Shape.Size > 0L
                && n.A.Shape.Size > 0L
                && not (isNull (smallMatrix n))
        Shared = 6
    }

let private elementwise =
    { follows (fun site n ->
          let at k =
              if k < n.Arity then site.Block k else null

          match biased site n with
          | ValueSome c -> buildBiased site c
          | ValueNone -> Node.Make(n.Primitive, n.Attribute, n.Attributes, at 0, at 1, at 2)) with
        Fits = fun n _ -> n.Shape.Size > 0L && n.Shape.Rank > 0
    }

let private byName =
    dict
        [
            "conv2d", forward
            "conv2dInput", backwardInput
            "conv2dWeight", sumsOver
            "conv2dOverImages", sumsOver
            "maxPositions", pooling (fun (dtype, shape, y, x) -> LanePooling.Max(dtype, shape, 0n, y, x)) false
            "rectifiedPositions", pooling (fun (dtype, shape, y, x) -> LanePooling.Max(dtype, shape, 0n, y, x, true)) false
            "takeAt", take
            "putAt", put
            "avgPool2d", pooling LanePooling.Average false
            "avgPool2dInput", pooling LanePooling.AverageBackward true
            "reshape", reshape
            "broadcastTo", broadcast
            "slice", ranges Slices.slice
            "pad", ranges Slices.pad
            "paddedSum", paddedSum
            "sum", sum
            "matmul", product false
            "affine", product false
            "affineRelu", product true
        ]

/// The rule of a node, if there is one.
let ruleOf (n: Node) =
    match byName.TryGetValue n.Primitive.Name with
    | true, rule when n.Arity > 0 -> ValueSome rule
    | _ when n.Primitive.Family = Family.Elementwise && n.Arity <= 3 -> ValueSome elementwise
    | _ -> ValueNone
