using System.Diagnostics;

namespace Hybrid.Examples.Tests;

/// <summary>The built program as a process of its own, with its streams apart.</summary>
internal sealed class BuiltProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Process process;
    private readonly Task<string> output;
    private readonly Task<string> error;
    private readonly List<string> notes = [];

    private BuiltProgram(ProcessStartInfo start)
    {
        process = Process.Start(start)!;
        output = process.StandardOutput.ReadToEndAsync();
        error = Task.Run(ReadNotes);
    }

    /// <summary>Runs it to its end.</summary>
    internal static Ran Run(IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        RunFrom(AppContext.BaseDirectory, environment, arguments);

    /// <summary>Runs a copy of it that lies in another folder, and is started there.</summary>
    internal static Ran RunFrom(string folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        using var program = new BuiltProgram(Start(folder, environment, [], arguments));
        return program.End(Patience);
    }

    /// <summary>Starts it as a terminal does, where Ctrl-C reaches it; a test may itself run where it does not.</summary>
    internal static BuiltProgram StartInterruptible(IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        new(Start(AppContext.BaseDirectory, environment, ["env", "--default-signal=INT"], arguments));

    /// <summary>Waits until the program has written a line to standard error.</summary>
    internal void WaitForNote(string line)
    {
        for (var waited = TimeSpan.Zero; !Notes().Contains(line); waited += Pause)
        {
            if (process.HasExited || waited > Patience)
                throw new TimeoutException($"The program did not write '{line}', but: {string.Join('\n', Notes())}");
            Thread.Sleep(Pause);
        }
    }

    /// <summary>Presses Ctrl-C and waits for the end.</summary>
    internal Ran Interrupt(TimeSpan atMost)
    {
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            kill.WaitForExit();
        return End(atMost);
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        process.Dispose();
    }

    private string ReadNotes()
    {
        while (process.StandardError.ReadLine() is { } line)
        {
            lock (notes)
                notes.Add(line);
        }
        return string.Concat(Notes().Select(line => line + "\n"));
    }

    private string[] Notes()
    {
        lock (notes)
            return [.. notes];
    }

    private Ran End(TimeSpan atMost)
    {
        if (!process.WaitForExit(atMost))
            throw new TimeoutException($"The program did not end within {atMost}.");
        return new(process.ExitCode, output.Result.ReplaceLineEndings("\n"), error.Result);
    }

    private static ProcessStartInfo Start(string folder, IReadOnlyDictionary<string, string>? environment, string[] wrapper, string[] arguments)
    {
        string[] words = [.. wrapper, DotnetPath(), Path.Combine(folder, "Examples.dll"), .. arguments];
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return start;
    }

    private static string DotnetPath() => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet";
}
