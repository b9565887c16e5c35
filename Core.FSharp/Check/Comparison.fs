namespace Hybrid.Core.Checking

open System
open System.Globalization
open Hybrid.Core
open Hybrid.Kernels

/// Numbers as the reports print them, the same in every culture.
module internal Text =
    let private culture = CultureInfo.InvariantCulture

    /// Two significant digits, for differences and bounds.
    let short (x: float) =
        if x = 0.0 then
            "0"
        elif Double.IsNaN x then
            "NaN"
        elif Double.IsInfinity x then
            (if x > 0.0 then "inf" else "-inf")
        else
            x.ToString("0.0e+00", culture)

    /// Nine significant digits, for values.
    let value (x: float) =
        if Double.IsNaN x then
            "NaN"
        elif Double.IsInfinity x then
            (if x > 0.0 then "inf" else "-inf")
        else
            x.ToString("G9", culture)

    /// A factor with six decimals, as in `-1.000000`.
    let factor (x: float) = x.ToString("0.000000", culture)

    /// A count; from ten million on by its magnitude.
    let count (n: int64) =
        if n < 10_000_000L then
            n.ToString culture
        else
            short (float n)

    /// The multi-dimensional index of the element at a row-major position.
    let indexOf (shape: Shape) (position: int) =
        let mutable rest = position
        let index = Array.zeroCreate shape.Rank

        for i in shape.Rank - 1 .. -1 .. 0 do
            index[i] <- rest % shape[i]
            rest <- rest / shape[i]

        index

/// How far two tensors are apart, by three measures. NaN equals NaN, and an infinity equals itself; NaN or an infinity against
/// any other number is an infinite difference.
[<Sealed; AllowNullLiteral>]
type Comparison
    private (shape: Shape, count: int64, absolute: float, relative: float, ulp: int64, ulpCount: int64, worst: int, left: float, right: float) =

    // Doubles (or singles) as integers in the order of the numbers; neighbours differ by 1, and both zeros are 0.
    static let ordered (single: bool) (x: float) =
        if single then
            let bits = int64 (BitConverter.SingleToInt32Bits(float32 x))
            if bits < 0L then -(bits &&& 0x7FFFFFFFL) else bits
        else
            let bits = BitConverter.DoubleToInt64Bits x
            if bits < 0L then -(bits &&& Int64.MaxValue) else bits

    static let distance single a b =
        let x, y = ordered single a, ordered single b
        let d = x - y
        // Opposite signs may be further apart than an int64 holds.
        if (x >= 0L) <> (y >= 0L) && ((d >= 0L) <> (x >= 0L)) then
            Int64.MaxValue
        else
            Math.Abs d

    static let gap (a: float) (b: float) =
        if a = b || (Double.IsNaN a && Double.IsNaN b) then
            0.0
        else
            let d = Math.Abs(a - b)
            if Double.IsNaN d then Double.PositiveInfinity else d

    /// The shape of both tensors.
    member _.Shape = shape

    /// The number of elements compared.
    member _.Count = count

    /// The largest |a - b|.
    member _.MaxAbsolute = absolute

    /// The largest |a - b|, divided by the largest finite |a|: one number for the tensor. 0 where all elements are equal, infinite where a is
    /// zero everywhere and b is not.
    member _.MaxRelative = relative

    /// The largest distance in units in the last place of the element type, over elements of a that are at least 1e-3 of its largest.
    member _.MaxUlp = ulp

    /// The number of elements that `MaxUlp` looked at.
    member _.UlpCount = ulpCount

    /// The position of the largest |a - b|, one number for each axis; empty for a scalar or where there are no elements.
    member _.WorstIndex = if worst < 0 then [||] else Text.indexOf shape worst

    member internal _.WorstPosition = worst

    /// a at the worst index; NaN where there are no elements.
    member _.LeftAtWorst = left

    /// b at the worst index; NaN where there are no elements.
    member _.RightAtWorst = right

    /// Whether all elements are equal.
    member _.IsEqual = (absolute = 0.0)

    /// Row-major elements of two tensors of one shape; `single` says that they are float32 numbers.
    static member internal OfArrays(a: float[], b: float[], shape: Shape, single: bool) =
        let mutable largest = 0.0
        let mutable absolute = 0.0
        let mutable worst = if a.Length = 0 then -1 else 0

        for i in 0 .. a.Length - 1 do
            if Double.IsFinite a[i] then
                largest <- max largest (Math.Abs a[i])

            let d = gap a[i] b[i]

            if d > absolute then
                absolute <- d
                worst <- i

        let mutable ulp = 0L
        let mutable ulpCount = 0L

        for i in 0 .. a.Length - 1 do
            if
                Double.IsFinite a[i]
                && Double.IsFinite b[i]
                && largest > 0.0
                && Math.Abs a[i] >= 1e-3 * largest
            then
                ulp <- max ulp (distance single a[i] b[i])
                ulpCount <- ulpCount + 1L

        let relative =
            if absolute = 0.0 then 0.0
            elif largest = 0.0 then Double.PositiveInfinity
            else absolute / largest

        let at (x: float[]) = if worst < 0 then nan else x[worst]
        Comparison(shape, int64 a.Length, absolute, relative, ulp, ulpCount, worst, at a, at b)

    /// Compares b with a, element by element. Both must be float32 or both float64, of one shape: throws ShapeException or
    /// ElementTypeException otherwise.
    static member Of(a: Tensor, b: Tensor) : Comparison =
        if not (Shapes.same a.Shape b.Shape) then
            raise (ShapeException("comparison", "two tensors of one shape", $"{a.Shape} and {b.Shape}", "", "Reshape or reduce one of them first."))

        if a.DType <> b.DType || a.DType > ElementType.Float64 then
            raise (
                ElementTypeException(
                    "comparison",
                    "two float32 or two float64 tensors",
                    $"{Value.NameOf a.DType} and {Value.NameOf b.DType}",
                    "",
                    "Convert one of them with To."
                )
            )

        Comparison.OfArrays(a.ToDoubles(), b.ToDoubles(), a.Shape, (a.DType = ElementType.Float32))

    /// The three measures and the worst index.
    override this.ToString() =
        if this.IsEqual then
            $"equal in all {Text.count count} elements"
        else
            let index = Shape.Format this.WorstIndex

            $"absolute {Text.short absolute}, relative {Text.short relative}, {Text.count ulp} ulp; worst at {index}: {Text.value left} and {Text.value right}"
