using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Training;

public sealed class TrainerTests
{
    [Theory]
    [InlineData(GradientPath.Automatic, Reduction.Mean)]
    [InlineData(GradientPath.Manual, Reduction.Mean)]
    [InlineData(GradientPath.Automatic, Reduction.Sum)]
    public void The_history_is_that_of_a_loop_by_hand(GradientPath path, Reduction reduction)
    {
        var setup = new Setup(path: path, reduction: reduction, trainingMetrics: true);
        var history = setup.Trainer.Fit(setup.Train, setup.Validation, epochs: 3);

        var (net, loss) = (Setup.Network(), new CrossEntropyLoss(reduction));
        var optimizer = new Adam(net.Parameters(), 0.05);
        Assert.Equal([0, 1, 2], history.Epochs.Select(epoch => epoch.Epoch));
        Assert.Equal((StopReason.Completed, (int?)null), (history.Stopped, history.BestEpoch));
        foreach (var record in history.Epochs)
        {
            var (total, right) = (0.0, 0L);
            foreach (var (x, y) in setup.Train.Epoch(record.Epoch))
            {
                optimizer.ZeroGrad();
                var yhat = net.Forward(x);
                var value = loss.Of(yhat, y);
                right += Accuracy.Correct(yhat, y);
                value.BackwardAlong(path);
                optimizer.Step();
                total += value.Item() * (reduction == Reduction.Mean ? x.Shape[0] : 1);
            }
            var (vx, vy) = (setup.X, setup.Y);
            Assert.Equal((4, 26L, 10L), (record.Steps, record.Training.Samples, record.Validation!.Samples));
            Assert.Equal(total / 26, record.Training.Loss, 1e-12);
            Assert.Equal(right / 26.0, record.Training.Metrics["accuracy"]);
            Assert.Equal(new CrossEntropyLoss().Of(net.Forward(vx), vy).Item(), record.Validation.Loss, 1e-12);
            Assert.Equal(Accuracy.Of(net.Forward(vx), vy), record.Validation.Metrics["accuracy"]);
            Assert.InRange(record.Seconds, 1e-9, 600);
        }
        AssertSame(net.StateDict(), setup.Net.StateDict());
        AssertSame(optimizer.StateDict(), setup.Optimizer.StateDict());
        Assert.Same(history, setup.Trainer.History);
    }

    [Fact]
    public void The_same_seeds_give_the_same_bits_whatever_was_enumerated_before()
    {
        var (one, other) = (new Setup(), new Setup());
        _ = other.Train.First();
        one.Trainer.Fit(one.Train, one.Validation, epochs: 2);
        one.Trainer.Fit(one.Train);
        other.Trainer.Fit(other.Train, epochs: 3);
        Assert.Equal((3, 3), (one.Trainer.EpochsDone, other.Trainer.EpochsDone));
        AssertSame(one.Net.StateDict(), other.Net.StateDict());
        Assert.Equal(2, Assert.Single(one.Trainer.History.Epochs).Epoch);
    }

    public static TheoryData<string, int> Points()
    {
        var points = new TheoryData<string, int>();
        foreach (
            var place in new[] { "before", "data", "forward", "backward", "loss", "update", "batch ended", "progress", "validation", "epoch ended" }
        )
        {
            for (var time = 0; time < (place is "before" ? 1 : 3); time++)
                points.Add(place, time);
        }
        return points;
    }

