using System.Runtime.CompilerServices;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Documentation;

/// <summary>
/// The C# code of README.md and CONTRIBUTING.md, compiled and run here. Each block of the documents stands between markers in this file,
/// and a test compares the two texts.
/// </summary>
public class SnippetTests
{
    [Fact]
    public void The_snippet_of_the_README_trains_and_checks()
    {
        // <readme>
        var digits = Datasets.Digits().SplitInOrder(Datasets.DigitsTrainCount);
        var net = new Sequential(new Flatten(), new Linear(64, 128, seed: 1), new ReLU(), new Linear(128, 10, seed: 2));
        var loss = new CrossEntropyLoss();
        var optimizer = new Adam(net.Parameters());

        foreach (var (x, y) in new DataLoader(digits.Train, batchSize: 64, shuffleSeed: 0))
        {
            optimizer.ZeroGrad();
            loss.Of(net.Forward(x), y).Backward(); // or BackwardManual(): the layers' own backward
            optimizer.Step();
        }

        var (images, labels) = new DataLoader(digits.Test, batchSize: 360).First();
        Console.WriteLine($"accuracy {Accuracy.Of(net.Forward(images), labels):P1}");
        GradientCheck.AssertAgrees(net, images); // manual = automatic = central differences, or a diagnosis
        // </readme>
        Assert.InRange(Accuracy.Of(net.Forward(images), labels), 0.5, 1.0);
    }

    // <layer>
    /// <summary>y = a x + b, with one number a and one number b for all elements of <c>[batch, ...]</c>.</summary>
    private sealed class Affine : Module
    {
        private readonly Cell a = new("a", Tensor.Ones(Shape.Of(1)));
        private readonly Cell b = new("b", Tensor.Zeros(Shape.Of(1)));

        protected override Tensor Compute(Tensor x) => x * a.Value + b.Value;

        // By hand, and optional: dL/da = sum(delta x), dL/db = sum(delta), dL/dx = a delta.
        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            var delta = deltas[0]!;
            Accumulate(a, (delta * call.Inputs[0]).Sum().Reshape(1));
            Accumulate(b, delta.Sum().Reshape(1));
            return [delta * call.ParameterValues[0]];
        }
    }

    // </layer>

    [Fact]
    public void The_layer_of_CONTRIBUTING_passes_the_check() =>
        GradientCheck.AssertAgrees(new Affine(), Tensor.From([1f, -2f, 0.5f, 4f, 3f, -1f], 2, 3));

    [Theory]
    [InlineData("README.md", "readme")]
    [InlineData("CONTRIBUTING.md", "layer")]
    public void The_code_of_the_documents_is_the_code_that_runs_here(string document, string name)
    {
        var text = File.ReadAllText(Path.Combine(Here(), "..", "..", "..", document)).ReplaceLineEndings("\n");
        var blocks = text.Split("```csharp\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)].Trim());
        Assert.Contains(Region(name), blocks);
    }

    // The lines between the markers of a name, less their indentation.
    private static string Region(string name)
    {
        var lines = File.ReadAllText(Path.Combine(Here(), "SnippetTests.cs")).ReplaceLineEndings("\n").Split('\n');
        var start = Array.FindIndex(lines, line => line.Trim() == $"// <{name}>") + 1;
        var body = lines[start..Array.FindIndex(lines, line => line.Trim() == $"// </{name}>")];
        var indent = body.Where(line => line.Trim() != "").Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', body.Select(line => line.Length >= indent ? line[indent..] : "")).Trim();
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
