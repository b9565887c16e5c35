using System.Diagnostics;
using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Benchmarks.Commands;

/// <summary>The time from the start of a process to its first finished training step: an MLP on the digits that are part of Hybrid.</summary>
internal static class Startup
{
    /// <summary>The only argument of the measured processes, which read no command line otherwise.</summary>
    internal const string Child = "first-step";

    private const int Hidden = 128;
    private const int Batch = 64;
    private const string Finished = "finished";

    /// <summary>Runs the command.</summary>
    /// <param name="runs">How many processes.</param>
    internal static int Run(int runs)
    {
        var times = new List<double>();
        for (var run = 0; run < runs; run++)
        {
            var clock = Stopwatch.StartNew();
            using var process = Process.Start(Self())!;
            var said = process.StandardOutput.ReadLine();
            times.Add(clock.Elapsed.TotalSeconds);
            process.WaitForExit();
            if (said is null || !said.StartsWith(Finished, StringComparison.Ordinal))
                throw new BenchmarkException("The process that was to do one step failed; its own message is above.", ExitCodes.Failed);
            Report.Line($"  {times[^1]:F3} s, of which in the program: {said[Finished.Length..].Trim()}");
        }
        Report.Line($"startup median {Machine.Median(times):F3} s min {times.Min():F3} max {times.Max():F3} ({runs} runs, load {Machine.Load()})");
        return ExitCodes.Done;
    }

    /// <summary>One step, as in the first example of README, and a line when its result is there.</summary>
    internal static int FirstStep()
    {
        var clock = Stopwatch.StartNew();
        var digits = Datasets.Digits().SplitInOrder(Datasets.DigitsTrainCount);
        var loaded = clock.ElapsedMilliseconds;
        var net = new Sequential(new Flatten(), new Linear(64, Hidden, seed: 1), new ReLU(), new Linear(Hidden, 10, seed: 2));
        var optimizer = new Adam(net.Parameters());
        var (x, y) = new DataLoader(digits.Train, Batch, shuffleSeed: 0).First();
        var loss = new CrossEntropyLoss().Of(net.Forward(x), y);
        loss.Backward();
        optimizer.Step();
        Report.Line($"{Finished} data {loaded} ms, step {clock.ElapsedMilliseconds - loaded} ms, loss {loss.Item():F4}");
        return ExitCodes.Done;
    }

    // The program itself, or the host with the program's assembly.
    private static ProcessStartInfo Self()
    {
        var program = Environment.ProcessPath!;
        string[] arguments =
            Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Path.Combine(AppContext.BaseDirectory, "Benchmarks.dll"), Child] : [Child];
        return new(program, arguments) { RedirectStandardOutput = true };
    }
}
