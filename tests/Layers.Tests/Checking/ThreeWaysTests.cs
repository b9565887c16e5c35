using System.Text.Json;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Checking;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Checking;

public sealed class ThreeWaysTests
{
    private const int Steps = 12;

    private static Sequential Network(ElementType type) =>
        new(
            new Linear(6, 8, seed: 1, type: type),
            new Tanh(),
            new Linear(8, 5, seed: 2, type: type),
            new ReLU(),
            new Linear(5, 3, seed: 3, type: type)
        );

    private static IEnumerable<(Tensor, Tensor)> Batches(ElementType type) =>
        Enumerable
            .Range(0, Steps)
            .Select(i => (Numbers.Normal((ulong)(100 + i), 7, 6).To(type), Tensor.From<int>([.. Enumerable.Range(i, 7).Select(k => k % 3)], 7)));

    [Theory]
    [InlineData(ElementType.Float64)]
    [InlineData(ElementType.Float32)]
    public void In_lockstep_the_three_ways_agree_within_rounding(ElementType type)
    {
        var steps = new List<TrainingStep>();
        var ways = new ThreeWays(Network(type), new CrossEntropyLoss(), 0.1);
        var report = ways.Lockstep(Batches(type), new Direct(steps.Add));
        Assert.True(report.Succeeded, report.ToString());
        Assert.Equal(Steps, report.Steps);
        Assert.Equal(12, report.Rows.Count);
        Assert.Equal(Steps, steps.Count);
        Assert.All(steps, step => Assert.InRange(step.Worst, 0, 1));
        Assert.All(report.Rows, row => Assert.InRange(row.Bound!.Value, 1e-20, type == ElementType.Float64 ? 1e-12 : 1e-3));
        Assert.True(steps[^1].Losses[0] > 0);
    }

    [Fact]
    public void R16_free_running_drift_in_float64_is_judged_at_1e_12()
    {
        var report = new ThreeWays(Network(ElementType.Float64), new CrossEntropyLoss(), 0.1).FreeRunning(Batches(ElementType.Float64));
        Assert.True(report.Succeeded, report.ToString());
        Assert.All(report.Rows, row => Assert.Equal(1e-12, row.Bound));
        Assert.All(report.Rows, row => Assert.Null(row.Twin));
    }

    [Fact]
    public void R16_free_running_drift_in_float32_is_reported_beside_a_twin_one_ulp_off()
    {
        var steps = new List<TrainingStep>();
        var ways = new ThreeWays(Network(ElementType.Float32), new CrossEntropyLoss(), 0.1);
        var report = ways.FreeRunning(Batches(ElementType.Float32), new Direct(steps.Add));
        Assert.True(report.Succeeded, report.ToString());
        Assert.All(report.Rows, row => Assert.Null(row.Bound));
        Assert.All(report.Rows, row => Assert.InRange(row.Twin!.Value, 1e-9, 1e-3));
        Assert.All(steps, step => Assert.NotNull(step.Twin));
    }

    [Fact]
    public void A_wrong_layer_is_named_with_the_first_step()
    {
        var wrong = new HandLinear(6, 3) { BiasRule = delta => delta.Mean(0) };
        var report = new ThreeWays(wrong, new CrossEntropyLoss(), 0.1).Lockstep(Batches(ElementType.Float64));
        Assert.False(report.Succeeded);
        Assert.StartsWith("First at step 1, bias, modules: |difference| is ", report.Failure, StringComparison.Ordinal);
        Assert.Equal(2, report.Rows.Count(row => !row.Agrees));
        Assert.Contains("DISAGREE", report.ToString(), StringComparison.Ordinal);
        var drift = new ThreeWays(wrong, new CrossEntropyLoss(), 0.1).FreeRunning(Batches(ElementType.Float64));
        Assert.False(drift.Succeeded);
        Assert.Contains("First at step 1, bias, modules: the drift is ", drift.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public void The_model_is_not_touched_and_the_report_is_json_too()
    {
        var model = Network(ElementType.Float64);
        var report = new ThreeWays(model, new CrossEntropyLoss(), 0.1).Lockstep(Batches(ElementType.Float64));
        Assert.All(model.Parameters(), cell => Assert.Equal(0, cell.Version));
        Assert.All(model.Parameters(), cell => Assert.Null(cell.Grad));
        using var json = JsonDocument.Parse(report.ToJson());
        Assert.True(json.RootElement.GetProperty("succeeded").GetBoolean());
        Assert.Equal("Modules", json.RootElement.GetProperty("rows")[0].GetProperty("way").GetString());
    }

    [Fact]
    public void Nothing_run_is_no_success_and_a_cancelled_run_stops()
    {
        var ways = new ThreeWays(Network(ElementType.Float64), new CrossEntropyLoss(), 0.1);
        Assert.False(ways.Lockstep([]).Succeeded);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => ways.Lockstep(Batches(ElementType.Float64), null, source.Token));
        Assert.Throws<OperationCanceledException>(() => ways.FreeRunning(Batches(ElementType.Float64), null, source.Token));
    }

    private sealed class Direct(Action<TrainingStep> report) : IProgress<TrainingStep>
    {
        public void Report(TrainingStep value) => report(value);
    }
}
