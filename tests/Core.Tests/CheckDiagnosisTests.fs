/// Plants each mistake of the table in a gradient, and reads the sentence.
module Hybrid.Core.Tests.CheckDiagnosisTests

open System
open Hybrid.Core.Checking
open Xunit

let private draw (seed: int) n =
    let random = Random seed
    Array.init n (fun _ -> random.NextDouble() * 4.0 - 2.0)

let private evidence (shape: int[]) (manual: float[]) (automatic: float[]) : Evidence =
    {
        ManualShape = shape
        Manual = manual
        Shape = shape
        Automatic = automatic
        Tolerance = 1.5e-8
        Sizes = [ "the batch size", 5; "the number of elements", automatic.Length ]
        Cotangents = []
        Inputs = []
        Outputs = []
        Parameters = []
        Others = []
        Contributions = lazy [||]
    }

let private known name shape values =
    {
        Name = name
        Shape = shape
        Values = values
    }

let private texts e =
    Diagnosis.Explain e |> Seq.map (fun f -> f.Text) |> List.ofSeq

/// The first finding.
let private says (name: string) (text: string) (e: Evidence) =
    let found = Diagnosis.Explain e
    Assert.NotEmpty found
    Assert.Equal(text, found[0].Text)
    Assert.Equal(name, found[0].Name)

let private a = draw 1 12
let private shape = [| 3; 4 |]
let private scaled c = a |> Array.map (fun x -> c * x)

[<Fact>]
let ``A sign that is flipped`` () =
    evidence shape (scaled -1.0) a
    |> says "sign flipped or wrong factor" "manual = -1.000000 x automatic in all 12 elements: the sign is flipped"

[<Theory>]
[<InlineData(5.0, "manual = 5.000000 x automatic in all 12 elements: it is multiplied by the batch size, 5: a sum where a mean belongs")>]
[<InlineData(0.2, "manual = 0.200000 x automatic in all 12 elements: it is divided by the batch size, 5: a mean where a sum belongs")>]
[<InlineData(2.0, "manual = 2.000000 x automatic in all 12 elements: it is counted twice, or a factor 2 too large")>]
[<InlineData(0.5, "manual = 0.500000 x automatic in all 12 elements: it is a factor 2 short")>]
[<InlineData(-5.0,
             "manual = -5.000000 x automatic in all 12 elements: the sign is flipped, and it is multiplied by the batch size, 5: a sum where a mean belongs")>]
[<InlineData(0.7, "manual = 0.700000 x automatic in all 12 elements: a constant factor is wrong")>]
let ``A factor that is wrong`` (c: float, text: string) =
    evidence shape (scaled c) a |> says "sign flipped or wrong factor" text

[<Fact>]
let ``One element is no evidence for a factor without a name`` () =
    Assert.Empty(texts (evidence [| 1 |] [| 0.7 |] [| 1.3 |]))

[<Fact>]
let ``A gradient that is zero, and one that should be`` () =
    let zeros = Array.zeroCreate 12

    evidence shape zeros a
    |> says "zero" "manual is zero in all 12 elements: the gradient is not computed, not reported, or lost"

    evidence shape a zeros
    |> says "zero" "automatic is zero in all 12 elements, and manual is not: the results do not change with this tensor"

[<Fact>]
let ``A transposition, of a square and of another matrix`` () =
    let square = draw 2 9

    evidence [| 3; 3 |] (Fits.permute [| 3; 3 |] [| 1; 0 |] square) square
    |> says "transposed" "manual = automatic with its axes in the order [1, 0], in all 9 elements: it is transposed"

    evidence shape (Fits.permute shape [| 1; 0 |] a) a
    |> says
        "transposed"
        "manual has the elements of automatic with its axes in the order [1, 0], under the old shape: it is reshaped where it should be transposed"

[<Fact>]
let ``A gradient of the transposed shape`` () =
    { evidence shape (Fits.permute shape [| 1; 0 |] a) a with
        ManualShape = [| 4; 3 |]
    }
    |> says "another shape" "manual = automatic with its axes in the order [1, 0]: it is transposed"

    { evidence [| 12 |] a a with
        ManualShape = [| 3; 4 |]
    }
    |> says "another shape" "manual has the right elements in shape [3, 4] instead of [12]: reshape it"

[<Fact>]
let ``A broadcast that is not summed`` () =
    let m = draw 3 20
    let e = evidence [| 4 |] m (Fits.sumOver [| 5; 4 |] [ 0 ] m)

    { e with ManualShape = [| 5; 4 |] }
    |> says "broadcast not summed" "manual summed over axis 0 = automatic: the gradient of a tensor that was broadcast is not summed"

[<Fact>]
let ``A kernel that is flipped`` () =
    evidence shape (Fits.flip shape [ 1 ] a) a
    |> says "flipped" "manual = automatic reversed along axis 1, in all 12 elements: a kernel or sequence is flipped"

    evidence shape (Fits.flip shape [ 0; 1 ] a) a
    |> says "flipped" "manual = automatic reversed along axis 0, 1, in all 12 elements: a kernel or sequence is flipped"

