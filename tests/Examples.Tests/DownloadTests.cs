using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Hybrid.Examples.Runs;
using Hybrid.Layers.Data;
using Hybrid.Layers.Tests.Data.Download;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>The command download, against mirrors on this machine; how files are got is tested with the library.</summary>
public sealed class DownloadTests : IDisposable
{
    private const string First = "train-images-idx3-ubyte.gz";

    private readonly DownloadBench bench = new();

    public void Dispose() => bench.Dispose();

    [Fact]
    public void What_arrives_is_noted_and_where_it_is_printed()
    {
        using var mirror = new Mirror(_ => Reply.With(200, DownloadBench.Whole));

        var ran = Run(mirror.Folder);
        var again = Run(mirror.Folder);

        Assert.Equal(new(0, $"Sample is in {bench.Folder} (1 of 1 files downloaded, 0 were there).\n", $"pixels.gz from {mirror.Folder}\n"), ran);
        Assert.Equal(DownloadBench.Whole, File.ReadAllBytes(bench.Final));
        Assert.Equal(new(0, $"Sample is in {bench.Folder} (0 of 1 files downloaded, 1 were there).\n", ""), again);
    }

    [Fact]
    public void Offline_one_line_says_what_was_tried_and_what_to_do()
    {
        var gone = new Mirror();
        gone.Dispose();

        var ran = Run(gone.Folder);

        Assert.Equal(3, ran.ExitCode);
        Assert.Equal("", ran.Output);
        Assert.Equal(
            $"Sample: expected pixels.gz from its mirror, got nothing sound ({gone.Folder}pixels.gz: no connection (3 times)). "
                + "Check the network and try again (files that are whole are kept), or fetch the files by other means and set HYBRID_DATA to the "
                + "folder that holds them, plain or .gz.\n",
            ran.Error
        );
        Assert.Empty(bench.Names());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Interrupted_it_leaves_nothing_half(bool bars)
    {
        using var mirror = new Mirror(_ => Reply.With(200, DownloadBench.Whole[..1000], "Content-Length: 3023") with { Stalls = true });
        using var source = new CancellationTokenSource();

        var running = Task.Run(() => Run(mirror.Folder, bars, source.Token));
        while (!Directory.Exists(bench.Folder) || !Directory.GetFiles(bench.Folder).Any(file => new FileInfo(file).Length == 1000))
        {
            Assert.False(running.IsCompleted, "it ended before anything arrived");
            await Task.Delay(5);
        }
        await source.CancelAsync();
        var ran = await running.WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(130, ran.ExitCode);
        Assert.EndsWith("Interrupted.\n", ran.Error, StringComparison.Ordinal);
        Assert.Empty(bench.Names());
    }

    [Fact]
    public void A_file_is_a_bar_of_bytes_which_may_go_back()
    {
        var reached = new Reached();
        DownloadFile[] files = [DownloadBench.Described, new(new("labels", ""), 100)];
        var steps = new DownloadSteps(files, reached);
        var mirror = new Uri("http://mirror/data/");

        steps.Report(new("labels.gz", mirror, 50, 80));
        steps.Report(new("labels.gz", mirror, 0, null));
        steps.Report(new("pixels.gz", mirror, 7, null));

        Assert.Equal(
            [(1, 50, 80, "from mirror"), (1, 0, files[1].MaximumBytes, "from mirror"), (0, 7, files[0].MaximumBytes, "from mirror")],
            reached.Calls
        );
    }

    [Fact]
    public void Ctrl_C_ends_the_program_with_130_and_leaves_nothing_half()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var mirror = new Mirror(_ => Reply.With(200, DownloadBench.Whole, "Content-Length: 9912422") with { Stalls = true });
        using var program = BuiltProgram.StartInterruptible(Cache, "download", "mnist", "--mirror", mirror.Folder.ToString());
        program.WaitForNote($"{First} from {mirror.Folder}");

        var ran = program.Interrupt(atMost: TimeSpan.FromSeconds(10));

        Assert.Equal(new(130, "", $"{First} from {mirror.Folder}\nInterrupted.\n"), ran);
        Assert.Empty(Directory.GetFiles(bench.Cache, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void The_program_refuses_what_is_not_the_dataset()
    {
        using var mirror = new Mirror(_ => Reply.With(200, "<html>"u8.ToArray()));

        var ran = BuiltProgram.Run(Cache, "download", "fashion-mnist", "--mirror", mirror.Folder.ToString());

        Assert.Equal(3, ran.ExitCode);
        Assert.StartsWith(
            $"Fashion-MNIST: expected {First} from its mirror, got nothing sound ({mirror.Folder}{First}: sent a web page instead of the file).",
            ran.ErrorLines[^1],
            StringComparison.Ordinal
        );
        Assert.Empty(Directory.GetFiles(bench.Cache, "*", SearchOption.AllDirectories));
    }

    [MnistFact]
    public void The_program_downloads_mnist()
    {
        var files = Enum.GetValues<DatasetPart>()
            .SelectMany(part => Datasets.Find(KnownDataset.Mnist, part, DataEnvironment.OfThisProcess()).Files)
            .ToDictionary(path => $"/data/{Path.GetFileName(path).Replace(".gz", "", StringComparison.Ordinal)}.gz");
        using var mirror = new Mirror(asked => Reply.With(200, Compressed(files[asked.Path])));

        var ran = BuiltProgram.Run(Cache, "download", "mnist", "--mirror", mirror.Folder.ToString());

        var folder = Path.Combine(bench.Cache, "hybrid", "mnist");
        Assert.Equal($"MNIST is in {folder} (4 of 4 files downloaded, 0 were there).\n", ran.Output);
        Assert.Equal((0, 4), (ran.ExitCode, ran.ErrorLines.Length));
        Assert.Equal(4, Directory.GetFiles(folder).Length);
    }

    private Dictionary<string, string> Cache => new() { [DataEnvironment.CacheVariable] = bench.Cache };

    private static byte[] Compressed(string path) =>
        path.EndsWith(".gz", StringComparison.Ordinal) ? File.ReadAllBytes(path) : Layers.Tests.Data.DataSamples.Gzip(File.ReadAllBytes(path));

    /// <summary>Runs the command as the program does, for the small dataset.</summary>
    private Ran Run(Uri mirror, bool bars = false, CancellationToken cancelled = default)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var (_, settings) = Running.Parsed("download", "mnist");
        var source = new DownloadSource(DownloadBench.Dataset, [mirror], [DownloadBench.Described]);
        var command = new CommandSpec(
            "download",
            "",
            [],
            (_, session) => Examples.Runs.Download.Run(source, bench.Environment, bench.Options, session)
        );
        var exitCode = Program.Run(command, settings, new Session(output, error, new(false, bars), cancelled));
        return new(exitCode, output.ToString(), error.ToString());
    }
}
