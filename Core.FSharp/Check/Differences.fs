namespace Hybrid.Core.Checking

open System
open System.Collections.Generic
open Hybrid.Core

/// Random numbers of a check: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), from a seed and a name, the same on every machine.
[<Sealed>]
type internal Draws(seed: uint64, name: string) =
    // FNV-1a of the name, so that each row has numbers of its own whatever the rows before it.
    let mutable state =
        name
        |> Seq.fold (fun h c -> (h ^^^ uint64 c) * 1099511628211UL) (14695981039346656037UL ^^^ seed)

    member _.Bits() =
        state <- state + 0x9E3779B97F4A7C15UL
        let z = (state ^^^ (state >>> 30)) * 0xBF58476D1CE4E5B9UL
        let z = (z ^^^ (z >>> 27)) * 0x94D049BB133111EBUL
        z ^^^ (z >>> 31)

    /// Evenly spread over (0, 1).
    member this.Uniform() =
        (float (this.Bits() >>> 11) + 0.5) / 9007199254740992.0

    /// A normal deviate (Box and Muller).
    member this.Normal() =
        Math.Sqrt(-2.0 * Math.Log(this.Uniform()))
        * Math.Cos(2.0 * Math.PI * this.Uniform())

    /// A normal deviate that is at least 0.1 away from zero.
    member this.NonZero() =
        let x = this.Normal()

        if Math.Abs x < 0.1 then
            Math.CopySign(Math.Abs x + 0.1, x)
        else
            x

    /// Some different positions below a limit, in ascending order.
    member this.Positions(limit: int, count: int) =
        let chosen = HashSet<int>()

        while chosen.Count < min limit count do
            chosen.Add(int (this.Bits() % uint64 limit)) |> ignore

        chosen |> Seq.sort |> Array.ofSeq

/// One central difference: along a coordinate, or along a direction (position -1).
type internal Taken =
    {
        Position: int
        Difference: float
        Expected: float
        Bound: float
        Kink: bool
    }

