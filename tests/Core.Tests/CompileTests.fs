/// Compiled functions beside gradients: what is differentiated through them, what they refuse, and when they are traced again.
module Hybrid.Core.Tests.CompileTests

open System
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine

let private vector (values: float list) = Tensor.From(Array.ofList values)
let private squares = compile (fun x -> x.Square().Sum())
let private cube = compile (fun x -> x * x * x)

/// Derivatives through compiled functions, and of the same functions as they are.
let private derivatives: (string * (Tensor -> Tensor) * (Tensor -> Tensor)) list =
    let x = fun (t: Tensor) -> t

    [
        "grad", grad squares, (fun t -> x t * 2.0)
        "a factor", grad (fun t -> (cube t * t).Sum()), (fun t -> t * t * t * 4.0)
        "hessian", hessian (fun t -> (cube t).Sum()), hessian (fun t -> (t * t * t).Sum())
        "jvp", (fun t -> snd (jvp cube t (t * 0.5))), (fun t -> snd (jvp (fun t -> t * t * t) t (t * 0.5)))
        "inside another", compile (grad squares), (fun t -> t * 2.0)
    ]

let names =
    let data = TheoryData<string>()

    for name, _, _ in derivatives do
        data.Add name

    data

[<Theory; MemberData(nameof names)>]
let ``derivatives go through a compiled function`` (name: string) =
    fresh (fun _ ->
        let _, through, plain = derivatives |> List.find (fun (n, _, _) -> n = name)
        let at = vector [ 1.0; -2.0; 3.0 ]

        for _ in 1..2 do
            Assert.Equal<int64[]>(bits (plain at), bits (through at)))

[<Fact>]
let ``a sweep that ends at a compiled function which read a trainable cell is refused`` () =
    fresh (fun _ ->
        let c = Cell("scale", vector [ 2.0 ])
        let scaled = compile (fun x -> x * c.Value)
        let y = scaled (vector [ 3.0 ])
        Assert.Equal(6.0, y.Item())
        let refused = Assert.Throws<TapeException>(fun () -> (y * c.Value).Sum().Backward())

        Assert.Equal(
            "backward: expected values that gradients can flow through, got a result of a compiled function that read the trainable cell 'scale'. Call Backward inside of the compiled function, or call the function itself; Detach makes such a result a plain number.",
            refused.Message
        )

        let captured = c.Value * 2.0

        let refused =
            Assert.Throws<TapeException>(fun () -> (compile (fun x -> x * captured) (vector [ 1.0 ])).Sum().Backward())

        Assert.Contains("got a result of a compiled function that captured a tensor with a gradient to come. ", refused.Message)
        (y.Detach() * c.Value).Sum().Backward()
        Assert.Equal(6.0, c.Grad.Item())
        c.ZeroGrad()
        use _ = Mode.NoGrad()
        Assert.Equal(8.0, (scaled (vector [ 4.0 ])).Item()))

[<Theory>]
[<InlineData "read">]
[<InlineData "add">]
let ``a gradient from before the call is refused`` (what: string) =
    fresh (fun _ ->
        let w = Cell("w", vector [ 0.0 ])

        let f =
            CompiledFunction(fun _ ->
                if what = "add" then
                    (w.Value * 3.0).Sum().Backward()

                [| (if isNull w.Grad then w.Value else w.Grad) |])

        let refuse () =
            let refused = Assert.Throws<TapeException>(fun () -> f.Invoke() |> ignore)

            Assert.Equal(
                "compile: expected no gradient from before the call on cell 'w', whose gradient the compiled function reads or adds to, got one. Call ZeroGrad inside of the compiled function, and Backward after it.",
                refused.Message
            )

        let gradient () = (w.Value * 2.0).Sum().Backward()
        gradient ()
        refuse ()
        w.ZeroGrad()
        Assert.Equal((if what = "add" then 3.0 else 0.0), f.Invoke().[0].Item())
        w.ZeroGrad()
        gradient ()
        refuse ())

[<Fact>]
let ``a cell that is frozen or unfrozen later has the function traced again`` () =
    fresh (fun engine ->
        let w = Cell("w", vector [ 1.0 ])

        let step =
            CompiledFunction(fun x ->
                w.ZeroGrad()
                let loss = (w.Value * x[0]).Sum()

                if w.Trainable then
                    loss.Backward()
                    w.Set(w.Value - w.Grad)

                [| loss |])

        let run () = step.Invoke(vector [ 1.0 ]) |> ignore
        run ()
        Assert.Equal(0.0, w.Value.Item())
        w.Trainable <- false
        run ()
        Assert.Equal(0.0, w.Value.Item())
        w.Trainable <- true
        let compiled = engine.Stats.Compiles
        run ()
        Assert.Equal(-1.0, w.Value.Item())
        // What was traced first fits again.
        Assert.Equal(compiled, engine.Stats.Compiles))

[<Fact>]
let ``cotangents, tangents and reported gradients have the type of what they stand for`` () =
    let x, whole = vector [ 1.0 ], Tensor.From [| 1 |]
    let w = Cell("w", x)

    for refused, text in
        [
            (fun () -> (snd (vjp id x)) whole |> ignore),
            "vjp: expected a cotangent of type float64, got int32. Types never mix silently: convert it with To."
            (fun () -> jvp id x (x.To Hybrid.Kernels.ElementType.Float32) |> ignore),
            "jvp: expected a tangent of type float64, got float32. Types never mix silently: convert it with To."
            (fun () -> w.Accumulate(x.To Hybrid.Kernels.ElementType.Float32)),
            "accumulate: expected a gradient of type float64, as cell 'w' has, got float32. A gradient has the type of its parameter: convert it with To."
        ] do
        Assert.Equal(text, Assert.Throws<ElementTypeException>(refused).Message)
