/// Properties of random graphs: what must hold for any expression, whoever wrote it.
module Hybrid.Core.Tests.GraphProperties

open System
open FsCheck
open Xunit
open Hybrid.Core
open Hybrid.Core.Tests.InEngine
open Hybrid.Kernels

let private check (property: int -> bool) =
    Check.One(Config.QuickThrowOnFailure.WithMaxTest(150).WithReplay(20261122UL, 7UL), property)

/// Operations that keep a matrix [3, 4] a matrix [3, 4] and its values of moderate size; smooth ones first.
let private steps: ((Random -> Tensor -> Tensor -> Tensor) list) =
    [
        fun _ a b -> a + b
        fun _ a b -> a - b
        fun _ a b -> (a * b).Tanh()
        fun _ a b -> a / (b.Square() + 1.0)
        fun _ a _ -> a.Sin()
        fun _ a _ -> a.Sigmoid() * 2.0
        fun _ a b -> a.MatMul(b.Transpose()).Tanh().MatMul(a).Tanh()
        fun _ a b -> a + b.Sum(0, true)
        fun _ a b -> (a - b.Mean(1, true)).Cos()
        fun _ a b -> a.Reshape(4, 3).Transpose() + b
        fun random a b ->
            Tensor.Concat(0, a, b).Permute(1, 0).Reshape(4, 6).Sum(1).Reshape(1, 4)
            * (0.1 + random.NextDouble())
            - a
        fun _ a _ -> a.LogSoftmax(1) * 0.3
        fun _ a b -> a.Softmax(0) + b
        fun _ a _ -> -(-a) * 1.0
        fun _ a b -> a.Detach() * b.Tanh()
        // With kinks.
        fun _ a b -> a.Maximum(b)
        fun _ a b -> (a - b).Relu()
        fun _ a b -> a.Less(b).Where(a, b * 0.5)
        fun _ a b -> a.AMax([| 1 |], true) - b
        fun _ a _ -> a.Abs() - a.Max(0).Reshape(1, 4)
    ]

let private smooth = 15

/// A graph over the given tensors, the same for the same seed.
let private graph (seed: int) (kinds: int) (xs: Tensor[]) : Tensor =
    let random = Random seed
    let pool = ResizeArray xs

    for _ in 1 .. 3 + random.Next 12 do
        let a, b = pool[random.Next pool.Count], pool[random.Next pool.Count]
        pool.Add(steps[random.Next kinds] random a b)

    pool[pool.Count - 1] + pool[random.Next pool.Count] * 0.25

let private inputs (seed: int) (dtype: ElementType) =
    let random = Random(seed + 1)

    [|
        for _ in 1..3 -> Tensor.From(Array.init 12 (fun _ -> 2.0 * random.NextDouble() - 1.0), 3, 4).To(dtype).Eval()
    |]

[<Fact>]
let ``rewrites and sharing keep the bits of values and gradients`` () =
    check (fun seed ->
        [ ElementType.Float32; ElementType.Float64 ]
        |> List.forall (fun dtype ->
            let run rewrites =
                on (EngineOptions(Threads = 1, Rewrites = rewrites)) (fun _ ->
                    let xs = inputs seed dtype
                    let y = graph seed steps.Length xs
                    let gs = gradAll (fun v -> (graph seed steps.Length v).Sum()) xs
                    Array.concat (bits y :: (gs |> Array.map bits |> List.ofArray)))

            run true = run false))

[<Fact>]
let ``the engine agrees with the scalar oracle`` () =
    check (fun seed ->
        on (EngineOptions(Threads = 1)) (fun _ ->
            let xs = inputs seed ElementType.Float64
            let y = graph seed steps.Length xs
            let expected = (Oracle.evaluate y.Node).Data
            let actual = y.ToDoubles()
            let scale = expected |> Array.fold (fun m v -> max m (abs v)) 1e-300
            Array.forall2 (fun a b -> abs (a - b) <= 1e-11 * scale || (Double.IsNaN a && Double.IsNaN b)) expected actual))

[<Fact>]
let ``gradients of smooth graphs agree with central differences`` () =
    check (fun seed ->
        on (EngineOptions(Threads = 1)) (fun _ ->
            let xs = inputs seed ElementType.Float64
            // Detach hides a path from gradients and not from differences.
            let f (v: Tensor[]) = (graph seed (smooth - 1) v).Sum()
            let gs = gradAll f xs |> Array.map (fun g -> g.ToDoubles())
            let random = Random seed

            Seq.forall
                (fun _ ->
                    let k, i = random.Next 3, random.Next 12
                    let h = 1e-5

                    let at (d: float) =
                        let moved = xs[k].ToDoubles()
                        moved[i] <- moved[i] + d
                        let v = Array.copy xs
                        v[k] <- Tensor.From(moved, 3, 4)
                        (f v).Item()

                    let difference = (at h - at -h) / (2.0 * h)
                    let scale = gs[k] |> Array.fold (fun m v -> max m (abs v)) 1.0
                    abs (difference - gs[k][i]) <= 1e-6 * scale)
                (seq { 1..4 })))

[<Fact>]
let ``a sweep is linear in its cotangent, and sweeping twice gives the same`` () =
    check (fun seed ->
        on (EngineOptions(Threads = 1)) (fun _ ->
            let x = (inputs seed ElementType.Float64)[0]
            let others = inputs (seed + 5) ElementType.Float64

            let f (t: Tensor) =
                graph seed steps.Length [| t; others[1]; others[2] |]

            let _, pullback = vjp f x

            let u, v =
                (inputs (seed + 9) ElementType.Float64)[0], (inputs (seed + 11) ElementType.Float64)[0]

            let together = (pullback (u * 2.0 + v)).ToDoubles()
            let apart = (pullback u * 2.0 + pullback v).ToDoubles()
            let scale = apart |> Array.fold (fun m w -> max m (abs w)) 1.0

            bits (pullback u) = bits (pullback u)
            && Array.forall2 (fun (a: float) b -> abs (a - b) <= 1e-11 * scale) together apart))

[<Fact>]
let ``forward mode agrees with reverse mode`` () =
    check (fun seed ->
        on (EngineOptions(Threads = 1)) (fun _ ->
            let x = (inputs seed ElementType.Float64)[0]
            let others = inputs (seed + 5) ElementType.Float64

            let f (t: Tensor) =
                graph seed smooth [| t; others[1]; others[2] |]

            let tangent = (inputs (seed + 9) ElementType.Float64)[0]
            let cotangent = (inputs (seed + 11) ElementType.Float64)[0]
            let _, forward = jvp f x tangent
            let _, pullback = vjp f x
            let a = (forward * cotangent).Sum().Item()
            let b = (pullback cotangent * tangent).Sum().Item()
            abs (a - b) <= 1e-10 * max 1.0 (abs a)))

[<Fact>]
let ``a compiled function gives the bits of the lazy one`` () =
    check (fun seed ->
        on (EngineOptions(Threads = 2)) (fun _ ->
            let xs = inputs seed ElementType.Float32

            let f (v: Tensor[]) =
                Array.append [| graph seed steps.Length v |] (gradAll (fun w -> (graph seed steps.Length w).Sum()) v)

            let compiled = CompiledFunction f
            let once = compiled.Invoke xs |> Array.map bits
            let again = compiled.Invoke xs |> Array.map bits
            once = again && once = (f xs |> Array.map bits)))
