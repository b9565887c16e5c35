using System.Text.Json;
using Hybrid.Examples.CommandLine;
using Hybrid.Examples.Output;
using Xunit;

namespace Hybrid.Examples.Tests;

public sealed class JsonFileTests
{
    [Fact]
    public void A_file_is_replaced_as_a_whole_and_nothing_else_is_left()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        File.WriteAllText(path, "what was there before, and longer than what comes");

        JsonFile.At(path)!.Write(new { Loss = 0.5, Bad = double.NaN });

        Assert.Equal("{\n  \"loss\": 0.5,\n  \"bad\": \"NaN\"\n}\n", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Who_reads_the_file_meanwhile_sees_the_old_one_whole()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        File.WriteAllText(path, "before");
        using var reader = new StreamReader(path);

        JsonFile.At(path)!.Write(1);

        Assert.Equal("before", reader.ReadToEnd());
        Assert.Equal("1\n", File.ReadAllText(path));
    }

    [Fact]
    public void Looking_whether_a_file_can_be_written_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        File.WriteAllText(path, "before");

        JsonFile.At(path);
        JsonFile.At(folder.File("new.json"));

        Assert.Equal("before", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Results_that_cannot_be_written_as_json_leave_the_file_as_it_was()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        File.WriteAllText(path, "before");
        var endless = new List<object>();
        endless.Add(endless);

        Assert.Throws<JsonException>(() => JsonFile.At(path)!.Write(endless));

        Assert.Equal("before", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_link_stays_a_link()
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("target.json");
        File.WriteAllText(target, "before");
        var link = folder.File("link.json");
        File.CreateSymbolicLink(link, target);

        JsonFile.At(link)!.Write(1);

        Assert.Equal("1\n", File.ReadAllText(target));
        Assert.NotNull(new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void Without_the_option_there_is_no_file() => Assert.Null(JsonFile.At(null));

    [Fact]
    public void A_path_that_cannot_be_written_is_refused_in_one_line_before_the_run()
    {
        using var folder = new TemporaryFolder();
        var missing = folder.File("missing");
        var file = folder.File("file");
        File.WriteAllText(file, "");
        (string Path, string Reason)[] cases =
        [
            (folder.Path, "it is a folder"),
            (folder.File("new/"), "it is a folder"),
            (Path.Combine(missing, "x.json"), $"there is no folder {missing}"),
            (Path.Combine(file, "x.json"), $"there is no folder {file}"),
            ("a\0b", "Null character in path. (Parameter 'path')"),
        ];
        foreach (var (path, reason) in cases)
        {
            var ran = Running.Here("digits-mlp", "--epochs", "1", "--json", path);

            Assert.Equal(2, ran.ExitCode);
            Assert.Equal("", ran.Output);
            Assert.Equal($"--json: expected a file that can be written, got '{path}' ({reason}).\n", ran.Error);
        }
    }

    [Fact]
    public void A_device_is_not_replaced()
    {
        if (OperatingSystem.IsWindows())
            return;
        var e = Assert.Throws<UsageException>(() => JsonFile.At("/dev/null"));

        Assert.Equal("--json: expected a file that can be written, got '/dev/null' (it is a device).", e.Message);
    }
}
