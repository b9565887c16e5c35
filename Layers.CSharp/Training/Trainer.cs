using System.Collections.Immutable;
using System.Diagnostics;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>
/// Trains a model, and evaluates and uses it in batches. Training mode is in force in its steps, and evaluation mode without gradients
/// elsewhere. It writes nothing to the console: see <see cref="LineProgress"/>.
/// </summary>
/// <remarks>
/// <para>
/// Data are batches of inputs and targets whose first axis is the samples: a <see cref="DataLoader"/>, or any other enumeration. Of a loader
/// the trainer takes the order of its own epoch (<see cref="EpochsDone"/>), and for validation always that of epoch 0, so that the same seeds give
/// the same bits whatever was enumerated before.
/// </para>
/// <para>
/// Cancellation is looked at before each step and each validation batch, and never within a step: a cancelled training throws
/// <see cref="OperationCanceledException"/> and leaves model and optimiser as they were after some whole step. A step that fails changes nothing.
/// </para>
/// </remarks>
public sealed partial class Trainer
{
    private readonly Module model;
    private readonly Loss loss;
    private readonly Optimizer optimizer;
    private int busy;

    /// <summary>Makes a trainer.</summary>
    /// <param name="model">What is trained.</param>
    /// <param name="loss">What is to become small; its reduction must be the mean or the sum.</param>
    /// <param name="optimizer">What moves the model's parameters.</param>
    /// <param name="options">Metrics, gradient path, early stopping; null, the default, for none of it and the automatic path.</param>
    /// <exception cref="ValueException">Loss or options are not usable.</exception>
    /// <exception cref="TapeException">The path is manual, and a layer has no backward by hand.</exception>
    public Trainer(Module model, Loss loss, Optimizer optimizer, TrainerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(optimizer);
        (this.model, this.loss, this.optimizer, Options) = (model, loss, optimizer, options ?? new());
        Check(model, loss, Options);
    }

    /// <summary>A step has been made. Handlers run between steps, on the thread of <see cref="Fit"/>.</summary>
    public event EventHandler<BatchEndedEventArgs>? BatchEnded;

    /// <summary>An epoch has ended, its validation included. Handlers run between steps, on the thread of <see cref="Fit"/>.</summary>
    public event EventHandler<EpochEndedEventArgs>? EpochEnded;

    /// <summary>The options.</summary>
    public TrainerOptions Options { get; }

    /// <summary>How many epochs were completed over the life of the trainer.</summary>
    public int EpochsDone { get; private set; }

    /// <summary>What the last <see cref="Fit"/> did so far; also while it runs, and after it was cancelled or failed.</summary>
    public TrainingHistory History { get; private set; } = new([], StopReason.Unfinished, null);

