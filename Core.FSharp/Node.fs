namespace Hybrid.Core

open System
open System.Threading
open Hybrid.Kernels

/// The family that a primitive belongs to; each has a file of its own.
type Family =
    /// Data that comes from outside of the graph: constants, scalars, values, placeholders, variables.
    | Leaf = 0
    /// One result element for each element of the inputs, which have one shape.
    | Elementwise = 1
    /// Axes that are summed up or searched.
    | Reduction = 2
    /// Elements that move and do not change, and their transpose, the sum.
    | Move = 3
    /// Sums of products.
    | Contraction = 4
    /// Elements chosen by integer positions.
    | Selection = 5
    /// Exponentials normalised along an axis, and the losses on them.
    | Normalisation = 6
    /// Random numbers made from a key.
    | Random = 7

/// In which inputs a primitive is linear; forward mode follows linear primitives only.
type Linearity =
    /// In none.
    | None = 0
    /// In all of its inputs together, as a sum is.
    | Jointly = 1
    /// In each of its inputs while the others stand still, as a product is.
    | Separately = 2
    /// In all inputs but the first, together, as a choice by a mask is.
    | AfterFirst = 3
    /// In the first input alone, as a division is.
    | First = 4

/// What the memory of an input must look like for a primitive's kernel.
type Access =
    /// Any strides: the kernel walks them.
    | Strided = 0
    /// Row-major without gaps.
    | Contiguous = 1
    /// Rows without gaps, or columns without gaps: a matrix or its transpose.
    | Matrix = 2
    /// The last two of four axes without gaps, the others with any steps: images whose channels may lie apart.
    | Planes = 3

/// Values that sample inputs of a primitive are drawn from.
type Domain =
    /// Normal deviates, no two equal.
    | Any = 0
    /// Greater than zero.
    | Positive = 1
    /// Strictly between 0 and 1.
    | Unit = 2
    /// At least 0.1 away from zero.
    | NonZero = 3
    /// Either true or false.
    | Mask = 4
    /// Integers from 0 to 2, valid positions in an axis of three or more.
    | Index = 5

/// How the memory of a tensor is laid out: strides and offset in elements. A broadcast axis has stride 0.
[<Sealed; AllowNullLiteral>]
type Layout internal (shape: Shape, strides: int64[], offset: int64) =
    member internal _.Shape = shape
    member internal _.Strides = strides
    member internal _.Offset = offset

    static member internal Contiguous(shape: Shape) = Layout(shape, Shapes.strides shape, 0L)

    /// Row-major without gaps; axes of length 1 do not count, and an empty tensor always is.
    member internal _.IsContiguous =
        let mutable expected = 1L
        let mutable ok = true

        for i in shape.Rank - 1 .. -1 .. 0 do
            if shape[i] <> 1 then
                ok <- ok && strides[i] = expected
                expected <- expected * int64 shape[i]

        ok || shape.Size = 0L

/// What a kernel gets when it runs: where its output and inputs are, and the threads that it may use.
[<Sealed>]
type Operands internal (pool: WorkerPool) =
    member val internal Outputs: nativeint[] = Array.zeroCreate 8 with get, set
    /// The only output of most kernels.
    member internal this.Output = this.Outputs[0]
    /// What the kernel computes alongside; 0 where nobody wants it.
    member internal this.Second = this.Outputs[1]
    member val internal Inputs: nativeint[] = Array.zeroCreate 8 with get, set
    member internal _.Pool = pool
    /// Where the transpose of an input is that the kernel would rather read; 0 where there is none.
    member val internal Transpose = 0n with get, set
    /// Whether steps inside of a kernel are timed.
    member val internal Measure = false with get, set

