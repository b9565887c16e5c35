using Hybrid.Layers;
using Hybrid.Layers.Data;

namespace Hybrid.Examples.Output;

/// <summary>
/// Where a command's words go: results to standard output, progress and notes to standard error. Colour and bars appear only
/// on a terminal.
/// </summary>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="terminals">Which of them are terminals.</param>
/// <param name="cancelled">Is cancelled when the user interrupts.</param>
internal sealed class Session(TextWriter output, TextWriter error, Terminals terminals, CancellationToken cancelled)
{
    private const string Green = "\u001b[32m";
    private const string Red = "\u001b[31m";
    private const string Plain = "\u001b[0m";

    /// <summary>Is cancelled when the user interrupts.</summary>
    internal CancellationToken Cancelled => cancelled;

    /// <summary>The streams of this process.</summary>
    internal static Session OfThisProcess(CancellationToken cancelled) => new(Console.Out, Console.Error, Terminals.OfThisProcess(), cancelled);

    /// <summary>A line of the results.</summary>
    internal void Result(string line = "") => output.WriteLine(line);

    /// <summary>A line of the results with a verdict at its end, which a terminal shows in colour.</summary>
    internal void Verdict(string line, string verdict, bool good) =>
        output.WriteLine(terminals.Output ? $"{line}{(good ? Green : Red)}{verdict}{Plain}" : line + verdict);

    /// <summary>A line about the run.</summary>
    internal void Note(string line) => error.WriteLine(line);

    /// <summary>Stops here if the user has interrupted.</summary>
    internal void Checkpoint() => cancelled.ThrowIfCancellationRequested();

    /// <summary>Runs a stretch of work that reports how far it is: with bars on a terminal, else silently.</summary>
    /// <param name="tasks">What is done, in order: a name and a number of steps each.</param>
    /// <param name="prints">Whether the work prints results; on the same terminal they are the progress, and there are no bars.</param>
    /// <param name="work">The work.</param>
    internal void WithProgress(IReadOnlyList<(string Name, int Steps)> tasks, bool prints, Action<IProgressReport> work)
    {
        if (terminals.ShowBars(prints))
            ProgressBars.Run(error, tasks, work);
        else
            work(Silence.Instance);
    }

    /// <summary>Runs a training: with bars for its steps on a terminal, else with a plain line an epoch among the notes.</summary>
    /// <param name="epochs">How many epochs it has at most.</param>
    /// <param name="work">The training, which is to report its progress.</param>
    internal void WithTraining(int epochs, Action<IProgress<TrainingProgress>> work)
    {
        if (terminals.ShowBars(prints: false))
            ProgressBars.Run(error, [("training", epochs), ("validation", epochs)], report => work(new TrainingSteps(report)));
        else
            work(new LineProgress(error));
    }

    /// <summary>Runs a download: with a bar for each file on a terminal, else with a note where each one comes from.</summary>
    /// <param name="files">The files, in order.</param>
    /// <param name="work">The download, which is to report its progress.</param>
    internal void WithDownload(IReadOnlyList<DownloadFile> files, Action<IProgress<DownloadProgress>> work)
    {
        if (terminals.ShowBars(prints: false))
            ProgressBars.Run(error, [.. files.Select(file => (file.ServedName, 1))], report => work(new DownloadSteps(files, report)));
        else
            work(new DownloadLines(this));
    }

    private sealed class Silence : IProgressReport
    {
        internal static readonly Silence Instance = new();

        public void Advance(int task) { }

        public void Reach(int task, double done, double total, string note) { }
    }
}

/// <summary>How far a piece of work is.</summary>
internal interface IProgressReport
{
    /// <summary>One more step of a task is done.</summary>
    /// <param name="task">The task, counted from 0.</param>
    void Advance(int task);

    /// <summary>A task is at some place, which may also be before the last one.</summary>
    /// <param name="task">The task, counted from 0.</param>
    /// <param name="done">How many steps of it are done.</param>
    /// <param name="total">How many there are, as far as is known now.</param>
    /// <param name="note">A few words to stand beside its name.</param>
    void Reach(int task, double done, double total, string note);
}

/// <summary>Which streams are terminals that understand colours and moving bars.</summary>
/// <param name="Output">Whether standard output is.</param>
/// <param name="Error">Whether standard error is.</param>
internal readonly record struct Terminals(bool Output, bool Error)
{
    /// <summary>Whether bars are shown while work is done that prints results or not: never among results.</summary>
    internal bool ShowBars(bool prints) => Error && !(prints && Output);

    /// <summary>The streams of this process; none counts where TERM is <c>dumb</c> or NO_COLOR is set.</summary>
    internal static Terminals OfThisProcess()
    {
        var plain = Environment.GetEnvironmentVariable("TERM") is "dumb" || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        return new(!plain && !Console.IsOutputRedirected, !plain && !Console.IsErrorRedirected);
    }
}
