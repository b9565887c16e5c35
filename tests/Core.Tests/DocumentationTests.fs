/// The F# code of README.md and CONTRIBUTING.md, compiled and run here. Each block of the documents stands between markers in this
/// file, and a test compares the two texts.
module Hybrid.Core.Tests.DocumentationTests

open System
open System.IO
open Xunit
open Hybrid.Core
open Hybrid.Kernels

let private near (expected: float) (actual: float) = Assert.Equal(expected, actual, 6)

[<Fact>]
let ``the F# snippet of the README does what it says`` () =
    // <readme>
    let f (x: Tensor) = (x.Sin() * x).Sum()
    let x = Tensor.From [| 0.5; 1.0; 2.0 |]

    let slope = grad f x // sin x + x cos x
    let curvature = hessian f x // [3, 3]
    let _, along = jvp f x (Tensor.From [| 1.0; 0.0; 0.0 |])
    // </readme>
    let expected = [| 0.5; 1.0; 2.0 |] |> Array.map (fun v -> sin v + v * cos v)
    Array.iter2 near expected (slope.ToDoubles())
    near expected[0] (along.Item())
    Assert.Equal("[3, 3]", string curvature.Shape)

module private Example =
    open Hybrid.Core.Primitive

    // <primitive>
    /// 1 / sqrt(x).
    let private rsqrtPrimitive =
        { define "rsqrt" Family.Elementwise 1 with
            Text = "1 / sqrt({0})"
            Latex = @"\frac{1}{\sqrt{{0}}}"
            Saves = output // the derivative uses the result
            Lower =
                Lowering(fun n inputs ->
                    let space, dtype = Lower.space n.Shape inputs, n.DType

                    let whole =
                        IterationSpace.Create(n.Shape.Dimensions, ReadOnlySpan [| Shapes.strides n.Shape; Shapes.strides n.Shape |])

                    Kernel(fun o ->
                        Hybrid.Kernels.Elementwise.Unary(UnaryOp.Sqrt, dtype, space, o.Output, o.Inputs[0], o.Pool)
                        Hybrid.Kernels.Elementwise.Unary(UnaryOp.Reciprocal, dtype, whole, o.Output, o.Output, o.Pool)))
        }

    let rsqrt (x: Node) =
        Node.Make(rsqrtPrimitive, 0L, null, x, null, null)

    tie
        rsqrtPrimitive
        (fun n _ g -> Elementwise.mul g (Elementwise.scale -0.5 (Elementwise.mul n (Elementwise.square n))))
        (lazy
            [
                {
                    Name = "matrix"
                    Inputs = [ [ 2; 3 ], Domain.Positive ]
                    Build = fun x -> rsqrt x[0]
                }
            ])
    // </primitive>

[<Fact>]
let ``the primitive of CONTRIBUTING computes and differentiates`` () =
    let f (x: Tensor) = Tensor.Of(Example.rsqrt x.Node)
    let x = Tensor.From [| 0.25; 4.0 |]
    Assert.Equal<float[]>([| 2.0; 0.5 |], (f x).ToDoubles())
    // d/dx x^(-1/2) = -1/2 x^(-3/2), and once more: 3/4 x^(-5/2).
    Assert.Equal<float[]>([| -4.0; -0.0625 |], (grad (fun t -> (f t).Sum()) x).ToDoubles())
    let second = (hessian (fun t -> (f t).Sum()) x).ToDoubles()
    near 24.0 second[0]
    near (0.75 / 32.0) second[3]

/// The lines between `// <name>` and `// </name>` of this file, less their indentation.
let private region (name: string) (text: string) =
    let lines = text.Split '\n'
    let start = Array.FindIndex(lines, (fun l -> l.Trim() = $"// <{name}>"))
    let stop = Array.FindIndex(lines, (fun l -> l.Trim() = $"// </{name}>"))
    let body = lines[start + 1 .. stop - 1]

    let indent =
        body
        |> Array.filter (fun l -> l.Trim() <> "")
        |> Array.map (fun l -> l.Length - l.TrimStart().Length)
        |> Array.min

    String
        .Join(
            '\n',
            body
            |> Array.map (fun l -> if l.Length >= indent then l.Substring indent else "")
        )
        .Trim()

/// The fenced blocks of a language in a document.
let private blocks (language: string) (document: string) =
    document.Split("```" + language + "\n")
    |> Array.skip 1
    |> Array.map (fun part -> part.Substring(0, part.IndexOf "```").Trim())

[<Theory>]
[<InlineData("README.md", "readme")>]
[<InlineData("CONTRIBUTING.md", "primitive")>]
let ``the F# code of the documents is the code that runs here`` (document: string, name: string) =
    let root = Path.Combine(__SOURCE_DIRECTORY__, "..", "..")

    let source =
        File.ReadAllText(Path.Combine(__SOURCE_DIRECTORY__, "DocumentationTests.fs"))

    let text = File.ReadAllText(Path.Combine(root, document)).Replace("\r\n", "\n")
    Assert.Contains(region name source, blocks "fsharp" text)

/// Members that the compiler writes, or that say nothing of their own.
let private generated =
    set
        [
            "Equals"
            "GetHashCode"
            "ToString"
            "CompareTo"
            "Tag"
            "GetObjectData"
            "Invoke"
            "BeginInvoke"
            "EndInvoke"
        ]

[<Fact>]
let ``every public item of the core has a doc comment`` () =
    let assembly = typeof<Tensor>.Assembly
    let xml = Path.ChangeExtension(assembly.Location, ".xml")

    let documented =
        System.Xml.Linq.XDocument.Load(xml).Descendants(System.Xml.Linq.XName.Get "member")
        |> Seq.filter (fun m -> m.Value.Trim() <> "")
        |> Seq.map (fun m -> m.Attribute(System.Xml.Linq.XName.Get "name").Value.Split([| '('; '`' |]).[0])
        |> Set.ofSeq

    let flags =
        Reflection.BindingFlags.Public
        ||| Reflection.BindingFlags.Instance
        ||| Reflection.BindingFlags.Static
        ||| Reflection.BindingFlags.DeclaredOnly

    let plain (name: string) = name.Split('`').[0]

    let items =
        [
            for t in assembly.GetExportedTypes() do
                let name = plain (t.FullName.Replace('+', '.'))
                let isUnion = Reflection.FSharpType.IsUnion t

                if not (t.IsNested && t.Name = "Tags") then
                    "T:" + name

                    for p in t.GetProperties flags do
                        if not (generated.Contains p.Name) && not isUnion then
                            "P:" + name + "." + p.Name

                    for m in t.GetMethods flags do
                        if
                            not m.IsSpecialName
                            && not (generated.Contains m.Name)
                            && not (m.Name.StartsWith "get_")
                        then
                            "M:" + name + "." + m.Name
        ]
        |> List.distinct

    let has (item: string) =
        // A curried function or operator is a method to .NET and may be documented under either letter.
        documented.Contains item
        || documented.Contains("M:" + item.Substring 2)
        || documented.Contains("P:" + item.Substring 2)
        || documented.Contains("F:" + item.Substring 2)

    Assert.True(items.Length > 300, $"only {items.Length} items were looked at")
    Assert.Empty(items |> List.filter (has >> not))
