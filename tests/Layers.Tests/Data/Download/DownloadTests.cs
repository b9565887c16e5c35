using Hybrid.Layers.Data;
using Xunit;
using static Hybrid.Layers.Tests.Data.DataSamples;
using static Hybrid.Layers.Tests.Data.Download.DownloadBench;

namespace Hybrid.Layers.Tests.Data.Download;

/// <summary>Downloads that succeed, at once or in the end.</summary>
public sealed class DownloadTests : IDisposable
{
    private readonly DownloadBench bench = new();

    public void Dispose() => bench.Dispose();

    [Fact]
    public async Task A_file_is_whole_checked_and_alone_and_the_next_download_asks_nobody()
    {
        using var mirror = new Mirror(_ => Reply.With(200, Whole));
        var result = await bench.Run(mirror.Folder);
        Assert.Equal($"Sample is in {bench.Folder} (1 of 1 files downloaded, 0 were there)", result.Message);
        Assert.Equal(new DownloadedFile(bench.Final, false), Assert.Single(result.Files));
        result.EnsureSuccess();
        AssertWhole();
        var request = Assert.Single(mirror.Requests);
        Assert.Equal(("/data/pixels.gz", "identity", null), (request.Path, request.Header("Accept-Encoding"), request.Header("Range")));
        var again = await bench.Run(mirror.Folder);
        Assert.Equal($"Sample is in {bench.Folder} (0 of 1 files downloaded, 1 were there)", again.Message);
        Assert.Single(mirror.Requests);
    }

    [Fact]
    public async Task A_redirect_is_followed()
    {
        using var mirror = new Mirror(_ => Reply.With(302, [], "Location: /elsewhere"), _ => Reply.With(200, Whole));
        await Succeeds(mirror, "sound");
        Assert.Equal("/elsewhere", mirror.Requests[1].Path);
    }

    [Fact]
    public async Task A_mirror_that_is_busy_is_asked_again()
    {
        using var mirror = new Mirror(_ => Reply.With(503, []), _ => Reply.With(500, []), _ => Reply.With(200, Whole));
        await Succeeds(mirror, "answered with status 503", "answered with status 500", "sound");
        Assert.Equal(2, bench.Waits.Count);
        Assert.InRange(bench.Waits[0].TotalSeconds, 0.5, 1);
        Assert.InRange(bench.Waits[1].TotalSeconds, 1, 2);
    }

    [Theory]
    [InlineData("ETag: \"v1\"", "\"v1\"")]
    [InlineData("ETag: W/\"v1\"", null)]
    [InlineData("X-None: 0", null)]
    public async Task What_was_cut_off_is_continued_if_the_file_is_the_same(string header, string? ifRange)
    {
        using var mirror = new Mirror(_ => CutOff(header), at => Rest(at));
        await Succeeds(mirror, "cut off after 1,000 of 3,023 bytes", "sound");
        Assert.Equal(("bytes=1000-", ifRange), (mirror.Requests[1].Header("Range"), mirror.Requests[1].Header("If-Range")));
    }

    [Fact]
    public async Task What_stalled_is_continued()
    {
        using var mirror = new Mirror(_ => CutOff("ETag: \"v1\"") with { Stalls = true }, at => Rest(at));
        var stalled = true;
        bench.Options = bench.Options with { Wait = (_, _) => Task.FromResult(stalled = false) };
        bench.Options = bench.Options with
        {
            Progress = new Told(told =>
            {
                if (told.Bytes == 1000)
                    _ = Advance();
            }),
        };
        await Succeeds(mirror, "stalled for 30 s after 1,000 of 3,023 bytes", "sound");

        async Task Advance()
        {
            while (Volatile.Read(ref stalled))
            {
                bench.Time.Advance(TimeSpan.FromSeconds(30));
                await Task.Delay(5);
            }
        }
    }

