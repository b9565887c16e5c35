namespace Hybrid.Core

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open Hybrid.Kernels

/// What is in force on the current thread, for a stretch of code: `use _ = Mode.NoGrad()` (F#), `using (Mode.NoGrad())` (C#). Always restored.
[<AbstractClass; Sealed>]
type Mode =
    static member private Scoped(change: Context -> unit, restore: Context -> unit) : IDisposable =
        let context = Context.Current
        change context

        { new IDisposable with
            member _.Dispose() = restore context
        }

    /// Nothing is recorded for gradients, and evaluation keeps nothing for a later backward.
    static member NoGrad() : IDisposable =
        let before = Context.Current.Recording
        Mode.Scoped((fun c -> c.Recording <- false), (fun c -> c.Recording <- before))

    /// Layers that behave differently while training (dropout, batch norm) do so; the default.
    static member Training() : IDisposable =
        let before = Context.Current.Training
        Mode.Scoped((fun c -> c.Training <- true), (fun c -> c.Training <- before))

    /// Layers behave as in use, not as in training.
    static member Evaluation() : IDisposable =
        let before = Context.Current.Training
        Mode.Scoped((fun c -> c.Training <- false), (fun c -> c.Training <- before))

    /// Operations built meanwhile carry this name in their layer path.
    static member Layer(name: string) : IDisposable =
        let before = Context.Current.Scope
        Mode.Scoped((fun c -> c.Scope <- Scope(name, before)), (fun c -> c.Scope <- before))

    /// Operations note the line of the caller's source that built them, and errors name it: for finding a mistake, as it walks the
    /// stack at every operation.
    static member Origins() : IDisposable =
        let before = Context.Current.Origins
        Mode.Scoped((fun c -> c.Origins <- true), (fun c -> c.Origins <- before))

    /// Whether training mode is in force.
    static member IsTraining = Context.Current.Training

    /// Whether operations are recorded for gradients.
    static member IsRecording = Context.Current.Recording

    /// What stands for the `compile` that is under way on this thread; null outside of one.
    static member Compilation = Context.Current.Trace

    /// How many operations and inputs this thread has built so far: what a test of the size of graphs counts.
    static member Built = Context.Current.Serial

