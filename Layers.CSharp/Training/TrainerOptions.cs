namespace Hybrid.Layers;

/// <summary>What a <see cref="Trainer"/> does besides stepping. Immutable.</summary>
public sealed record TrainerOptions
{
    /// <summary>Which gradient path steps take; the automatic one by default.</summary>
    public GradientPath Path { get; init; } = GradientPath.Automatic;

    /// <summary>What is measured on validation data; nothing but the loss by default.</summary>
    public IReadOnlyList<Metric> Metrics { get; init; } = [];

    /// <summary>
    /// Whether metrics are also taken of the training batches: of each step's own predictions, before its update and in training mode; false
    /// by default.
    /// </summary>
    public bool TrainingMetrics { get; init; }

    /// <summary>When to give up; null, the default, for never.</summary>
    public EarlyStopping? EarlyStopping { get; init; }
}
