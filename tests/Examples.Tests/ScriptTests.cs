using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The F# scripts, run by `dotnet fsi` on the build output and on packages made from it.</summary>
public class ScriptTests
{
    private const string Determinant = """
        open Hybrid.Core
        open Hybrid.Interop

        let m = Tensor.matrix [ [ 1.0; 2.0 ]; [ 3.0; 4.0 ] ] |> Tensor.toMatrix
        printfn "determinant %.1f" (m.Determinant())
        """;

    private static string Root => Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    [Theory]
    [InlineData("derivatives.fsx", "derivatives: ok")]
    [InlineData("digits.fsx", "digits: ok")]
    [InlineData("manual.fsx", "manual: ok")]
    public void A_script_runs_on_the_build_output(string script, string lastLine) =>
        Assert.Equal(lastLine, LastLine(Dotnet(Root, "fsi", "--quiet", Path.Combine(Root, "Examples", "scripts", script))));

    [MnistFact]
    public void The_exact_run_is_a_short_script_and_gives_the_known_numbers()
    {
        var script = Path.Combine(Root, "Examples", "scripts", "softmax.fsx");
        Assert.True(File.ReadAllLines(script).Length < 50);
        Assert.Equal("epoch 0 train 89.27333 test 90.24000", LastLine(Dotnet(Root, "fsi", "--quiet", script)));
    }

    [Fact]
    public void Scripts_run_on_packages()
    {
        using var folder = new TemporaryFolder();
        var version = $"0.0.1-test{DateTime.UtcNow.Ticks}";
        var configuration = AppContext.BaseDirectory.Contains("Release") ? "Release" : "Debug";
        Dotnet(Root, "pack", "Hybrid.sln", "--no-build", "-c", configuration, "-o", folder.Path, $"-p:Version={version}", "-v", "q");
        try
        {
            foreach (var (script, lastLine) in new[] { ("derivatives.fsx", "derivatives: ok"), ("manual.fsx", "manual: ok") })
            {
                var text = File.ReadAllText(Path.Combine(Root, "Examples", "scripts", script));
                var packaged = text.Replace("#load \"hybrid.fsx\"", Package("Hybrid.Layers"));
                Assert.NotEqual(text, packaged);
                Assert.Equal(lastLine, Run(packaged));
            }
            Assert.Equal("determinant -2.0", Run($"{Package("Hybrid.Interop")}\n{Determinant}"));
        }
        finally
        {
            Forget(version);
        }

        string Package(string name) => $"#i \"nuget: {folder.Path}\"\n#r \"nuget: {name}, {version}\"";

        string Run(string text)
        {
            File.WriteAllText(folder.File("script.fsx"), text);
            return LastLine(Dotnet(folder.Path, "fsi", "--quiet", folder.File("script.fsx")));
        }
    }

    // The package cache is the user's: take out what this test put in.
    private static void Forget(string version)
    {
        var cache =
            Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        foreach (var name in new[] { "hybrid.kernels", "hybrid.core", "hybrid.layers", "hybrid.interop" })
        {
            var folder = Path.Combine(cache, name, version);
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static string LastLine(string output) => output.Trim().Split('\n')[^1].Trim();

    private static string Dotnet(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Inherited from the build that runs the tests, these would make the new build believe it is a part of that one.
        foreach (var name in start.Environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            if (name is not "MSBUILDDISABLENODEREUSE")
                start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}\n{error.Result}");
        return output;
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