/// A tensor: an immutable expression that is computed when someone needs its value, and only once. It has a shape and an element type
/// from the start, and refuses what does not fit when it is built. There is nothing to dispose of.
[<Sealed; AllowNullLiteral; System.Reflection.DefaultMember("At")>]
type Tensor internal (node: Node) =
    static let make (node: Node) = Tensor.Of node
    static let everyCall = Func<CallRecord, bool>(fun _ -> true)
    static let at (t: Tensor) : Node = t.Node

    member internal _.Node = node

    /// Wraps a node. Laziness is bounded: past a number of pending operations that the engine sets, the value is computed now.
    static member internal Of(node: Node) : Tensor =
        let span = Context.Current.Serial - node.Since

        if
            span > 1000L
            && isNull node.Value
            && not node.Symbolic
            && span > int64 Engine.Current.MaxPending
        then
            Engine.Current.Evaluate [| node |]

        Tensor node

    // ---- making -------------------------------------------------------------------------------------------------------

    /// A tensor of a copy of row-major data; the shape defaults to one axis. Elements are float32, float64, int32, uint8 or bool.
    /// Throws ShapeException if the sizes differ, ElementTypeException for other element types.
    static member From<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(data: 'T[], [<ParamArray>] shape: int[]) =
        let shape =
            if isNull shape || shape.Length = 0 then
                Shape.Of data.Length
            else
                Shape.Of shape

        Tensor(Leaves.value (Value.OfSpan(ReadOnlySpan<'T> data, shape)))

    /// A tensor of a copy of row-major data.
    static member From<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(data: ReadOnlySpan<'T>, shape: Shape) =
        Tensor(Leaves.value (Value.OfSpan(data, shape)))

    /// A matrix `[rows, columns]` of a copy of a .NET array of two axes. Throws ElementTypeException for elements that tensors do not have.
    static member From<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(data: 'T[,]) =
        // An array of any rank lies row-major in one piece.
        let elements: byref<'T> =
            &System.Runtime.CompilerServices.Unsafe.As<byte, 'T>(&MemoryMarshal.GetArrayDataReference(data :> Array))

        Tensor.From(MemoryMarshal.CreateReadOnlySpan(&elements, data.Length), Shape.Of(data.GetLength 0, data.GetLength 1))

    /// A scalar, `[]`. The number is an input of the graph and not part of its structure: changing it compiles nothing.
    static member Scalar(value: float, [<Optional; DefaultParameterValue(ElementType.Float32)>] dtype: ElementType) =
        Tensor(Leaves.scalar dtype value)

    /// Every element the same number.
    static member Full(shape: Shape, value: float, [<Optional; DefaultParameterValue(ElementType.Float32)>] dtype: ElementType) =
        make (Moves.broadcastTo shape (Leaves.scalar dtype value))

    /// All zeros.
    static member Zeros(shape: Shape, [<Optional; DefaultParameterValue(ElementType.Float32)>] dtype: ElementType) =
        make (Moves.broadcastTo shape (Leaves.constant dtype 0.0))

    /// All ones.
    static member Ones(shape: Shape, [<Optional; DefaultParameterValue(ElementType.Float32)>] dtype: ElementType) =
        make (Moves.broadcastTo shape (Leaves.constant dtype 1.0))

    // ---- what it is ---------------------------------------------------------------------------------------------------

    /// The lengths of the axes.
    member _.Shape = node.Shape

    /// The element type.
    member _.DType = node.DType

    /// The number of axes.
    member _.Rank = node.Shape.Rank

    /// The number of elements.
    member _.Size = node.Shape.Size

    // ---- reading ------------------------------------------------------------------------------------------------------

    /// The value, computed now if it is not known yet. Throws TapeException inside `compile`.
    member internal _.Value: Value =
        if isNull node.Value then
            Engine.Current.Evaluate [| node |]

        node.Value

    /// Computes the value now, if it is not known yet, and returns the tensor.
    member this.Eval() : Tensor =
        this.Value |> ignore
        this

    /// Computes the values of several tensors in one run.
    static member Eval([<ParamArray>] tensors: Tensor[]) =
        Engine.Current.Evaluate(tensors |> Array.map at)

    /// A copy of the elements, row-major. Throws ElementTypeException if 'T is not the tensor's element type.
    member this.ToArray<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>() : 'T[] = this.Value.ToArray<'T>()

    /// A copy of a matrix as a .NET array of two axes. Throws ShapeException if there are not two axes, ElementTypeException if 'T is not the
    /// tensor's element type.
    member this.ToArray2D<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>() : 'T[,] =
        if node.Shape.Rank <> 2 then
            raise (ShapeException("toArray2D", "two axes", string node.Shape, node.Path, "Reshape the tensor first."))

        let result = Array2D.zeroCreate<'T> node.Shape[0] node.Shape[1]

        let elements: byref<'T> =
            &System.Runtime.CompilerServices.Unsafe.As<byte, 'T>(&MemoryMarshal.GetArrayDataReference(result :> Array))

        this.CopyTo(MemoryMarshal.CreateSpan(&elements, result.Length))
        result

    /// Writes the elements, row-major, to a span of exactly their number. Throws ShapeException if it has another length,
    /// ElementTypeException if 'T is not the tensor's element type.
    member this.CopyTo<'T when 'T: unmanaged and 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>(destination: Span<'T>) =
        this.Value.CopyTo destination

    /// The elements as float64, whatever the element type; bool as 0 and 1.
    member this.ToDoubles() : float[] = this.Value.ToDoubles()

    /// The only element of a tensor of one element, as float64. Throws ShapeException if there are more or none.
    member this.Item() : float =
        if node.Shape.Size <> 1L then
            raise (ShapeException("item", "a tensor of one element", string node.Shape, node.Path, "Reduce it first, for example with Sum or Mean."))

        this.Value.ToDoubles()[0]

    // ---- arithmetic ---------------------------------------------------------------------------------------------------

    member private _.Number(operation: string, value: float) =
        let whole =
            value = Math.Floor value
            && value >= float Int32.MinValue
            && value <= float Int32.MaxValue

        if node.DType > ElementType.Float64 && not whole then
            raise (
                ElementTypeException(
                    operation,
                    $"a whole number from {Int32.MinValue} to {Int32.MaxValue}, as the tensor is {Value.NameOf node.DType}",
                    Numbers.text value,
                    Context.Current.Path,
                    "Convert the tensor with To(float32) first."
                )
            )

        Leaves.scalar node.DType value

    /// The sum, element by element; shapes broadcast.
    static member (+)(a: Tensor, b: Tensor) = make (Elementwise.add (at a) (at b))

    /// A number added to each element.
    static member (+)(a: Tensor, b: float) =
        make (Elementwise.add (at a) (a.Number("add", b)))

    /// A number added to each element.
    static member (+)(a: float, b: Tensor) =
        make (Elementwise.add (b.Number("add", a)) (at b))

    /// The difference, element by element; shapes broadcast.
    static member (-)(a: Tensor, b: Tensor) = make (Elementwise.sub (at a) (at b))

    /// A number taken from each element.
    static member (-)(a: Tensor, b: float) =
        make (Elementwise.sub (at a) (a.Number("sub", b)))

    /// A number less each element.
    static member (-)(a: float, b: Tensor) =
        make (Elementwise.sub (b.Number("sub", a)) (at b))

    /// The product, element by element; shapes broadcast.
    static member (*)(a: Tensor, b: Tensor) = make (Elementwise.mul (at a) (at b))

    /// Each element times a number.
    static member (*)(a: Tensor, b: float) =
        make (Elementwise.mul (at a) (a.Number("mul", b)))

    /// Each element times a number.
    static member (*)(a: float, b: Tensor) =
        make (Elementwise.mul (b.Number("mul", a)) (at b))

    /// The quotient, element by element; shapes broadcast.
    static member (/)(a: Tensor, b: Tensor) = make (Elementwise.div (at a) (at b))

    /// Each element divided by a number.
    static member (/)(a: Tensor, b: float) =
        make (Elementwise.div (at a) (a.Number("div", b)))

    /// A number divided by each element.
    static member (/)(a: float, b: Tensor) =
        make (Elementwise.div (b.Number("div", a)) (at b))

    /// Each element with the other sign.
    static member (~-)(a: Tensor) = make (Elementwise.neg (at a))

    /// a to the power b, element by element.
    static member Pow(a: Tensor, b: Tensor) = make (Elementwise.pow (at a) (at b))

    /// Each element to the power of a number.
    member this.Pow(exponent: float) =
        make (Elementwise.pow node (this.Number("pow", exponent)))

    /// The larger of two, element by element; a tie shares the gradient equally. NaN wins.
    member _.Maximum(other: Tensor) =
        make (Elementwise.maximum node (at other))

    /// The smaller of two, element by element; a tie shares the gradient equally. NaN wins.
    member _.Minimum(other: Tensor) =
        make (Elementwise.minimum node (at other))

    // ---- comparisons and choices --------------------------------------------------------------------------------------

    /// Where the elements are equal, as bool.
    member _.EqualTo(other: Tensor) =
        make (Elementwise.equal node (at other))

    /// Where this is less than the other, as bool.
    member _.Less(other: Tensor) = make (Elementwise.less node (at other))

    /// Where this is less than or equal to the other, as bool.
    member _.LessOrEqual(other: Tensor) =
        make (Elementwise.lessEqual node (at other))

    /// Where this is greater than the other, as bool.
    member _.Greater(other: Tensor) = make (Elementwise.less (at other) node)

    /// Where this is greater than or equal to the other, as bool.
    member _.GreaterOrEqual(other: Tensor) =
        make (Elementwise.lessEqual (at other) node)

    /// Elements of `a` where this mask is true, and of `b` elsewhere.
    member _.Where(a: Tensor, b: Tensor) =
        make (Elementwise.where node (at a) (at b))

    // ---- functions ----------------------------------------------------------------------------------------------------

    /// The absolute value; derivative 0 at 0.
    member _.Abs() = make (Elementwise.abs node)

    /// -1, 0 or 1.
    member _.Sign() = make (Elementwise.sign node)

    /// e to the power of each element.
    member _.Exp() = make (Elementwise.exp node)

    /// The natural logarithm.
    member _.Log() = make (Elementwise.log node)

    /// The square root.
    member _.Sqrt() = make (Elementwise.sqrt node)

    /// Each element times itself.
    member _.Square() = make (Elementwise.square node)

    /// The sine.
    member _.Sin() = make (Elementwise.sin node)

    /// The cosine.
    member _.Cos() = make (Elementwise.cos node)

    /// The hyperbolic tangent.
    member _.Tanh() = make (Elementwise.tanh node)

    /// 1 / (1 + exp(-x)).
    member _.Sigmoid() = make (Elementwise.sigmoid node)

    /// max(x, 0); derivative 0 at 0.
    member _.Relu() = make (Elementwise.relu node)

    /// The same, with 0 in place of subnormal numbers, those nearer to 0 than the smallest normal one: processors take fifty times as
    /// long for a product of one. The derivative is 1 everywhere.
    member _.Flush() = make (Elementwise.flush node)

    /// The elements as another type: floats to integers toward zero, numbers to bool as "not 0".
    member _.To(dtype: ElementType) = make (Elementwise.cast dtype node)

    /// The same value, treated as constant by gradients.
    member _.Detach() = make (Leaves.stopGradient node)

    // ---- shapes -------------------------------------------------------------------------------------------------------

    /// The elements in row-major order under another shape; one length may be -1. Throws ShapeException if the sizes differ.
    member _.Reshape([<ParamArray>] dimensions: int[]) = make (Moves.reshape dimensions node)

    /// The axes in another order: axis i of the result is axis `order[i]`.
    member _.Permute([<ParamArray>] order: int[]) = make (Moves.permute order node)

    /// The last two axes exchanged: `[.., m, n]` to `[.., n, m]`.
    member _.Transpose() = make (Moves.transpose node)

    /// Repeated to a larger shape by numpy's rule.
    member _.BroadcastTo(shape: Shape) = make (Moves.broadcastTo shape node)

    /// The elements from `start` on and before `stop` of an axis, `step` apart; without a stop, to the end. Negative positions count from the
    /// end. Throws ShapeException if there is no such axis, or for a step below 1.
    member _.Slice(axis: int, start: int, [<Optional>] stop: Nullable<int>, [<Optional; DefaultParameterValue(1)>] step: int) =
        let stop = if stop.HasValue then ValueSome stop.Value else ValueNone
        make (Ops.sliceAxis axis start stop step node)

    /// New elements, all of one value (0 by default): `before` and `after` each axis, and `interior` ones between neighbours (none by default). Each list
    /// has a number for every axis. Throws ShapeException if one does not.
    member _.Pad
        (
            before: int[],
            after: int[],
            [<Optional; DefaultParameterValue(0.0)>] value: float,
            [<Optional; DefaultParameterValue(null: int[])>] interior: int[]
        ) =
        let interior =
            if isNull interior then
                Array.zeroCreate node.Shape.Rank
            else
                interior

        make (Ops.pad before after interior value node)

    /// The elements in reverse order along each of some axes. Throws ShapeException if there is no such axis.
    member _.Flip([<ParamArray>] axes: int[]) =
        make (Array.fold (fun x axis -> Slices.flip axis x) node axes)

    /// Tensors one after another along an axis.
    static member Concat(axis: int, [<ParamArray>] tensors: Tensor[]) =
        make (Slices.concat axis (tensors |> Array.map at))

    // ---- reductions ---------------------------------------------------------------------------------------------------

    static member private Reduced(operation: string, reduce: int[] -> Node -> Node, axes: int[], keepDims: bool, x: Node) =
        let axes =
            Moves.checkAxes operation (if isNull axes || axes.Length = 0 then null else axes) x

        let y = reduce axes x

        make (
            if keepDims then
                Moves.reshape (Moves.keptShape axes x.Shape) y
            else
                y
        )

    /// The sum of all elements, `[]`.
    member _.Sum() =
        Tensor.Reduced("sum", Moves.sum, null, false, node)

    /// The sum over axes, which leave the shape, or keep length 1 with `keepDims`.
    member _.Sum(axes: int[], [<Optional; DefaultParameterValue(false)>] keepDims: bool) =
        Tensor.Reduced("sum", Moves.sum, axes, keepDims, node)

    /// The sum over one axis; -1 is the last.
    member _.Sum(axis: int, [<Optional; DefaultParameterValue(false)>] keepDims: bool) =
        Tensor.Reduced("sum", Moves.sum, [| axis |], keepDims, node)

    /// The mean of all elements, `[]`; not a number for an empty tensor.
    member this.Mean() = this.Mean(null, false)

    /// The mean over axes, which leave the shape, or keep length 1 with `keepDims`.
    member _.Mean(axes: int[], [<Optional; DefaultParameterValue(false)>] keepDims: bool) =
        let checkedAxes =
            Moves.checkAxes "mean" (if isNull axes || axes.Length = 0 then null else axes) node

        let count = checkedAxes |> Array.fold (fun n a -> n * float node.Shape[a]) 1.0
        let total = Tensor.Reduced("mean", Moves.sum, checkedAxes, keepDims, node)

        if checkedAxes.Length = 0 then
            total
        else
            make (Elementwise.div total.Node (Leaves.constant node.DType count))

    /// The mean over one axis; -1 is the last.
    member this.Mean(axis: int, [<Optional; DefaultParameterValue(false)>] keepDims: bool) = this.Mean([| axis |], keepDims)

    /// The largest element over axes (all by default); ties share the gradient equally. NaN wins.
    member _.AMax([<Optional; DefaultParameterValue(null: int[])>] axes: int[], [<Optional; DefaultParameterValue(false)>] keepDims: bool) =
        Tensor.Reduced("amax", Reductions.amax, axes, keepDims, node)

    /// The smallest element over axes (all by default); ties share the gradient equally. NaN wins.
    member _.AMin([<Optional; DefaultParameterValue(null: int[])>] axes: int[], [<Optional; DefaultParameterValue(false)>] keepDims: bool) =
        Tensor.Reduced("amin", Reductions.amin, axes, keepDims, node)

    /// The largest element along an axis, which leaves the shape; the first of equal ones takes all of the gradient.
    member _.Max(axis: int) =
        make (Selection.maxAlong (Axis.index "max" node.Shape axis) node)

    /// The position of the largest element along an axis, which leaves the shape, as int32; the first of equal ones.
    member _.ArgMax(axis: int) =
        make (Reductions.argmax (Axis.index "argmax" node.Shape axis) node)

    // ---- products, normalisation and choices by position --------------------------------------------------------------

    /// The matrix product `[.., m, k] x [.., k, n] -> [.., m, n]`; vectors and leading axes by numpy's rules.
    member _.MatMul(other: Tensor) =
        make (Contractions.matmul node (at other))

    /// Exponentials along an axis, divided by their sum.
    member _.Softmax(axis: int) =
        make (Normalisation.softmax (Axis.index "softmax" node.Shape axis) node)

    /// The logarithm of `Softmax`, without its rounding.
    member _.LogSoftmax(axis: int) =
        make (Normalisation.logSoftmax (Axis.index "logSoftmax" node.Shape axis) node)

    /// The cross-entropy of logits `[.., classes]` with integer labels `[..]`, one value a row. Labels are range-checked when the value is computed.
    member _.CrossEntropy(labels: Tensor) =
        make (Normalisation.crossEntropy node (at labels))

    /// The binary cross-entropy of probabilities with targets, element by element, logarithms clipped at -100 as PyTorch's. Both must lie in [0, 1].
    member _.BinaryCrossEntropy(targets: Tensor) =
        make (Normalisation.bce node (at targets))

    // ---- windows --------------------------------------------------------------------------------------------------------

    static member private Pairs(kernel: struct (int * int), stride: struct (int * int), padding: struct (int * int), dilation: struct (int * int)) =
        let struct (kh, kw), struct (sh, sw), struct (ph, pw), struct (dh, dw) =
            kernel, stride, padding, dilation

        Windows.windowOf (kh, kw) (sh, sw) (ph, ph, pw, pw) (dh, dw)

    static member private Line(kernel: int, stride: int, padding: int, dilation: int) =
        Windows.windowOf (1, kernel) (1, stride) (0, 0, padding, padding) (1, dilation)

    /// The convolution (a correlation, as everywhere in this field) of images `[batch, channels, height, width]` with weights `[filters, channels,
    /// kernel height, kernel width]` into `[batch, filters, out height, out width]`. Out height is (height + 2 padding - dilation (kernel
    /// height - 1) - 1) / stride + 1, rounded down; zeros are the padding. All pairs are height and width. Throws ShapeException if channels differ or the
    /// window does not fit, ElementTypeException if the two are not of one floating-point type.
    member _.Conv2d(weight: Tensor, stride: struct (int * int), padding: struct (int * int), dilation: struct (int * int)) =
        make (Convolutions.conv2d (Tensor.Pairs(struct (1, 1), stride, padding, dilation)) node (at weight))

    /// The convolution of images `[batch, channels, height, width]` with weights `[filters, channels, kernel height, kernel width]`, the same stride,
    /// padding and dilation for height and width; see the form with pairs.
    member this.Conv2d
        (
            weight: Tensor,
            [<Optional; DefaultParameterValue(1)>] stride: int,
            [<Optional; DefaultParameterValue(0)>] padding: int,
            [<Optional; DefaultParameterValue(1)>] dilation: int
        ) =
        this.Conv2d(weight, struct (stride, stride), struct (padding, padding), struct (dilation, dilation))

    /// The convolution of signals `[batch, channels, length]` with weights `[filters, channels, kernel]` into `[batch, filters, out length]`; the out
    /// length is (length + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down. Throws ShapeException and ElementTypeException as Conv2d does.
    member _.Conv1d
        (
            weight: Tensor,
            [<Optional; DefaultParameterValue(1)>] stride: int,
            [<Optional; DefaultParameterValue(0)>] padding: int,
            [<Optional; DefaultParameterValue(1)>] dilation: int
        ) =
        make (Convolutions.conv1d (Tensor.Line(1, stride, padding, dilation)) node (at weight))

    /// The largest element under each place of a window on `[batch, channels, height, width]`; the first of equal ones takes all of the gradient,
    /// and padding never wins. Out height is that of Conv2d; all pairs are height and width. Throws ShapeException if the window does not fit
    /// or some place covers padding alone.
    member _.MaxPool2d(kernel: struct (int * int), stride: struct (int * int), padding: struct (int * int), dilation: struct (int * int)) =
        make (Pools.maxPool2d (Tensor.Pairs(kernel, stride, padding, dilation)) node)

    /// The largest element under each place of a square window on `[batch, channels, height, width]`; the stride defaults to the kernel. See the form
    /// with pairs.
    member this.MaxPool2d
        (
            kernel: int,
            [<Optional>] stride: Nullable<int>,
            [<Optional; DefaultParameterValue(0)>] padding: int,
            [<Optional; DefaultParameterValue(1)>] dilation: int
        ) =
        let step = if stride.HasValue then stride.Value else kernel
        this.MaxPool2d(struct (kernel, kernel), struct (step, step), struct (padding, padding), struct (dilation, dilation))

    /// The largest element under each place of a window on `[batch, channels, length]`; the stride defaults to the kernel. Errors are those of MaxPool2d.
    member _.MaxPool1d
        (
            kernel: int,
            [<Optional>] stride: Nullable<int>,
            [<Optional; DefaultParameterValue(0)>] padding: int,
            [<Optional; DefaultParameterValue(1)>] dilation: int
        ) =
        let step = if stride.HasValue then stride.Value else kernel
        make (Pools.maxPool1d (Tensor.Line(kernel, step, padding, dilation)) node)

    /// The mean under each place of a window on `[batch, channels, height, width]`: the sum divided by the size of the kernel, padding being zeros
    /// that count (PyTorch's default). All pairs are height and width. Throws ShapeException if the window does not fit.
    member _.AvgPool2d(kernel: struct (int * int), stride: struct (int * int), padding: struct (int * int)) =
        make (Pools.avgPool2d (Tensor.Pairs(kernel, stride, padding, struct (1, 1))) node)

    /// The mean under each place of a square window on `[batch, channels, height, width]`; the stride defaults to the kernel. See the form with pairs.
    member this.AvgPool2d(kernel: int, [<Optional>] stride: Nullable<int>, [<Optional; DefaultParameterValue(0)>] padding: int) =
        let step = if stride.HasValue then stride.Value else kernel
        this.AvgPool2d(struct (kernel, kernel), struct (step, step), struct (padding, padding))

    /// The mean under each place of a window on `[batch, channels, length]`; the stride defaults to the kernel. Errors are those of AvgPool2d.
    member _.AvgPool1d(kernel: int, [<Optional>] stride: Nullable<int>, [<Optional; DefaultParameterValue(0)>] padding: int) =
        let step = if stride.HasValue then stride.Value else kernel
        make (Pools.avgPool1d (Tensor.Line(kernel, step, padding, 1)) node)

    /// Rows `[n, ..]` chosen by integer positions of any shape: `[positions.., ..]`.
    member _.Gather(positions: Tensor) =
        make (Selection.gather node (at positions))

    /// One element along an axis for each position in `positions`, which has the shape without that axis.
    member _.TakeAlong(axis: int, positions: Tensor) =
        make (Selection.takeAlong (Axis.index "takeAlong" node.Shape axis) node (at positions))

    /// Labels `[..]` as rows `[.., classes]` with a one at the label.
    member _.OneHot(classes: int, [<Optional; DefaultParameterValue(ElementType.Float32)>] dtype: ElementType) =
        make (Selection.oneHot classes dtype node)

    // ---- gradients ----------------------------------------------------------------------------------------------------

    member private this.Sweep(cross: Func<CallRecord, bool>) =
        if node.Shape.Size <> 1L then
            raise (ShapeException("backward", "a tensor of one element", string node.Shape, node.Path, "Reduce the losses with Mean or Sum first."))

        if not node.Tracked then
            raise (
                TapeException(
                    "backward",
                    "a result computed from at least one trainable cell",
                    $"one that no gradient can flow from ({node.Primitive.Name})",
                    node.Path,
                    "Check that the parameters are trainable and that the forward pass did not run inside NoGrad."
                )
            )

        let one = Elementwise.constantLike node 1.0

        for struct (cell, g) in Sweep.withRespectToCells cross node one do
            CellAccess.accumulate cell g node

    /// Adds the gradient of this scalar to the `Grad` of every trainable cell it was computed from, layers crossed by their operations' own
    /// rules. May be called again. Throws TapeException where nothing can be differentiated or a cell's write has released the tape.
    member this.Backward() = this.Sweep null

    /// As `Backward`, with the Calls that have a manual backward crossed by it.
    member this.BackwardManual() = this.Sweep everyCall

    // ---- parts --------------------------------------------------------------------------------------------------------

    /// The part at given positions of the first axes, which leave the shape; negative positions count from the end.
    member this.At
        with get ([<ParamArray>] positions: int[]): Tensor =
            if positions.Length > node.Shape.Rank then
                raise (
                    ShapeException(
                        "index",
                        $"at most {node.Shape.Rank} positions for shape {node.Shape}",
                        string positions.Length,
                        Context.Current.Path,
                        "Give one position an axis."
                    )
                )

            let mutable part = this
            positions |> Array.iteri (fun axis p -> part <- part.Only(axis, p, this))
            part.Reshape(node.Shape.ToArray()[positions.Length ..])

    // One position along an axis, which stays; errors show the whole that it is a part of.
    member private this.Only(axis: int, position: int, whole: Tensor) =
        let length = whole.Shape[axis]

        if position < -length || position >= length then
            raise (
                ShapeException(
                    "index",
                    $"a position from {-length} to {length - 1} on axis {axis} of {whole.Shape}",
                    string position,
                    Context.Current.Path,
                    "Positions count from 0; -1 is the last."
                )
            )

        let position = if position < 0 then position + length else position
        this.Slice(axis, position, Nullable(position + 1))

    member private this.Between(axis: int, first: int option, last: int option) =
        let stop =
            match last with
            | Some last when last < Int32.MaxValue -> Nullable(max 0 (last + 1))
            | _ -> Nullable()

        this.Slice(axis, defaultArg first 0, stop)

    /// F#'s slices, such as `x[1..3]`: first to last, both included. As with arrays, a last that comes before the first leaves nothing, so that
    /// `x[0..n - 1]` has n elements for every n; a negative first counts from the end.
    member this.GetSlice(first: int option, last: int option) = this.Between(0, first, last)

    /// F#'s slices of two axes, such as `x[1..3, *]`.
    member this.GetSlice(first0: int option, last0: int option, first1: int option, last1: int option) =
        this.Between(0, first0, last0).Between(1, first1, last1)

    /// F#'s slices of a row, such as `x[2, 1..3]`.
    member this.GetSlice(row: int, first: int option, last: int option) = this.At(row).Between(0, first, last)

    /// F#'s slices of a column, such as `x[1..3, 2]`.
    member this.GetSlice(first: int option, last: int option, column: int) : Tensor =
        if node.Shape.Rank < 2 then
            raise (
                ShapeException(
                    "index",
                    "a tensor of two axes or more",
                    string node.Shape,
                    Context.Current.Path,
                    "A slice and a position take an axis each."
                )
            )

        let part = this.Between(0, first, last).Only(1, column, this)
        part.Reshape(part.Shape.ToArray() |> Array.removeAt 1)

    /// F#'s slices of three axes.
    member this.GetSlice(f0: int option, l0: int option, f1: int option, l1: int option, f2: int option, l2: int option) =
        this.Between(0, f0, l0).Between(1, f1, l1).Between(2, f2, l2)

    /// F#'s slices of four axes.
    member this.GetSlice
        (f0: int option, l0: int option, f1: int option, l1: int option, f2: int option, l2: int option, f3: int option, l3: int option)
        =
        this.Between(0, f0, l0).Between(1, f1, l1).Between(2, f2, l2).Between(3, f3, l3)

    /// A small value as code that pastes back into F#, a large one as its first and last elements, a pending one as the operation that
    /// would compute it. Never evaluates and never walks the graph.
    override _.ToString() = Printing.node node

/// A named holder of a value that can be replaced: a parameter, a running statistic, a random key. Reading it denotes the value at that
/// moment, whatever is written later.
[<Sealed; AllowNullLiteral>]
type Cell internal (state: CellState) as this =
    do state.Face <- this

    /// A cell with an initial value, which is evaluated now.
    new(name: string, initial: Tensor, [<Optional; DefaultParameterValue(true)>] trainable: bool) = Cell(CellState(name, initial.Value, trainable))

    member internal _.State = state

    static member internal Of(state: CellState) : Cell = state.Face :?> Cell

    /// The name, as in a state dict, such as `0.weight`.
    member _.Name
        with get () = state.Name
        and set (v: string) = state.Name <- v

    /// The shape, which never changes.
    member _.Shape = state.Shape

    /// The element type, which never changes.
    member _.DType = state.DType

    /// The number of writes so far.
    member _.Version = state.Version

    /// Whether it was made trainable: a parameter, and not a statistic or key. Freezing changes nothing here.
    member _.IsParameter = state.IsParameter

    /// Whether gradients flow to it and optimisers update it.
    member _.Trainable
        with get () = state.Trainable
        and set v = state.Trainable <- v

    /// The value now. What is built from it keeps this value, whatever is written later.
    member _.Value: Tensor = Tensor(CellAccess.read state)

    /// Replaces the value. Throws CellException if shape or type differ, or another thread is writing.
    member this.Set(value: Tensor) = Cell.SetAll([| this |], [| value |])

    /// Replaces the values of several cells in one run; if anything fails, none changes.
    static member SetAll(cells: IReadOnlyList<Cell>, values: IReadOnlyList<Tensor>) =
        if values.Count <> cells.Count then
            invalidArg (nameof values) $"There are {cells.Count} cells and {values.Count} values."

        let states = Array.zeroCreate<CellState> cells.Count
        let nodes = List<Node> cells.Count

        for i in 0 .. states.Length - 1 do
            states[i] <- cells[i].State
            nodes.Add values[i].Node

        CellAccess.write states nodes

    /// The gradient that `Backward` and manual backwards have added up, perhaps still pending; null if there is none.
    member _.Grad: Tensor =
        match CellAccess.gradient state with
        | null -> null
        | g -> Tensor g

    /// Forgets the gradient.
    member _.ZeroGrad() = CellAccess.clearGradient state

    /// Adds to the gradient: to the sweep that is under way, or else to `Grad`. Throws ShapeException if the shapes differ.
    member this.Accumulate(gradient: Tensor) =
        match Context.Current.Sink with
        | :? Action<CellState, Node> as sink -> sink.Invoke(state, gradient.Node)
        | _ -> CellAccess.accumulate state gradient.Node null

    /// Name, shape, type and version.
    override _.ToString() =
        $"Cell {state.Name} {state.Shape} {Value.NameOf state.DType} version {state.Version}"
