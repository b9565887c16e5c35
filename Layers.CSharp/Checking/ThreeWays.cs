using System.Globalization;
using Hybrid.Core;
using Hybrid.Core.Checking;
using Hybrid.Kernels;

namespace Hybrid.Layers.Checking;

/// <summary>
/// Trains one network in three ways from the same state on the same batches: modules alone by hand, the tape with manual rules, the tape with
/// automatic rules. Plain gradient descent on the mean of the loss's values per example, <c>loss.Forward(y, yhat).Sum() / batch</c>.
/// </summary>
/// <remarks>
/// The model itself is not touched: every way has a copy of its own. All of it runs in the model's element type; clone the model to float64 for the
/// sharper comparison.
/// </remarks>
/// <param name="model">The network; every layer must have a backward by hand.</param>
/// <param name="loss">The loss; it must have a backward by hand.</param>
/// <param name="learningRate">The step of the descent.</param>
public sealed class ThreeWays(Module model, Loss loss, double learningRate)
{
    /// <summary>What free-running drift in float64 is judged by: the relative difference of a parameter.</summary>
    public const double DriftBound = 1e-12;

    /// <summary>What rounding bounds are multiplied by, for what a first-order analysis leaves out; 2.</summary>
    public double Safety { get; init; } = 2;

    /// <summary>
    /// In lockstep: before each step all ways get the automatic tape's state; the gradients from that same state are compared, and judged by a
    /// bound from the lengths of the sums in both expressions (<see cref="RoundingBound"/>).
    /// </summary>
    /// <param name="batches">Inputs and targets; one step for each.</param>
    /// <param name="progress">Called after each step; null for none.</param>
    /// <param name="cancellation">Stops between steps: OperationCanceledException.</param>
    public TrainingReport Lockstep(
        IEnumerable<(Tensor Input, Tensor Target)> batches,
        IProgress<TrainingStep>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var ways = Copies();
        var rows = new Worst(ways[0]);
        var steps = 0;
        foreach (var (input, target) in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            steps++;
            var state = ways[(int)TrainingWay.AutomaticTape].StateDict();
            ways[(int)TrainingWay.Modules].LoadStateDict(state);
            ways[(int)TrainingWay.ManualTape].LoadStateDict(state);
            var losses = ways.Select((way, i) => Gradients(way, (TrainingWay)i, input, target)).ToArray();
            // Bounds are built before anything is computed, since a computed value counts as exact.
            var gradients = ways.Select(way => way.Parameters().Select(cell => cell.Grad).ToArray()).ToArray();
            var bounds = gradients.Select(all => all.Select(g => g is null ? null : RoundingBound.Of(g)).ToArray()).ToArray();
            var worst = 0.0;
            for (var way = TrainingWay.Modules; way < TrainingWay.AutomaticTape; way++)
            {
                for (var p = 0; p < rows.Count; p++)
                {
                    var (a, m) = (gradients[(int)TrainingWay.AutomaticTape][p], gradients[(int)way][p]);
                    var bound = Added(bounds[(int)TrainingWay.AutomaticTape][p], bounds[(int)way][p]);
                    worst = Math.Max(worst, rows.Lockstep(p, way, steps, a, m, bound, Safety));
                }
            }
            var values = losses.Select(value => value.Item()).ToArray();
            rows.Losses(values);
            foreach (var way in ways)
                Update(way);
            progress?.Report(new TrainingStep(steps, values, worst, null));
        }
        return rows.Report($"three ways in lockstep, {Text.Name(rows.Type)}", steps);
    }

    /// <summary>
    /// Free-running: each way goes on from its own parameters. The drift of the parameters from the automatic run's is judged at <see cref="DriftBound"/>
    /// in float64; in float32 it is reported beside the drift of a twin of the automatic run whose first parameters were one ULP off.
    /// </summary>
    /// <param name="batches">Inputs and targets; one step for each.</param>
    /// <param name="progress">Called after each step; null for none.</param>
    /// <param name="cancellation">Stops between steps: OperationCanceledException.</param>
    public TrainingReport FreeRunning(
        IEnumerable<(Tensor Input, Tensor Target)> batches,
        IProgress<TrainingStep>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var ways = Copies();
        var rows = new Worst(ways[0]);
        var twin = rows.Type == ElementType.Float32 ? Perturbed() : null;
        var steps = 0;
        foreach (var (input, target) in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            steps++;
            var values = new double[ways.Length];
            for (var i = 0; i < ways.Length; i++)
            {
                var value = Gradients(ways[i], (TrainingWay)i, input, target);
                Update(ways[i]);
                values[i] = value.Item();
            }
            if (twin is not null)
            {
                Gradients(twin, TrainingWay.AutomaticTape, input, target);
                Update(twin);
            }
            rows.Losses(values);
            var (worst, other) = (0.0, 0.0);
            for (var p = 0; p < rows.Count; p++)
            {
                var automatic = ways[(int)TrainingWay.AutomaticTape].Parameters()[p].Value;
                var drift = twin is null ? (double?)null : Comparison.Of(automatic, twin.Parameters()[p].Value).MaxRelative;
                other = Math.Max(other, drift ?? 0);
                for (var way = TrainingWay.Modules; way < TrainingWay.AutomaticTape; way++)
                    worst = Math.Max(worst, rows.Drift(p, way, steps, automatic, ways[(int)way].Parameters()[p].Value, drift));
            }
            progress?.Report(new TrainingStep(steps, values, worst, twin is null ? null : other));
        }
        return rows.Report($"three ways free-running, {Text.Name(rows.Type)}", steps);
    }

