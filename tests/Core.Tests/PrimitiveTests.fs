/// What holds for every primitive, tried on each sample that it brings along.
module Hybrid.Core.Tests.PrimitiveTests

open System
open System.Collections.Generic
open System.Text.RegularExpressions
open Hybrid.Core
open Hybrid.Core.Tests.Oracle
open Hybrid.Core.Tests.Trials
open Hybrid.Kernels
open Xunit

let private build (primitive: string) (sample: string) =
    let p, s = find primitive sample
    let x = inputs ElementType.Float64 s
    p, s, x, s.Build x

/// Everything that a node is computed from, itself included, without looking behind `ends`.
let private reach (ends: Node seq) (root: Node) =
    let ends = HashSet<Node>(ends, HashIdentity.Reference)
    let seen = HashSet<Node>(HashIdentity.Reference)
    let stack = Stack<Node> [ root ]

    while stack.Count > 0 do
        let n = stack.Pop()

        if seen.Add n && not (ends.Contains n) then
            for i in 0 .. n.Arity - 1 do
                stack.Push(n.Input i)

    seen

/// The applications of a primitive in a sample's graph.
let private applications (p: Primitive) (root: Node) =
    reach [] root
    |> Seq.filter (fun n -> Object.ReferenceEquals(n.Primitive, p))
    |> List.ofSeq

/// Whether no input of any application has a derivative.
let private isConstant (p: Primitive) =
    p.Trials
    |> List.forall (fun s ->
        applications p (s.Build(inputs ElementType.Float64 s))
        |> List.forall (fun n ->
            let g = like 1 n
            Seq.forall (fun i -> isNull (n.Primitive.Vjp.Invoke(n, i, g))) (seq { 0 .. n.Arity - 1 })))

let everySample = cases (fun _ _ -> true)

let smoothSamples =
    let constants =
        Primitives.all
        |> List.filter (fun p -> p.Family = Family.Leaf || isConstant p)
        |> List.map (fun p -> p.Title)

    cases (fun p s ->
        not (List.contains p.Title constants)
        && s.Inputs |> List.exists (fun (_, domain) -> domain < Domain.Mask)
        && isFloat (s.Build(inputs ElementType.Float64 s)))

let everyPrimitive =
    let data = TheoryData<string>()

    for p in Primitives.all do
        data.Add p.Title

    data

let private named name =
    match Primitives.tryFind name with
    | ValueSome p -> p
    | ValueNone -> failwith name

// ---- the table --------------------------------------------------------------------------------------------------------

[<Fact>]
let ``Names and codes are unique, and the vocabulary is small`` () =
    let count = Primitives.all.Length
    Assert.Equal(count, (Primitives.all |> List.distinctBy (fun p -> p.Title)).Length)
    Assert.Equal(count, (Primitives.all |> List.distinctBy (fun p -> p.Code)).Length)
    Assert.InRange(count, 50, 80)

[<Fact>]
let ``Every file of primitives is in the table`` () =
    let declared =
        typeof<Node>.Assembly.GetTypes()
        |> Seq.filter (fun t -> t.Namespace = "Hybrid.Core" && FSharp.Reflection.FSharpType.IsModule t)
        |> Seq.collect (fun t ->
            t.GetProperties(
                Reflection.BindingFlags.Static
                ||| Reflection.BindingFlags.Public
                ||| Reflection.BindingFlags.NonPublic
            ))
        |> Seq.filter (fun f -> f.PropertyType = typeof<Primitive>)
        |> Seq.map (fun f -> (f.GetValue null :?> Primitive).Title)
        |> Seq.distinct // The compiler adds properties for what `with` copies.
        |> Seq.except [ "formula" ] // It stands for other primitives, which plans write out.
        |> Seq.sort
        |> Array.ofSeq

    Assert.Equal<string>(Primitives.all |> List.map (fun p -> p.Title) |> List.sort |> Array.ofList, declared)

[<Fact>]
let ``No sample is lost`` () =
    Assert.True(all.Length >= 217, $"{all.Length} samples")
    Assert.True(smoothSamples.Count >= 172, $"{smoothSamples.Count} samples with derivatives")

[<Theory; MemberData(nameof everyPrimitive)>]
let ``It has samples with names of their own, and the oracle knows it`` (name: string) =
    let p = named name
    Assert.True(knows p, "the oracle does not know it")

    if p.Family <> Family.Leaf then
        Assert.InRange(p.Trials.Length, 2, 20)
        Assert.Equal(p.Trials.Length, (p.Trials |> List.distinctBy (fun s -> s.Name)).Length)

        for s in p.Trials do
            Assert.NotEmpty(applications p (s.Build(inputs ElementType.Float64 s)))

