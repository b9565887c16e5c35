/// Sums of products: the matrix product, and what is made of it.
module internal Hybrid.Core.Contractions

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive

// What a product does with its third input.
type private Third =
    | Nothing
    | Bias
    | BiasThenRelu
    | Gate

// The product of a node's first two inputs, whose memory is described, with a third one where there is something to do with it.
type private ProductKernel(n: Node, a: Lower.Matrices, b: Lower.Matrices, third: Third) =
    inherit Kernel(null)
    let dtype, last = n.DType, n.Shape.Rank - 1
    let rows, columns, inner = n.Shape[last - 1], n.Shape[last], n.A.Shape[last]
    let batch = Lower.extent n.Shape 0 (last - 1)

    let untransposed =
        if
            n.B.Shape.Rank = 2
            && b.Transposed
            && MatrixProduct.PrefersTranspose(dtype, rows, columns)
        then
            Shape [| columns; inner |]
        else
            null

    override _.Untransposed = untransposed

    override _.Invoke o =
        let given wanted = if wanted then o.Inputs[2] else 0n
        let asItLies = o.Transpose = 0n

        MatrixProduct.RunBatched(
            dtype,
            a.Transposed,
            b.Transposed && asItLies,
            rows,
            columns,
            inner,
            o.Inputs[0],
            a.Step,
            a.BatchStep,
            (if asItLies then o.Inputs[1] else o.Transpose),
            (if asItLies then b.Step else int64 columns),
            b.BatchStep,
            o.Output,
            int64 columns,
            int64 rows * int64 columns,
            batch,
            o.Pool,
            given (third = Bias || third = BiasThenRelu),
            (third = BiasThenRelu),
            given (third = Gate)
        )

let private lower third =
    Lowering(fun n inputs ->
        if third <> Nothing && not inputs[2].IsContiguous then
            null
        else
            ProductKernel(n, (Lower.matrices inputs[0]).Value, (Lower.matrices inputs[1]).Value, third))

// Both of rank 2 or more, with equal axes before the last two; the builder sees to that.
let private productShape =
    ShapeRule(fun n ->
        let dims = n.A.Shape.ToArray()
        dims[dims.Length - 1] <- n.B.Shape[dims.Length - 1]
        Shape.Owning dims)

let private matmulPrimitive: Primitive =
    { define "matmul" Family.Contraction 2 with
        Access = Access.Matrix
        Type = Lower.floating
        Text = "({0} @ {1})"
        Latex = @"{0} \, {1}"
        Saves = 3
        Linear = Linearity.Separately
        Shape = productShape
        Lower = lower Nothing
    }

let private product (a: Node) (b: Node) =
    Node.Make(matmulPrimitive, 0L, null, a, b, null)

let private refuse expected got advice =
    raise (ShapeException("matmul", expected, got, Context.Current.Path, advice))

