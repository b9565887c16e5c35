using System.CommandLine;
using Hybrid.Core;
using Xunit;

namespace Hybrid.Examples.Tests;

public sealed class ProgramTests
{
    [Fact]
    public void Without_arguments_the_version_is_printed_as_plain_text()
    {
        var output = new StringWriter();

        var exitCode = Program.CreateRootCommand().Parse([]).Invoke(new InvocationConfiguration { Output = output });

        Assert.Equal(0, exitCode);
        Assert.Equal($"Hybrid {HybridInfo.Version}{Environment.NewLine}", output.ToString());
    }

    [Fact]
    public void Unknown_option_is_an_error_that_names_it()
    {
        var error = Assert.Single(Program.CreateRootCommand().Parse(["--no-such-option"]).Errors);

        Assert.Contains("--no-such-option", error.Message);
    }
}