/// Central differences of F = the sum of outputs times cotangents, in float64.
/// The step is h = 2^round(log2 cbrt(e / S)), where e bounds the rounding of F (see ErrorBounds) and S is the sum of the magnitudes of its terms:
/// that balances truncation (h^2) against rounding (e / h). It is scaled by the power of two next above |x|, if that is over 1. Where F is linear in
/// the tensor, differences are exact for any step, and h is 1. A difference D(h) is judged by |D(2h) - D(h)|, three times the
/// leading term of its truncation, plus the rounding (e(x+h) + e(x-h)) / 2h, plus the gradient's own rounding. Where a step leaves the domain of F, which refuses it or is not
/// finite there, as the logarithm is at a number smaller than h, shorter ones are tried; a difference of which none stays inside is NaN, and judges
/// nothing. One that disagrees is taken again with a shorter step, and gives way to it if the two contradict each other, as they do where F has a pole
/// within the longer one.
[<Sealed>]
type internal Differences(outputs: Node[], cotangents: Node[]) =
    let terms = Array.map2 Elementwise.mul outputs cotangents
    let all (x: Node) = Moves.sum [| 0 .. x.Shape.Rank - 1 |] x
    let total = terms |> Array.map all |> Array.reduce Elementwise.add

    let magnitude =
        terms |> Array.map (Elementwise.abs >> all) |> Array.reduce Elementwise.add

    let rounding = (ErrorBounds.ofNodes ErrorBounds.unit64 [| total |]).[0]
    let switches = Switches.ofNodes [| total |]
    let runner = Runner(Array.concat [ [| total; rounding; magnitude |]; switches ])
    let linear = Dictionary<Node, bool>(HashIdentity.Reference)
    let number (v: Value) = v.ToDoubles()[0]
    let start = runner.Run []

    let branches (values: Value[]) =
        values |> Array.skip 3 |> Array.map (fun v -> v.ToDoubles())

    let startBranches = branches start

    let sameBranches (values: Value[]) =
        Array.forall2 (fun (a: float[]) (b: float[]) -> a.AsSpan().SequenceEqual(ReadOnlySpan<float> b)) startBranches (branches values)

    let step0 =
        let ratio = number start[1] / number start[2]

        let k =
            if ratio > 0.0 && Double.IsFinite ratio then
                Math.Round(Math.Log2(Math.Cbrt ratio))
            else
                -16.0

        Math.Pow(2.0, Math.Clamp(k, -20.0, -10.0))

    // How much shorter a step is after one that left the domain, and the shortest.
    let shorter = Math.Pow(2.0, -10.0)
    let shortest = Math.Pow(2.0, -30.0)

    let powerAbove (x: float) =
        if x <= 1.0 then
            1.0
        else
            Math.Pow(2.0, Math.Ceiling(Math.Log2 x))

    // A sample, and the part of the step that was taken, by the part to start from.
    let settled (sample: float -> struct (Taken * float)) =
        let struct (first, part) = sample 1.0

        if Math.Abs(first.Difference - first.Expected) > first.Bound && part > shortest then
            let struct (second, _) = sample (part * shorter)

            if Math.Abs(first.Difference - second.Difference) > first.Bound + second.Bound then
                second
            else
                first
        else
            first

    /// The step for magnitudes up to 1.
    member _.Step(linear: bool) = if linear then 1.0 else step0

    /// Whether F is linear in a leaf.
    member _.IsLinear(leaf: Node) =
        match linear.TryGetValue leaf with
        | true, known -> known
        | _ ->
            let found = Switches.isLinear total leaf
            linear[leaf] <- found
            found

    /// The difference along a direction (the pairs of position and component that are not zero) with a part of the step or less, its error, whether a kink is near, and the part
    /// that was taken.
    member private this.Along(leaf: Node, x: float[], direction: (int * float)[], linear: bool, part: float) =
        let largest = direction |> Array.fold (fun m (i, _) -> max m (Math.Abs x[i])) 0.0
        let widest = direction |> Array.fold (fun m (_, v) -> max m (Math.Abs v)) 0.0

        let h =
            this.Step linear * powerAbove largest
            / (if direction.Length = 1 then 1.0 else powerAbove widest)

        let at t =
            let moved = Arrays.copy x

            for i, v in direction do
                moved[i] <- moved[i] + t * v

            moved, runner.Run [ leaf, Value.OfSpan(ReadOnlySpan<float> moved, leaf.Shape) ]

        let central t =
            let (right, plus), (left, minus) = at t, at -t

            let width =
                if direction.Length = 1 then
                    let i, v = direction[0]
                    (right[i] - left[i]) / v
                else
                    2.0 * t

            struct ((number plus[0] - number minus[0]) / width, (number plus[1] + number minus[1]) / width, sameBranches plus && sameBranches minus)

        let take h =
            let struct (near, noise, same) = central h

            if linear then
                struct (near, noise, not same)
            else
                let struct (far, _, alsoSame) = central (2.0 * h)
                struct (near, noise + Math.Abs(far - near), not (same && alsoSame))

        let inside part =
            try
                match take (part * h) with
                | struct (d, error, kink) when Double.IsFinite d && Double.IsFinite error -> ValueSome(struct (d, error, kink, part))
                | _ -> ValueNone
            with :? ValueException ->
                ValueNone

        let rec attempt part =
            match inside part with
            | ValueSome found -> found
            | ValueNone when part > shortest -> attempt (part * shorter)
            | ValueNone -> struct (nan, nan, false, part)

        attempt part

    /// One sample at a coordinate. `slack` is the rounding bound of the gradient there.
    member this.Coordinate(leaf: Node, x: float[], position: int, gradient: float[], slack: float[], safety: float) =
        settled (fun part ->
            let struct (d, error, kink, part) =
                this.Along(leaf, x, [| position, 1.0 |], this.IsLinear leaf, part)

            struct ({
                        Position = position
                        Difference = d
                        Expected = gradient[position]
                        Bound = safety * (error + slack[position] + 4.0 * ErrorBounds.unit64 * Math.Abs d)
                        Kink = kink
                    },
                    part))

    /// One sample along a random direction.
    member this.Projection(leaf: Node, x: float[], gradient: float[], slack: float[], draws: Draws, safety: float) =
        let v = Array.init x.Length (fun _ -> draws.Normal())
        let linear = this.IsLinear leaf
        let mutable expected = 0.0
        let mutable own = 0.0
        let mutable size = 0.0

        for i in 0 .. v.Length - 1 do
            expected <- expected + gradient[i] * v[i]
            own <- own + slack[i] * Math.Abs v[i]
            size <- size + Math.Abs(gradient[i] * v[i])

        let largest = x |> Array.fold (fun m xi -> max m (Math.Abs xi)) 1.0
        let (expected, own, size) = (expected, own, size)

        settled (fun part ->
            let struct (d, error, kink, part) =
                this.Along(leaf, x, Array.indexed v, linear, part)

            // x + h v is rounded at each coordinate, by at most u |x| / h of the step.
            let moved = 2.0 * largest * ErrorBounds.unit64 / (part * this.Step linear) * size

            struct ({
                        Position = -1
                        Difference = d
                        Expected = expected
                        Bound =
                            safety
                            * (error
                               + own
                               + moved
                               + ErrorBounds.gamma ErrorBounds.unit64 (int64 v.Length + 4L) * size)
                        Kink = kink
                    },
                    part))