    [Theory]
    [MemberData(nameof(Points))]
    public void A_cancelled_training_leaves_the_state_after_a_whole_step(string place, int time)
    {
        using var source = new CancellationTokenSource();
        var seen = 0;
        var steps = 0;

        void Reach(string here)
        {
            if (here == place && seen++ == time)
                source.Cancel();
        }

        IEnumerable<(Tensor, Tensor)> Watched(DataLoader data)
        {
            // Another order each epoch is of no use here.
            foreach (var batch in data.Epoch(0))
            {
                Reach("data");
                yield return batch;
            }
        }

        var setup = new Setup(path: GradientPath.Manual, watch: Reach);
        setup.Trainer.BatchEnded += (_, _) =>
        {
            steps++;
            Reach("batch ended");
        };
        setup.Trainer.EpochEnded += (_, _) => Reach("epoch ended");
        Reach("before");
        var progress = new Listener(value => Reach(value.Phase == TrainingPhase.Validation ? "validation" : "progress"));
        var error = Assert.Throws<OperationCanceledException>(() =>
            setup.Trainer.Fit(Watched(setup.Train), setup.Validation, 4, progress, source.Token)
        );
        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Equal(StopReason.Unfinished, setup.Trainer.History.Stopped);
        Assert.Equal(setup.Trainer.EpochsDone, setup.Trainer.History.Epochs.Length);
        Assert.True(seen > time);

        var reference = new Setup(watch: _ => { });
        for (var k = 0; k < steps; k++)
        {
            var (x, y) = reference.Train.Epoch(0).ElementAt(k % 4);
            reference.Optimizer.ZeroGrad();
            new CrossEntropyLoss().Of(reference.Net.Forward(x), y).BackwardManual();
            reference.Optimizer.Step();
        }
        AssertSame(reference.Net.StateDict(), setup.Net.StateDict());
        AssertSame(reference.Optimizer.StateDict(), setup.Optimizer.StateDict());
        if (place is "before" or "data")
            Assert.Equal(place == "data" ? time : 0, steps);
    }

    [Fact]
    public void A_step_that_fails_changes_nothing_and_the_trainer_can_go_on()
    {
        var setup = new Setup();
        var bad = new[] { setup.Train.Epoch(0).First(), (setup.X, Tensor.From(Enumerable.Repeat(7, 10).ToArray())) };
        Assert.Throws<ValueException>(() => setup.Trainer.Fit(bad));
        var reference = new Setup();
        reference.Trainer.Fit([reference.Train.Epoch(0).First()]);
        AssertSame(reference.Net.StateDict(), setup.Net.StateDict());
        AssertSame(reference.Optimizer.StateDict(), setup.Optimizer.StateDict());
        Assert.Equal(0, setup.Trainer.EpochsDone);
        setup.Trainer.Fit(setup.Train);
        Assert.Equal(1, setup.Trainer.EpochsDone);
    }

    [Theory]
    [InlineData(true, "loss", 0.0)]
    [InlineData(false, "loss", 0.0)]
    [InlineData(true, "score", 0.0)]
    [InlineData(true, "loss", 0.45)]
    public void Early_stopping_ends_after_its_patience_and_restores_the_best(bool restore, string monitor, double minDelta)
    {
        // The metric is what the test says it is, epoch by epoch.
        double[] values = [5, 4, 4.6, 3.6, 3.6, double.NaN, 9, 1, 1];
        var at = -1;
        var loss = new Scripted(() => values[at]);
        var score = new Metric("score", (yhat, _) => -values[at] * yhat.Shape[0]);
        var stopping = new EarlyStopping(3, minDelta, restore, monitor);
        var setup = new Setup(metrics: [score], stopping: stopping, loss: loss);
        var states = new List<StateDict>();
        setup.Trainer.BatchEnded += (_, e) => at = e.Epoch;
        setup.Trainer.EpochEnded += (_, _) => states.Add(setup.Net.StateDict());
        var history = setup.Trainer.Fit(setup.Train, setup.Validation, epochs: 9);
        var (best, last) = minDelta == 0 ? (3, 6) : (1, 4);
        Assert.Equal((StopReason.NoImprovement, (int?)best, last + 1), (history.Stopped, history.BestEpoch, history.Epochs.Length));
        Assert.Equal(values[..(last + 1)], history.Epochs.Select(epoch => epoch.Validation!.Loss));
        AssertSame(states[restore ? best : last], setup.Net.StateDict());
        Assert.NotEqual(states[best]["0.weight"].ToDoubles(), states[last]["0.weight"].ToDoubles());
    }

