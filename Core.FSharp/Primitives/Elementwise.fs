/// One result element for each element of the inputs. Binary operations broadcast by numpy's rule, as an explicit `broadcastTo`
/// that the engine runs as strides.
module internal Hybrid.Core.Elementwise

open Hybrid.Kernels
open Hybrid.Core.Primitive

// ---- building ---------------------------------------------------------------------------------------------------------

/// Refuses two tensors of different element types.
let mixed operation (a: Node) (b: Node) =
    raise (
        ElementTypeException(
            operation,
            "tensors of one element type",
            $"{Value.NameOf a.DType} and {Value.NameOf b.DType}",
            Context.Current.Path,
            "Types never mix silently: convert one of them with To."
        )
    )

/// The node of an operation on two tensors, each repeated to their common shape. Throws ShapeException or ElementTypeException.
let broadcasting (p: Primitive) (a: Node) (b: Node) =
    if a.DType <> b.DType then
        mixed p.Name a b

    if Shapes.same a.Shape b.Shape then
        Node.Make(p, 0L, null, a, b, null)
    else
        let shape = Shapes.broadcast a.Shape b.Shape

        if isNull shape then
            raise (
                ShapeException(
                    p.Name,
                    "shapes that broadcast (aligned at the last axis, lengths equal or 1)",
                    $"{a.Shape} and {b.Shape}",
                    Context.Current.Path,
                    "Reshape or slice one of them."
                )
            )

        Node.Make(p, 0L, null, Moves.broadcastTo shape a, Moves.broadcastTo shape b, null)

let private unary (p: Primitive) (x: Node) = Node.Make(p, 0L, null, x, null, null)

let private boolean: TypeRule = TypeRule(fun _ -> ElementType.Bool)

let private one (op: UnaryOp) =
    ElementRule(fun n -> ElementFunction.Unary(op, n.A.DType))

let private two (op: BinaryOp) =
    ElementRule(fun n -> ElementFunction.Binary(op, n.A.DType))

let private unaryRecord name op text latex saves =
    { define name Family.Elementwise 1 with
        Type = Lower.floating
        Text = text
        Latex = latex
        Saves = saves
        Element = one op
    }

let private binaryRecord name op text latex saves linear =
    { define name Family.Elementwise 2 with
        Type = Lower.number
        Text = text
        Latex = latex
        Saves = saves
        Linear = linear
        Element = two op
    }

let private first = 1
let private second = 2
let private both = 3

/// A constant repeated to the shape of a node, in its element type.
let constantLike (n: Node) (value: float) =
    Moves.broadcastTo n.Shape (Leaves.constant n.DType value)

let private onOne (name: string) domain build =
    [
        {
            Name = $"{name} of a matrix"
            Inputs = [ [ 2; 3 ], domain ]
            Build = fun (x: Node[]) -> build x[0]
        }
        {
            Name = $"{name} of a scalar"
            Inputs = [ [], domain ]
            Build = fun x -> build x[0]
        }
        {
            Name = $"{name} of nothing"
            Inputs = [ [ 0; 2 ], domain ]
            Build = fun x -> build x[0]
        }
    ]

let private onTwo (name: string) (left: Domain) (right: Domain) build =
    [
        for title, a, b in
            [
                "equal shapes", [ 2; 3 ], [ 2; 3 ]
                "broadcast right", [ 2; 3 ], [ 3 ]
                "broadcast left", [ 2; 1 ], [ 4; 2; 3 ]
                "scalars", [], []
                "empty", [ 0; 3 ], [ 3 ]
            ] ->
            {
                Name = $"{name}, {title}"
                Inputs = [ a, left; b, right ]
                Build = fun (x: Node[]) -> build x[0] x[1]
            }
    ]

// ---- arithmetic -------------------------------------------------------------------------------------------------------

let private negatePrimitive =
    { unaryRecord "neg" UnaryOp.Negate "-{0}" "-{0}" 0 with
        Type = Lower.number
        Linear = Linearity.Jointly
    }

/// -x.
let neg x = unary negatePrimitive x

tie negatePrimitive (fun _ _ g -> neg g) (lazy (onOne "neg" Domain.Any neg))