/// The work of one step of a plan, with everything that depends on shapes decided.
[<AllowNullLiteral>]
type internal Kernel(run: Action<Operands>) =
    abstract Invoke: Operands -> unit
    default _.Invoke operands = run.Invoke operands
    /// Products that are summed up inside, beyond what the step's own node tells.
    abstract MultiplyAdds: int64
    default _.MultiplyAdds = 0L
    /// The shape of the matrix whose transpose is the second input, where the kernel would rather have that in rows without gaps; otherwise null.
    abstract Untransposed: Shape
    default _.Untransposed = null

/// Axes as users give them.
module internal Axis =
    /// An axis (negative counts from the end) as an index, or an error that names the operation.
    let index operation (shape: Shape) axis =
        let a = if axis < 0 then axis + shape.Rank else axis

        if a < 0 || a >= shape.Rank then
            let range =
                if shape.Rank = 0 then
                    "no axis, since the tensor is a scalar"
                else
                    $"an axis from {-shape.Rank} to {shape.Rank - 1} for shape {shape}"

            raise (ShapeException(operation, range, string axis, Context.Current.Path, "Axes count from 0; -1 is the last."))

        a

/// Recording, for what must record whatever mode is around it.
module internal Recording =
    let On () : IDisposable =
        let context = Context.Current
        let before = context.Recording
        context.Recording <- true

        { new IDisposable with
            member _.Dispose() = context.Recording <- before
        }

