using Hybrid.Core;

namespace Hybrid.Layers;

/// <content>What is refused, and why.</content>
public sealed partial class Trainer
{
    private static void Check(Module model, Loss loss, TrainerOptions options)
    {
        if (loss.Reduction == Reduction.None)
        {
            const string advice = "Use Reduction.Mean or Reduction.Sum: a step follows one number.";
            throw new ValueException("Trainer", "a loss that is one number", $"{Text.TypeName(loss.GetType())} with Reduction.None", "", advice);
        }
        if (options.Metrics.GroupBy(metric => metric.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ValueException("Trainer", "metrics of different names", $"'{twice.Key}' twice", "", "Give one of them another name.");
        if (options.Path == GradientPath.Manual && WithoutBackward(model, "net") is { } missing)
        {
            const string advice = "Give it one, or use GradientPath.Automatic.";
            throw new TapeException("Trainer", "a backward by hand in every layer", $"{missing.Type}, which has none", missing.Path, advice);
        }
        if (options.EarlyStopping is not { } stopping)
            return;
        if (stopping.Patience < 1)
        {
            const string advice = "It is the number of epochs without improvement that end the training.";
            throw new ValueException("EarlyStopping", "a patience of at least 1", Text.Number(stopping.Patience), "", advice);
        }
        if (!(stopping.MinDelta >= 0 && double.IsFinite(stopping.MinDelta)))
        {
            const string advice = "It is 0 by default: any improvement counts.";
            throw new ValueException("EarlyStopping", "a minimal difference of at least 0", Text.Number(stopping.MinDelta), "", advice);
        }
        var names = options.Metrics.Select(metric => metric.Name).Prepend(EarlyStopping.Loss).ToArray();
        if (!names.Contains(stopping.Monitor, StringComparer.Ordinal))
        {
            var expected = $"one of '{string.Join("', '", names)}' to monitor";
            throw new ValueException("EarlyStopping", expected, $"'{stopping.Monitor}'", "", "Add the metric to the trainer's Metrics.");
        }
    }

    private static (string Path, string Type)? WithoutBackward(Module module, string path)
    {
        if (module.HasManualBackward)
            return null;
        foreach (var (name, child) in module.Children())
        {
            if (WithoutBackward(child, $"{path}/{name}:{Text.TypeName(child.GetType())}") is { } found)
                return found;
        }
        return (path, Text.TypeName(module.GetType()));
    }

    /// <summary>Every trainable parameter of the model is one that the optimiser moves.</summary>
    private void RequireMoved()
    {
        var moved = optimizer.Parameters.ToHashSet<Cell>(ReferenceEqualityComparer.Instance);
        var missing = model
            .NamedParameters()
            .Where(named => named.Cell.Trainable && !moved.Contains(named.Cell))
            .Select(named => named.Name)
            .ToArray();
        if (missing.Length > 0)
        {
            const string advice = "Give it model.Parameters(), or freeze what is not to be trained with Trainable = false.";
            var got = $"one without '{string.Join("', '", missing)}'";
            throw new ValueException("Trainer", "an optimiser of every trainable parameter", got, "", advice);
        }
    }

    /// <summary>R14: the trainable parameters that have no gradient, with the reasons; null if there are none.</summary>
    private TapeException? Unreached(Tensor value)
    {
        var missing = model.NamedParameters().Where(named => named.Cell.Trainable && named.Cell.Grad is null).ToArray();
        if (missing.Length == 0)
            return null;
        var reasons = string.Join("; ", missing.Select(named => $"'{named.Name}', as {Reason(value, named.Cell)}"));
        const string advice = "Use it in the forward pass, or freeze it with Trainable = false.";
        return new("Trainer", "a gradient for every trainable parameter", $"none for {reasons}", "", advice);
    }

    private string Reason(Tensor value, Cell cell)
    {
        if (!Graph.Reads(value, cell))
            return "nothing that leads to the loss is computed from it";
        return Options.Path == GradientPath.Manual && Tape.Of(value).Sweep(null, null)[cell] is not null
            ? "the backward by hand of its layer reports none"
            : "what is computed from it passes through operations that stop gradients";
    }

    private static int Samples(string what, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Rank == 0 || x.Shape[0] == 0)
        {
            const string advice = "The first axis is the samples.";
            throw new ShapeException($"Trainer.{what}", "a batch of at least one sample, [batch, ...]", x.Shape.ToString(), "", advice);
        }
        return x.Shape[0];
    }

    private static ValueException Empty(string what, string data) =>
        new($"Trainer.{what}", $"at least one batch of {data}", "none", "", "An enumeration may have been used up: give a DataLoader or a list.");
}
