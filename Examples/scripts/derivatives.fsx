// Derivatives of plain functions: a gradient against the known one, a Hessian, and a Hessian-vector product without the Hessian.
// Run: dotnet fsi Examples/scripts/derivatives.fsx   (after a build)
#load "hybrid.fsx"

open Hybrid.Core

let near what expected actual =
    let worst =
        Array.map2 (fun (a: float) b -> abs (a - b)) expected (Tensor.values actual)
        |> Array.max

    printfn $"{what}: {actual.Eval()}, off by %.1e{worst}"

    if worst > 1e-12 then
        failwith $"{what} is wrong"

// f(x) = sum(x sin x), f'(x) = sin x + x cos x, f'' = 2 cos x - x sin x on the diagonal.
let f x = x * Tensor.sin x |> Tensor.sum
let points = [| 0.5; 1.0; 2.0 |]
let x = Tensor.vector points

grad f x |> near "gradient" [| for p in points -> sin p + p * cos p |]

let diagonal = [| for p in points -> 2.0 * cos p - p * sin p |]

hessian f x
|> near
    "Hessian"
    [|
        for i in 0..2 do
            for j in 0..2 -> if i = j then diagonal[i] else 0.0
    |]

// The product with a vector: forward mode over reverse mode.
let v = Tensor.vector [ 1.0; -1.0; 2.0 ]

jvp (grad f) x v
|> snd
|> near "Hessian times v" (Array.map2 (*) diagonal (Tensor.values v))

printfn "derivatives: ok"
