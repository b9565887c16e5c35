using Hybrid.Core;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Kernels;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Runs;

/// <summary>
/// Section 5 of the curriculum: a network of two tanh layers on the digits, with its gradient written by hand. The functions are checked
/// against autograd first; then the network is trained.
/// </summary>
internal static class DigitsMlp
{
    private const int Hidden = 50;
    private const double Deviation = 1e-6;
    private const double Target = 0.9;
    private const int PrintEvery = 20;

    /// <summary>Runs the command.</summary>
    internal static int Run(Settings settings, Session session)
    {
        var json = JsonFile.At(settings.Json);
        var checks = HandMlpChecks.Run(settings.Precision, settings.Seed);
        session.Result("Gradients by hand against autograd, on random tensors:");
        foreach (var line in EqualityCheck.Table(checks))
            session.Result(line);
        var data = ExampleData.Load(settings, session);
        var paths = GradientPath.Named(settings.Path);
        var runs = new List<DigitsRun>();
        session.WithProgress(
            [.. paths.Select(path => (path.Name, settings.Epochs))],
            prints: true,
            report =>
            {
                for (var i = 0; i < paths.Count; i++)
                {
                    session.Result();
                    session.Result($"Training by path {paths[i].Name}:");
                    var task = i;
                    runs.Add(new DigitsTraining(data, paths[i].Name, settings, session).Run(() => report.Advance(task)));
                }
            }
        );
        var findings = DigitsTable.AppliesTo(settings) ? runs.SelectMany(DigitsTable.Judge).ToArray() : [];
        foreach (var finding in findings)
            session.Note(finding.Text);
        var agrees = checks.All(check => check.Equal) && findings.All(finding => finding.Good);
        json?.Write(new DigitsResults(settings.Written(), checks, runs, [.. findings.Select(finding => finding.Text)], agrees));
        return agrees ? ExitCodes.Agree : ExitCodes.Disagree;
    }

    /// <summary>The training of one network by one path.</summary>
    private sealed class DigitsTraining
    {
        private readonly Settings settings;
        private readonly Session session;
        private readonly string path;
        private readonly ExampleData data;
        private readonly Sequential net;
        private readonly Tensor trainImages;
        private readonly Tensor trainTargets;
        private readonly Tensor testImages;

        internal DigitsTraining(ExampleData data, string path, Settings settings, Session session)
        {
            (this.data, this.path, this.settings, this.session) = (data, path, settings, session);
            var type = settings.Precision;
            net = new Sequential(
                new Linear(data.Pixels, Hidden, type: type),
                new Tanh(),
                new Linear(Hidden, data.Train.Classes, type: type),
                new Tanh()
            );
            var random = new Generator((ulong)settings.Seed);
            net.LoadStateDict(net.StateDict().ToDictionary(entry => entry.Key, entry => random.Normal(0, Deviation, entry.Value.Shape, type)));
            trainImages = RawImages(data.Train, type);
            trainTargets = Target * Labels(data.Train).OneHot(data.Train.Classes, type);
            testImages = RawImages(data.Test, type);
        }

        internal DigitsRun Run(Action advance)
        {
            var epochs = new List<DigitsEpoch>();
            var order = new BatchOrder(data.Train.Count, settings.Batch ?? data.Train.Count).Epoch(0);
            for (var epoch = 0; epoch < settings.Epochs; epoch++)
            {
                session.Checkpoint();
                var printed = epoch % PrintEvery == 0 || epoch == settings.Epochs - 1;
                var before = printed ? Before(epoch) : null;
                foreach (var indices in order)
                    Step(Rows(trainImages, indices), Rows(trainTargets, indices));
                if (before is not null)
                {
                    var done = before with { Test = Right(Predict(testImages), data.Test) };
                    session.Result(done.Line);
                    epochs.Add(done);
                }
                advance();
            }
            return new(path, epochs);
        }

        /// <summary>What is taken before the updates of an epoch.</summary>
        private DigitsEpoch Before(int epoch)
        {
            using var recording = Mode.NoGrad();
            var pass = HandMlp.ForwardPass(net.Parameters(), trainImages);
            var classes = pass.X2.ArgMax(-1).ToArray<int>();
            var shares = Enumerable.Range(0, data.Train.Classes).Select(k => 100.0 * classes.Count(c => c == k) / classes.Length);
            var loss = HandMlp.Loss(pass.X2, trainTargets).Item() / data.Train.Count;
            return new(epoch, loss, Right(classes, data.Train), 0, [.. shares]);
        }

        private void Step(Tensor x, Tensor t)
        {
            net.ZeroGrad();
            if (path == GradientPath.Manual.Name)
            {
                using var recording = Mode.NoGrad();
                HandMlp.BackwardPass(net.Parameters(), x, t, HandMlp.ForwardPass(net.Parameters(), x));
            }
            else
            {
                var loss = new MSELoss(Reduction.Sum).Of(input: net.Forward(x), target: t);
                if (path == GradientPath.TapeManual.Name)
                    loss.BackwardManual();
                else
                    loss.Backward();
            }
            net.UpdateParameters(settings.LearningRate!.Value / x.Shape[0]);
        }

        private int[] Predict(Tensor images)
        {
            using var recording = Mode.NoGrad();
            return HandMlp.ForwardPass(net.Parameters(), images).X2.ArgMax(-1).ToArray<int>();
        }

        private static double Right(int[] classes, ImageDataset data) => 100.0 * classes.Where((c, i) => c == data.Labels[i]).Count() / data.Count;

        private Tensor Rows(Tensor all, int[] indices) =>
            indices.Length == data.Train.Count ? all : all.Gather(Tensor.From<int>(indices, Shape.Of(indices.Length)));

        private static Tensor Labels(ImageDataset data) => ExampleData.Labels(data, [.. Enumerable.Range(0, data.Count)]);

        // The course takes the pixels as they are, 0 to 16.
        private static Tensor RawImages(ImageDataset data, ElementType type) =>
            Tensor.From<byte>(data.Images.AsSpan(), Shape.Of(data.Count, data.Shape.Pixels)).To(type).Eval();
    }
}

/// <summary>What is printed of an epoch: loss, accuracy and shares before its update, test accuracy after it; in percent but for the loss.</summary>
internal sealed record DigitsEpoch(int Epoch, double Loss, double Train, double Test, IReadOnlyList<double> Shares)
{
    /// <summary>As it is printed.</summary>
    internal string Line =>
        Say.Line($"epoch {Epoch} loss {Loss:F5} train {Train:F2} test {Test:F2} predicted ")
        + string.Join(' ', Shares.Select(share => Say.Line($"{share:F1}")));
}

/// <summary>One path's training.</summary>
internal sealed record DigitsRun(string Path, IReadOnlyList<DigitsEpoch> Epochs);

/// <summary>What <c>--json</c> holds.</summary>
internal sealed record DigitsResults(
    IReadOnlyDictionary<string, string> Options,
    IReadOnlyList<EqualityCheck> Checks,
    IReadOnlyList<DigitsRun> Runs,
    IReadOnlyList<string> Findings,
    bool Agrees
);
