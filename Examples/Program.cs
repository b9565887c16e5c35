using Hybrid.Core;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Layers.Data;

namespace Hybrid.Examples;

/// <summary>The examples of Hybrid, from the command line.</summary>
internal static class Program
{
    /// <summary>Runs the command that <paramref name="arguments"/> name and returns its exit code.</summary>
    internal static int Main(string[] arguments)
    {
        try
        {
            return CommandLineApp.Run(arguments, Console.Out, Console.Error, RunInterruptibly);
        }
        catch (IOException e)
        {
            Console.Error.WriteLine(Unwritten(e));
            return ExitCodes.Disagree;
        }
    }

    private static int RunInterruptibly(CommandSpec command, Settings settings)
    {
        using var interruption = new Interruption();
        return Run(command, settings, Session.OfThisProcess(interruption.Token));
    }

    /// <summary>Runs a command; whatever goes wrong becomes a line for the user and an exit code.</summary>
    internal static int Run(CommandSpec command, Settings settings, Session session)
    {
        try
        {
            using var engine = settings.Threads is { } threads ? new Engine(new EngineOptions { Threads = threads }).Use() : null;
            return command.Run(settings, session);
        }
        catch (UsageException e)
        {
            session.Note(e.Message);
            return ExitCodes.Usage;
        }
        catch (DataException e)
        {
            session.Note(e.Message);
            return ExitCodes.Data;
        }
        catch (OperationCanceledException)
        {
            session.Note(Interruption.Message);
            return ExitCodes.Interrupted;
        }
        catch (IOException e)
        {
            session.Note(Unwritten(e));
            return ExitCodes.Disagree;
        }
        catch (HybridException e)
        {
            session.Note(e.Message);
            return ExitCodes.Disagree;
        }
        catch (Exception e)
        {
            session.Note($"The run failed: {e.Message.ReplaceLineEndings(" ")} ({e.GetType().Name}). This is an error in Hybrid.");
            return ExitCodes.Disagree;
        }
    }

    private static string Unwritten(IOException e) => $"The results could not be written: {e.Message.ReplaceLineEndings(" ")}";
}
