using System.Runtime.InteropServices;
using Hybrid.Examples.Output;

namespace Hybrid.Examples.CommandLine;

/// <summary>
/// Ctrl-C: the run is asked to stop, which it does between two steps. One that does not within a moment is ended, but never
/// while a file is being written.
/// </summary>
internal sealed class Interruption : IDisposable
{
    /// <summary>What the user is told.</summary>
    internal const string Message = "Interrupted.";

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration registration;
    private Timer? deadline;

    internal Interruption()
    {
        registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
    }

    /// <summary>Is cancelled by Ctrl-C.</summary>
    internal CancellationToken Token => source.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        registration.Dispose();
        deadline?.Dispose();
        source.Dispose();
    }

    private void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        if (source.IsCancellationRequested)
        {
            End();
            return;
        }
        deadline = new Timer(_ => End(), null, Grace, Timeout.InfiniteTimeSpan);
        source.Cancel();
    }

    private static void End()
    {
        lock (JsonFile.Gate)
        {
            Console.Error.WriteLine(Message);
            Environment.Exit(ExitCodes.Interrupted);
        }
    }
}
