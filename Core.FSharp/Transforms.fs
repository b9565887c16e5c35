namespace Hybrid.Core

open System

/// Functions of functions: gradients, products with Jacobians, Jacobians, Hessians. They nest, since a derivative is a graph again.
/// Each application makes variables of its own, so that an outer and an inner derivative are never confused.
[<AutoOpen>]
module Transforms =
    let private zerosLike (x: Tensor) =
        Tensor.Of(Elementwise.constantLike x.Node 0.0)

    let private orZero (x: Tensor) (g: Node) =
        if isNull g then zerosLike x else Tensor.Of g

    let private requireFloat operation (x: Tensor) =
        if x.DType > Hybrid.Kernels.ElementType.Float64 then
            raise (
                ElementTypeException(
                    operation,
                    "float32 or float64",
                    Value.NameOf x.DType,
                    Context.Current.Path,
                    "Only floating-point tensors have derivatives: convert with To first."
                )
            )

    // What is multiplied with a derivative has the type of what it stands for.
    let private requireType operation (what: string) (given: Tensor) (other: Tensor) =
        if given.DType <> other.DType then
            raise (
                ElementTypeException(
                    operation,
                    $"a {what} of type {Value.NameOf other.DType}",
                    Value.NameOf given.DType,
                    Context.Current.Path,
                    "Types never mix silently: convert it with To."
                )
            )

    // A variable of its own for x, with recording on: inside of a transform, NoGrad around it does not count.
    let private variable operation (x: Tensor) =
        requireFloat operation x
        use _ = Recording.On()
        Tensor.Of(Leaves.variable x.Node)

    let private apply (f: Tensor -> Tensor) (v: Tensor) =
        use _ = Recording.On()
        f v

    /// The value of `f` at `x`, and the function from cotangents (of the result's shape) to gradients with respect to `x`.
    let vjp (f: Tensor -> Tensor) (x: Tensor) : Tensor * (Tensor -> Tensor) =
        let v = variable "vjp" x
        let y = apply f v

        let pullback (cotangent: Tensor) =
            if not (Shapes.same cotangent.Shape y.Shape) then
                raise (
                    ShapeException(
                        "vjp",
                        $"a cotangent of shape {y.Shape}, as the result has",
                        string cotangent.Shape,
                        Context.Current.Path,
                        "A cotangent has the shape of the result."
                    )
                )

            requireType "vjp" "cotangent" cotangent y
            use _ = Recording.On()
            orZero x (Sweep.withRespectTo null y.Node cotangent.Node [| v.Node |]).[0]

        y, pullback

    /// The value of a scalar-valued `f` at `x`, and its gradient there. Throws ShapeException if the result has more than one element.
    let valueAndGrad (f: Tensor -> Tensor) (x: Tensor) : Tensor * Tensor =
        let y, pullback = vjp f x

        if y.Size <> 1L then
            raise (
                ShapeException(
                    "grad",
                    "a function whose result is one element",
                    string y.Shape,
                    Context.Current.Path,
                    "Use vjp or jacobian, or reduce the result with Sum or Mean."
                )
            )

        y, pullback (Tensor.Of(Elementwise.constantLike y.Node 1.0))

    /// The gradient of a scalar-valued `f` at `x`, of x's shape.
    let grad (f: Tensor -> Tensor) (x: Tensor) : Tensor = snd (valueAndGrad f x)

    /// The gradients of a scalar-valued function of several tensors with respect to each.
    let gradAll (f: Tensor[] -> Tensor) (xs: Tensor[]) : Tensor[] =
        let variables = xs |> Array.map (variable "grad")
        use _ = Recording.On()
        let y = f variables

        if y.Size <> 1L then
            raise (
                ShapeException(
                    "grad",
                    "a function whose result is one element",
                    string y.Shape,
                    Context.Current.Path,
                    "Use vjp or jacobian, or reduce the result with Sum or Mean."
                )
            )

        Sweep.withRespectTo null y.Node (Elementwise.constantLike y.Node 1.0) (variables |> Array.map (fun v -> v.Node))
        |> Array.map2 orZero xs

    // Forward mode is the derivative of the backward pass by its cotangent, which is right only if every rule is linear in it.
    let private requireLinear (result: Node) (cotangent: Node) =
        lock Gate.instance (fun () ->
            let order = Walk.order (Walk.tracked null) [| result |]
            let depends = Array.zeroCreate<bool> order.Count

            for i in 0 .. order.Count - 1 do
                let n = order.Nodes[i]

                let operand k =
                    depends[order.Operands[order.Starts[i] + k]]

                let arity = order.Starts[i + 1] - order.Starts[i]
                let which = [ 0 .. arity - 1 ] |> List.filter operand
                depends[i] <- Object.ReferenceEquals(n, cotangent) || not which.IsEmpty

                let linear =
                    match n.Primitive.Linear with
                    | _ when which.IsEmpty || Object.ReferenceEquals(n, cotangent) -> true
                    | Linearity.Jointly -> true
                    | Linearity.Separately -> which.Length = 1
                    | Linearity.First -> which = [ 0 ]
                    | Linearity.AfterFirst -> not (List.contains 0 which)
                    | _ -> false

                if not linear then
                    raise (
                        TapeException(
                            "jvp",
                            "backward rules that are linear in their cotangent",
                            $"one that applies {n.Primitive.Name} to it",
                            n.Path,
                            "Forward mode is the derivative of the backward rule; write the rule with operations that are linear in the gradient."
                        )
                    ))

    /// The value of `f` at `x`, and the directional derivative along `tangent` (of x's shape): forward mode.
    let jvp (f: Tensor -> Tensor) (x: Tensor) (tangent: Tensor) : Tensor * Tensor =
        if not (Shapes.same tangent.Shape x.Shape) then
            raise (
                ShapeException(
                    "jvp",
                    $"a tangent of shape {x.Shape}, as the argument has",
                    string tangent.Shape,
                    Context.Current.Path,
                    "A tangent has the shape of the argument."
                )
            )

        requireType "jvp" "tangent" tangent x
        let y, pullback = vjp f x
        let u = variable "jvp" (zerosLike y)
        let g = pullback u
        requireLinear g.Node u.Node
        use _ = Recording.On()
        y, orZero y (Sweep.withRespectTo null g.Node tangent.Node [| u.Node |]).[0]

    /// The Jacobian of `f` at `x`: the result's shape followed by x's shape. One backward sweep for each element of the result.
    let jacobian (f: Tensor -> Tensor) (x: Tensor) : Tensor =
        let y, pullback = vjp f x
        let m = int y.Size

        let row i =
            let basis =
                Selection.oneHot m y.DType (Leaves.value (Value.OfSpan(ReadOnlySpan<int> [| i |], Shape.Scalar)))

            (pullback (Tensor.Of(Moves.reshape y.Shape.Raw basis))).Node
            |> Moves.reshape [| 1; int x.Size |]

        let rows =
            if m = 0 then
                Elementwise.constantLike (Leaves.placeholder (Shape.Of [| 0; int x.Size |]) x.DType) 0.0
            else
                Slices.concat 0 (Array.init m row)

        Tensor.Of(Moves.reshape (Array.append y.Shape.Raw x.Shape.Raw) rows)

    /// The Hessian of a scalar-valued `f` at `x`: x's shape twice.
    let hessian (f: Tensor -> Tensor) (x: Tensor) : Tensor = jacobian (grad f) x