[<Fact>]
let ``Rows and columns in another order`` () =
    let rows = Fits.slices shape 0 a

    evidence shape (Array.concat [ rows[1]; rows[2]; rows[0] ]) a
    |> says "rows or columns in another order" "the rows of manual are the rows 1, 2, 0 of automatic: they are in another order"

    let swap = Fits.rearrange shape (fun i -> 4 * i[0] + [| 1; 0; 3; 2 |][i[1]]) a

    evidence shape swap a
    |> says "rows or columns in another order" "the columns of manual are the columns 1, 0, 3, 2 of automatic: they are in another order"

[<Fact>]
let ``An index that is off by one`` () =
    let x = draw 4 10
    let moved = Array.init 10 (fun i -> if i = 0 then 0.0 else x[i - 1])

    evidence [| 10 |] moved x
    |> says "shifted" "manual is automatic moved by 1 along axis 0, in 9 of 10 elements: an index is off"

[<Fact>]
let ``One example instead of the batch, and one too few`` () =
    let parts = [| draw 5 12; draw 6 12; draw 7 12 |]
    let total = Array.init 12 (fun i -> parts |> Array.sumBy (fun p -> p[i]))

    let e m =
        { evidence shape m total with
            Contributions = lazy parts
        }

    e parts[2]
    |> says "not summed over the batch" "manual = the contribution of example 2 in all 12 elements: it is not summed over the batch of 3"

    e (Array.map2 (-) total parts[0])
    |> says
        "not summed over the batch"
        "manual = automatic without the contribution of example 0 in all 12 elements: an example of the batch is left out"

[<Fact>]
let ``The gradient of another argument`` () =
    { evidence shape (draw 8 12) a with
        Others = [ known "the gradient of weight" shape (draw 8 12) ]
    }
    |> says "gradient of another argument" "manual = the gradient of weight in all 12 elements: it is the gradient of another argument"

let private g = draw 9 12
let private x = draw 10 12
let private y = x |> Array.map Math.Tanh

let private activation manual automatic =
    { evidence shape manual automatic with
        Cotangents = [ known "the cotangent" shape g ]
        Inputs = [ known "the input" shape x ]
        Outputs = [ known "the output" shape y ]
    }

let private tanh' = Array.map2 (fun g y -> g * (1.0 - y * y)) g y

[<Fact>]
let ``Delta where delta times the derivative belongs`` () =
    activation g tanh'
    |> says "derivative missing" "manual = the cotangent in all 12 elements: the derivative is missing, delta stands where delta * f'(x) belongs"

[<Fact>]
let ``The derivative taken at the input, for one that is written with the output`` () =
    activation (Array.map2 (fun g x -> g * (1.0 - x * x)) g x) tanh'
    |> says
        "derivative of the wrong tensor or function"
        "manual = the cotangent * (1 - t^2) at t = the input in all 12 elements, where automatic = the cotangent * (1 - t^2) at t = the output: the input stands where the output belongs"

[<Fact>]
let ``The derivative of another function`` () =
    activation (Array.map2 (fun g y -> g * y * (1.0 - y)) g y) tanh'
    |> says
        "derivative of the wrong tensor or function"
        "manual = the cotangent * t (1 - t) at t = the output in all 12 elements, where automatic = the cotangent * (1 - t^2) at t = the output: the derivative is another function's"

[<Fact>]
let ``A mask that is inverted`` () =
    let relu keep =
        Array.map2 (fun g x -> if keep x then g else 0.0) g x

    activation (relu (fun x -> x <= 0.0)) (relu (fun x -> x > 0.0))
    |> says
        "derivative of the wrong tensor or function"
        "manual = the cotangent * [t <= 0] at t = the output in all 12 elements: the mask is inverted"

    evidence shape (a |> Array.mapi (fun i v -> if i % 2 = 0 then v else 0.0)) (a |> Array.mapi (fun i v -> if i % 2 = 1 then v else 0.0))
    |> says "mask inverted" "manual is zero exactly where automatic is not, in all 12 elements: the mask is inverted"

[<Fact>]
let ``A mask that is too wide, and one that is missing`` () =
    let part = a |> Array.mapi (fun i v -> if i < 9 then v else 0.0)

    evidence shape part a
    |> says
        "mask missing or too wide"
        "manual is zero in 3 of 12 elements where automatic is not, and right in the others: a mask hides too much, or contributions are lost"

    evidence shape a part
    |> says "mask missing or too wide" "manual is not zero in 3 of 12 elements where automatic is, and right in the others: a mask is missing"

