/// PyTorch's values and gradients, case by case (tests/Conformance), held against the oracle and against the engine.
module Hybrid.Core.Tests.ConformanceTests

open System
open System.Collections.Generic
open System.IO
open System.Text.Json
open Hybrid.Core
open Hybrid.Core.Tests.Oracle
open Hybrid.Kernels
open Xunit

// ---- the data ---------------------------------------------------------------------------------------------------------

type private Data = { Type: ElementType; Table: Table }

type private Case =
    {
        Name: string
        Arguments: JsonElement
        Inputs: Data[]
        Output: Data
        Cotangent: Data voption
        Gradients: Data voption[]
    }

let private folder = Path.Combine(AppContext.BaseDirectory, "Conformance")

let private tensor (json: JsonElement) =
    let bytes = json.GetProperty("data").GetBytesFromBase64()
    let dims = [| for d in json.GetProperty("shape").EnumerateArray() -> d.GetInt32() |]
    let count = Array.fold (*) 1 dims

    let dtype, data =
        match json.GetProperty("type").GetString() with
        | "float64" -> ElementType.Float64, Array.init count (fun i -> BitConverter.ToDouble(bytes, 8 * i))
        | "int32" -> ElementType.Int32, Array.init count (fun i -> float (BitConverter.ToInt32(bytes, 4 * i)))
        | _ -> ElementType.Bool, Array.init count (fun i -> float bytes[i])

    {
        Type = dtype
        Table = { Dims = dims; Data = data }
    }

let private orNull (json: JsonElement) =
    if json.ValueKind = JsonValueKind.Null then
        ValueNone
    else
        ValueSome(tensor json)

let private load (file: string) : Dictionary<string, Case> =
    use document = JsonDocument.Parse(File.ReadAllBytes file)
    let cases = Dictionary<string, Case>()

    for json in document.RootElement.GetProperty("cases").EnumerateArray() do
        let case =
            {
                Name = json.GetProperty("name").GetString()
                Arguments = json.GetProperty("arguments").Clone()
                Inputs = [| for t in json.GetProperty("inputs").EnumerateArray() -> tensor t |]
                Output = tensor (json.GetProperty "output")
                Cotangent = orNull (json.GetProperty "cotangent")
                Gradients = [| for t in json.GetProperty("gradients").EnumerateArray() -> orNull t |]
            }

        cases.Add(case.Name, case)

    cases

let private operations: Lazy<Dictionary<string, Dictionary<string, Case>>> =
    lazy
        (let all = Dictionary()

         for file in Directory.GetFiles(folder, "*.json") |> Array.sort do
             let name = Path.GetFileNameWithoutExtension file

             if name <> "initialisation" then
                 all.Add(name, load file)

         all)

// ---- what PyTorch's operations are here -------------------------------------------------------------------------------

let private axesOf (x: Node) (json: JsonElement) =
    let axes =
        if json.ValueKind = JsonValueKind.Null then
            null
        else
            [| for a in json.EnumerateArray() -> a.GetInt32() |]

    Moves.checkAxes "axes" axes x

let private ints (json: JsonElement) =
    [| for a in json.EnumerateArray() -> a.GetInt32() |]

let private reducing (f: int[] -> Node -> Node) (args: JsonElement) (x: Node[]) =
    let axes = axesOf x[0] (args.GetProperty "axes")
    f axes x[0] |> Ops.keep (args.GetProperty("keepdim").GetBoolean()) axes x[0]

let private along f (args: JsonElement) (x: Node[]) =
    let keep = args.GetProperty("keepdim").GetBoolean()

    match args.GetProperty "axis" with
    | axis when axis.ValueKind = JsonValueKind.Null ->
        let flat = Moves.reshape [| int x[0].Shape.Size |] x[0]
        f 0 flat |> Ops.keep keep [| 0 .. x[0].Shape.Rank - 1 |] x[0]
    | axis ->
        let axis = Axis.index "axis" x[0].Shape (axis.GetInt32())
        f axis x[0] |> Ops.keep keep [| axis |] x[0]

let private all (x: Node) = [| 0 .. x.Shape.Rank - 1 |]

/// Losses: element by element, then what `reduction` says.
let private reduced (args: JsonElement) (losses: Node) =
    match args.GetProperty("reduction").GetString() with
    | "mean" -> Ops.mean (all losses) losses
    | "sum" -> Moves.sum (all losses) losses
    | _ -> losses

let private loss f (args: JsonElement) (x: Node[]) = reduced args (f args x[0] x[1])

