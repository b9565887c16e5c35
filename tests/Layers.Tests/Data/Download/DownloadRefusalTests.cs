using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;
using static Hybrid.Layers.Tests.Data.Download.DownloadBench;

namespace Hybrid.Layers.Tests.Data.Download;

/// <summary>Mirrors that give nothing sound: the whole text, how often each was asked, and nothing left in the folder.</summary>
public sealed class DownloadRefusalTests : IDisposable
{
    private const string Advice =
        "Check the network and try again (files that are whole are kept), or fetch the files by other means and set "
        + "HYBRID_DATA to the folder that holds them, plain or .gz.";

    private static readonly byte[] Other = Noise(3000, seed: 2);
    private static readonly Case[] Cases =
    [
        new("404", "answered with status 404", 1, _ => Reply.With(404, [])),
        new("403 with the file", "answered with status 403", 1, _ => Reply.With(403, Whole)),
        new("204", "answered with status 204", 1, _ => Reply.Unmeasured(204, [])),
        new("503", "answered with status 503 (3 times)", 3, _ => Reply.With(503, [])),
        new("429, then 404", "answered with status 429, then answered with status 404", 2, _ => Reply.With(429, []), _ => Reply.With(404, [])),
        new("a part nobody asked for", "answered with status 206", 1, _ => Reply.With(206, Whole, "Content-Range: bytes 0-3022/3023")),
        new("web page", "sent a web page instead of the file", 1, _ => Reply.With(200, "\r\n <!DOCTYPE html><html>log in</html>"u8.ToArray())),
        new("nothing", "sent nothing", 1, _ => Reply.With(200, [])),
        new("another file", $"sent content of SHA-256 {Hash(Other)} instead of {Hash(Pixels)}", 1, _ => Reply.With(200, GzipStored(Other))),
        new("garbage", $"sent content of SHA-256 {Hash(Other)} instead of {Hash(Pixels)}", 1, _ => Reply.With(200, Other)),
        new(
            "a damaged file",
            "sent damaged data: expected sound gzip data, got data damaged at or soon after this place",
            1,
            _ => Reply.With(200, With(Whole, 11, 1))
        ),
        new("length too short", "sent damaged data: expected a whole gzip file, got the end of the file after 2,000 bytes", 1, _ => Short()),
        new("length too long", "cut off after 3,023 of 3,033 bytes (3 times)", 3, _ => Reply.With(200, Whole, "Content-Length: 3033")),
        new("announced too large", "announced 4,027 bytes where at most 4,026 can be", 1, _ => Reply.With(200, Whole, "Content-Length: 4027")),
        new("endless", "sent more than 4,026 bytes", 1, _ => Reply.Unmeasured(200, Whole) with { Endless = true }),
        new("bomb", "sent a file that holds more than 3,000 bytes", 1, _ => Reply.With(200, Gzip(new byte[1_000_000]))),
        new("redirects in a loop", "redirected without end (status 302)", 6, at => Reply.With(302, [], $"Location: {at.Path}")),
        new("redirect to nowhere", "redirected without end (status 302)", 1, _ => Reply.With(302, [])),
        new("not HTTP", "answered with something other than HTTP (3 times)", 3, _ => Reply.Text("SSH-2.0-OpenSSH_9.6\r\n\r\n")),
        // HttpClient itself repeats such a request three times.
        new("closed at once", "cut off before it answered (3 times)", 12, _ => Reply.Text("")),
        new(
            "a wrong part, always",
            "cut off after 1,000 of 3,023 bytes, then answered a request for bytes from 1,000 with 'bytes 0-3022/3023', "
                + "then cut off after 1,000 of 3,023 bytes",
            3,
            _ => CutOff(),
            _ => Reply.With(206, Whole, "Content-Range: bytes 0-3022/3023"),
            _ => CutOff()
        ),
    ];

    private readonly DownloadBench bench = new();

    public static TheoryData<string> Names => [.. Cases.Select(one => one.Name)];

    public void Dispose() => bench.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_mirror_that_gives_nothing_sound_is_named_with_its_reason(string name)
    {
        var one = Cases.Single(one => one.Name == name);
        using var mirror = new Mirror(one.Script);
        long most = 0;
        bench.Options = bench.Options with { Progress = new Told(told => most = Math.Max(most, told.Bytes)) };
        var result = await bench.Run(mirror.Folder);
        Assert.Equal(
            $"Sample: expected pixels.gz from its mirror, got nothing sound ({mirror.Folder}pixels.gz: {one.Outcome}). {Advice}",
            result.Message
        );
        Assert.False(result.Succeeded);
        Assert.Equal(one.Requests, mirror.Requests.Length);
        Assert.InRange(most, 0, Described.MaximumBytes);
        Assert.Empty(result.Files);
        Assert.Empty(bench.Names());
        Assert.Equal(result.Message, Assert.Throws<DataException>(result.EnsureSuccess).Message);
    }

    [Fact]
    public async Task Offline_one_line_says_what_was_tried_and_what_to_do()
    {
        using var first = new Mirror();
        using var second = new Mirror();
        first.Dispose();
        second.Dispose();
        var result = await bench.Run(first.Folder, second.Folder);
        Assert.Equal(
            $"Sample: expected pixels.gz from one of 2 mirrors, got nothing sound ({first.Folder}pixels.gz: no connection (3 times); "
                + $"{second.Folder}pixels.gz: no connection (3 times)). {Advice}",
            result.Message
        );
        Assert.DoesNotContain('\n', result.Message);
        Assert.Equal(6, result.Tried.Length);
        Assert.Equal(4, bench.Waits.Count);
        Assert.Empty(bench.Names());
    }

