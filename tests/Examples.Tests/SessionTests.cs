using Hybrid.Core;
using Hybrid.Examples.Output;
using Xunit;

namespace Hybrid.Examples.Tests;

public sealed class SessionTests
{
    [Theory]
    [InlineData(false, true, "ratio 1 agree\n")]
    [InlineData(true, true, "ratio 1 \u001b[32magree\u001b[0m\n")]
    [InlineData(true, false, "ratio 1 \u001b[31magree\u001b[0m\n")]
    public void A_verdict_has_a_colour_on_a_terminal_alone(bool terminal, bool good, string expected)
    {
        using var output = new StringWriter { NewLine = "\n" };

        new Session(output, TextWriter.Null, new(terminal, false), CancellationToken.None).Verdict("ratio 1 ", "agree", good);

        Assert.Equal(expected, output.ToString());
    }

    [Theory]
    [InlineData(false, false, false, false)]
    [InlineData(true, false, true, false)]
    [InlineData(false, true, true, true)]
    [InlineData(true, true, true, false)]
    [InlineData(true, true, false, true)]
    public void Bars_appear_on_a_terminal_where_they_meet_no_results(bool output, bool error, bool prints, bool expected) =>
        Assert.Equal(expected, new Terminals(output, error).ShowBars(prints));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Work_is_done_with_bars_and_without(bool bars)
    {
        using var words = new StringWriter();
        var engine = new Engine(new EngineOptions { Threads = 1 });
        using var use = engine.Use();
        var steps = 0;

        new Session(TextWriter.Null, words, new(false, bars), CancellationToken.None).WithProgress(
            [("training", 3)],
            prints: true,
            report =>
            {
                Assert.Same(engine, Engine.Current);
                for (; steps < 3; steps++)
                    report.Advance(0);
            }
        );

        Assert.Equal(3, steps);
        Assert.True(bars || words.ToString().Length == 0);
    }

    [Fact]
    public void An_interrupted_session_stops_at_its_next_checkpoint()
    {
        using var source = new CancellationTokenSource();
        var session = new Session(TextWriter.Null, TextWriter.Null, default, source.Token);
        session.Checkpoint();

        source.Cancel();

        Assert.Throws<OperationCanceledException>(session.Checkpoint);
    }
}