let private number (name: string) (args: JsonElement) = args.GetProperty(name).GetDouble()

let private axis (args: JsonElement) = args.GetProperty("axis").GetInt32()

let private bound (name: string) otherwise (args: JsonElement) =
    match args.GetProperty name with
    | v when v.ValueKind = JsonValueKind.Null -> otherwise
    | v -> v.GetDouble()

let private crossEntropy (args: JsonElement) (x: Node[]) =
    let logits = Ops.axisToEnd 1 x[0]

    if args.GetProperty("targets").GetString() = "probabilities" then
        Ops.softCrossEntropy logits (Ops.axisToEnd 1 x[1]) |> reduced args
    else
        match args.GetProperty "ignore_index" with
        | ignored when ignored.ValueKind = JsonValueKind.Null -> Normalisation.crossEntropy logits x[1] |> reduced args
        | ignored ->
            let losses, count = Ops.crossEntropyIgnoring (ignored.GetInt32()) logits x[1]

            if args.GetProperty("reduction").GetString() = "mean" then
                Elementwise.div (Moves.sum (all losses) losses) count
            else
                reduced args losses

let private slice (args: JsonElement) (x: Node) =
    let mutable y = x

    for range in args.GetProperty("ranges").EnumerateArray() do
        let stop =
            match range.GetProperty "stop" with
            | v when v.ValueKind = JsonValueKind.Null -> ValueNone
            | v -> ValueSome(v.GetInt32())

        y <- Ops.sliceAxis (axis range) (range.GetProperty("start").GetInt32()) stop (range.GetProperty("step").GetInt32()) y

    y

// A number for each spatial axis as height and width; a line has height 1.
let private pair (line: int) (name: string) (args: JsonElement) =
    match ints (args.GetProperty name) with
    | [| width |] -> line, width
    | pair -> pair[0], pair[1]

let private convolution f (args: JsonElement) (x: Node[]) =
    let top, bottom, left, right =
        match [| for side in args.GetProperty("padding").EnumerateArray() -> ints side |] with
        | [| width |] -> 0, 0, width[0], width[1]
        | sides -> sides[0][0], sides[0][1], sides[1][0], sides[1][1]

    let window =
        Windows.windowOf (1, 1) (pair 1 "stride" args) (top, bottom, left, right) (pair 1 "dilation" args)

    let y: Node = f window x[0] x[1]

    if x.Length < 3 then
        y
    else
        let bias =
            Moves.reshape (Array.append [| x[2].Shape[0] |] (Array.create (y.Shape.Rank - 2) 1)) x[2]

        Elementwise.add y bias

let private pooling f (args: JsonElement) (x: Node[]) : Node =
    let height, width = pair 0 "padding" args

    let dilation =
        match args.TryGetProperty "dilation" with
        | true, _ -> pair 1 "dilation" args
        | _ -> 1, 1

    f (Windows.windowOf (pair 1 "kernel" args) (pair 1 "stride" args) (height, height, width, width) dilation) x[0]

