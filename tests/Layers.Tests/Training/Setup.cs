using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;

namespace Hybrid.Layers.Tests.Training;

/// <summary>A small training that is the same each time it is made.</summary>
internal sealed class Setup
{
    public Setup(
        GradientPath path = GradientPath.Automatic,
        Reduction reduction = Reduction.Mean,
        bool trainingMetrics = false,
        IReadOnlyList<Metric>? metrics = null,
        EarlyStopping? stopping = null,
        Loss? loss = null,
        Action<string>? watch = null
    )
    {
        Net = Network();
        Module model = watch is null ? Net : new Watched(Net, watch);
        loss ??= watch is null ? new CrossEntropyLoss(reduction) : new WatchedLoss(watch);
        Optimizer = watch is null ? new Adam(Net.Parameters(), 0.05) : new WatchedDescent(Net.Parameters(), watch);
        Train = new DataLoader(Numbers.Normal(1, 26, 6), Labels(26), batchSize: 7, shuffleSeed: 3);
        (X, Y) = (Numbers.Normal(2, 10, 6).Eval(), Labels(10));
        Validation = new DataLoader(X, Y, batchSize: 4, shuffleSeed: 4);
        Trainer = new Trainer(
            model,
            loss,
            Optimizer,
            new()
            {
                Path = path,
                Metrics = metrics ?? [Metric.Accuracy],
                TrainingMetrics = trainingMetrics,
                EarlyStopping = stopping,
            }
        );
    }

    public Sequential Net { get; }

    public Optimizer Optimizer { get; }

    public DataLoader Train { get; }

    public DataLoader Validation { get; }

    public Tensor X { get; }

    public Tensor Y { get; }

    public Trainer Trainer { get; }

    public static Sequential Network() =>
        new(new Linear(6, 5, seed: 1, type: ElementType.Float64), new Tanh(), new Linear(5, 3, seed: 2, type: ElementType.Float64));

    private static Tensor Labels(int count) => Tensor.From([.. Enumerable.Range(0, count).Select(i => i * i % 3)], count);

    /// <summary>A model that tells when it is entered.</summary>
    private sealed class Watched(Module inner, Action<string> watch) : Sequential(inner)
    {
        protected override Tensor Compute(Tensor x)
        {
            watch("forward");
            return base.Compute(x);
        }
    }

    /// <summary>Cross-entropy that tells when it is entered, forward and backward.</summary>
    private sealed class WatchedLoss(Action<string> watch) : Loss
    {
        private readonly CrossEntropyLoss inner = new();

        public override Tensor Backward(Tensor y, Tensor yhat)
        {
            watch("backward");
            return inner.Backward(y, yhat);
        }

        protected override Tensor Compute(Tensor y, Tensor yhat)
        {
            watch("loss");
            return yhat.CrossEntropy(y);
        }
    }

    /// <summary>Descent with momentum that tells of the update of every parameter.</summary>
    private sealed class WatchedDescent : Optimizer
    {
        private readonly Action<string> watch;
        private readonly Cell[] velocities;

        public WatchedDescent(IEnumerable<Cell> parameters, Action<string> watch)
            : base(parameters, 0.05) => (this.watch, velocities) = (watch, AddState("velocity"));

        protected override void Update(int index, Tensor gradient, Tensor rate, CellChanges changes)
        {
            watch("update");
            var velocity = (0.9 * velocities[index].Value) + gradient;
            changes.Set(velocities[index], velocity);
            changes.Set(Parameters[index], Parameters[index].Value - (As(rate, gradient.DType) * velocity));
        }
    }
}

/// <summary>Cross-entropy in training; outside of it a number that the test says.</summary>
internal sealed class Scripted(Func<double> value) : Loss
{
    protected override Tensor Compute(Tensor y, Tensor yhat) => Mode.IsTraining ? yhat.CrossEntropy(y) : (yhat.Sum(1) * 0.0) + value();
}
