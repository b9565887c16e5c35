using Hybrid.Examples.Output;

namespace Hybrid.Examples.Tests;

/// <summary>Remembers where tasks were said to be.</summary>
internal sealed class Reached : IProgressReport
{
    internal List<(int Task, double Done, double Total, string Note)> Calls { get; } = [];

    public void Advance(int task) => throw new InvalidOperationException("The work says where it is.");

    public void Reach(int task, double done, double total, string note) => Calls.Add((task, done, total, note));
}
