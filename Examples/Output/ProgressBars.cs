using Hybrid.Core;
using Spectre.Console;

namespace Hybrid.Examples.Output;

/// <summary>Progress bars on a terminal; they disappear when the work is done.</summary>
internal static class ProgressBars
{
    /// <summary>Shows a bar for each task while the work runs.</summary>
    internal static void Run(TextWriter terminal, IReadOnlyList<(string Name, int Steps)> tasks, Action<IProgressReport> work)
    {
        var engine = Engine.Current;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal) });
        console
            .Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var bars = tasks.Select(task => context.AddTask(Markup.Escape(task.Name), maxValue: task.Steps)).ToArray();
                using var _ = engine.Use();
                work(new Report(bars));
            });
    }

    private sealed class Report(ProgressTask[] bars) : IProgressReport
    {
        private readonly string[] names = [.. bars.Select(bar => bar.Description)];

        public void Advance(int task) => bars[task].Increment(1);

        public void Reach(int task, double done, double total, string note)
        {
            bars[task].MaxValue = total;
            bars[task].Value = done;
            bars[task].Description = $"{names[task]} {Markup.Escape(note)}";
        }
    }
}