    [Fact]
    public async Task A_mirror_that_stalls_is_left_after_the_stall_timeout()
    {
        using var mirror = new Mirror(_ => CutOff() with { Stalls = true });
        bench.Options = bench.Options with { Attempts = 1, Progress = new Told(told => _ = AdvanceUntilDone(told.Bytes == 1000)) };
        var result = await Finish(bench.Run(mirror.Folder));
        Assert.Equal([$"{mirror.Folder}pixels.gz: stalled for 30 s after 1,000 of 3,023 bytes"], result.Tried.Select(one => one.ToString()));
        Assert.Empty(bench.Names());
    }

    [Fact]
    public async Task A_mirror_that_never_answers_is_left_after_the_stall_timeout()
    {
        using var mirror = new Mirror(_ => Reply.Text("") with { Stalls = true });
        bench.Options = bench.Options with { Attempts = 1 };
        _ = AdvanceUntilDone(true);
        var result = await Finish(bench.Run(mirror.Folder));
        Assert.Equal([$"{mirror.Folder}pixels.gz: no answer for 30 s"], result.Tried.Select(one => one.ToString()));
        Assert.Empty(bench.Names());
    }

    [Fact]
    public async Task Everything_together_ends_at_the_time_limit()
    {
        using var broken = new Mirror(_ => Reply.With(503, []));
        bench.Options = bench.Options with { Attempts = 100, TimeLimit = TimeSpan.FromSeconds(3) };
        var result = await bench.Run(broken.Folder);
        Assert.Equal(
            "Sample: expected pixels.gz from its mirror, got no whole file within the time limit of 3 s for all files "
                + $"({broken.Folder}pixels.gz: answered with status 503 (3 times)). {Advice}",
            result.Message
        );
        Assert.Empty(bench.Names());
    }

    [Fact]
    public async Task Cancellation_leaves_nothing()
    {
        using var mirror = new Mirror(_ => CutOff() with { Stalls = true });
        using var stop = new CancellationTokenSource();
        string[] during = [];
        bench.Options = bench.Options with
        {
            Progress = new Told(told =>
            {
                during = bench.Names();
                stop.Cancel();
            }),
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.Run(stop.Token, mirror.Folder));
        Assert.Matches(@"^pixels\.gz\.[0-9a-f]{32}\.part$", Assert.Single(during));
        Assert.Empty(bench.Names());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.Run(stop.Token, mirror.Folder));
        Assert.Single(mirror.Requests);
    }

    [Fact]
    public async Task Without_a_cache_folder_the_line_says_how_to_set_one()
    {
        var nowhere = bench.Environment with { PlatformCacheFolder = "" };
        var result = await Datasets.DownloadAsync(new(Dataset, [new("http://127.0.0.1/")], [Described]), nowhere, bench.Options);
        Assert.Equal("Sample: expected a cache folder to download into, got none on this system. Set XDG_CACHE_HOME to one.", result.Message);
        Assert.Null(result.Folder);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named()
    {
        File.WriteAllText(Path.Combine(bench.Cache, "hybrid"), "in the way");
        using var mirror = new Mirror(_ => Reply.With(200, Whole));
        var result = await bench.Run(mirror.Folder);
        Assert.StartsWith($"{bench.Folder}: expected a folder to write into, got an error: ", result.Message, StringComparison.Ordinal);
        Assert.EndsWith(". Check its permissions and its disk.", result.Message, StringComparison.Ordinal);
        Assert.Empty(mirror.Requests);
    }

    [Theory]
    [InlineData("http://127.0.0.1/data")]
    [InlineData("ftp://127.0.0.1/data/")]
    public async Task A_mirror_that_is_no_folder_is_refused(string address)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => bench.Run(new Uri(address)));
        Assert.Equal($"A mirror is an http or https address that ends with a slash, got '{address}'. (Parameter 'options')", error.Message);
    }

    [Fact]
    public async Task Limits_that_are_none_are_refused()
    {
        DownloadOptions[] senseless =
        [
            new() { Attempts = 0 },
            new() { TimeLimit = TimeSpan.Zero },
            new() { StallTimeout = TimeSpan.Zero },
            new() { FirstDelay = TimeSpan.FromTicks(-1) },
            new() { MaximumDelay = TimeSpan.FromTicks(-1) },
        ];
        foreach (var options in senseless)
        {
            bench.Options = options;
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => bench.Run());
        }
    }

    private static Reply CutOff() => Reply.With(200, Whole[..1000], "Content-Length: 3023");

    private static Reply Short() => Reply.With(200, Whole, "Content-Length: 2000");

    private readonly CancellationTokenSource done = new();

    // The timer may be set a little later than the test can see: the clock goes on until the download has ended.
    private async Task AdvanceUntilDone(bool due)
    {
        while (due && !done.IsCancellationRequested)
        {
            bench.Time.Advance(TimeSpan.FromSeconds(30));
            await Task.Delay(5);
        }
    }

    private async Task<DownloadResult> Finish(Task<DownloadResult> run)
    {
        try
        {
            return await run;
        }
        finally
        {
            await done.CancelAsync();
        }
    }

    private sealed record Case(string Name, string Outcome, int Requests, params Func<Request, Reply>[] Script);
}