    [Fact]
    public async Task A_mirror_that_cannot_continue_sends_all_again()
    {
        using var mirror = new Mirror(_ => CutOff(), _ => Reply.With(200, Whole));
        await Succeeds(mirror, "cut off after 1,000 of 3,023 bytes", "sound");
    }

    [Fact]
    public async Task A_part_from_the_wrong_place_is_thrown_away()
    {
        using var mirror = new Mirror(
            _ => CutOff(),
            _ => Reply.With(206, Whole[999..], "Content-Range: bytes 999-3022/3023"),
            _ => Reply.With(200, Whole)
        );
        await Succeeds(mirror, "cut off after 1,000 of 3,023 bytes", "answered a request for bytes from 1,000 with 'bytes 999-3022/3023'", "sound");
        Assert.Null(mirror.Requests[2].Header("Range"));
    }

    [Fact]
    public async Task A_part_that_is_not_named_is_thrown_away()
    {
        using var mirror = new Mirror(_ => CutOff(), _ => Reply.With(206, Whole[1000..]), _ => Reply.With(200, Whole));
        await Succeeds(mirror, "cut off after 1,000 of 3,023 bytes", "answered a request for bytes from 1,000 with an unnamed part", "sound");
    }

    [Fact]
    public async Task A_refused_range_makes_it_start_anew()
    {
        using var mirror = new Mirror(_ => CutOff(), _ => Reply.With(416, []), _ => Reply.With(200, Whole));
        await Succeeds(mirror, "cut off after 1,000 of 3,023 bytes", "cannot continue from where it was cut off", "sound");
        Assert.Null(mirror.Requests[2].Header("Range"));
    }

    [Fact]
    public async Task Pieces_of_different_files_are_thrown_away()
    {
        var other = GzipStored(Noise(3000, seed: 2));
        using var mirror = new Mirror(
            _ => CutOff(),
            _ => Reply.With(206, other[1000..], "Content-Range: bytes 1000-3022/3023"),
            _ => Reply.With(200, Whole)
        );
        var result = await bench.Run(mirror.Folder);
        AssertWhole();
        Assert.Matches("^sent damaged data: expected the gzip checksum [0-9A-F]{8}, got [0-9A-F]{8}, in pieces$", result.Tried[1].Outcome);
        Assert.Null(mirror.Requests[2].Header("Range"));
    }

    [Fact]
    public async Task The_next_mirror_is_asked_and_gets_nothing_of_the_first()
    {
        using var first = new Mirror(_ => CutOff(), _ => Reply.With(404, []));
        using var second = new Mirror(_ => Reply.With(200, Whole));
        var result = await bench.Run(first.Folder, second.Folder);
        AssertWhole();
        Assert.Equal(
            [
                $"{first.Folder}pixels.gz: cut off after 1,000 of 3,023 bytes",
                $"{first.Folder}pixels.gz: answered with status 404",
                $"{second.Folder}pixels.gz: sound",
            ],
            result.Tried.Select(one => one.ToString())
        );
        Assert.Null(Assert.Single(second.Requests).Header("Range"));
    }

    [Fact]
    public async Task The_callers_mirrors_stand_in_for_the_sources()
    {
        using var mirror = new Mirror(_ => Reply.With(200, Whole));
        bench.Options = bench.Options with { Mirrors = [mirror.Folder] };
        Assert.True((await bench.Run(new Uri("http://127.0.0.1:1/"))).Succeeded);
    }

    [Fact]
    public async Task A_mirror_that_decompresses_is_understood()
    {
        using var mirror = new Mirror(_ => Reply.Unmeasured(200, Pixels));
        Assert.True((await bench.Run(mirror.Folder)).Succeeded);
        Assert.Equal(Pixels, File.ReadAllBytes(bench.Final));
    }

