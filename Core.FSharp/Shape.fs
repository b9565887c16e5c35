namespace Hybrid.Core

open System
open System.Globalization

module internal Arrays =
    /// A copy of a few elements: `Array.copy` calls into the runtime, which takes five times as long.
    let copy (array: 'T[]) =
        ArgumentNullException.ThrowIfNull(array, nameof array)
        ReadOnlySpan<'T>(array).ToArray()

/// The lengths of a tensor's axes, such as `[batch, channels, height, width]`. Immutable; a scalar has the empty shape `[]`.
[<Sealed; AllowNullLiteral>]
type Shape internal (dimensions: int[]) =
    let size =
        let mutable n = 1L

        for d in dimensions do
            n <- n * int64 d

        n

    static let scalar = Shape [||]

    /// The shape of a scalar, `[]`.
    static member Scalar = scalar

    /// A shape from the lengths of its axes. Throws ShapeException for a negative length or more than 2^31 - 1 elements.
    static member Of([<ParamArray>] dimensions: int[]) = Shape.Owning(Arrays.copy dimensions)

    /// As `Of`, of an array that nobody will write to any more.
    static member internal Owning(dimensions: int[]) =
        let mutable size = 1L

        for d in dimensions do
            if d < 0 then
                raise (ShapeException("shape", "lengths of at least 0", Shape.Format dimensions, "", "Give every axis a length of 0 or more."))

            if d > 0 && size > int64 Int32.MaxValue / int64 d then
                raise (
                    ShapeException(
                        "shape",
                        "at most 2,147,483,647 elements",
                        Shape.Format dimensions,
                        "",
                        "Split the tensor, for example into smaller batches."
                    )
                )

            size <- size * int64 d

        Shape dimensions

    /// The number of axes.
    member _.Rank = dimensions.Length

    /// The number of elements: the product of the lengths, 1 for a scalar.
    member _.Size = size

    /// The length of an axis, counted from 0.
    member _.Item
        with get (axis: int) = dimensions[axis]

    /// The lengths, as a fresh array.
    member _.ToArray() = Arrays.copy dimensions

    /// The lengths, to read only.
    member _.Dimensions = ReadOnlySpan<int>(dimensions)

    member internal _.Raw = dimensions

    static member internal Format(dimensions: int[]) =
        "["
        + String.Join(", ", dimensions |> Array.map (fun d -> d.ToString CultureInfo.InvariantCulture))
        + "]"

    /// The shape as `[2, 3]`.
    override _.ToString() = Shape.Format dimensions

    override _.GetHashCode() =
        let mutable hash = HashCode()

        for d in dimensions do
            hash.Add d

        hash.ToHashCode()

    override _.Equals other =
        match other with
        | :? Shape as s -> s.Dimensions.SequenceEqual(ReadOnlySpan<int>(dimensions))
        | _ -> false

    interface IEquatable<Shape> with
        member this.Equals other =
            match other with
            | null -> false
            | s ->
                Object.ReferenceEquals(this, s)
                || s.Dimensions.SequenceEqual(ReadOnlySpan<int>(dimensions))

    /// Whether two shapes have the same axes.
    static member op_Equality(a: Shape, b: Shape) =
        Object.ReferenceEquals(a, b) || a.Dimensions.SequenceEqual b.Dimensions

    /// Whether two shapes differ.
    static member op_Inequality(a: Shape, b: Shape) = not (Shape.op_Equality (a, b))

module internal Shapes =
    /// Reference or element-wise equality, without F#'s generic comparer.
    let same (a: Shape) (b: Shape) =
        Object.ReferenceEquals(a, b) || a.Dimensions.SequenceEqual b.Dimensions

    /// numpy's rule: align at the last axis; lengths must be equal or one of them 1. Null where they do not fit.
    let broadcast (a: Shape) (b: Shape) =
        // Whether b can be repeated to a; in nearly all cases one of the two is the result, and nothing new is made.
        let covers (a: Shape) (b: Shape) =
            let lead = a.Rank - b.Rank
            let mutable ok = lead >= 0

            for i in 0 .. b.Rank - 1 do
                ok <- ok && (b[i] = a[i + lead] || b[i] = 1)

            ok

        if covers a b then
            a
        elif covers b a then
            b
        else
            let rank = max a.Rank b.Rank
            let dims = Array.zeroCreate rank
            let mutable ok = true

            for i in 0 .. rank - 1 do
                let x = if i < rank - a.Rank then 1 else a[i - rank + a.Rank]
                let y = if i < rank - b.Rank then 1 else b[i - rank + b.Rank]

                if x = y || y = 1 then dims[i] <- x
                elif x = 1 then dims[i] <- y
                else ok <- false

            if ok then Shape.Owning dims else null

    /// The shape without some adjacent axes.
    let without first count (shape: Shape) =
        let dims = Array.zeroCreate<int>(shape.Rank - count)
        Array.blit shape.Raw 0 dims 0 first
        Array.blit shape.Raw (first + count) dims first (dims.Length - first)
        Shape dims

    /// Strides, in elements, of a contiguous row-major tensor.
    let strides (shape: Shape) =
        let s = Array.zeroCreate<int64> shape.Rank
        let mutable step = 1L

        for i in shape.Rank - 1 .. -1 .. 0 do
            s[i] <- step
            step <- step * int64 shape[i]

        s

    /// Where element `index` (in row-major order) stands, as ` at [1, 0]`; empty for a scalar.
    let place (shape: Shape) (index: int64) =
        if shape.Rank = 0 then
            ""
        else
            let mutable rest = index
            let position = Array.zeroCreate shape.Rank

            for i in shape.Rank - 1 .. -1 .. 0 do
                position[i] <- int (rest % int64 shape[i])
                rest <- rest / int64 shape[i]

            " at " + Shape.Format position
