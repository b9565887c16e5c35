/// Random numbers as functions of a key: the same key, stream, shape and type give the same numbers.
module internal Hybrid.Core.Randoms

open System.Runtime.InteropServices
open Hybrid.Kernels
open Hybrid.Core.Primitive

// Attributes: the result's shape. Attribute word: the element type in the lowest byte, the stream above it.
let private random name latex (run: ElementType * nativeint * int64 * uint64 * uint64 * WorkerPool -> unit) : Primitive =
    { define name Family.Random 1 with
        Access = Access.Contiguous
        Text = $"{name}({{0}})"
        Latex = latex
        Kink = "a function of a key, treated as constant"
        Vjp = Vjp(fun _ _ _ -> null)
        Shape =
            ShapeRule(fun n ->
                if not (Shapes.same n.A.Shape (Shape [| 2 |])) then
                    raise (
                        ShapeException(
                            name,
                            "a key of shape [2]",
                            string n.A.Shape,
                            n.Path,
                            "A key is 64 bits in two int32 numbers, the low half first."
                        )
                    )

                Shape n.Attributes)
        Type =
            TypeRule(fun n ->
                if n.A.DType <> ElementType.Int32 then
                    raise (
                        ElementTypeException(
                            name,
                            "a key of type int32",
                            Value.NameOf n.A.DType,
                            n.Path,
                            "A key is 64 bits in two int32 numbers, the low half first."
                        )
                    )

                LanguagePrimitives.EnumOfValue(byte n.Attribute))
        Lower =
            Lowering(fun n _ ->
                let dtype, count, stream = n.DType, n.Shape.Size, uint64 (n.Attribute >>> 8)

                Kernel(fun o ->
                    let key = o.Inputs[0]
                    let low, high = uint32 (Marshal.ReadInt32 key), uint32 (Marshal.ReadInt32(key, 4))
                    run (dtype, o.Output, count, uint64 low ||| (uint64 high <<< 32), stream, o.Pool)))
    }

let private uniformPrimitive =
    random "uniform" @"\mathcal{U}_{{0}}(0, 1)" (fun (t, y, count, key, stream, pool) -> RandomBits.Uniform(t, y, count, key, stream, pool))

let private normalPrimitive =
    random "normal" @"\mathcal{N}_{{0}}(0, 1)" (fun (t, y, count, key, stream, pool) -> RandomBits.Normal(t, y, count, key, stream, pool))

let private make (p: Primitive) (stream: int) (dtype: ElementType) (shape: Shape) (key: Node) =
    if dtype > ElementType.Float64 then
        raise (
            ElementTypeException(
                p.Name,
                "float32 or float64",
                Value.NameOf dtype,
                Context.Current.Path,
                "Draw floats, and convert the result with To."
            )
        )

    Node.Make(p, int64 (byte dtype) ||| (int64 stream <<< 8), shape.Raw, key, null, null)

/// Numbers spread evenly over [0, 1), made from a key (int32 [2], the low half first) and a stream, of which a key has many
/// that are independent.
let uniform stream dtype shape key =
    make uniformPrimitive stream dtype shape key

/// Normal deviates of mean 0 and variance 1, made from a key (int32 [2], the low half first) and a stream, of which a key has
/// many that are independent.
let normal stream dtype shape key =
    make normalPrimitive stream dtype shape key

for p, build in [ uniformPrimitive, uniform; normalPrimitive, normal ] do
    p.Samples <-
        lazy
            [
                for name, shape in [ "matrix", [| 2; 3 |]; "scalar", [||]; "empty", [| 0 |] ] ->
                    {
                        Name = name
                        Inputs = [ [ 2 ], Domain.Index ]
                        Build = fun x -> build 1 ElementType.Float64 (Shape shape) x[0]
                    }
            ]

/// The primitives of this family.
let all = [ uniformPrimitive; normalPrimitive ]