    [Fact]
    public async Task Downloads_at_once_all_succeed_and_leave_one_file()
    {
        const int count = 4;
        using var together = new Barrier(count);
        using var mirror = new Mirror(_ =>
        {
            together.SignalAndWait(TimeSpan.FromSeconds(30));
            return Reply.With(200, Whole);
        });
        var runs = Enumerable.Range(0, count).Select(_ => Task.Run(() => bench.Run(mirror.Folder)));
        Assert.All(await Task.WhenAll(runs), result => Assert.True(result.Succeeded, result.Message));
        Assert.Equal(count, mirror.Requests.Length);
        AssertWhole();
    }

    [Fact]
    public async Task Leftovers_of_the_dead_are_removed_and_parts_of_the_living_are_not()
    {
        var dead = bench.Write($"pixels.gz.{Guid.NewGuid():N}.part", 1, 2, 3);
        var mine = bench.Write("pixels.gz.my own.part", 1);
        var another = bench.Write($"other.gz.{Guid.NewGuid():N}.part", 1);
        using var living = PartFile.Create(bench.Folder, Served);
        var part = Assert.Single(
            bench.Names(),
            name => name != Path.GetFileName(dead) && Guid.TryParse(name.Split('.')[^2], out _) && name.StartsWith(Served)
        );
        using var mirror = new Mirror(_ => Reply.With(200, Whole));
        Assert.True((await bench.Run(mirror.Folder)).Succeeded);
        string[] left = [Served, Path.GetFileName(mine), Path.GetFileName(another), part];
        Assert.Equal(left.Order(StringComparer.Ordinal), bench.Names());
        living.Append(Whole);
        living.Place(bench.Final);
        Assert.Equal(Whole, File.ReadAllBytes(bench.Final));
    }

    [Fact]
    public async Task Damaged_files_are_replaced_and_do_not_stand_before_the_sound_one()
    {
        bench.Write(Name, 1, 2, 3);
        bench.Write(Served, Whole[..2000]);
        using var mirror = new Mirror(_ => Reply.With(200, Whole));
        Assert.True((await bench.Run(mirror.Folder)).Succeeded);
        AssertWhole();
    }