[<Theory; MemberData(nameof everyPrimitive)>]
let ``Its formulas name each input but what is computed alongside`` (name: string) =
    let p = named name

    let wanted =
        (if p.Arity < 0 then set [ 0 ] else set [ 0 .. p.Arity - 1 ])
        |> Set.remove p.Alongside

    for formula in [ p.Formula; p.LatexFormula ] do
        Assert.NotEmpty formula

        let found =
            Regex.Matches(formula, @"\{(\d)\}")
            |> Seq.map (fun m -> int m.Groups[1].Value)
            |> set

        Assert.Equal<Set<int>>(wanted, found)

        let depth =
            formula
            |> Seq.scan
                (fun d c ->
                    if c = '{' then d + 1
                    elif c = '}' then d - 1
                    else d)
                0

        Assert.Equal(0, Seq.last depth)
        Assert.True(Seq.min depth >= 0)

[<Theory; MemberData(nameof everyPrimitive)>]
let ``It has a derivative, or says why it is constant`` (name: string) =
    let p = named name

    if p.Family <> Family.Leaf then
        Assert.False(isNull p.Vjp, "it has no rule")

        if isConstant p then
            let integer (s: Sample) =
                not (isFloat (s.Build(inputs ElementType.Float64 s)))

            Assert.True(p.Convention <> "" || List.forall integer p.Trials, "no derivative, and no word about it")

// ---- each sample ------------------------------------------------------------------------------------------------------

[<Theory; MemberData(nameof everySample)>]
let ``The shape rule says what the elements say`` (primitive: string) (sample: string) =
    let _, _, _, result = build primitive sample
    Assert.Equal<int>(result.Shape.ToArray(), (evaluate result).Dims)

[<Theory; MemberData(nameof smoothSamples)>]
let ``First and second derivatives are those of central differences`` (primitive: string) (sample: string) =
    let _, s, x, _ = build primitive sample
    checkDerivatives s.Build x

[<Theory; MemberData(nameof smoothSamples)>]
let ``The rule is linear in its cotangent`` (primitive: string) (sample: string) =
    let _, _, x, result = build primitive sample
    let cotangent = like 11 result
    let targets = x |> Array.filter isFloat
    let a, b = evaluate (like 12 result), evaluate (like 13 result)

    let mixed =
        { a with
            Data = Array.map2 (fun u v -> 2.0 * u - 3.0 * v) a.Data b.Data
        }

    for g in gradients result cotangent targets do
        let by c = (evaluateWith [ cotangent, c ] g).Data
        close 1e-13 "vjp" (Array.map2 (fun u v -> 2.0 * u - 3.0 * v) (by a) (by b)) (by mixed)

[<Theory; MemberData(nameof everySample)>]
let ``Whatever a rule uses is in the table and has a rule`` (primitive: string) (sample: string) =
    let p, _, _, result = build primitive sample

    for n in applications p result do
        let g = like 11 n

        for i in 0 .. n.Arity - 1 do
            match p.Vjp.Invoke(n, i, g) with
            | null -> ()
            | part ->
                Assert.True((part.Shape = (n.Input i).Shape), $"the gradient of input {i} has shape {part.Shape}")
                Assert.Equal((n.Input i).DType, part.DType)

                for used in reach [ n; g ] part do
                    Assert.Contains(used.Primitive, Primitives.all)
                    Assert.True(used.Primitive.Family = Family.Leaf || not (isNull used.Primitive.Vjp), used.Primitive.Title)

[<Theory; MemberData(nameof everyPrimitive)>]
let ``It saves the values that its rules use, and no others`` (name: string) =
    let p = named name
    let mutable used = 0

    for s in p.Trials do
        for n in applications p (s.Build(inputs ElementType.Float64 s)) do
            let g = like 11 n
            let operands = List.init n.Arity n.Input

            for i in 0 .. n.Arity - 1 do
                match p.Vjp.Invoke(n, i, g) with
                | null -> ()
                | part ->
                    let seen = reach (n :: g :: operands) part

                    if seen.Contains n then
                        used <- used ||| Primitive.output

                    operands
                    |> List.iteri (fun k operand ->
                        if seen.Contains operand then
                            used <- used ||| (1 <<< k))

    Assert.Equal(p.Saves, used)

[<Theory; MemberData(nameof everySample)>]
let ``It is linear in the inputs that it says`` (primitive: string) (sample: string) =
    let p, _, _, result = build primitive sample

    for n in applications p result |> List.filter isFloat do
        let floats = [ 0 .. n.Arity - 1 ] |> List.filter (fun i -> isFloat (n.Input i))

        let groups =
            match p.Linear with
            | Linearity.Jointly -> [ floats ]
            | Linearity.AfterFirst -> [ List.filter (fun i -> i > 0) floats ]
            | Linearity.First -> [ [ 0 ] ]
            | Linearity.Separately -> floats |> List.map List.singleton
            | _ -> []

        for group in groups do
            if not group.IsEmpty then
                // Nodes used twice stand for one input; variables in their place keep them apart.
                let stands = Array.init n.Arity (fun i -> Leaves.variable (n.Input i))

                let copy =
                    if n.Arity > 3 || p.Arity < 0 then
                        Node.MakeMany(p, n.Attribute, n.Attributes, stands)
                    else
                        let input i = if i < n.Arity then stands[i] else null
                        Node.Make(p, n.Attribute, n.Attributes, input 0, input 1, input 2)

                let at seed =
                    [ for i in group -> stands[i], evaluate (like (seed + i) stands[i]) ]

                let a, b = at 30, at 40

                let mixed =
                    List.map2
                        (fun (node, u) (_, v) ->
                            node,
                            { u with
                                Data = Array.map2 (fun s t -> 2.0 * s - 3.0 * t) u.Data v.Data
                            })
                        a
                        b

                let f given = (evaluateWith given copy).Data
                close 1e-13 "value" (Array.map2 (fun u v -> 2.0 * u - 3.0 * v) (f a) (f b)) (f mixed)