    /// <summary>Trains for a number of epochs. Called again, it goes on where it ended; an epoch that was cancelled starts anew.</summary>
    /// <param name="train">Batches to train on; enumerated once an epoch.</param>
    /// <param name="validation">Batches to evaluate on after each epoch; null, the default, for none.</param>
    /// <param name="epochs">How many epochs at most, at least 1; 1 by default.</param>
    /// <param name="progress">Told of every batch and epoch; null, the default, for nobody.</param>
    /// <param name="cancellationToken">Ends the training between two steps.</param>
    /// <returns>The epochs of this call.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled before all was done; <see cref="History"/> has the epochs until then.</exception>
    /// <exception cref="TapeException">No gradient reaches a trainable parameter; the error names it, with the reason.</exception>
    /// <exception cref="ValueException">There is no batch, the optimiser misses a trainable parameter, or early stopping has no validation data.</exception>
    /// <exception cref="CellException">A <see cref="Fit"/> of this trainer is under way.</exception>
    public TrainingHistory Fit(
        IEnumerable<(Tensor X, Tensor Y)> train,
        IEnumerable<(Tensor X, Tensor Y)>? validation = null,
        int epochs = 1,
        IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentOutOfRangeException.ThrowIfLessThan(epochs, 1);
        if (Options.EarlyStopping is not null && validation is null)
            throw new ValueException("Trainer.Fit", "validation data, as early stopping is on", "none", "", "Pass it, or leave EarlyStopping out.");
        RequireMoved();
        if (Interlocked.Exchange(ref busy, 1) != 0)
            throw new CellException("Trainer.Fit", "one Fit at a time", "a second one", "", "Wait for the first to return.");
        try
        {
            return Run(train, validation, EpochsDone + epochs, progress, cancellationToken);
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    /// <summary>Loss and metrics on some data, weighed by sample. Nothing is trained, and no graph is kept.</summary>
    /// <param name="data">Batches.</param>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ValueException">There is no batch.</exception>
    public Evaluation Evaluate(IEnumerable<(Tensor X, Tensor Y)> data, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Evaluate("Evaluate", "data", data, null, cancellationToken);
    }

    /// <summary>The model's results for many samples, computed batch by batch, in evaluation mode. No graph is kept.</summary>
    /// <param name="x">The inputs, <c>[count, ...]</c>, at least one.</param>
    /// <param name="batchSize">How many are computed together, at least 1; 256 by default.</param>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    /// <returns>The results <c>[count, ...]</c>, evaluated; no gradient flows from them.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ShapeException">There is no sample, or the model does not give one row for each.</exception>
    public Tensor Predict(Tensor x, int batchSize = 256, CancellationToken cancellationToken = default)
    {
        var count = Samples("Predict", x);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        var rows = new RowBuffer(count);
        for (var start = 0; start < count; start += batchSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var length = Math.Min(batchSize, count - start);
            using var noGrad = Mode.NoGrad();
            using var evaluation = Mode.Evaluation();
            var batch = length == count ? x : x.Gather(Tensor.From([.. Enumerable.Range(start, length)], length)).Eval();
            rows.Add(length, model.Forward(batch));
        }
        return rows.ToTensor();
    }

    private TrainingHistory Run(
        IEnumerable<(Tensor X, Tensor Y)> train,
        IEnumerable<(Tensor X, Tensor Y)>? validation,
        int end,
        IProgress<TrainingProgress>? progress,
        CancellationToken token
    )
    {
        var stopping = Options.EarlyStopping;
        var higher = Options.Metrics.FirstOrDefault(metric => metric.Name == stopping?.Monitor)?.HigherIsBetter ?? false;
        var best = stopping is null ? null : new BestEpoch(stopping, model, higher);
        History = new([], StopReason.Unfinished, null);
        var stopped = StopReason.Completed;
        for (var first = true; EpochsDone < end && stopped == StopReason.Completed; first = false)
        {
            var record = Epoch(train, validation, first, end, progress, token);
            EpochsDone++;
            if (best?.GivesUp(record) == true)
                stopped = StopReason.NoImprovement;
            History = new(History.Epochs.Add(record), StopReason.Unfinished, best?.Epoch);
            progress?.Report(new(TrainingPhase.EpochEnd, record.Epoch, end, record.Steps, record.Steps, record.Training.Loss, record));
            var ended = new EpochEndedEventArgs(record);
            EpochEnded?.Invoke(this, ended);
            if (ended.Stop && stopped == StopReason.Completed)
                stopped = StopReason.Requested;
        }
        best?.Restore();
        return History = History with { Stopped = stopped };
    }

    private EpochRecord Epoch(
        IEnumerable<(Tensor X, Tensor Y)> train,
        IEnumerable<(Tensor X, Tensor Y)>? validation,
        bool first,
        int end,
        IProgress<TrainingProgress>? progress,
        CancellationToken token
    )
    {
        var clock = Stopwatch.StartNew();
        var epoch = EpochsDone;
        var tally = new Tally(loss, Options.TrainingMetrics ? Options.Metrics : []);
        var count = CountOf(train);
        var steps = 0;
        token.ThrowIfCancellationRequested();
        foreach (var (x, y) in train is DataLoader loader ? loader.Epoch(epoch) : train)
        {
            token.ThrowIfCancellationRequested();
            var samples = Samples("Fit", x);
            var value = Step(x, y, tally, check: first && steps == 0);
            tally.AddLoss(value, samples);
            steps++;
            BatchEnded?.Invoke(this, new(epoch, steps - 1, samples, value));
            progress?.Report(new(TrainingPhase.Training, epoch, end, steps, count, tally.Loss));
        }
        if (steps == 0)
            throw Empty("Fit", "training data");
        var evaluation = validation is null ? null : Evaluate("Fit", "validation data", validation, Validated, token);
        return new(epoch, tally.Result(), evaluation, steps, clock.Elapsed.TotalSeconds);

        void Validated(int batches, double mean) => progress?.Report(new(TrainingPhase.Validation, epoch, end, batches, CountOf(validation!), mean));
    }

    /// <summary>One step: all that can fail comes before the optimiser's write, which changes every cell or none.</summary>
    private double Step(Tensor x, Tensor y, Tally tally, bool check)
    {
        using var training = Mode.Training();
        optimizer.ZeroGrad();
        var yhat = model.Forward(x);
        var value = loss.Of(yhat, y);
        try
        {
            if (Options.Path == GradientPath.Manual)
                value.BackwardManual();
            else
                value.Backward();
        }
        catch (TapeException) when (check && Unreached(value) is { } unreached)
        {
            throw unreached;
        }
        if (check && Unreached(value) is { } missing)
        {
            optimizer.ZeroGrad();
            throw missing;
        }
        if (Options.TrainingMetrics && Options.Metrics.Count > 0)
            tally.AddMetrics(yhat.Eval(), y);
        optimizer.Step();
        return value.Item();
    }

    private Evaluation Evaluate(string what, string name, IEnumerable<(Tensor X, Tensor Y)> data, Action<int, double>? done, CancellationToken token)
    {
        var tally = new Tally(loss, Options.Metrics);
        var batches = 0;
        foreach (var (x, y) in data is DataLoader loader ? loader.Epoch(0) : data)
        {
            token.ThrowIfCancellationRequested();
            Measure(x, y, Samples(what, x), tally);
            batches++;
            done?.Invoke(batches, tally.Loss);
        }
        return batches > 0 ? tally.Result() : throw Empty(what, name);
    }

    private void Measure(Tensor x, Tensor y, int samples, Tally tally)
    {
        using var noGrad = Mode.NoGrad();
        using var evaluation = Mode.Evaluation();
        var yhat = model.Forward(x);
        var value = loss.Of(yhat, y);
        Tensor.Eval(yhat, value);
        tally.AddLoss(value.Item(), samples);
        tally.AddMetrics(yhat, y);
    }

    private static int? CountOf(IEnumerable<(Tensor X, Tensor Y)> data) =>
        data is DataLoader loader ? loader.Count
        : data.TryGetNonEnumeratedCount(out var count) ? count
        : null;

    /// <summary>Results that are put one below the other.</summary>
    private sealed class RowBuffer(int count)
    {
        private Array? numbers;
        private Shape? row;
        private ElementType type;
        private int filled;

        public void Add(int length, Tensor result)
        {
            if (result.Rank == 0 || result.Shape[0] != length)
            {
                var expected = $"a result of shape [{Text.Number(length)}, ...], one row for each sample";
                const string advice = "A model keeps the first axis, the batch.";
                throw new ShapeException("Trainer.Predict", expected, result.Shape.ToString(), "", advice);
            }
            if (row is null)
                (row, type) = (Shape.Of(result.Shape.ToArray()[1..]), result.DType);
            switch (type)
            {
                case ElementType.Float32:
                    Copy<float>(result);
                    break;
                case ElementType.Float64:
                    Copy<double>(result);
                    break;
                case ElementType.Int32:
                    Copy<int>(result);
                    break;
                case ElementType.UInt8:
                    Copy<byte>(result);
                    break;
                default:
                    Copy<bool>(result);
                    break;
            }
            filled += length;
        }

        public Tensor ToTensor() =>
            numbers switch
            {
                float[] data => From(data),
                double[] data => From(data),
                int[] data => From(data),
                byte[] data => From(data),
                _ => From((bool[])numbers!),
            };

        private void Copy<T>(Tensor result)
            where T : unmanaged
        {
            numbers ??= new T[count * (int)row!.Size];
            result.ToArray<T>().CopyTo(((T[])numbers).AsSpan(filled * (int)row!.Size));
        }

        private Tensor From<T>(T[] data)
            where T : unmanaged => Tensor.From<T>(data, Shape.Of([count, .. row!.ToArray()]));
    }
}