    [Fact]
    public async Task Damaged_files_stay_if_nothing_better_comes()
    {
        bench.Write(Served, 1, 2, 3);
        using var mirror = new Mirror(_ => Reply.With(404, []));
        Assert.False((await bench.Run(mirror.Folder)).Succeeded);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(bench.Final));
    }

    [Fact]
    public async Task A_plain_file_that_is_sound_is_enough()
    {
        var plain = bench.Write(Name, Pixels);
        using var mirror = new Mirror(_ => Reply.With(404, []));
        var result = await bench.Run(mirror.Folder);
        Assert.Equal(new DownloadedFile(plain, true), Assert.Single(result.Files));
        Assert.Empty(mirror.Requests);
    }

    [Fact]
    public async Task Progress_counts_the_bytes_and_goes_on_where_it_was_cut_off()
    {
        var told = new List<DownloadProgress>();
        bench.Options = bench.Options with { Progress = new Told(told.Add) };
        using var mirror = new Mirror(_ => CutOff(), at => Rest(at));
        await bench.Run(mirror.Folder);
        Assert.All(told, one => Assert.Equal((Served, mirror.Folder, 3023L), (one.File, one.Mirror, one.TotalBytes)));
        Assert.Equal(told.Select(one => one.Bytes).Order().Distinct(), told.Select(one => one.Bytes));
        Assert.Contains(1000, told.Select(one => one.Bytes));
        Assert.Equal($"pixels.gz: 3,023 of 3,023 bytes (100 %) from {mirror.Folder}", told[^1].ToString());
        Assert.Equal($"pixels.gz: 3,023 bytes from {mirror.Folder}", (told[^1] with { TotalBytes = null }).ToString());
    }

    [Fact]
    public void Waits_double_up_to_a_limit_and_are_random_by_half_with_a_seed()
    {
        var options = new DownloadOptions { MaximumDelay = TimeSpan.FromSeconds(5) };
        double[] longest = [1, 2, 4, 5, 5];
        var all = new List<double>();
        for (ulong seed = 0; seed < 50; seed++)
        {
            var waits = Waits(options with { Seed = seed });
            Assert.Equal(waits, Waits(options with { Seed = seed }));
            Assert.All(waits.Zip(longest), pair => Assert.InRange(pair.First, pair.Second / 2, pair.Second));
            all.AddRange(waits.Zip(longest, (wait, most) => wait / most));
        }
        Assert.InRange(all.Min(), 0.5, 0.52);
        Assert.InRange(all.Max(), 0.98, 1);
        Assert.NotEqual(Waits(options), Waits(options));

        static double[] Waits(DownloadOptions options)
        {
            var backOff = new BackOff(options);
            return [.. Enumerable.Range(1, 5).Select(attempt => backOff.After(attempt).TotalSeconds)];
        }
    }

    [Fact]
    public void The_sources_are_the_mirrors_of_PyTorch_and_Zalando()
    {
        Assert.Equal(KnownDataset.All, DownloadSource.All.Select(source => source.Dataset));
        Assert.Equal(
            [
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ],
            DownloadSource.All.SelectMany(source => source.Mirrors).Select(mirror => mirror.AbsoluteUri)
        );
        foreach (var source in DownloadSource.All)
        {
            Assert.Equal(
                [
                    ("train-images-idx3-ubyte.gz", 47_040_016),
                    ("train-labels-idx1-ubyte.gz", 60_008),
                    ("t10k-images-idx3-ubyte.gz", 7_840_016),
                    ("t10k-labels-idx1-ubyte.gz", 10_008L),
                ],
                source.Files.Select(file => (file.ServedName, file.ContentBytes))
            );
            Assert.Same(source, DownloadSource.Of(source.Dataset));
        }
        var error = Assert.Throws<ArgumentException>(() => Datasets.Download(Dataset));
        Assert.Equal(
            "Sample has no known mirrors, only MNIST and Fashion-MNIST have. Describe yours as a DownloadSource. (Parameter 'dataset')",
            error.Message
        );
    }

    [DatasetFact("MNIST")]
    public async Task Mnist_is_downloaded_from_a_mirror_and_found_by_the_search()
    {
        var here = Enum.GetValues<DatasetPart>()
            .SelectMany(part => Datasets.Find(KnownDataset.Mnist, part, DataEnvironment.OfThisProcess()).Files)
            .ToDictionary(path => $"/data/{Path.GetFileNameWithoutExtension(path)}.gz", File.ReadAllBytes);
        using var mirror = new Mirror(at => Reply.With(200, here[at.Path]));
        var result = await Datasets.DownloadAsync(
            DownloadSource.Of(KnownDataset.Mnist),
            bench.Environment,
            bench.Options with
            {
                Mirrors = [mirror.Folder],
            }
        );
        Assert.Equal($"MNIST is in {Path.Combine(bench.Cache, "hybrid", "mnist")} (4 of 4 files downloaded, 0 were there)", result.Message);
        Assert.Equal(10_000, Datasets.Load(KnownDataset.Mnist, DatasetPart.Test, bench.Environment).Count);
    }

    private static Reply CutOff(params string[] headers) => Reply.With(200, Whole[..1000], ["Content-Length: 3023", .. headers]);

    private static Reply Rest(Request request)
    {
        Assert.Equal("bytes=1000-", request.Header("Range"));
        return Reply.With(206, Whole[1000..], "Content-Range: bytes 1000-3022/3023");
    }

    private async Task Succeeds(Mirror mirror, params string[] outcomes)
    {
        var result = await bench.Run(mirror.Folder);
        Assert.Equal(outcomes, result.Tried.Select(one => one.Outcome));
        Assert.True(result.Succeeded);
        AssertWhole();
    }

    private void AssertWhole()
    {
        Assert.Equal([Served], bench.Names());
        Assert.Equal(Whole, File.ReadAllBytes(bench.Final));
    }
}