    // Adds the gradients of a step to a copy's parameters, and gives the loss.
    private Tensor Gradients(Module way, TrainingWay how, Tensor input, Tensor target)
    {
        way.ZeroGrad();
        var yhat = way.Forward(input);
        var batch = (double)yhat.Shape[0];
        var value = loss.Forward(target, yhat).Sum() / batch;
        switch (how)
        {
            case TrainingWay.Modules:
                way.BackwardUpdateGradient(input, loss.Backward(target, yhat) / batch);
                break;
            case TrainingWay.ManualTape:
                value.BackwardManual();
                break;
            default:
                value.Backward();
                break;
        }
        return value;
    }

    private void Update(Module way)
    {
        way.UpdateParameters(learningRate);
        way.ZeroGrad();
    }

    private Module[] Copies() => [model.Clone(), model.Clone(), model.Clone()];

    private Module Perturbed()
    {
        var twin = model.Clone();
        var cells = twin.Parameters();
        Cell.SetAll(
            cells,
            [.. cells.Select(cell => Tensor.From<float>(Array.ConvertAll(cell.Value.ToArray<float>(), MathF.BitIncrement), cell.Shape.ToArray()))]
        );
        return twin;
    }

    private static Tensor? Added(Tensor? a, Tensor? b) =>
        a is null ? b
        : b is null ? a
        : a + b;

    // The worst of each parameter and way so far.
    private sealed class Worst
    {
        private readonly (string Name, Cell Cell)[] parameters;
        private readonly TrainingRow?[,] rows;
        private double lossDifference;
        private string failure = "";

        public Worst(Module module)
        {
            parameters = [.. module.NamedParameters()];
            if (parameters.Length == 0)
                throw new ShapeException("ThreeWays", "a network with parameters", "one without", "", "There is nothing to train.");
            rows = new TrainingRow?[parameters.Length, 2];
        }

        public int Count => parameters.Length;

        public ElementType Type => parameters[0].Cell.DType;

        public void Losses(double[] values)
        {
            foreach (var value in values[..^1])
                lossDifference = Math.Max(lossDifference, Math.Abs(value - values[^1]) / Math.Max(Math.Abs(values[^1]), double.Epsilon));
        }

        public double Lockstep(int index, TrainingWay way, int step, Tensor? automatic, Tensor? manual, Tensor? bound, double safety)
        {
            if (automatic is null && manual is null)
            {
                Fail(step, index, way, "no gradient reaches it by either path");
                Put(index, way, new(parameters[index].Name, Shape(index), way, step, 0, 0, 0, [], 0, double.PositiveInfinity, null, false));
                return double.PositiveInfinity;
            }
            automatic ??= Tensor.Zeros(parameters[index].Cell.Shape, Type);
            manual ??= Tensor.Zeros(parameters[index].Cell.Shape, Type);
            var comparison = Comparison.Of(automatic, manual);
            var (a, m, e) = (automatic.ToDoubles(), manual.ToDoubles(), bound!.ToDoubles());
            var (ratio, at) = (0.0, 0);
            for (var i = 0; i < a.Length; i++)
            {
                var gap = a[i] == m[i] || (double.IsNaN(a[i]) && double.IsNaN(m[i])) ? 0 : Math.Abs(a[i] - m[i]) / (safety * e[i]);
                if (!(gap <= ratio))
                    (ratio, at) = (double.IsNaN(gap) ? double.PositiveInfinity : gap, i);
            }
            if (ratio > 1)
                Fail(
                    step,
                    index,
                    way,
                    $"|difference| is {TrainingReport.Short(Math.Abs(a[at] - m[at]))}, and rounding explains {TrainingReport.Short(safety * e[at])}"
                );
            Put(
                index,
                way,
                Row(index, way, step, comparison) with
                {
                    Bound = safety * (a.Length == 0 ? 0 : e[at]),
                    Ratio = ratio,
                    Agrees = ratio <= 1,
                }
            );
            return ratio;
        }

        public double Drift(int index, TrainingWay way, int step, Tensor automatic, Tensor manual, double? twin)
        {
            var comparison = Comparison.Of(automatic, manual);
            var relative = comparison.MaxRelative;
            var judged = Type == ElementType.Float64;
            var agrees = !judged || relative <= DriftBound;
            if (!agrees)
                Fail(step, index, way, $"the drift is {TrainingReport.Short(relative)}, over {TrainingReport.Short(DriftBound)}");
            var row = Row(index, way, step, comparison) with
            {
                Bound = judged ? DriftBound : null,
                Ratio = judged ? relative / DriftBound : null,
                Twin = twin,
                Agrees = agrees,
            };
            Put(index, way, row);
            return relative;
        }

        public TrainingReport Report(string title, int steps) =>
            new(
                title,
                steps,
                [.. Enumerable.Range(0, Count).SelectMany(p => new[] { rows[p, 0], rows[p, 1] }).OfType<TrainingRow>()],
                lossDifference,
                failure
            );

        private string Shape(int index) => parameters[index].Cell.Shape.ToString();

        private TrainingRow Row(int index, TrainingWay way, int step, Comparison c) =>
            new(parameters[index].Name, Shape(index), way, step, c.MaxAbsolute, c.MaxRelative, c.MaxUlp, c.WorstIndex, null, null, null, true);

        // The step that stays is the one furthest from its bound, or furthest apart where there is no bound.
        private void Put(int index, TrainingWay way, TrainingRow row)
        {
            var before = rows[index, (int)way];
            if (before is null || (row.Ratio ?? row.Relative) > (before.Ratio ?? before.Relative))
                rows[index, (int)way] = row;
        }

        private void Fail(int step, int index, TrainingWay way, string why)
        {
            if (failure.Length > 0)
                return;
            var name = way == TrainingWay.Modules ? "modules" : "manual tape";
            failure = string.Create(CultureInfo.InvariantCulture, $"First at step {step}, {parameters[index].Name}, {name}: {why}.");
        }
    }
}
