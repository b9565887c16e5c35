/// Simplification: a table of rules, tried on each node when a plan is made. Only exact rules, which keep every bit, are on by
/// default; inexact ones are named so that they can be listed, tested and asked for.
module internal Hybrid.Core.Rewrite

open System
open System.Collections.Generic
open Hybrid.Kernels

/// One rule. `Apply` returns the replacement, or null where the rule does not fit.
type Rule =
    {
        Name: string
        Exact: bool
        /// The input that must have no other use, as the rule would compute it a second time; -1 for none.
        Alone: int
        /// Whether it makes one operation of several, so that none can be told by itself what it made.
        Merges: bool
        Apply: Node -> Node
    }

let private is name (n: Node) = n.Primitive.Name = name

// The number that every element of the node is, if it is one; nan is no such number, as it equals nothing.
let rec private uniform (n: Node) =
    match n.Primitive.Name with
    | "constant" -> Leaves.number n
    | "broadcastTo"
    | "reshape" -> uniform n.A
    | _ -> nan

/// Whether every element is this number, by bits: -0.0 is not 0.0.
let isNumber (number: float) (n: Node) =
    BitConverter.DoubleToInt64Bits(uniform n) = BitConverter.DoubleToInt64Bits number

let private rule name exact apply =
    {
        Name = name
        Exact = exact
        Alone = -1
        Merges = false
        Apply = apply
    }

// Whether a permutation exchanges the last two axes and leaves the others.
let private transposes (permutation: int[]) =
    let last = permutation.Length - 1

    last >= 1
    && permutation[last] = last - 1
    && permutation[last - 1] = last
    && Array.forall2 (=) permutation[.. last - 2] (Array.init (last - 1) id)

let private sameAttributes (a: int[]) (b: int[]) =
    ReadOnlySpan<int>(a).SequenceEqual(ReadOnlySpan<int> b)

// A mask by the largest elements under windows before what it masks is put back to where they came from: the mask of a rectifier before pooling, on what is
// pooled. Other elements are zeros either way.
let private chosenFirst (n: Node) =
    let mask, put = n.A, n.C

    if
        is "lessEqual" mask
        && is "putAt" put
        && is "maxPositions" put.B
        && Object.ReferenceEquals(put.B.A, mask.A)
        && not (Double.IsNaN(uniform mask.B))
    then
        let largest = Pools.takeAt mask.A put.B
        let bound = Elementwise.constantLike largest (uniform mask.B)
        let zero = Elementwise.constantLike put.A 0.0
        let chosen = Elementwise.where (Elementwise.lessEqual largest bound) zero put.A
        Pools.putAt put.Shape[2] put.Shape[3] chosen put.B
    else
        null

// A rectifier's mask on what fills a tensor part by part, as pooling's gradient by hand does: on each part, so that it needs no pass of its own. A part that is
// zero but where x equals something, as the largest element, is masked by that, which is smaller than x. With more than four parts a pass takes less than their
// masks do.
let private maskedParts (n: Node) =
    let mask, sum = n.A, n.B

    if
        is "less" mask
        && not (Double.IsNaN(uniform mask.A))
        && isNumber 0.0 n.C
        && is "paddedSum" sum
        && sum.Arity <= 4
        && Slices.isFilled sum
    then
        let x = mask.B
        let zero = Elementwise.constantLike sum.A 0.0

        let above (y: Node) =
            Elementwise.less (Elementwise.constantLike y (uniform mask.A)) y

        let masked k =
            let part, ranges = sum.Input k, Slices.partRanges sum k

            if
                is "where" part
                && is "equal" part.A
                && isNumber 0.0 part.C
                && Slices.isSlice ranges x part.A.A
            then
                Elementwise.where part.A (Elementwise.where (above part.A.B) part.B zero) zero
            else
                Elementwise.where (above (Slices.slice ranges x)) part zero

        Slices.paddedSum sum.Attributes (Array.init sum.Arity masked)
    else
        null

// The gradient of a rectifier on that of the product that follows it.
let private gate (n: Node) =
    if
        is "where" n
        && is "matmul" n.C
        && isNumber 0.0 n.B
        && is "lessEqual" n.A
        && isNumber 0.0 n.A.B
        && n.A.A.DType = n.DType
    then
        Contractions.gated n.A.A n.C
    else
        null

