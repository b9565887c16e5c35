using System.Text.Json;
using Hybrid.Core;
using Hybrid.Examples.Runs;
using Hybrid.Layers;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The main job: what it prints, what it writes, and that it finds what is wrong.</summary>
public sealed class CrossCheckTests
{
    [Fact]
    public void All_networks_agree_by_all_paths_on_the_digits()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");

        var ran = Running.Here("crosscheck", "--data", "digits", "--epochs", "2", "--json", file);

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal("Cross-check on digits: float64, batches of 100, learning rate 0.1, seed 0", ran.OutputLines[0]);
        Assert.Equal("Hand-written and automatic gradients agree.", ran.OutputLines[^1]);
        Assert.Equal(
            [
                "Data: digits (train), 1437 images to train on and 360 to test.",
                "softmax: gradients by layer, 15 steps in lockstep, 2 epochs free-running.",
                "mlp: gradients by layer, 15 steps in lockstep, 2 epochs free-running.",
                "cnn: gradients by layer, 15 steps in lockstep, 2 epochs free-running.",
            ],
            ran.ErrorLines
        );
        Assert.DoesNotContain("DISAGREE", ran.Output, StringComparison.Ordinal);
        string[] rows =
        [
            "net/0:Linear      input",
            "net/0:Linear      weight",
            "net/0:Linear      bias",
            "net/1:ReLU        input",
            "net/0:Unflatten   input",
            "net/1:Conv2d      weight",
            "net/6:MaxPool2d   input",
        ];
        Assert.All(rows, row => Assert.Contains($"  {row} ", ran.Output, StringComparison.Ordinal));
        CheckJson(File.ReadAllText(file));
    }

    [Fact]
    public void The_same_command_prints_the_same_bits_with_any_number_of_threads()
    {
        string[] command = ["crosscheck", "--data", "digits", "--model", "mlp", "--epochs", "2"];

        var one = Running.Here([.. command, "--threads", "1"]);
        var two = Running.Here([.. command, "--threads", "2"]);

        Assert.Equal(0, one.ExitCode);
        Assert.Equal(one.Output, two.Output);
    }

    [Fact]
    public void In_float32_the_drift_is_shown_beside_that_of_a_twin()
    {
        var ran = Running.Here("--data", "digits", "--model", "mlp", "--precision", "float32", "--epochs", "1");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal(2, ran.OutputLines.Count(line => line.EndsWith("  reported", StringComparison.Ordinal)));
        Assert.Equal(3, ran.OutputLines.Count(line => line.Contains("  twin ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("manual", 1)]
    [InlineData("tape-manual", 1)]
    [InlineData("automatic", 0)]
    public void One_path_is_compared_with_the_automatic_one(string path, int others)
    {
        var ran = Running.Here("--data", "digits", "--model", "softmax", "--path", path, "--epochs", "1");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal(1, ran.OutputLines.Count(line => line.EndsWith("  reference", StringComparison.Ordinal)));
        Assert.Equal(others, ran.OutputLines.Count(line => line.StartsWith($"  0      {path} ", StringComparison.Ordinal) && path != "automatic"));
        Assert.Equal(others > 0, ran.Output.Contains("training in lockstep", StringComparison.Ordinal));
    }

    [Fact]
    public void A_wrong_backward_is_found_and_pinned_to_its_layer()
    {
        var wrong = new ModelSpec(
            "wrong",
            int.MaxValue,
            (image, classes) => Model.Input(image.Pixels).Linear(8).Then(new SignFlipped()).Linear(classes)
        );

        var ran = Running.CrossCheck(wrong, "--data", "digits", "--epochs", "1");

        Assert.Equal(1, ran.ExitCode);
        Assert.Equal("Hand-written and automatic gradients DISAGREE.", ran.OutputLines[^1]);
        var layer = Assert.Single(
            ran.OutputLines,
            line => line.StartsWith("  net/", StringComparison.Ordinal) && line.EndsWith("DISAGREE", StringComparison.Ordinal)
        );
        Assert.StartsWith("  net/1:SignFlipped  input ", layer, StringComparison.Ordinal);
        Assert.Contains("First at step 1, 0.weight, modules:", ran.Output, StringComparison.Ordinal);
        var summary = ran.OutputLines.Where(line => line.StartsWith("wrong ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(5, summary.Length);
        Assert.Equal(3, summary.Count(line => line.EndsWith("DISAGREE", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("all", "each of 1 step (of 15 with --model short)")]
    [InlineData("mlp", null)]
    public void Among_all_networks_a_long_one_takes_part_of_each_epoch(string chosen, string? part)
    {
        var model = new ModelSpec("short", 1, (image, classes) => Model.Input(image.Pixels).Linear(classes));
        using var folder = new TemporaryFolder();
        var file = folder.File("results.json");

        var ran = Running.CrossCheck(model, "--data", "digits", "--model", chosen, "--path", "automatic", "--epochs", "1", "--json", file);

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal($"short: gradients by layer, 0 steps in lockstep, 1 epoch free-running{(part is null ? "" : $", {part}")}.", ran.ErrorLines[^1]);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        var loss = json.RootElement.GetProperty("models")[0].GetProperty("freeRunning")[0].GetProperty("loss").GetDouble();
        Assert.Equal(part is not null, FirstLoss(model) == loss);
    }

    /// <summary>The mean loss of the first batch, before any step.</summary>
    private static double FirstLoss(ModelSpec model)
    {
        var settings = Running.Parsed("crosscheck").Settings;
        var data = ExampleData.Digits(settings.Seed);
        var first = new BatchOrder(data.Train.Count, settings.Batch!.Value, (ulong)settings.Seed).Epoch(0).First();
        var images = ExampleData.Images(data.Train, first, settings.Precision);
        return new CrossEntropyLoss().Of(model.Create(data, settings).Forward(images), ExampleData.Labels(data.Train, first)).Item();
    }

    [Theory]
    [InlineData(0.5, 1e-12, true)]
    [InlineData(0.5, 1.1e-12, false)]
    [InlineData(0.5, double.NaN, false)]
    [InlineData(double.NaN, 0, false)]
    [InlineData(double.PositiveInfinity, 0, false)]
    public void An_epoch_agrees_within_its_bound_if_its_loss_is_a_number(double loss, double apart, bool expected)
    {
        var epoch = new PathEpoch(0, "manual", loss, 90, new("0.weight", [0, 0], apart, 1, 1), 1e-12, null);

        Assert.Equal(expected, epoch.Agrees);
    }

    [Theory]
    [InlineData(true, true, true, true)]
    [InlineData(false, true, true, false)]
    [InlineData(true, false, true, false)]
    [InlineData(true, true, false, false)]
    public void A_network_agrees_if_all_that_was_compared_does(bool gradients, bool lockstep, bool epochs, bool expected)
    {
        Module layer = gradients ? new ReLU() : new SignFlipped();
        var row = new TrainingRow("weight", "[1]", TrainingWay.Modules, 1, 0, 0, 0, [], 1, 0, null, lockstep);

        var findings = new ModelFindings(
            "model",
            1,
            GradientCheck.Of(layer, Tensor.From<double>([-1.0, 0.5, 2.0], 1, 3)),
            new TrainingReport("lockstep", 1, [row], 0, ""),
            [new(0, "manual", 0.5, 90, new("weight", [0], epochs ? 0 : 1, 1, 1), 1e-12, null)]
        );

        Assert.Equal(expected, findings.Agrees);
        Assert.Equal(gradients, (findings with { Lockstep = null, Epochs = [] }).Agrees);
    }

    [MnistFact]
    public void The_main_job_agrees_on_mnist()
    {
        var ran = Running.Here("--model", "softmax", "--epochs", "1");

        Assert.Equal(0, ran.ExitCode);
        Assert.Equal("Cross-check on mnist: float64, batches of 100, learning rate 0.1, seed 0", ran.OutputLines[0]);
    }

    private static void CheckJson(string text)
    {
        using var json = JsonDocument.Parse(text);
        var root = json.RootElement;
        Assert.True(root.GetProperty("agrees").GetBoolean());
        Assert.Equal("digits", root.GetProperty("data").GetString());
        Assert.Equal("0.1", root.GetProperty("options").GetProperty("lr").GetString());
        var models = root.GetProperty("models").EnumerateArray().ToArray();
        Assert.Equal(["softmax", "mlp", "cnn"], models.Select(model => model.GetProperty("model").GetString()));
        Assert.Equal([650, 9610, 1898], models.Select(model => model.GetProperty("parameters").GetInt32()));
        foreach (var model in models)
        {
            Assert.True(model.GetProperty("gradients").GetProperty("rows").GetArrayLength() >= 5);
            Assert.True(model.GetProperty("lockstep").GetProperty("rows").GetArrayLength() >= 4);
            var epochs = model.GetProperty("freeRunning").EnumerateArray().ToArray();
            Assert.Equal(6, epochs.Length);
            Assert.InRange(epochs[0].GetProperty("apart").GetProperty("relative").GetDouble(), 0, 1e-12);
            Assert.Equal(JsonValueKind.Null, epochs[2].GetProperty("apart").ValueKind);
        }
    }

    /// <summary>A rectifier whose author forgot a sign.</summary>
    private sealed class SignFlipped : Module
    {
        protected override Tensor Compute(Tensor x) => x.Relu();

        public override Tensor BackwardDelta(Tensor input, Tensor delta) =>
            -(delta * input.Greater(Tensor.Zeros(input.Shape, input.DType)).To(input.DType));
    }
}