let private addPrimitive =
    binaryRecord "add" BinaryOp.Add "({0} + {1})" "({0} + {1})" 0 Linearity.Jointly

/// a + b.
let add a b = broadcasting addPrimitive a b

tie addPrimitive (fun _ _ g -> g) (lazy (onTwo "add" Domain.Any Domain.Any add))

let private subtractPrimitive =
    binaryRecord "sub" BinaryOp.Subtract "({0} - {1})" "({0} - {1})" 0 Linearity.Jointly

/// a - b.
let sub a b = broadcasting subtractPrimitive a b

tie subtractPrimitive (fun _ i g -> if i = 0 then g else neg g) (lazy (onTwo "sub" Domain.Any Domain.Any sub))

let private multiplyPrimitive =
    binaryRecord "mul" BinaryOp.Multiply "({0} * {1})" @"{0} \cdot {1}" both Linearity.Separately

/// a * b.
let mul a b = broadcasting multiplyPrimitive a b

tie multiplyPrimitive (fun n i g -> mul g (if i = 0 then n.B else n.A)) (lazy (onTwo "mul" Domain.Any Domain.Any mul))

let private dividePrimitive =
    { binaryRecord "div" BinaryOp.Divide "({0} / {1})" @"\frac{{0}}{{1}}" (second ||| output) Linearity.First with
        Type = Lower.floating
    }

/// a / b.
let div a b = broadcasting dividePrimitive a b

tie dividePrimitive (fun n i g -> if i = 0 then div g n.B else neg (mul (div g n.B) n)) (lazy (onTwo "div" Domain.Any Domain.NonZero div))

/// A constant of the node's type times the node.
let scale (factor: float) (x: Node) = mul (Leaves.constant x.DType factor) x

let private squarePrimitive =
    unaryRecord "square" UnaryOp.Square "{0}^2" "{0}^2" first

/// x * x.
let square x = unary squarePrimitive x

tie squarePrimitive (fun n _ g -> mul g (scale 2.0 n.A)) (lazy (onOne "square" Domain.Any square))

let private reciprocalPrimitive =
    unaryRecord "reciprocal" UnaryOp.Reciprocal "1 / {0}" @"\frac1{{0}}" output

/// 1 / x.
let reciprocal x = unary reciprocalPrimitive x

tie reciprocalPrimitive (fun n _ g -> neg (mul g (square n))) (lazy (onOne "reciprocal" Domain.NonZero reciprocal))

let private sqrtPrimitive =
    unaryRecord "sqrt" UnaryOp.Sqrt "sqrt({0})" @"\sqrt{{0}}" output

/// The square root.
let sqrt x = unary sqrtPrimitive x

tie sqrtPrimitive (fun n _ g -> div g (scale 2.0 n)) (lazy (onOne "sqrt" Domain.Positive sqrt))

// ---- comparisons, masks and choices -----------------------------------------------------------------------------------

let private compareRecord name op text latex =
    { define name Family.Elementwise 2 with
        Type = boolean
        Text = text
        Latex = latex
        Element = ElementRule(fun n -> ElementFunction.Compare(op, n.A.DType))
        Vjp = Vjp(fun _ _ _ -> null)
    }

let private equalPrimitive =
    compareRecord "equal" CompareOp.Equal "({0} = {1})" "[{0} = {1}]"

let private lessPrimitive =
    compareRecord "less" CompareOp.Less "({0} < {1})" "[{0} < {1}]"

let private lessEqualPrimitive =
    compareRecord "lessEqual" CompareOp.LessEqual "({0} <= {1})" @"[{0} \le {1}]"

/// Where a = b.
let equal a b = broadcasting equalPrimitive a b

/// Where a < b.
let less a b = broadcasting lessPrimitive a b

/// Where a <= b.
let lessEqual a b = broadcasting lessEqualPrimitive a b

for p, build in [ equalPrimitive, equal; lessPrimitive, less; lessEqualPrimitive, lessEqual ] do
    p.Samples <- lazy (onTwo p.Name Domain.Any Domain.Any build)

