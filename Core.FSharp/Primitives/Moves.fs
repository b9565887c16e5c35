/// The same elements in another shape or order: reshape, permute, broadcastTo, and the sum, which is here because it is the transpose of broadcasting. All are
/// linear; each derivative is another of them.
module internal Hybrid.Core.Moves

open System
open Hybrid.Kernels
open Hybrid.Core.Primitive

/// A ShapeException of a node.
let refuse operation expected got (n: Node) advice =
    raise (ShapeException(operation, expected, got, n.Path, advice))

/// A linear move of one input.
let move name : Primitive =
    { define name Family.Move 1 with
        Linear = Linearity.Jointly
    }

/// A node with attributes.
let make p attributes x =
    Node.Make(p, 0L, attributes, x, null, null)

// ---- reshape ----------------------------------------------------------------------------------------------------------

let private reshapePrimitive: Primitive =
    { move "reshape" with
        Access = Access.Contiguous
        Text = "reshape({0})"
        Latex = @"\operatorname{reshape}({0})"
        Shape =
            ShapeRule(fun n ->
                let shape = Shape n.Attributes

                if shape.Size <> n.A.Shape.Size then
                    refuse
                        "reshape"
                        $"a shape of {n.A.Shape.Size} elements, as {n.A.Shape} has"
                        $"{shape} with {shape.Size}"
                        n
                        "Use -1 for one length to have it computed."

                shape)
        View =
            ViewRule(fun n layout ->
                if layout.IsContiguous then
                    Layout(n.Shape, Shapes.strides n.Shape, layout.Offset)
                else
                    null)
    }

/// The same elements in row-major order under another shape; one length may be -1.
let rec reshape (dimensions: int[]) (x: Node) : Node =
    let unknown = Array.IndexOf(dimensions, -1)

    if x.Shape.Dimensions.SequenceEqual(ReadOnlySpan<int> dimensions) then
        x
    elif unknown < 0 then
        make reshapePrimitive (Shape.Of dimensions).Raw x
    else
        let dimensions = Arrays.copy dimensions
        let mutable known = 1L

        for i in 0 .. dimensions.Length - 1 do
            if i <> unknown then
                known <- known * int64 dimensions[i]

        if known <= 0L || x.Shape.Size % known <> 0L then
            raise (
                ShapeException(
                    "reshape",
                    $"lengths whose product divides {x.Shape.Size}, the size of {x.Shape}",
                    Shape.Format dimensions,
                    Context.Current.Path,
                    "Only one length can be -1, and the others must divide the size."
                )
            )

        dimensions[unknown] <- int (x.Shape.Size / known)
        reshape dimensions x

tie
    reshapePrimitive
    (fun n _ g -> reshape n.A.Shape.Raw g)
    (lazy
        [
            sample "matrix to vector" [ [ 2; 3 ] ] (fun x -> reshape [| 6 |] x[0])
            sample "scalar to matrix" [ [] ] (fun x -> reshape [| 1; 1 |] x[0])
            sample "empty" [ [ 0; 3 ] ] (fun x -> reshape [| 3; 0; 2 |] x[0])
        ])

// ---- permute ----------------------------------------------------------------------------------------------------------

let private permutePrimitive: Primitive =
    { move "permute" with
        Text = "permute({0})"
        Latex = @"\operatorname{permute}({0})"
        Shape =
            ShapeRule(fun n ->
                let dims = Array.zeroCreate<int> n.Attributes.Length

                for i in 0 .. dims.Length - 1 do
                    dims[i] <- n.A.Shape[n.Attributes[i]]

                Shape dims)
        View = ViewRule(fun n layout -> Layout(n.Shape, n.Attributes |> Array.map (fun axis -> layout.Strides[axis]), layout.Offset))
    }

/// The axes in another order: axis i of the result is axis order[i] of x.
let permute (order: int[]) (x: Node) =
    let order = order |> Array.map (Axis.index "permute" x.Shape)

    if order.Length <> x.Shape.Rank || (Array.distinct order).Length <> order.Length then
        raise (
            ShapeException(
                "permute",
                $"every axis of {x.Shape} once",
                Shape.Format order,
                Context.Current.Path,
                "Name each axis of the tensor exactly once."
            )
        )

    if order |> Array.forall2 (=) [| 0 .. order.Length - 1 |] then
        x
    else
        make permutePrimitive order x