let private builders: IDictionary<string, JsonElement -> Node[] -> Node> =
    dict
        [
            for name, f in
                [
                    "abs", Elementwise.abs
                    "cos", Elementwise.cos
                    "exp", Elementwise.exp
                    "expm1", Elementwise.expm1
                    "log", Elementwise.log
                    "log1p", Elementwise.log1p
                    "neg", Elementwise.neg
                    "reciprocal", Elementwise.reciprocal
                    "relu", Elementwise.relu
                    "sigmoid", Elementwise.sigmoid
                    "sign", Elementwise.sign
                    "sin", Elementwise.sin
                    "sqrt", Elementwise.sqrt
                    "square", Elementwise.square
                    "tanh", Elementwise.tanh
                ] do
                name, (fun _ x -> f x[0])

            for name, f in
                [
                    "add", Elementwise.add
                    "div", Elementwise.div
                    "maximum", Elementwise.maximum
                    "minimum", Elementwise.minimum
                    "mul", Elementwise.mul
                    "pow", Elementwise.pow
                    "sub", Elementwise.sub
                    "matmul", Contractions.matmul
                    "embedding", Selection.gather
                    "index_select", Selection.gather
                ] do
                name, (fun _ x -> f x[0] x[1])

            for name, f in
                [
                    "amax", Reductions.amax
                    "amin", Reductions.amin
                    "logsumexp", Normalisation.logSumExp
                    "mean", Ops.mean
                    "prod", Reductions.prod
                    "sum", Moves.sum
                ] do
                name, reducing f

            "var", (fun args x -> reducing (Ops.var (args.GetProperty("correction").GetInt32())) args x)
            "argmax", along Reductions.argmax
            "max_axis", along Selection.maxAlong

            "pow_scalar", (fun args x -> Elementwise.pow x[0] (Leaves.constant x[0].DType (number "exponent" args)))
            "clamp", (fun args x -> Ops.clamp (bound "min" -infinity args) (bound "max" infinity args) x[0])
            "where", (fun _ x -> Elementwise.where x[0] x[1] x[2])
            "softmax", (fun args x -> Normalisation.softmax (axis args) x[0])
            "log_softmax", (fun args x -> Normalisation.logSoftmax (axis args) x[0])

            "cross_entropy", crossEntropy
            "nll_loss", loss (fun _ x labels -> Elementwise.neg (Selection.takeAlong 1 x labels))
            "mse", loss (fun _ a b -> Ops.squaredError a b)
            "bce", loss (fun _ p t -> Normalisation.bce p t)
            "bce_with_logits", loss (fun _ x t -> Ops.bceWithLogits x t)
            "huber", loss (fun args a b -> Ops.huber (number "delta" args) a b)
            "smooth_l1", loss (fun args a b -> Ops.smoothL1 (number "beta" args) a b)

            "linear", (fun _ x -> Ops.linear x[0] x[1] (if x.Length > 2 then x[2] else null))
            "gather", (fun args x -> Ops.gatherAlong (axis args) x[0] x[1])
            "one_hot", (fun args x -> Selection.oneHot (args.GetProperty("classes").GetInt32()) ElementType.Int32 x[0])

            "conv1d", convolution Convolutions.conv1d
            "conv2d", convolution Convolutions.conv2d
            "max_pool1d", pooling Pools.maxPool1d
            "max_pool2d", pooling Pools.maxPool2d
            "avg_pool1d", pooling Pools.avgPool1d
            "avg_pool2d", pooling Pools.avgPool2d

            "cat", (fun args x -> Slices.concat (axis args) x)
            "stack", (fun args x -> Ops.stack (axis args) x)
            "expand", (fun args x -> Moves.broadcastTo (Shape.Of(ints (args.GetProperty "shape"))) x[0])
            "reshape", (fun args x -> Moves.reshape (ints (args.GetProperty "shape")) x[0])
            "permute", (fun args x -> Moves.permute (ints (args.GetProperty "axes")) x[0])
            "flip", (fun args x -> Array.fold (fun y axis -> Slices.flip axis y) x[0] (ints (args.GetProperty "axes")))
            "slice", (fun args x -> slice args x[0])
            "pad",
            (fun args x ->
                Ops.pad
                    (ints (args.GetProperty "before"))
                    (ints (args.GetProperty "after"))
                    (Array.zeroCreate x[0].Shape.Rank)
                    (number "value" args)
                    x[0])
        ]

// ---- comparing --------------------------------------------------------------------------------------------------------

/// Largest distance, relative to the largest finite number expected: some forty roundings in general, and more where ...
let private bounds =
    dict
        [ // ... logits of 1e4 leave 1e-12 of what they differ by,
            "softmax", 1e-12
            "log_softmax", 1e-12
            "logsumexp", 1e-12
            "cross_entropy", 1e-12
            // ... and a mean far from zero is subtracted.
            "var", 1e-13
        ]

/// What differs, if anything. NaN matches NaN, an infinity itself, and zeros of either sign each other.
let private difference bound (expected: Table) (actual: Table) =
    let finite = expected.Data |> Array.filter Double.IsFinite
    let scale = finite |> Array.fold (fun m v -> Math.Max(m, Math.Abs v)) 0.0

    let apart e a =
        if Double.IsFinite e then
            not (Math.Abs(e - a: float) <= bound * scale)
        else
            not (e.Equals(a: float))

    if expected.Dims <> actual.Dims then
        Option.Some $"shape %A{expected.Dims} expected, got %A{actual.Dims}"
    else
        Array.zip expected.Data actual.Data
        |> Array.tryFindIndex (fun (e, a) -> apart e a)
        |> Option.map (fun i -> $"element {i} expected {expected.Data[i]:R}, got {actual.Data[i]:R}")