let private notPrimitive =
    { unaryRecord "not" UnaryOp.Not "not {0}" @"\lnot {0}" 0 with
        Vjp = Vjp(fun _ _ _ -> null)
        Type =
            TypeRule(fun n ->
                if n.A.DType <> ElementType.Bool then
                    raise (ElementTypeException("not", "bool", Value.NameOf n.A.DType, n.Path, "Make a mask with a comparison first."))

                ElementType.Bool)
    }

/// Where a mask is false.
let logicalNot x = unary notPrimitive x

notPrimitive.Samples <- lazy (onOne "not" Domain.Mask logicalNot)

let private wherePrimitive =
    { define "where" Family.Elementwise 3 with
        Text = "where({0}, {1}, {2})"
        Latex = @"\operatorname{where}({0}, {1}, {2})"
        Linear = Linearity.AfterFirst
        Saves = first
        Shape = ShapeRule(fun n -> n.B.Shape)
        Type =
            TypeRule(fun n ->
                if n.A.DType <> ElementType.Bool then
                    raise (ElementTypeException("where", "a bool mask", Value.NameOf n.A.DType, n.Path, "Make the mask with a comparison."))

                if n.B.DType <> n.C.DType then
                    mixed "where" n.B n.C

                n.B.DType)
        Element = ElementRule(fun n -> ElementFunction.Select n.DType)
    }

/// a where the mask is true, b elsewhere; all three broadcast.
let where (mask: Node) (a: Node) (b: Node) =
    let common x y =
        match Shapes.broadcast x y with
        | null ->
            raise (
                ShapeException(
                    "where",
                    "shapes that broadcast (aligned at the last axis, lengths equal or 1)",
                    $"{mask.Shape}, {a.Shape} and {b.Shape}",
                    Context.Current.Path,
                    "Reshape or slice one of them."
                )
            )
        | s -> s

    let shape = common mask.Shape (common a.Shape b.Shape)
    Node.Make(wherePrimitive, 0L, null, Moves.broadcastTo shape mask, Moves.broadcastTo shape a, Moves.broadcastTo shape b)

tie
    wherePrimitive
    (fun n i g ->
        let zero = Leaves.constant g.DType 0.0

        match i with
        | 0 -> null
        | 1 -> where n.A g zero
        | _ -> where n.A zero g)
    (lazy
        [
            {
                Name = "equal shapes"
                Inputs = [ [ 2; 3 ], Domain.Mask; [ 2; 3 ], Domain.Any; [ 2; 3 ], Domain.Any ]
                Build = fun x -> where x[0] x[1] x[2]
            }
            {
                Name = "broadcast"
                Inputs = [ [ 2; 1 ], Domain.Mask; [ 3 ], Domain.Any; [], Domain.Any ]
                Build = fun x -> where x[0] x[1] x[2]
            }
        ])

/// x > 0.
let positive (x: Node) = less (Leaves.constant x.DType 0.0) x

// ---- functions with kinks ---------------------------------------------------------------------------------------------

let private signPrimitive =
    { unaryRecord "sign" UnaryOp.Sign "sign({0})" @"\operatorname{sign}({0})" 0 with
        Kink = "derivative 0 everywhere, at the step too"
        Vjp = Vjp(fun _ _ _ -> null)
    }

/// -1, 0 or 1.
let sign x = unary signPrimitive x

signPrimitive.Samples <- lazy (onOne "sign" Domain.NonZero sign)

let private floorPrimitive =
    { unaryRecord "floor" UnaryOp.Floor "floor({0})" @"\lfloor {0} \rfloor" 0 with
        Kink = "derivative 0 everywhere, at the steps too"
        Vjp = Vjp(fun _ _ _ -> null)
    }

/// The largest integer that is not above x.
let floor x = unary floorPrimitive x

floorPrimitive.Samples <- lazy (onOne "floor" Domain.Unit floor)

let private flushPrimitive =
    unaryRecord "flush" UnaryOp.Flush "flush({0})" @"\operatorname{flush}({0})" 0

/// x, or 0 where it is subnormal: nearer to 0 than the smallest normal number. The derivative is 1 everywhere.
let flush x = unary flushPrimitive x

tie flushPrimitive (fun _ _ g -> g) (lazy (onOne "flush" Domain.Any flush))

let private absPrimitive =
    { unaryRecord "abs" UnaryOp.Abs "|{0}|" "|{0}|" first with
        Kink = "abs'(0) = 0"
    }