/// The transforms for C#: functions are `Func`, results of two parts are value tuples.
[<AbstractClass; Sealed>]
type Autodiff =
    /// The gradient of a scalar-valued function, as a function.
    static member Grad(f: Func<Tensor, Tensor>) : Func<Tensor, Tensor> = Func<Tensor, Tensor>(grad f.Invoke)

    /// The gradients of a scalar-valued function of several tensors, as a function.
    static member Grad(f: Func<Tensor[], Tensor>) : Func<Tensor[], Tensor[]> =
        Func<Tensor[], Tensor[]>(gradAll f.Invoke)

    /// Value and gradient of a scalar-valued function at x.
    static member ValueAndGrad(f: Func<Tensor, Tensor>, x: Tensor) : struct (Tensor * Tensor) =
        let y, g = valueAndGrad f.Invoke x
        struct (y, g)

    /// Value at x, and the function from cotangents to gradients.
    static member Vjp(f: Func<Tensor, Tensor>, x: Tensor) : struct (Tensor * Func<Tensor, Tensor>) =
        let y, pullback = vjp f.Invoke x
        struct (y, Func<Tensor, Tensor> pullback)

    /// Value at x, and the directional derivative along a tangent.
    static member Jvp(f: Func<Tensor, Tensor>, x: Tensor, tangent: Tensor) : struct (Tensor * Tensor) =
        let y, d = jvp f.Invoke x tangent
        struct (y, d)

    /// The Jacobian at x: the result's shape followed by x's shape.
    static member Jacobian(f: Func<Tensor, Tensor>, x: Tensor) : Tensor = jacobian f.Invoke x

    /// The Hessian at x: x's shape twice.
    static member Hessian(f: Func<Tensor, Tensor>, x: Tensor) : Tensor = hessian f.Invoke x