    [Fact]
    public void The_best_is_restored_too_if_the_epochs_run_out_or_a_handler_ends_it()
    {
        foreach (var stop in new[] { false, true })
        {
            double[] values = [3, 1, 2];
            var at = -1;
            var setup = new Setup(loss: new Scripted(() => values[at]), stopping: new EarlyStopping(5));
            var states = new List<StateDict>();
            setup.Trainer.BatchEnded += (_, e) => at = e.Epoch;
            setup.Trainer.EpochEnded += (_, e) =>
            {
                states.Add(setup.Net.StateDict());
                e.Stop = stop && e.Record.Epoch == 2;
            };
            var history = setup.Trainer.Fit(setup.Train, setup.Validation, epochs: stop ? 9 : 3);
            Assert.Equal(
                (stop ? StopReason.Requested : StopReason.Completed, (int?)1, 3),
                (history.Stopped, history.BestEpoch, history.Epochs.Length)
            );
            AssertSame(states[1], setup.Net.StateDict());
        }
    }

    [Fact]
    public void Events_and_progress_tell_of_every_batch_and_lines_of_every_epoch()
    {
        var setup = new Setup();
        var (batches, told) = (new List<(int, int, int)>(), new List<(TrainingPhase, int, int, int, int?)>());
        setup.Trainer.BatchEnded += (_, e) => batches.Add((e.Epoch, e.Batch, e.Samples));
        var writer = new StringWriter { NewLine = "\n" };
        var lines = new LineProgress(writer);
        var progress = new Listener(p =>
        {
            told.Add((p.Phase, p.Epoch, p.EpochsEnd, p.Batches, p.BatchCount));
            lines.Report(p.Finished is { } done ? p with { Finished = done with { Seconds = 1.25 } } : p);
        });
        var history = setup.Trainer.Fit(setup.Train, setup.Validation, 2, progress);
        Assert.Equal([(0, 0, 7), (0, 1, 7), (0, 2, 7), (0, 3, 5), (1, 0, 7), (1, 1, 7), (1, 2, 7), (1, 3, 5)], batches);
        Assert.Equal(16, told.Count);
        Assert.Equal((TrainingPhase.Training, 0, 2, 4, (int?)4), told[3]);
        Assert.Equal((TrainingPhase.Validation, 0, 2, 3, (int?)3), told[6]);
        Assert.Equal((TrainingPhase.EpochEnd, 1, 2, 4, (int?)4), told[15]);
        var expected = string.Concat(
            history.Epochs.Select(e =>
                FormattableString.Invariant(
                    $"epoch {e.Epoch + 1}/2 loss {e.Training.Loss:F4} validation loss {e.Validation!.Loss:F4} accuracy {e.Validation.Metrics["accuracy"]:F4} (1.2 s)\n"
                )
            )
        );
        Assert.Equal(expected, writer.ToString());
    }