/// Everything a case has numbers for: the output, and a gradient for each input that has one.
let private graph (operation: string) (case: Case) : (string * Table * Node) list =
    let inputs =
        case.Inputs
        |> Array.map (fun t ->
            Trials.value t.Type (Shape.Of t.Table.Dims) t.Table.Data
            |> Leaves.value
            |> Leaves.variable)

    let result = builders[operation] case.Arguments inputs
    Assert.Equal(case.Output.Type, result.DType)

    let gradients =
        match case.Cotangent with
        | ValueNone -> []
        | ValueSome c ->
            let cotangent =
                Trials.value c.Type (Shape.Of c.Table.Dims) c.Table.Data |> Leaves.value

            let found = Sweep.withRespectTo null result cotangent inputs

            [
                for i in 0 .. inputs.Length - 1 do
                    match case.Gradients[i] with
                    | ValueSome expected ->
                        let g =
                            if isNull found[i] then
                                Elementwise.constantLike inputs[i] 0.0
                            else
                                found[i]

                        $"gradient {i}", expected.Table, g
                    | ValueNone -> Assert.True(isNull found[i], $"gradient {i} should be none")
            ]

    ("output", case.Output.Table, result) :: gradients

// ---- skips ------------------------------------------------------------------------------------------------------------

/// Lines of `operation | case | part | reason`.
let private skips: Lazy<Map<string * string, (string * string) list>> =
    lazy
        (File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "ConformanceSkips.txt"))
         |> Seq.filter (fun line -> line.Trim() <> "" && not (line.StartsWith '#'))
         |> Seq.map (fun line ->
             match line.Split '|' |> Array.map (fun s -> s.Trim()) with
             | [| operation; case; part; reason |] when reason <> "" -> (operation, case), (part, reason)
             | _ -> failwith $"ConformanceSkips.txt: not 'operation | case | part | reason': {line}")
         |> Seq.groupBy fst
         |> Seq.map (fun (key, group) -> key, group |> Seq.map snd |> List.ofSeq)
         |> Map.ofSeq)

let private check operation name (evaluate: Node list -> Table list) =
    let case = operations.Value[operation][name]

    let bound =
        match bounds.TryGetValue operation with
        | true, b -> b
        | _ -> 1e-14

    let parts = graph operation case
    let actual = evaluate (parts |> List.map (fun (_, _, n) -> n))

    let skipped =
        skips.Value
        |> Map.tryFind (operation, name)
        |> Option.defaultValue []
        |> List.map fst

    for part, _ in
        List.map2 (fun (part, expected, _) a -> part, difference bound expected a) parts actual
        |> List.filter (fun (_, d) -> d.IsNone) do
        Assert.False(List.contains part skipped, $"{part} agrees: remove it from ConformanceSkips.txt")

    for part in skipped do
        Assert.Contains(part, parts |> List.map (fun (part, _, _) -> part))

    for (part, expected, _), a in List.zip parts actual do
        if not (List.contains part skipped) then
            match difference bound expected a with
            | Option.Some d -> Assert.Fail $"{part}: {d}"
            | Option.None -> ()

let private asItIs = Engine(EngineOptions(Rewrites = false, Threads = 1))

// ---- the tests --------------------------------------------------------------------------------------------------------

let everyCase =
    let data = TheoryData<string, string>()

    for operation in operations.Value do
        for case in operation.Value.Keys do
            data.Add(operation.Key, case)

    data

[<Fact>]
let ``No case is lost`` () =
    Assert.Equal(63, operations.Value.Count)
    Assert.Equal(870, everyCase.Count)

[<Fact>]
let ``Every skip names a case`` () =
    for key in skips.Value.Keys do
        let operation, case = key

        Assert.True(
            operations.Value.ContainsKey operation
            && operations.Value[operation].ContainsKey case,
            $"{operation}, {case}"
        )

    // Skips are for disagreements of principle; many of them would be something else.
    Assert.InRange(skips.Value.Count, 0, 20)

[<Theory; MemberData(nameof everyCase)>]
let ``The oracle agrees with PyTorch`` (operation: string) (case: string) =
    check operation case (List.map evaluate)

[<Theory; MemberData(nameof everyCase)>]
let ``The engine agrees with PyTorch, as one plan and node by node`` (operation: string) (case: string) =
    check operation case (fun nodes ->
        Engine.Default.Evaluate(Array.ofList nodes)
        let whole = nodes |> List.map (fun n -> ofValue n.Value)

        let again =
            graph operation (operations.Value[operation][case])
            |> List.map (fun (_, _, n) -> n)

        for n in (Walk.order Walk.everything (Array.ofList again)).Nodes do
            asItIs.Evaluate [| n |]

        let bits (t: Table) =
            t.Data |> Array.map BitConverter.DoubleToInt64Bits

        List.iter2 (fun (a: Table) (n: Node) -> Assert.Equal<int64>(bits a, bits (ofValue n.Value))) whole again
        whole)