[<Fact>]
let ``A derivative that is applied twice, or not at all`` () =
    let other = draw 11 12

    activation (Array.map2 (fun a y -> a * (1.0 - y * y)) other y) other
    |> says
        "factor missing or applied twice"
        "manual = automatic * (1 - t^2) at t = the output, in all 12 elements: a factor is applied twice, or should not be there"

    activation other (Array.map2 (fun a x -> a * x) other x)
    |> says "factor missing or applied twice" "automatic = manual * t at t = the input, in all 12 elements: that factor is missing"

[<Fact>]
let ``A term that is missing, and weight decay that should not be there`` () =
    let base' = draw 12 12

    activation base' (Array.map2 (+) base' g)
    |> says "term missing" "automatic - manual = the cotangent in all 12 elements: that term is missing"

    let w = draw 13 12

    { evidence shape (Array.map2 (fun a w -> a + 0.01 * w) a w) a with
        Parameters = [ known "the parameter weight" shape w ]
    }
    |> says "term missing" "manual - automatic = 0.010000 x the parameter weight in all 12 elements: that term should not be there"

[<Fact>]
let ``A sum over the row that softmax needs`` () =
    let rows =
        Fits.slices shape 0 x
        |> Array.map (fun r -> let e = r |> Array.map Math.Exp in e |> Array.map (fun v -> v / Array.sum e))

    let s = Array.concat rows
    let total = Array.map2 (*) g s |> fun p -> Fits.sumOver shape [ 1 ] p
    let automatic = Array.init 12 (fun i -> s[i] * (g[i] - total[i / 4]))
    let e = activation (Array.map2 (*) g s) automatic

    Assert.Contains(
        "automatic - manual is the output times one number along each line of axis 1: a term that is summed over that axis is missing",
        texts
            { e with
                Outputs = [ known "the output" shape s ]
            }
    )

[<Fact>]
let ``A gradient that is clipped`` () =
    let limit = 1.0

    evidence shape (a |> Array.map (fun v -> Math.Clamp(v, -limit, limit))) a
    |> says
        "clipped"
        $"manual = automatic held between -1 and 1: it is clipped in {a |> Array.filter (fun v -> abs v > 1.0) |> Array.length} of 12 elements"

[<Fact>]
let ``A gradient in single precision`` () =
    let found = texts (evidence shape (a |> Array.map (fun v -> float (float32 v))) a)
    Assert.StartsWith("manual is right to ", found.Head)
    Assert.EndsWith("something is computed in single precision, or an epsilon differs", found.Head)

[<Fact>]
let ``Mistakes that are confined to a line or the border`` () =
    evidence shape (a |> Array.mapi (fun i v -> if i / 4 = 1 then v * v + 3.0 else v)) a
    |> says "confined to a part" "the 4 wrong elements all have index 1 on axis 0"

    let big = draw 14 25

    let edge i =
        i / 5 = 0 || i / 5 = 4 || i % 5 = 0 || i % 5 = 4

    evidence [| 5; 5 |] (big |> Array.mapi (fun i v -> if edge i then v * v + float i else v)) big
    |> says "confined to a part" "the 16 wrong elements are all at the border: padding, or the last stride, may be off"

[<Fact>]
let ``Noise has no simple explanation`` () =
    Assert.Empty(texts (activation (draw 20 12) (draw 21 12)))
    Assert.Empty(texts (evidence shape (draw 20 12 |> Array.map (fun _ -> nan)) a))

[<Fact>]
let ``Every entry of the table has a name of its own`` () =
    Assert.Equal(19, Diagnosis.Hypotheses.Count)
    Assert.Equal(Diagnosis.Hypotheses.Count, (Diagnosis.Hypotheses |> Seq.distinct |> Seq.length))

[<Fact>]
let ``What holds as well without a mistake is not said of one`` () =
    // In the order that they have.
    let close = a |> Array.map (fun x -> x * (1.0 + 1e-9))
    Assert.DoesNotContain(texts (evidence shape close a), fun text -> text.Contains "another order")

    // Alike in both directions, but for a factor.
    let rows = Array.init 12 (fun i -> float (1 + i / 4))

    Assert.DoesNotContain(texts (evidence shape (rows |> Array.map (fun x -> x * 4.0)) rows), fun text -> text.Contains "reversed")

    // Large mistakes at the border, and elsewhere those that are small only beside the largest element.
    let border i = i / 4 % 3 = 0 || i % 4 % 3 = 0

    let square =
        Array.init 16 (fun i -> (if border i then 5.0 else 0.01) + 1e-3 * float (i * i % 7))

    let planted (inside: float) =
        square
        |> Array.mapi (fun i x -> x + (if border i then 1e-4 else inside) * (1.0 + 0.1 * float (i * i % 5)))

    Assert.Contains(texts (evidence [| 4; 4 |] (planted 0.0) square), fun text -> text.Contains "at the border")
    let wrong = planted 1e-8
    Assert.DoesNotContain(texts (evidence [| 4; 4 |] wrong square), fun text -> text.Contains "border" || text.Contains "all have index")