/// An element of an immutable computation graph: a primitive applied to inputs, with its attributes, shape and element type,
/// which are inferred and checked when it is made. Nodes compare by reference. What changes afterwards is only what is known
/// of its value: evaluation fills it in, and may release the inputs once nothing can need them.
[<Sealed; AllowNullLiteral>]
type Node =
    val private primitive: Primitive
    val private attribute: int64
    val private scope: Scope
    val mutable private a: Node
    val mutable private b: Node
    val mutable private rest: Node[]
    val mutable private shape: Shape
    val mutable private dtype: ElementType
    val mutable private tracked: bool
    val mutable private symbolic: bool
    val mutable private value: Value
    /// The longer attributes, or data of its own, such as the cell of a leaf or the Call of an output, or why the inputs were released.
    val mutable internal Payload: obj
    /// Keeps alive what the evaluation that made the value has to release later.
    val mutable internal Keeper: obj
    /// Serial number of the oldest node that evaluating this one would have to run.
    val mutable internal Since: int64
    /// Valid during one walk only, under the lock of `Walk`.
    val mutable internal Mark: int
    val mutable internal Position: int

    private new(primitive, attribute, payload: obj, scope, a, b, rest) =
        {
            primitive = primitive
            attribute = attribute
            scope = scope
            a = a
            b = b
            rest = rest
            shape = null
            dtype = ElementType.Float32
            tracked = false
            symbolic = false
            value = null
            Payload = payload
            Keeper = null
            Since = 0L
            Mark = 0
            Position = 0
        }

    /// The primitive that is applied.
    member this.Primitive = this.primitive

    /// The shape, known from the start.
    member this.Shape = this.shape

    /// The element type, known from the start.
    member this.DType = this.dtype

    /// The attribute word: an axis, flags, or the bits of a constant.
    member this.Attribute = this.attribute

    /// The longer attributes, such as a permutation; null where there are none.
    member internal this.Attributes: int[] =
        match this.Payload with
        | :? (int[]) as attributes -> attributes
        | _ -> null

    /// The layer path where the node was made, empty outside of layers.
    member this.Path = if isNull this.scope then "" else this.scope.Path

    member internal this.Scope = this.scope

    /// Whether a trainable cell or a variable of `grad` is among what it was computed from, as seen when it was made.
    member internal this.Tracked = this.tracked

    /// Whether it depends on a placeholder of a function that is being compiled, so that it has no value now.
    member internal this.Symbolic = this.symbolic

    /// The number of inputs.
    member this.Arity =
        if not (isNull this.rest) then this.rest.Length
        elif isNull this.a then 0
        elif isNull this.b then 1
        else 2

    /// The input at an index.
    member this.Input index =
        if not (isNull this.rest) then this.rest[index]
        elif index = 0 then this.a
        else this.b

    /// Whether something holds for every input, by its index.
    member internal this.EveryInput(holds: int -> bool) =
        let mutable index = 0

        while index < this.Arity && holds index do
            index <- index + 1

        index = this.Arity

    /// The first input.
    member internal this.A = if isNull this.rest then this.a else this.rest[0]

    /// The second input.
    member internal this.B = if isNull this.rest then this.b else this.rest[1]

    /// The third input.
    member internal this.C = this.rest[2]

    /// The value, once it is known; null before.
    member internal this.Value
        with get () = Volatile.Read &this.value
        and set (v: Value) = Volatile.Write(&this.value, v)

    /// Forgets how the value was computed, so that a handle to it does not hold a whole step's memory.
    member internal this.Release(reason: obj) =
        this.Payload <- reason
        this.Keeper <- null
        this.a <- null
        this.b <- null
        this.rest <- null

    member private this.Infer(context: Context, leafTracked: bool) =
        this.shape <- this.primitive.Shape.Invoke this
        this.dtype <- this.primitive.Type.Invoke this
        let serial = context.Serial
        context.Serial <- serial + 1L
        let mutable since = serial
        let mutable tracked = leafTracked
        let mutable symbolic = false

        for i in 0 .. this.Arity - 1 do
            let input = this.Input i
            tracked <- tracked || input.tracked
            symbolic <- symbolic || input.symbolic

            if isNull input.value && input.Since < since then
                since <- input.Since

        this.Since <- since
        this.tracked <- tracked && context.Recording && this.dtype <= ElementType.Float64
        this.symbolic <- symbolic

    /// A primitive applied to up to three inputs. The primitive's shape rule throws if they do not fit.
    static member internal Make(primitive: Primitive, attribute: int64, attributes: int[], a: Node, b: Node, c: Node) =
        let context = Context.Current

        let node =
            if isNull c then
                Node(primitive, attribute, attributes, context.Place, a, b, null)
            else
                Node(primitive, attribute, attributes, context.Place, null, null, [| a; b; c |])

        node.Infer(context, false)
        node

    /// A primitive applied to any number of inputs.
    static member internal MakeMany(primitive: Primitive, attribute: int64, attributes: int[], inputs: Node[]) =
        let context = Context.Current

        let node = Node(primitive, attribute, attributes, context.Place, null, null, inputs)

        node.Infer(context, false)
        node

    /// The same operation on other inputs, for a plan's copy of a graph; known to fit, and of no consequence to any thread.
    static member internal Remake(original: Node, inputs: Node[]) =
        let at i =
            if i < inputs.Length then inputs[i] else null

        let many = not (isNull original.rest)

        let node =
            Node(
                original.primitive,
                original.attribute,
                original.Attributes,
                null,
                (if many then null else at 0),
                (if many then null else at 1),
                (if many then inputs else null)
            )

        node.shape <- original.shape
        node.dtype <- original.dtype
        node

    /// A node with data of its own: shape and type are given, the value if it is known.
    static member internal MakeLeaf
        (primitive: Primitive, attribute: int64, payload: obj, shape: Shape, dtype: ElementType, value: Value, tracked: bool)
        =
        let node =
            Node(primitive, attribute, payload, Context.Current.Scope, null, null, null)

        node.shape <- shape
        node.dtype <- dtype
        node.tracked <- tracked
        node.symbolic <- isNull value && primitive.IsPlaceholder
        node.Since <- Int64.MaxValue
        node.value <- value
        node

    /// A node with inputs and data of its own, such as the output of a Call.
    static member internal MakeBoundary(primitive: Primitive, payload: obj, input: Node, tracked: bool) =
        let context = Context.Current

        let node = Node(primitive, 0L, payload, context.Scope, input, null, null)

        node.Infer(context, tracked)
        node

    /// As MakeBoundary, but no gradient passes to the input, so that whether one passes to the node is said here alone.
    static member internal MakeCut(primitive: Primitive, payload: obj, input: Node, tracked: bool) =
        let node = Node.MakeBoundary(primitive, payload, input, tracked)
        node.tracked <- node.tracked && tracked
        node

    /// One result of a formula, with operands of its own or with the first result in their place. No gradient passes.
    static member internal MakeFormula(primitive: Primitive, attribute: int64, formula: obj, first: Node, operands: Node[]) =
        let context = Context.Current

        let node = Node(primitive, attribute, formula, context.Place, first, null, operands)

        node.Infer(context, false)
        node.tracked <- false
        node

