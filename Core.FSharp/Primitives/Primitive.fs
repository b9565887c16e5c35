namespace Hybrid.Core

/// How the record of a primitive is written: its starting point, and what completes it.
[<CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module internal Primitive =
    let mutable private codes = 0

    let private none: Lazy<Sample list> = lazy []

    let private unset name : Lowering =
        Lowering(fun _ _ -> invalidOp $"{name} has no kernel")

    /// An elementwise primitive of smooth values with no derivative yet: the starting point of a record.
    let define name family arity : Primitive =
        // Families may be initialised by several threads at once; two primitives with one code would share plans.
        let code = System.Threading.Interlocked.Increment &codes

        {
            Name = name
            Family = family
            Code = code
            Arity = arity
            Shape = ShapeRule(fun n -> n.A.Shape)
            Type = TypeRule(fun n -> n.A.DType)
            Vjp = null
            Saves = 0
            Linear = Linearity.None
            Text = name
            Latex = name
            Kink = ""
            Access = Access.Strided
            Element = null
            Lower = unset name
            Alongside = -1
            View = null
            Places = null
            Samples = none
            IsPlaceholder = false
        }

    /// The bit of an output among `Saves`.
    let output = 1 <<< 30

    /// Completes a record with what refers back to it: the derivative and the samples.
    let tie (p: Primitive) (vjp: Node -> int -> Node -> Node) (samples: Lazy<Sample list>) =
        p.Vjp <- Vjp(fun n i g -> vjp n i g)
        p.Samples <- samples

    /// A sample of inputs that may have any values.
    let sample name (shapes: int list list) build =
        {
            Name = name
            Inputs = shapes |> List.map (fun s -> s, Domain.Any)
            Build = build
        }