let private inverse (order: int[]) =
    let result = Array.zeroCreate order.Length
    order |> Array.iteri (fun i axis -> result[axis] <- i)
    result

let private matrixOrder = [| 1; 0 |]

/// The last two axes exchanged.
let transpose (x: Node) =
    let last = x.Shape.Rank - 1

    if last < 1 then
        raise (
            ShapeException("transpose", "at least two axes", string x.Shape, Context.Current.Path, "Reshape the vector to a row or a column first.")
        )

    if last = 1 then
        make permutePrimitive matrixOrder x
    else
        let order = [| 0..last |]
        order[last] <- last - 1
        order[last - 1] <- last
        make permutePrimitive order x

tie
    permutePrimitive
    (fun n _ g ->
        if n.Attributes.Length = 2 then
            transpose g
        else
            permute (inverse n.Attributes) g)
    (lazy
        [
            sample "three axes" [ [ 2; 3; 4 ] ] (fun x -> permute [| 2; 0; 1 |] x[0])
            sample "transposed matrix" [ [ 2; 3 ] ] (fun x -> permute [| 1; 0 |] x[0])
            sample "empty" [ [ 0; 3 ] ] (fun x -> permute [| 1; 0 |] x[0])
        ])

// ---- sum and broadcastTo ----------------------------------------------------------------------------------------------

/// Attribute word of a reduction over `count` adjacent axes from `first` on.
let packAxes first count = int64 first ||| (int64 count <<< 32)

let firstAxis (n: Node) = int n.Attribute
let axisCount (n: Node) = int (n.Attribute >>> 32)

/// The shape without the reduced axes.
let reducedShape =
    ShapeRule(fun n -> Shapes.without (firstAxis n) (axisCount n) n.A.Shape)

/// A reduction of `reduce` elements at each place of `outer` blocks of `inner` elements. A delegate, as a function of F# would make a tuple
/// of its arguments at each call.
type ReductionKernel =
    delegate of dtype: ElementType * output: nativeint * input: nativeint * outer: int * reduce: int * inner: int * pool: WorkerPool -> unit

/// The kernel of a reduction over adjacent axes of a contiguous input.
let reduction (run: ReductionKernel) =
    Lowering(fun n _ ->
        let shape = n.A.Shape
        let first, count = firstAxis n, axisCount n
        let outer = Lower.extent shape 0 first
        let reduce = Lower.extent shape first count
        let inner = Lower.extent shape (first + count) (shape.Rank - first - count)
        let dtype = n.A.DType
        Kernel(fun o -> run.Invoke(dtype, o.Output, o.Inputs[0], outer, reduce, inner, o.Pool)))

let private sumPrimitive: Primitive =
    { move "sum" with
        Access = Access.Contiguous
        Text = "sum({0})"
        Latex = @"\sum {0}"
        Type = Lower.number
        Shape = reducedShape
        Lower = reduction (ReductionKernel(fun t y x outer reduce inner pool -> Reductions.Sum(t, y, x, outer, reduce, inner, pool)))
    }

let private broadcastPrimitive: Primitive =
    { move "broadcastTo" with
        Text = "broadcast({0})"
        Latex = @"\operatorname{broadcast}({0})"
        Shape =
            ShapeRule(fun n ->
                let shape = Shape n.Attributes

                if
                    n.A.Shape.Rank <= shape.Rank
                    && Object.ReferenceEquals(Shapes.broadcast shape n.A.Shape, shape)
                then
                    shape
                else
                    refuse
                        "broadcastTo"
                        $"a shape that {n.A.Shape} can be repeated to"
                        (string shape)
                        n
                        "Aligned at the last axis, each length must be kept, or be 1, or be new.")
        View =
            ViewRule(fun n layout ->
                let lead = n.Shape.Rank - layout.Shape.Rank

                let strides =
                    Array.init n.Shape.Rank (fun i ->
                        if i < lead || layout.Shape[i - lead] <> n.Shape[i] then
                            0L
                        else
                            layout.Strides[i - lead])

                Layout(n.Shape, strides, layout.Offset))
    }