/// The matrix product over the last two axes. Axes before them broadcast; a vector on the left is a row, one on the right a
/// column, and the axis of length 1 leaves the result (numpy's rules).
let rec matmul (a: Node) (b: Node) : Node =
    if a.DType <> b.DType then
        Elementwise.mixed "matmul" a b

    let ra, rb = a.Shape.Rank, b.Shape.Rank

    if ra = 0 || rb = 0 then
        refuse "vectors, matrices or batches of matrices" $"{a.Shape} and {b.Shape}" "Use mul to scale by a number."

    if ra = 1 || rb = 1 then
        if a.Shape[ra - 1] <> b.Shape[max 0 (rb - 2)] then
            refuse "as many columns on the left as rows on the right" $"{a.Shape} and {b.Shape}" "Transpose or reshape one of them."

        let row = if ra = 1 then Moves.reshape [| 1; a.Shape[0] |] a else a
        let column = if rb = 1 then Moves.reshape [| b.Shape[0]; 1 |] b else b
        let full = matmul row column
        let dims = full.Shape.ToArray()

        let kept =
            dims
            |> Array.indexed
            |> Array.filter (fun (i, _) -> not (ra = 1 && i = dims.Length - 2) && not (rb = 1 && i = dims.Length - 1))
            |> Array.map snd

        Moves.reshape kept full
    else
        let inner = a.Shape[ra - 1]

        if inner <> b.Shape[rb - 2] then
            refuse "as many columns on the left as rows on the right" $"{a.Shape} and {b.Shape}" "Transpose or reshape one of them."

        let lead (x: Node) =
            Array.sub x.Shape.Raw 0 (x.Shape.Rank - 2)

        if ra = 2 && rb = 2 then
            product a b
        elif rb = 2 && ra > 2 then
            // One product of all rows, rather than a batch of products with the same matrix.
            let rows = Lower.extent a.Shape 0 (ra - 1)

            product (Moves.reshape [| rows; inner |] a) b
            |> Moves.reshape (Array.append (Array.sub a.Shape.Raw 0 (ra - 1)) [| b.Shape[1] |])
        else
            match Shapes.broadcast (Shape(lead a)) (Shape(lead b)) with
            | null ->
                refuse
                    "axes before the last two that broadcast (aligned at the right, lengths equal or 1)"
                    $"{a.Shape} and {b.Shape}"
                    "Reshape one of them."
            | batch ->
                let expand (x: Node) =
                    Moves.broadcastTo (Shape(Array.append batch.Raw [| x.Shape[x.Shape.Rank - 2]; x.Shape[x.Shape.Rank - 1] |])) x

                product (expand a) (expand b)

tie
    matmulPrimitive
    (fun n i g ->
        if i = 0 then
            product g (Moves.transpose n.B)
        else
            product (Moves.transpose n.A) g)
    (lazy
        [
            sample "matrices" [ [ 2; 3 ]; [ 3; 4 ] ] (fun x -> matmul x[0] x[1])
            sample "batch" [ [ 2; 2; 3 ]; [ 2; 3; 1 ] ] (fun x -> matmul x[0] x[1])
            sample "one matrix on the right" [ [ 2; 2; 3 ]; [ 3; 2 ] ] (fun x -> matmul x[0] x[1])
            sample "one matrix on the left" [ [ 2; 3 ]; [ 2; 3; 2 ] ] (fun x -> matmul x[0] x[1])
            sample "broadcast batches" [ [ 2; 1; 1; 3 ]; [ 3; 3; 2 ] ] (fun x -> matmul x[0] x[1])
            sample "two batch axes" [ [ 2; 3; 2; 2 ]; [ 2; 3; 2; 1 ] ] (fun x -> matmul x[0] x[1])
            sample "transposed" [ [ 3; 2 ]; [ 4; 3 ] ] (fun x -> matmul (Moves.transpose x[0]) (Moves.transpose x[1]))
            sample "vectors" [ [ 3 ]; [ 3 ] ] (fun x -> matmul x[0] x[1])
            sample "vector and batch" [ [ 3 ]; [ 2; 3; 2 ] ] (fun x -> matmul x[0] x[1])
            sample "matrix and vector" [ [ 2; 3 ]; [ 3 ] ] (fun x -> matmul x[0] x[1])
            sample "no terms" [ [ 2; 0 ]; [ 0; 3 ] ] (fun x -> matmul x[0] x[1])
            sample "no rows" [ [ 0; 3 ]; [ 3; 2 ] ] (fun x -> matmul x[0] x[1])
        ])

// ---- the product with what a layer does to it -------------------------------------------------------------------------

let private affineRecord name text latex rectify : Primitive =
    { define name Family.Contraction 3 with
        Access = Access.Matrix
        Type = Lower.floating
        Text = text
        Latex = latex
        Saves = if rectify then 3 ||| output else 3
        Shape = productShape
        Lower = lower (if rectify then BiasThenRelu else Bias)
    }

let private affinePrimitive =
    affineRecord "affine" "({0} @ {1} + {2})" @"({0} \, {1} + {2})" false

let private rectifiedPrimitive =
    { affineRecord "affineRelu" "relu({0} @ {1} + {2})" @"\operatorname{relu}({0} \, {1} + {2})" true with
        Kink = "derivative 0 at 0"
    }