/// The absolute value.
let abs x = unary absPrimitive x

tie absPrimitive (fun n _ g -> mul g (sign n.A)) (lazy (onOne "abs" Domain.NonZero abs))

let private reluPrimitive =
    { unaryRecord "relu" UnaryOp.Relu "relu({0})" @"\operatorname{relu}({0})" output with
        Kink = "relu'(0) = 0"
    }

/// max(x, 0); NaN stays NaN.
let relu x = unary reluPrimitive x

// The mask is of the dead half, so that NaN passes the gradient, and from the result, so that the input need not be kept: both as in PyTorch.
tie
    reluPrimitive
    (fun n _ g ->
        let zero = constantLike g 0.0
        where (lessEqual n zero) zero g)
    (lazy (onOne "relu" Domain.NonZero relu))

// The loser gets nothing, and a tie is shared equally; where one is NaN nobody loses, as in PyTorch.
let private extremum name op text latex (loses: Node -> Node -> Node) =
    let p =
        { binaryRecord name op text latex both Linearity.None with
            Kink = "a tie shares the gradient equally"
        }

    let vjp (n: Node) i g =
        let own, other = if i = 0 then n.A, n.B else n.B, n.A
        let half = scale 0.5 g
        let zero = Leaves.constant g.DType 0.0
        where (equal own other) half (where (loses own other) zero g)

    tie p vjp (lazy (onTwo name Domain.Any Domain.Any (broadcasting p)))
    p

let private maximumPrimitive =
    extremum "maximum" BinaryOp.Maximum "max({0}, {1})" @"\max({0}, {1})" less

/// The larger of two.
let maximum a b = broadcasting maximumPrimitive a b

let private minimumPrimitive =
    extremum "minimum" BinaryOp.Minimum "min({0}, {1})" @"\min({0}, {1})" (fun own other -> less other own)

/// The smaller of two.
let minimum a b = broadcasting minimumPrimitive a b

// ---- exponentials and trigonometry ------------------------------------------------------------------------------------

let private expPrimitive =
    unaryRecord "exp" UnaryOp.Exp "exp({0})" @"e^{{0}}" output

/// e to the x.
let exp x = unary expPrimitive x

tie expPrimitive (fun n _ g -> mul g n) (lazy (onOne "exp" Domain.Any exp))

let private expm1Primitive =
    unaryRecord "expm1" UnaryOp.Expm1 "expm1({0})" @"e^{{0}} - 1" output

/// e to the x, less 1, accurate near 0.
let expm1 x = unary expm1Primitive x

tie expm1Primitive (fun n _ g -> mul g (add n (Leaves.constant n.DType 1.0))) (lazy (onOne "expm1" Domain.Any expm1))

let private logPrimitive =
    unaryRecord "log" UnaryOp.Log "log({0})" @"\log {0}" first

/// The natural logarithm.
let log x = unary logPrimitive x

tie logPrimitive (fun n _ g -> div g n.A) (lazy (onOne "log" Domain.Positive log))

let private log1pPrimitive =
    unaryRecord "log1p" UnaryOp.Log1p "log1p({0})" @"\log(1 + {0})" first

/// log(1 + x), accurate near 0.
let log1p x = unary log1pPrimitive x

tie log1pPrimitive (fun n _ g -> div g (add n.A (Leaves.constant n.DType 1.0))) (lazy (onOne "log1p" Domain.Positive log1p))

let private tanhPrimitive =
    unaryRecord "tanh" UnaryOp.Tanh "tanh({0})" @"\tanh {0}" output

/// The hyperbolic tangent.
let tanh x = unary tanhPrimitive x

tie tanhPrimitive (fun n _ g -> mul g (sub (Leaves.constant n.DType 1.0) (square n))) (lazy (onOne "tanh" Domain.Any tanh))

let private sigmoidPrimitive =
    unaryRecord "sigmoid" UnaryOp.Sigmoid "sigmoid({0})" @"\sigma({0})" output

/// 1 / (1 + exp(-x)).
let sigmoid x = unary sigmoidPrimitive x

