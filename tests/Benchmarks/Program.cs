using System.CommandLine;
using System.Globalization;
using Hybrid.Benchmarks.Commands;
using Hybrid.Benchmarks.Workloads;
using Hybrid.Core;
using Hybrid.Layers.Data;

namespace Hybrid.Benchmarks;

/// <summary>How fast Hybrid is, and next to what.</summary>
internal static class Program
{
    private const string Description = """
        Measures Hybrid: against PyTorch in the same minutes, against the machine's limits, in bytes, and from the start.

        Exit codes: 0 measured, 1 failed, 2 usage, 3 no Python with PyTorch, or no data.
        """;

    /// <summary>Runs the command that the arguments name.</summary>
    internal static int Main(string[] arguments)
    {
        if (arguments is [Startup.Child])
            return Startup.FirstStep();
        try
        {
            var root = new RootCommand(Description)
            {
                CompareCommand(),
                PeakCommand(),
                KernelsCommand(),
                AllocCommand(),
                GrowCommand(),
                ExplainCommand(),
                StartupCommand(),
                ListCommand(),
            };
            var result = root.Parse(arguments);
            if (arguments.Length > 0 && result.Errors.Count > 0)
                throw new BenchmarkException(string.Join('\n', result.Errors.Select(error => error.Message)), ExitCodes.Usage);
            var code = result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
            return result.Errors.Count > 0 ? ExitCodes.Usage : code;
        }
        catch (BenchmarkException e)
        {
            Report.Note(e.Message);
            return e.Code;
        }
        catch (DataException e)
        {
            Report.Note(e.Message);
            return ExitCodes.Missing;
        }
        catch (HybridException e)
        {
            Report.Note(e.Message);
            return ExitCodes.Failed;
        }
    }

    private static Command CompareCommand()
    {
        var workload = Words("--workload", "Which workload; 'list' prints them.", WorkloadNames());
        workload.Required = true;
        var threads = Threads();
        var path = StepPath();
        var seconds = Seconds("Seconds of measured blocks, both sides together.", 5);
        var rounds = Whole("--rounds", "Pairs of blocks.", 9, 1000);
        var clock = Clock();
        var python = new Option<string?>("--python") { Description = "A Python with PyTorch; by default the first python3 in PATH that has it." };
        var blas = new Option<string?>("--blas")
        {
            Description = "Folder with the libblas.so.3 that the peer is to use; by default Debian's OpenBLAS.",
        };
        var command = new Command("compare", "Runs our steps and PyTorch's alternately and prints our time / its best variant's time.")
        {
            workload,
            threads,
            path,
            seconds,
            rounds,
            clock,
            python,
            blas,
        };
        command.SetAction(result =>
            Compare.Run(
                new(
                    result.GetValue(workload)!,
                    result.GetValue(threads),
                    result.GetValue(path)!,
                    result.GetValue(seconds),
                    result.GetValue(rounds),
                    result.GetValue(clock) == "cpu",
                    result.GetValue(python),
                    result.GetValue(blas)
                )
            )
        );
        return command;
    }

    private static Command PeakCommand()
    {
        var threads = Threads();
        var command = new Command("peak", "The machine's limits: multiply-adds for each vector width, and memory bandwidth.") { threads };
        command.SetAction(result => Peak.Run(result.GetValue(threads)));
        return command;
    }

    private static Command KernelsCommand()
    {
        var only = new Option<string>("--only") { Description = "Part of the names of the kernels to run.", DefaultValueFactory = _ => "" };
        var threads = Threads();
        var seconds = Seconds("Measured seconds for each kernel.", 0.5);
        var command = new Command("kernels", "Single kernels at the sizes of the workloads: time, GFLOP/s, GB/s.") { only, threads, seconds };
        command.SetAction(result => SingleKernels.Run(result.GetValue(only)!, result.GetValue(threads), result.GetValue(seconds)));
        return command;
    }

    private static Command AllocCommand()
    {
        var workload = Words("--workload", "One workload; all by default.", WorkloadNames());
        var path = Words("--path", "One path; all by default.", Steps.Paths);
        var command = new Command("alloc", "Bytes that a step takes from the garbage collector.") { workload, path };
        command.SetAction(result => Alloc.Run(result.GetValue(workload), result.GetValue(path)));
        return command;
    }