/// The tensor repeated along new leading axes and along axes of length 1.
let broadcastTo (shape: Shape) (x: Node) =
    if Shapes.same shape x.Shape then
        x
    else
        make broadcastPrimitive shape.Raw x

/// Applies a reduction over adjacent axes to any set of axes (indices, each once); the axes leave the shape. Runs of adjacent axes are
/// reduced together, the last run first, so that the others stay in place.
let reduceAxes (p: Primitive) (axes: int[]) (x: Node) =
    let sorted = if axes.Length < 2 then axes else Array.sort axes
    let mutable y = x
    let mutable last = sorted.Length - 1

    while last >= 0 do
        let mutable first = last

        while first > 0 && sorted[first - 1] = sorted[first] - 1 do
            first <- first - 1

        y <- Node.Make(p, packAxes sorted[first] (last - first + 1), null, y, null, null)
        last <- first - 1

    y

/// Checked axes: negative ones counted from the end, none twice; null means all.
let checkAxes operation (axes: int[]) (x: Node) =
    if isNull axes then
        [| 0 .. x.Shape.Rank - 1 |]
    else
        let checkedAxes = Array.zeroCreate<int> axes.Length

        for i in 0 .. axes.Length - 1 do
            checkedAxes[i] <- Axis.index operation x.Shape axes[i]

            if Array.IndexOf(checkedAxes, checkedAxes[i], 0, i) >= 0 then
                raise (ShapeException(operation, "each axis once", Shape.Format axes, Context.Current.Path, "Remove the axis that is named twice."))

        checkedAxes

/// The shape with the given axes set to length 1, for reductions that keep them.
let keptShape (axes: int[]) (shape: Shape) =
    let dims = shape.ToArray()

    for axis in axes do
        dims[axis] <- 1

    dims

/// The sum over the given axes (indices), which leave the shape.
let sum (axes: int[]) (x: Node) = reduceAxes sumPrimitive axes x

/// The sum over whatever was broadcast to get from `shape` to x's shape: the transpose of broadcastTo.
let sumTo (shape: Shape) (x: Node) =
    if Shapes.same shape x.Shape then
        x
    else
        let lead = x.Shape.Rank - shape.Rank

        let axes =
            Array.init x.Shape.Rank id
            |> Array.filter (fun i -> i < lead || shape[i - lead] <> x.Shape[i])

        sum axes x |> reshape shape.Raw

/// A reduced tensor repeated back over the axes that a reduction node took away.
let expandLike (n: Node) (reduced: Node) =
    // Leading axes come by themselves, as shapes are aligned at the last.
    if firstAxis n = 0 then
        broadcastTo n.A.Shape reduced
    else
        let dims = n.A.Shape.ToArray()
        Array.fill dims (firstAxis n) (axisCount n) 1
        reduced |> reshape dims |> broadcastTo n.A.Shape

tie
    sumPrimitive
    (fun n _ g -> expandLike n g)
    (lazy
        [
            sample "all" [ [ 2; 3 ] ] (fun x -> sum [| 0; 1 |] x[0])
            sample "rows" [ [ 3; 4 ] ] (fun x -> sum [| 1 |] x[0])
            sample "columns" [ [ 3; 4 ] ] (fun x -> sum [| 0 |] x[0])
            sample "outer axes" [ [ 2; 3; 4 ] ] (fun x -> sum [| 0; 2 |] x[0])
            sample "empty" [ [ 0; 3 ] ] (fun x -> sum [| 0 |] x[0])
        ])

tie
    broadcastPrimitive
    (fun n _ g -> sumTo n.A.Shape g)
    (lazy
        [
            sample "scalar" [ [] ] (fun x -> broadcastTo (Shape [| 2; 3 |]) x[0])
            sample "row" [ [ 3 ] ] (fun x -> broadcastTo (Shape [| 2; 3 |]) x[0])
            sample "column" [ [ 2; 1 ] ] (fun x -> broadcastTo (Shape [| 2; 3 |]) x[0])
            sample "to empty" [ [ 1; 3 ] ] (fun x -> broadcastTo (Shape [| 0; 3 |]) x[0])
        ])

/// The primitives of this family.
let all = [ reshapePrimitive; permutePrimitive; sumPrimitive; broadcastPrimitive ]
