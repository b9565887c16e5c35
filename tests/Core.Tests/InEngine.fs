/// Engines for tests to run in, and what they compare.
module internal Hybrid.Core.Tests.InEngine

open System
open Hybrid.Core

/// Runs a test within a new engine.
let on (options: EngineOptions) test =
    let engine = Engine options
    use _ = engine.Use()
    test engine

/// Runs a test within a new engine of two threads.
let fresh test = on (EngineOptions(Threads = 2)) test

/// So many float32 numbers from -0.5 to 0.5.
let uniform n seed =
    let random = Random(seed: int)
    Tensor.From(Array.init n (fun _ -> random.NextSingle() - 0.5f), n)

/// The bits of every element.
let bits (t: Tensor) =
    t.ToDoubles() |> Array.map BitConverter.DoubleToInt64Bits