// What a matrix repeats in every row, as a row; null if it does not.
let private rowOf (n: Node) =
    if
        n.Shape.Rank = 2
        && is "broadcastTo" n
        && n.A.Shape.Size = int64 n.Shape[1]
        && (n.A.Shape.Rank = 1 || n.A.Shape.Rank = 2 && n.A.Shape[0] = 1)
    then
        Moves.reshape [| 1; n.Shape[1] |] n.A
    else
        null

/// The rules, in the order in which they are tried.
let rules: Rule list =
    [
        rule "boundary x -> x" true (fun n ->
            if n.Primitive.Family = Family.Leaf && n.Arity = 1 then
                n.A
            else
                null)
        rule "x * 1 -> x" true (fun n ->
            if not (is "mul" n) then null
            elif isNumber 1.0 n.B then n.A
            elif isNumber 1.0 n.A then n.B
            else null)
        rule "x / 1 -> x" true (fun n -> if is "div" n && isNumber 1.0 n.B then n.A else null)
        rule "x - 0 -> x" true (fun n -> if is "sub" n && isNumber 0.0 n.B then n.A else null)
        rule "x + -0 -> x" true (fun n -> if is "add" n && isNumber -0.0 n.B then n.A else null)
        rule "--x -> x" true (fun n -> if is "neg" n && is "neg" n.A then n.A.A else null)
        rule "where(m, x, x) -> x" true (fun n ->
            if is "where" n && Object.ReferenceEquals(n.B, n.C) then
                n.B
            else
                null)
        rule "reshape(reshape(x)) -> reshape(x)" true (fun n ->
            if is "reshape" n && is "reshape" n.A then
                Moves.reshape n.Attributes n.A.A
            else
                null)
        rule "permute(permute(x)) -> permute(x)" true (fun n ->
            if is "permute" n && is "permute" n.A then
                Moves.permute (n.Attributes |> Array.map (fun axis -> n.A.Attributes[axis])) n.A.A
            else
                null)
        // A weight's gradient is then computed as it will be read. Factors change places in each product, which changes no bit.
        { rule "transpose(a @ b) -> transpose(b) @ transpose(a)" true (fun n ->
              if is "permute" n && is "matmul" n.A && transposes n.Attributes then
                  Contractions.matmul (Moves.transpose n.A.B) (Moves.transpose n.A.A)
              else
                  null) with
            Alone = 0
        }
        rule "where(x <= c, 0, putAt(g, p)) -> putAt(where(takeAt(x, p) <= c, 0, g), p)" true (fun n ->
            if is "where" n && isNumber 0.0 n.B then
                chosenFirst n
            else
                null)
        { rule "where(c < x, paddedSum(a...), 0) -> paddedSum(where(c < slice(x), a, 0)...)" true (fun n ->
              if is "where" n then maskedParts n else null) with
            Alone = 1
        }
        { rule "pad(a) + pad(b) -> paddedSum(a, b)" true (fun n -> if is "add" n then Slices.trySum n.A n.B else null) with
            Alone = 0
        }
        { rule "a @ b + c -> affine(a, b, c)" true (fun n ->
              if is "add" n && is "matmul" n.A then
                  match rowOf n.B with
                  | null -> null
                  | bias -> Contractions.affine bias n.A
              else
                  null) with
            Alone = 0
            Merges = true
        }
        { rule "relu(affine(a, b, c)) -> affineRelu(a, b, c)" true (fun n ->
              if is "relu" n && is "affine" n.A then
                  Contractions.rectified n.A
              else
                  null) with
            Alone = 0
            Merges = true
        }
        { rule "where(c <= 0, 0, a @ b) -> gatedMatmul(a, b, c)" true gate with
            Alone = 2
            Merges = true
        }
        rule "broadcast(broadcast(x)) -> broadcast(x)" true (fun n ->
            if is "broadcastTo" n && is "broadcastTo" n.A then
                Moves.broadcastTo n.Shape n.A.A
            else
                null)
        rule "x + 0 -> x" false (fun n ->
            if not (is "add" n) then null
            elif isNumber 0.0 n.B then n.A
            elif isNumber 0.0 n.A then n.B
            else null)
        rule "x * 0 -> 0" false (fun n ->
            if is "mul" n && (isNumber 0.0 n.A || isNumber 0.0 n.B) then
                Elementwise.constantLike n 0.0
            else
                null)
    ]