tie sigmoidPrimitive (fun n _ g -> mul g (mul n (sub (Leaves.constant n.DType 1.0) n))) (lazy (onOne "sigmoid" Domain.Any sigmoid))

let private sinPrimitive =
    unaryRecord "sin" UnaryOp.Sin "sin({0})" @"\sin {0}" first

let private cosPrimitive =
    unaryRecord "cos" UnaryOp.Cos "cos({0})" @"\cos {0}" first

/// The sine.
let sin x = unary sinPrimitive x

/// The cosine.
let cos x = unary cosPrimitive x

tie sinPrimitive (fun n _ g -> mul g (cos n.A)) (lazy (onOne "sin" Domain.Any sin))
tie cosPrimitive (fun n _ g -> neg (mul g (sin n.A))) (lazy (onOne "cos" Domain.Any cos))

let private powerPrimitive =
    { binaryRecord "pow" BinaryOp.Power "({0} ^ {1})" "{0}^{{1}}" (both ||| output) Linearity.None with
        Type = Lower.floating
        Kink = "0^0 = 1 with derivative 0 by the exponent; the derivative by the base is 0 where the exponent is 0"
    }

/// a to the power b.
let pow a b = broadcasting powerPrimitive a b

tie
    powerPrimitive
    (fun n i g ->
        let zero = Leaves.constant g.DType 0.0

        if i = 0 then
            // b a^(b-1); at b = 0 that would be 0 * a^-1, not a number at a = 0.
            let slope = mul n.B (pow n.A (sub n.B (Leaves.constant n.DType 1.0)))
            where (equal n.B zero) zero (mul g slope)
        else
            // a^b log a; at a = 0 and b >= 0 the power is 0 (or 1 for b = 0) whatever the small change of b.
            let harmless = where (less n.B zero) n.A (Leaves.constant g.DType 1.0)
            mul g (mul n (log (where (equal n.A zero) harmless n.A))))
    (lazy (onTwo "pow" Domain.Positive Domain.Any pow))

// ---- conversion -------------------------------------------------------------------------------------------------------

let private castPrimitive =
    { define "to" Family.Elementwise 1 with
        Linear = Linearity.Jointly
        Text = "to({0})"
        Latex = @"\operatorname{to}({0})"
        Type = TypeRule(fun n -> LanguagePrimitives.EnumOfValue(byte n.Attribute))
        Element = ElementRule(fun n -> ElementFunction.Cast(n.A.DType, n.DType))
    }

/// The elements in another type: floats to integers toward zero, any number to bool as "not 0".
let cast (dtype: ElementType) (x: Node) =
    if x.DType = dtype then
        x
    else
        Node.Make(castPrimitive, int64 (byte dtype), null, x, null, null)

tie
    castPrimitive
    (fun n _ g ->
        if n.A.DType <= ElementType.Float64 then
            cast n.A.DType g
        else
            null)
    (lazy
        [
            for name, shape, domain, target in
                [
                    "mask to number", [ 2; 3 ], Domain.Mask, ElementType.Float64
                    "float64 to float32", [ 2; 3 ], Domain.Any, ElementType.Float32
                    "a scalar to float32", [], Domain.Any, ElementType.Float32
                    "number to integer", [ 4 ], Domain.Any, ElementType.Int32
                    "integer to number", [ 4 ], Domain.Index, ElementType.Float64
                ] ->
                {
                    Name = name
                    Inputs = [ shape, domain ]
                    Build = fun x -> cast target x[0]
                }
        ])

/// The primitives of this family.
let all =
    [
        negatePrimitive
        addPrimitive
        subtractPrimitive
        multiplyPrimitive
        dividePrimitive
        squarePrimitive
        reciprocalPrimitive
        sqrtPrimitive
        equalPrimitive
        lessPrimitive
        lessEqualPrimitive
        notPrimitive
        wherePrimitive
        signPrimitive
        floorPrimitive
        flushPrimitive
        absPrimitive
        reluPrimitive
        maximumPrimitive
        minimumPrimitive
        expPrimitive
        expm1Primitive
        logPrimitive
        log1pPrimitive
        tanhPrimitive
        sigmoidPrimitive
        sinPrimitive
        cosPrimitive
        powerPrimitive
        castPrimitive
    ]
