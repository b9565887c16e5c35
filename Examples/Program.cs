using System.CommandLine;
using Hybrid.Core;

namespace Hybrid.Examples;

/// <summary>The command line of the examples.</summary>
internal static class Program
{
    /// <summary>Parses <paramref name="args"/>, runs the command they name and returns its exit code.</summary>
    internal static int Main(string[] args) => CreateRootCommand().Parse(args).Invoke();

    /// <summary>Builds the command tree; without a command the program names itself and its version.</summary>
    internal static RootCommand CreateRootCommand()
    {
        var root = new RootCommand("Examples of Hybrid, functional automatic differentiation for .NET.");
        root.SetAction(result => result.InvocationConfiguration.Output.WriteLine($"Hybrid {HybridInfo.Version}"));
        return root;
    }
}