    private static Command GrowCommand()
    {
        var sweep = Words("--sweep", "What grows; one after another by default.", Grow.Names);
        var (path, threads, clock) = (StepPath(), Threads(), Clock());
        var seconds = Seconds("Measured seconds for each row.", 0.5);
        var command = new Command("grow", "How the cost of a step grows with batch, width and depth.") { sweep, path, threads, seconds, clock };
        command.SetAction(result =>
            Grow.Run(
                result.GetValue(sweep),
                result.GetValue(path)!,
                result.GetValue(threads),
                result.GetValue(seconds),
                result.GetValue(clock) == "cpu"
            )
        );
        return command;
    }

    private static Command ExplainCommand()
    {
        var workload = Words("--workload", "The workload.", WorkloadNames());
        workload.Required = true;
        var threads = Threads();
        var path = StepPath();
        var command = new Command("explain", "The plan of a workload's step: kernels, memory, predicted and measured times.")
        {
            workload,
            threads,
            path,
        };
        command.SetAction(result => Explain.Run(result.GetValue(workload)!, result.GetValue(threads), result.GetValue(path)!));
        return command;
    }

    private static Command StartupCommand()
    {
        var runs = Whole("--runs", "Processes to start.", 7, 1000);
        var command = new Command("startup", "From the start of a process to its first finished training step.") { runs };
        command.SetAction(result => Startup.Run(result.GetValue(runs)));
        return command;
    }

    private static Command ListCommand()
    {
        var command = new Command("list", "The workloads.");
        command.SetAction(_ =>
        {
            foreach (var workload in WorkloadTable.All)
                Report.Line($"{workload.Name, -12} {(workload.Trains ? "training" : "inference")}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static string[] WorkloadNames() => [.. WorkloadTable.All.Select(workload => workload.Name)];

    private static Option<string?> Words(string name, string meaning, IReadOnlyList<string> words)
    {
        // A missing word is refused by the same line as a wrong one, which names the words.
        var option = new Option<string?>(name) { Description = meaning, Arity = ArgumentArity.ZeroOrOne };
        option.CompletionSources.Add([.. words]);
        option.Validators.Add(given =>
        {
            var word = given.Tokens.Count == 1 ? given.Tokens[0].Value : null;
            if (!given.Implicit && !words.Contains(word))
                given.AddError($"{name} takes one of {string.Join(", ", words)}; got {word ?? "nothing"}.");
        });
        return option;
    }

    private static Option<string?> StepPath()
    {
        var option = Words("--path", "How our step is written.", Steps.Paths);
        option.DefaultValueFactory = _ => Steps.Paths[0];
        return option;
    }

    private static Option<string?> Clock()
    {
        var meaning = "What decides: time by the clock, or CPU time of the processes (for busy machines, 1 thread).";
        var option = Words("--clock", meaning, ["wall", "cpu"]);
        option.DefaultValueFactory = _ => "wall";
        return option;
    }

    private static Option<int> Threads() => Whole("--threads", "Threads that compute.", 1, 256);

    private static Option<int> Whole(string name, string meaning, int normal, int most)
    {
        var option = new Option<int>(name) { Description = meaning, DefaultValueFactory = _ => normal };
        option.Validators.Add(given => Refuse(given, option, value => value >= 1 && value <= most, $"a whole number from 1 to {most}"));
        return option;
    }

    private static Option<double> Seconds(string meaning, double normal)
    {
        var option = new Option<double>("--seconds") { Description = meaning, DefaultValueFactory = _ => normal };
        option.Validators.Add(given => Refuse(given, option, value => value is > 0 and <= 3600, "above 0, up to 3600"));
        return option;
    }

    private static void Refuse<T>(System.CommandLine.Parsing.OptionResult given, Option<T> option, Func<T, bool> allowed, string range)
        where T : IParsable<T>
    {
        if (given.Tokens.Count != 1 || (T.TryParse(given.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && allowed(value)))
            return;
        given.AddError($"{option.Name} takes {range}; got {given.Tokens[0].Value}.");
    }
}
