namespace Hybrid.Core

open System
open System.Collections.Generic

/// Operations that were built once, to be applied to other operands as often as wanted: each result is one node then, however many
/// operations lead to it. Plans write them out, so that nothing else has to know of them, and results keep their bits.
[<Sealed; AllowNullLiteral>]
type internal Formula(body: Order, key: int[]) =
    // There are as many as there are kinds of updates in a program.
    static let numbers = Dictionary<int[], int>(HashIdentity.Structural)

    /// The operations, on placeholders in the order of the operands.
    member _.Body = body

    /// The same for all formulas of one structure, and for these alone: what stands for it where a plan is looked up.
    member val Number =
        lock numbers (fun () ->
            numbers.TryAdd(key, numbers.Count) |> ignore
            numbers[key])

    /// The body's nodes made anew over other operands, by position. `settle` may put another node in the place of each.
    member _.Write(operands: Node[], settle: Node -> Node) : Node[] =
        let nodes = Array.zeroCreate<Node> body.Count
        let mutable bound = 0

        for i in 0 .. body.Count - 1 do
            let n = body.Nodes[i]

            if n.Primitive.IsPlaceholder then
                nodes[i] <- operands[bound]
                bound <- bound + 1
            elif n.Arity = 0 then
                nodes[i] <- settle (Leaves.constant n.DType (Leaves.number n))
            else
                let inputs = Array.init n.Arity (fun k -> nodes[body.Operands[body.Starts[i] + k]])

                nodes[i] <- settle (Node.Remake(n, inputs))

        nodes

/// Making and applying formulas.
module internal Formulas =
    let private result (n: Node) =
        let body = (n.Payload :?> Formula).Body
        body.Nodes[body.Roots[int n.Attribute]]

    /// One result of a formula: the attribute is its number, the payload the formula. The first has the operands as its inputs, the others have
    /// the first, so that walks see operands once.
    let primitive: Primitive =
        { Primitive.define "formula" Family.Leaf -1 with
            Shape = ShapeRule(fun n -> (result n).Shape)
            Type = TypeRule(fun n -> (result n).DType)
        }

    /// The formula that a node is a result of; null for other nodes.
    let of' (n: Node) =
        if Object.ReferenceEquals(n.Primitive, primitive) && isNull n.Value then
            n.Payload :?> Formula
        else
            null

    /// The body of what leads to some results, and its operands: placeholders and values, in the order of the body. Numbers that the host
    /// gave become constants.
    let extract (results: Node[]) : struct (Order * Node[]) =
        let order = Walk.order Walk.pending results
        let operands = ResizeArray<Node>()
        let copies = Array.zeroCreate<Node> order.Count

        for i in 0 .. order.Count - 1 do
            let n = order.Nodes[i]

            copies[i] <-
                if n.Primitive.IsPlaceholder || not (isNull n.Value) then
                    operands.Add n
                    Leaves.placeholder n.Shape n.DType
                elif n.Arity = 0 then
                    Leaves.constant n.DType (Leaves.number n)
                else
                    Node.Remake(n, Array.init n.Arity (fun k -> copies[order.Operands[order.Starts[i] + k]]))

        struct (Walk.order Walk.everything (order.Roots |> Array.map (fun r -> copies[r])), operands.ToArray())

    /// Adds the results for some operands, one node each. No gradient passes.
    let apply (formula: Formula) (operands: Node[]) (results: List<Node>) =
        let mutable first = null

        for i in 0 .. formula.Body.Roots.Length - 1 do
            let own = if i = 0 then operands else null
            let result = Node.MakeFormula(primitive, int64 i, formula, first, own)
            results.Add result

            if i = 0 then
                first <- result