// ---- conventions ------------------------------------------------------------------------------------------------------

let private vector (data: float list) =
    value ElementType.Float64 (Shape.Of data.Length) (Array.ofList data)
    |> Leaves.value
    |> Leaves.variable

let private gradientAt build (data: float list) =
    let x = vector data
    let y: Node = build x

    (gradients y (Elementwise.constantLike y 1.0) [| x |])[0]
    |> evaluate
    |> (fun t -> List.ofArray t.Data)

[<Fact>]
let ``Kinks have PyTorch's derivatives`` () =
    Assert.Equal<float list>([ 0.0; 1.0; 0.0 ], gradientAt Elementwise.relu [ 0.0; 2.0; -2.0 ])
    Assert.Equal<float list>([ 0.0; 1.0; -1.0 ], gradientAt Elementwise.abs [ 0.0; 2.0; -2.0 ])
    Assert.Equal<float list>([ 0.0; 0.0 ], gradientAt Elementwise.sign [ 0.0; 2.0 ])
    Assert.Equal<float list>([ 0.0; 0.0 ], gradientAt Elementwise.floor [ 1.0; 2.5 ])

    for tie in [ Elementwise.maximum; Elementwise.minimum ] do
        Assert.Equal<float list>([ 0.5 ], gradientAt (fun x -> tie x (Leaves.constant ElementType.Float64 3.0)) [ 3.0 ])

[<Fact>]
let ``Two names, two rules: amax shares a tie, maxAlong gives all to the first`` () =
    let data = [ 1.0; 4.0; 4.0; 2.0; 4.0 ]
    let third = 1.0 / 3.0
    Assert.Equal<float list>([ 0.0; third; third; 0.0; third ], gradientAt (Reductions.amax [| 0 |]) data)
    Assert.Equal<float list>([ 0.0; 1.0; 0.0; 0.0; 0.0 ], gradientAt (Selection.maxAlong 0) data)
    let negated = data |> List.map (~-)
    Assert.Equal<float list>([ 0.0; third; third; 0.0; third ], gradientAt (Reductions.amin [| 0 |]) negated)
    Assert.Equal<float list>([ 0.0; 1.0; 0.0; 0.0; 0.0 ], gradientAt (Selection.minAlong 0) negated)

[<Fact>]
let ``A tie over axes that are not neighbours is shared as a whole`` () =
    // Of the four with middle index 0 three win, one of them alone in its block.
    let x = vector [ 9.0; 1.0; 0.0; 0.0; 9.0; 9.0; 0.0; 0.0 ]

    let y = Moves.reshape [| 2; 2; 2 |] x |> Reductions.amax [| 0; 2 |]

    let g = (gradients y (Elementwise.constantLike y 3.0) [| x |])[0]
    Assert.Equal<float>([| 1.0; 0.0; 0.75; 0.75; 1.0; 1.0; 0.75; 0.75 |], (evaluate g).Data)

[<Theory>]
[<InlineData(0)>]
[<InlineData(1)>]
[<InlineData(2)>]
let ``prod has exact derivatives of both orders with any number of zeros`` (zeros: int) =
    let data = [ for i in 0..4 -> if i < zeros then 0.0 else float i + 1.5 ]

    let withoutOne skipped =
        data
        |> List.indexed
        |> List.filter (fun (i, _) -> i <> skipped)
        |> List.fold (fun p (_, v) -> p * v) 1.0

    Assert.Equal<float list>([ for i in 0..4 -> withoutOne i ], gradientAt (Reductions.prod [| 0 |]) data)
    checkDerivatives (fun x -> Reductions.prod [| 0 |] x[0]) [| vector data |]

[<Theory; MemberData(nameof smoothSamples)>]
let ``Normalisation does what its composition does`` (primitive: string) (sample: string) =
    let p, _, _, result = build primitive sample

    match List.tryFind (fun (name, _) -> name = p.Title) Normalisation.compositions with
    | Option.None -> Assert.NotEqual(Family.Normalisation, p.Family)
    | Option.Some(_, compose) ->
        for n in applications p result do
            let x = Array.init n.Arity n.Input |> Array.map Leaves.variable
            let input i = if i < n.Arity then x[i] else null
            let own = Node.Make(p, n.Attribute, n.Attributes, input 0, input 1, input 2)
            let other = compose x
            close 1e-13 "value" (evaluate other).Data (evaluate own).Data
            let cotangent = like 11 own

            Array.iter2
                (fun a b -> close 1e-12 "gradient" (evaluate a).Data (evaluate b).Data)
                (gradients other cotangent x)
                (gradients own cotangent x)