/// The gradient with respect to the input at an index, from the node and the gradient of its result, in graph operations;
/// null where that input has no derivative (indices, masks).
and Vjp = delegate of node: Node * index: int * gradient: Node -> Node

/// Infers the shape of a node from its inputs and attributes, and refuses what does not fit.
and ShapeRule = delegate of Node -> Shape

/// Infers the element type of a node.
and TypeRule = delegate of Node -> ElementType

/// Where an input's elements stand in the output, for primitives that only look at memory differently; null if a copy is needed.
and internal ViewRule = delegate of Node * Layout -> Layout

/// Where each input's elements stand in the output, for primitives that put all inputs into it and do nothing else.
and internal PlaceRule = delegate of Node -> Layout[]

/// Makes the kernel of a node whose inputs lie in memory as the layouts say, or gives null if it needs contiguous ones. The output is contiguous.
and internal Lowering = delegate of Node * Layout[] -> Kernel

/// The function of elements that a node applies, if it applies one and nothing else: what can be fused with others.
and internal ElementRule = delegate of Node -> ElementFunction

/// An application of a primitive to try it on: shapes and domains of the inputs, and how the node is made.
and Sample =
    {
        /// What is special about this one, such as `scalar` or `broadcast`.
        Name: string
        /// Shape and domain of each input.
        Inputs: (int list * Domain) list
        /// Makes the result from the inputs.
        Build: Node[] -> Node
    }

/// Everything that Hybrid knows of an operation. Records of a family stand together in the family's file; tests, printing,
/// formulas and checks read them, so that adding a primitive touches one place.
and [<ReferenceEquality>] Primitive =
    internal
        {
            Name: string
            Family: Family
            /// A number unique in this process, by which plans are compared.
            Code: int
            /// The number of inputs; -1 where any number will do.
            Arity: int
            Shape: ShapeRule
            Type: TypeRule
            /// The derivative; null where there is none. Set by `tie`, since rules of linear operations use each other.
            mutable Vjp: Vjp
            /// The inputs, as bits from the lowest, and the output, as bit 30, whose values the rules use.
            Saves: int
            Linear: Linearity
            Text: string
            Latex: string
            Kink: string
            Access: Access
            /// For primitives whose kernel is a function of elements: that function; otherwise null, and `Lower` makes the kernel.
            Element: ElementRule
            Lower: Lowering
            /// The input that the kernel computes alongside, as its second output, if nothing asks for it before; -1 for none.
            Alongside: int
            /// For primitives that need no kernel: the same memory looked at differently.
            View: ViewRule
            /// For primitives whose inputs can be computed where they stand in the output.
            Places: PlaceRule
            /// Made when first asked for: most programs never do.
            mutable Samples: Lazy<Sample list>
            IsPlaceholder: bool
        }

    /// The name in errors, plans and documentation.
    member this.Title = this.Name

    /// The family it belongs to.
    member this.Kind = this.Family

    /// The formula as text, inputs as {0}, {1}, ...
    member this.Formula = this.Text

    /// The formula in LaTeX, inputs as {0}, {1}, ...
    member this.LatexFormula = this.Latex

    /// Where it is not differentiable, and which convention holds there; empty if it is smooth.
    member this.Convention = this.Kink

    /// Applications to try it on.
    member this.Trials = this.Samples.Value

    /// In which inputs it is linear.
    member this.Linearity = this.Linear

    /// The name.
    override this.ToString() = this.Name