/// a @ b + bias of a product of matrices, for a bias `[1, columns]`: the same bits as the product and the sum, in whose place plans put it.
let affine (bias: Node) (product: Node) =
    Node.Make(affinePrimitive, 0L, null, product.A, product.B, bias)

/// relu(a @ b + bias), from an `affine`.
let rectified (sum: Node) =
    Node.Make(rectifiedPrimitive, 0L, null, sum.A, sum.B, sum.C)

for primitive in [ affinePrimitive; rectifiedPrimitive ] do
    let rectify = Object.ReferenceEquals(primitive, rectifiedPrimitive)

    let build (x: Node[]) =
        let sum = affine x[2] (product x[0] x[1])
        if rectify then rectified sum else sum

    tie
        primitive
        (fun n i g ->
            let zero = Elementwise.constantLike g 0.0

            let g =
                if rectify then
                    Elementwise.where (Elementwise.lessEqual n zero) zero g
                else
                    g

            match i with
            | 0 -> product g (Moves.transpose n.B)
            | 1 -> product (Moves.transpose n.A) g
            | _ -> Moves.sumTo n.C.Shape g)
        (lazy
            [
                sample "matrices" [ [ 2; 3 ]; [ 3; 4 ]; [ 1; 4 ] ] build
                sample "one row" [ [ 1; 9 ]; [ 9; 4 ]; [ 1; 4 ] ] build
                sample "no terms" [ [ 2; 0 ]; [ 0; 3 ]; [ 1; 3 ] ] build
                sample "no rows" [ [ 0; 3 ]; [ 3; 2 ]; [ 1; 2 ] ] build
            ])

let private gatedPrimitive: Primitive =
    { define "gatedMatmul" Family.Contraction 3 with
        Access = Access.Matrix
        Type = Lower.floating
        Text = "where({2} <= 0, 0, {0} @ {1})"
        Latex = @"\mathbf{1}_{{2} > 0} \odot ({0} \, {1})"
        Saves = 7
        Kink = "derivative 0 for the gate, and 0 where it is 0"
        Shape = productShape
        Lower = lower Gate
    }

/// a @ b where a gate of the product's shape is above zero (or NaN), and 0 elsewhere, as gradients pass a rectifier: the same bits as the
/// product and the choice, in whose place plans put it.
let gated (gate: Node) (product: Node) =
    Node.Make(gatedPrimitive, 0L, null, product.A, product.B, gate)

tie
    gatedPrimitive
    (fun n i g ->
        let zero = Elementwise.constantLike g 0.0
        let g = Elementwise.where (Elementwise.lessEqual n.C zero) zero g

        match i with
        | 0 -> product g (Moves.transpose n.B)
        | 1 -> product (Moves.transpose n.A) g
        | _ -> null)
    (lazy
        [
            let build (x: Node[]) = gated x[2] (product x[0] x[1])

            sample "matrices" [ [ 2; 3 ]; [ 3; 4 ]; [ 2; 4 ] ] build
            sample "a batch" [ [ 2; 2; 3 ]; [ 2; 3; 4 ]; [ 2; 2; 4 ] ] build
            sample "no terms" [ [ 2; 0 ]; [ 0; 3 ]; [ 2; 3 ] ] build
            sample "no rows" [ [ 0; 3 ]; [ 3; 2 ]; [ 0; 2 ] ] build
        ])

/// Every product of an element of vector a with one of vector b: [m] and [n] to [m, n].
let outer (a: Node) (b: Node) =
    if a.Shape.Rank <> 1 || b.Shape.Rank <> 1 then
        raise (ShapeException("outer", "two vectors", $"{a.Shape} and {b.Shape}", Context.Current.Path, "Reshape them to one axis first."))

    Elementwise.mul (Moves.reshape [| a.Shape[0]; 1 |] a) b

/// The primitives of this family.
let all = [ matmulPrimitive; affinePrimitive; rectifiedPrimitive; gatedPrimitive ]