/// Nodes that compute the same thing: equal primitive, attributes, shape, type and the very same inputs.
let private sameWork =
    { new IEqualityComparer<Node> with
        member _.GetHashCode n =
            let mutable hash = HashCode()
            hash.Add n.Primitive.Code
            hash.Add n.Attribute

            for i in 0 .. n.Arity - 1 do
                hash.Add(LanguagePrimitives.PhysicalHash(n.Input i))

            hash.ToHashCode()

        member _.Equals(a, b) =
            a.Primitive.Code = b.Primitive.Code
            && a.Attribute = b.Attribute
            && a.DType = b.DType
            && Shapes.same a.Shape b.Shape
            && sameAttributes a.Attributes b.Attributes
            && a.Arity = b.Arity
            && a.EveryInput(fun i -> Object.ReferenceEquals(a.Input i, b.Input i))
    }

/// A graph made anew for a plan: leaves replaced by placeholders numbered by position, so that the plan holds no one's memory,
/// rules applied, those that merge operations where wanted, equal work shared. Gives the new node of each position and the first position of each new node.
let rebuild (order: Order) (outputs: int[]) (rewrite: bool) (inexact: bool) (merge: bool) =
    let shared = Dictionary<Node, Node> sameWork
    let origin = Dictionary<Node, int>(HashIdentity.Reference)

    let active =
        rules |> List.filter (fun r -> (r.Exact || inexact) && (merge || not r.Merges))

    let uses = Array.zeroCreate<int> order.Count

    for position in Array.append order.Operands outputs do
        uses[position] <- uses[position] + 1

    let never (_: int) = false

    let rec simplify (alone: int -> bool) (n: Node) =
        let attempt r =
            if r.Alone >= 0 && not (r.Alone < n.Arity && alone r.Alone) then
                None
            else
                Option.ofObj (r.Apply n)

        match List.tryPick attempt active with
        | Some better -> if better.Arity = 0 then better else simplify never better
        | None -> n

    // Values, scalars and placeholders are slots to fill at each run: numbered, and never merged.
    let isSlot (n: Node) =
        not (isNull n.Value)
        || n.Arity = 0
           && not (Object.ReferenceEquals(n.Primitive, Leaves.constantPrimitive))

    // The position whose nodes are being made.
    let mutable at = 0

    // Equal work that was made before, also for what a rule made on the way.
    let rec share (n: Node) : Node =
        match shared.TryGetValue n with
        | true, known -> known
        | _ ->
            let inputs = Array.init n.Arity (fun k -> share (n.Input k))

            let same = n.EveryInput(fun k -> Object.ReferenceEquals(inputs[k], n.Input k))

            if same then
                shared[n] <- n
                origin.TryAdd(n, at) |> ignore
                n
            else
                share (Node.Remake(n, inputs))

    // Simplified, and shared.
    let settle alone (copy: Node) =
        let better =
            if copy.Arity > 0 && (rewrite || copy.Primitive.Family = Family.Leaf) then
                simplify alone copy
            else
                copy

        if rewrite then
            share better
        else
            origin.TryAdd(better, at) |> ignore
            better

    // Bodies written out, by their first results.
    let written = Dictionary<Node, Node[]>(HashIdentity.Reference)
    let result = Array.zeroCreate<Node> order.Count

    let writeOut (formula: Formula) (n: Node) (operands: Node[]) =
        let first = if n.Attribute = 0L then n else n.A

        if n.Attribute = 0L then
            written[n] <- formula.Write(operands, settle never)

        written[first][formula.Body.Roots[int n.Attribute]]

    for i in 0 .. order.Count - 1 do
        let n = order.Nodes[i]
        at <- i

        let inputs () =
            Array.init n.Arity (fun k -> result[order.Operands[order.Starts[i] + k]])

        let fresh =
            if isSlot n then
                Node.MakeLeaf(Leaves.placeholderPrimitive, int64 i, null, n.Shape, n.DType, null, false)
            elif n.Arity = 0 then
                settle never (Leaves.constant n.DType (Leaves.number n))
            else
                match Formulas.of' n with
                | null -> settle (fun k -> uses[order.Operands[order.Starts[i] + k]] = 1) (Node.Remake(n, inputs ()))
                | formula -> writeOut formula n (inputs ())

        origin.TryAdd(fresh, i) |> ignore
        result[i] <- fresh

    struct (result, origin)