    [Fact]
    public void Steps_run_in_training_mode_and_everything_else_in_evaluation_mode_without_gradients()
    {
        var modes = new HashSet<(bool Training, bool Recording)>();
        var setup = new Setup(watch: here =>
        {
            if (here == "forward")
                modes.Add((Mode.IsTraining, Mode.IsRecording));
        });
        setup.Trainer.Fit(setup.Train);
        Assert.Equal([(true, true)], modes);
        modes.Clear();
        var evaluation = setup.Trainer.Evaluate(setup.Validation);
        var predicted = setup.Trainer.Predict(setup.X, batchSize: 4);
        Assert.Equal([(false, false)], modes);
        Assert.True(Mode.IsTraining && Mode.IsRecording);
        Assert.Throws<TapeException>(predicted.Sum().Backward);
        Assert.Equal(setup.Net.Forward(setup.X).ToDoubles(), predicted.ToDoubles());
        Assert.Equal(Accuracy.Of(predicted, setup.Y), evaluation.Metrics["accuracy"]);
        Assert.Equal(setup.Net.Forward(setup.X).ToDoubles(), setup.Trainer.Predict(setup.X).ToDoubles());
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => setup.Trainer.Evaluate(setup.Validation, source.Token));
        Assert.Throws<OperationCanceledException>(() => setup.Trainer.Predict(setup.X, 4, source.Token));
    }

    [Fact]
    public void A_loss_is_a_metric_too()
    {
        var setup = new Setup(metrics: [Metric.Of("entropy", new CrossEntropyLoss()), Metric.Accuracy]);
        var evaluation = setup.Trainer.Evaluate(setup.Validation);
        Assert.Equal(evaluation.Loss, evaluation.Metrics["entropy"], 1e-12);
        Assert.False(setup.Trainer.Options.Metrics[0].HigherIsBetter);
    }

    public static TheoryData<string, string> Refusals() =>
        new()
        {
            {
                "none",
                "Trainer: expected a loss that is one number, got CrossEntropyLoss with Reduction.None. Use Reduction.Mean or Reduction.Sum: a step follows one number."
            },
            { "twice", "Trainer: expected metrics of different names, got 'accuracy' twice. Give one of them another name." },
            { "name", "Metric: expected a name of its own, got 'loss'. The loss has the name 'loss' already." },
            {
                "manual",
                "Trainer: expected a backward by hand in every layer, got Odd, which has none (in net/1:Odd). Give it one, or use GradientPath.Automatic."
            },
            {
                "patience",
                "EarlyStopping: expected a patience of at least 1, got 0. It is the number of epochs without improvement that end the training."
            },
            { "delta", "EarlyStopping: expected a minimal difference of at least 0, got NaN. It is 0 by default: any improvement counts." },
            { "monitor", "EarlyStopping: expected one of 'loss', 'accuracy' to monitor, got 'f1'. Add the metric to the trainer's Metrics." },
            { "no validation", "Trainer.Fit: expected validation data, as early stopping is on, got none. Pass it, or leave EarlyStopping out." },
            {
                "no data",
                "Trainer.Fit: expected at least one batch of training data, got none. An enumeration may have been used up: give a DataLoader or a list."
            },
            {
                "no data to evaluate",
                "Trainer.Evaluate: expected at least one batch of data, got none. An enumeration may have been used up: give a DataLoader or a list."
            },
            { "no rows", "Trainer.Predict: expected a batch of at least one sample, [batch, ...], got [0, 6]. The first axis is the samples." },
            {
                "rows",
                "Trainer.Predict: expected a result of shape [4, ...], one row for each sample, got []. A model keeps the first axis, the batch."
            },
            {
                "optimizer",
                "Trainer: expected an optimiser of every trainable parameter, got one without '2.weight', '2.bias'. "
                    + "Give it model.Parameters(), or freeze what is not to be trained with Trainable = false."
            },
            { "twice at once", "Trainer.Fit: expected one Fit at a time, got a second one. Wait for the first to return." },
            {
                "unreached",
                "Trainer: expected a gradient for every trainable parameter, got none for "
                    + "'1.unused', as nothing that leads to the loss is computed from it; "
                    + "'1.cut', as what is computed from it passes through operations that stop gradients. "
                    + "Use it in the forward pass, or freeze it with Trainable = false."
            },
            {
                "unreported",
                "Trainer: expected a gradient for every trainable parameter, got none for "
                    + "'1.scale', as the backward by hand of its layer reports none. "
                    + "Use it in the forward pass, or freeze it with Trainable = false."
            },
            {
                "all unreached",
                "Trainer: expected a gradient for every trainable parameter, got none for "
                    + "'0.weight', as what is computed from it passes through operations that stop gradients; "
                    + "'0.bias', as what is computed from it passes through operations that stop gradients. "
                    + "Use it in the forward pass, or freeze it with Trainable = false."
            },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_cannot_be_is_refused(string which, string message)
    {
        var loss = new CrossEntropyLoss();
        var net = Setup.Network();
        var data = new[] { (Numbers.Normal(1, 4, 6), Tensor.From([0, 1, 2, 0])) };

        Trainer For(Module module, GradientPath path = GradientPath.Automatic) =>
            new(module, loss, new SGD(module.Parameters(), 0.1), new() { Path = path });
        void Options(TrainerOptions options) => _ = new Trainer(net, loss, new SGD(net.Parameters(), 0.1), options);
        void Nested()
        {
            var trainer = For(net);
            trainer.BatchEnded += (_, _) => trainer.Fit(data);
            trainer.Fit(data);
        }

        Action act = which switch
        {
            "none" => () => _ = new Trainer(net, new CrossEntropyLoss(Reduction.None), new SGD(net.Parameters(), 0.1)),
            "twice" => () => Options(new() { Metrics = [Metric.Accuracy, Metric.Accuracy] }),
            "name" => () => Metric.Of("loss", loss),
            "manual" => () => For(new Sequential(new Linear(6, 3, type: ElementType.Float64), new Odd("none")), GradientPath.Manual),
            "patience" => () => Options(new() { EarlyStopping = new(0) }),
            "delta" => () => Options(new() { EarlyStopping = new(1, double.NaN) }),
            "monitor" => () => Options(new() { Metrics = [Metric.Accuracy], EarlyStopping = new(1, Monitor: "f1") }),
            "no validation" => () => new Trainer(net, loss, new SGD(net.Parameters(), 0.1), new() { EarlyStopping = new(1) }).Fit(data),
            "no data" => () => For(net).Fit([]),
            "no data to evaluate" => () => For(net).Evaluate([]),
            "no rows" => () => For(net).Predict(Tensor.Zeros(Shape.Of(0, 6), ElementType.Float64)),
            "rows" => () => For(new Sequential(net, new Odd("sum"))).Predict(data[0].Item1),
            "optimizer" => () => new Trainer(net, loss, new SGD(net[0].Parameters(), 0.1)).Fit(data),
            "twice at once" => Nested,
            "unreached" => () => For(new Sequential(net, new Odd("forgets"))).Fit(data),
            "unreported" => () => For(new Sequential(net, new Unreported()), GradientPath.Manual).Fit(data),
            _ => () => For(new Sequential(new Linear(6, 3, seed: 1, type: ElementType.Float64), new Odd("stop"))).Fit(data),
        };
        var before = net.StateDict();
        Assert.Equal(message, Assert.ThrowsAny<HybridException>(act).Message);
        if (which != "twice at once")
            AssertSame(before, net.StateDict());
    }

    [Fact]
    public void Frozen_parameters_need_no_gradient_and_no_optimiser()
    {
        var odd = new Odd("forgets");
        odd.Freeze();
        var net = Setup.Network();
        var model = new Sequential(net, odd);
        var trainer = new Trainer(model, new CrossEntropyLoss(), new SGD(net.Parameters(), 0.1));
        var before = net.StateDict()["0.weight"].ToDoubles();
        trainer.Fit([(Numbers.Normal(1, 4, 6), Tensor.From([0, 1, 2, 0]))]);
        Assert.NotEqual(before, net.StateDict()["0.weight"].ToDoubles());
    }

    private static void AssertSame(StateDict expected, StateDict actual)
    {
        Assert.Equal(expected.Keys, actual.Keys);
        Assert.All(expected, entry => Assert.Equal(entry.Value.ToDoubles(), actual[entry.Key].ToDoubles()));
    }

    private sealed class Listener(Action<TrainingProgress> told) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => told(value);
    }

    private sealed class Odd(string kind) : Module
    {
        private readonly Cell? unused = kind == "forgets" ? new("unused", Tensor.Ones(Shape.Of(1), ElementType.Float64)) : null;
        private readonly Cell? cut = kind == "forgets" ? new("cut", Tensor.Ones(Shape.Of(1), ElementType.Float64)) : null;

        protected override Tensor Compute(Tensor x) =>
            kind switch
            {
                "sum" => x.Sum(),
                "stop" => x.Detach(),
                "forgets" when unused is not null => x * cut!.Value.Detach(),
                _ => x,
            };
    }

    private sealed class Unreported : Module
    {
        private readonly Cell scale = new("scale", Tensor.Ones(Shape.Of(1), ElementType.Float64));

        protected override Tensor Compute(Tensor x) => x * scale.Value;

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => deltas;
    }
}

internal static class TensorExtensions
{
    public static void BackwardAlong(this Tensor loss, GradientPath path)
    {
        if (path == GradientPath.Manual)
            loss.BackwardManual();
        else
            loss.Backward();
    }
}
