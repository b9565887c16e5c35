using Xunit;

namespace Hybrid.Examples.Tests;

public sealed class ProgramTests
{
    [Fact]
    public void Command_line_parses_without_arguments()
    {
        Assert.Empty(Program.CreateRootCommand().Parse([]).Errors);
    }

    [Fact]
    public void Unknown_option_is_an_error_that_names_it()
    {
        var error = Assert.Single(Program.CreateRootCommand().Parse(["--no-such-option"]).Errors);

        Assert.Contains("--no-such-option", error.Message);
    }
}
