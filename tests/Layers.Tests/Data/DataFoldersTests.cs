using System.Collections.Immutable;
using Hybrid.Layers.Data;
using Xunit;

namespace Hybrid.Layers.Tests.Data;

/// <summary>The search for data, in folders and environments made for each test.</summary>
public sealed class DataFoldersTests : IDisposable
{
    private const string Sub = "set";
    private static readonly ImmutableArray<string> Wanted = ["a", "b"];
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_order_of_the_places_is_fixed() =>
        Assert.Equal(["HYBRID_DATA", "development layout", "cache", "system"], DataFolders.SearchOrder.Select(place => place.Name));

    [Fact]
    public void The_first_place_that_has_all_files_wins()
    {
        string[] places = ["user/set", "user", "shared/datasets/set", "cache/hybrid/set", "share/datasets/set"];
        var environment = Everything();
        // From the last place to the first: each new one takes over from those after it.
        foreach (var place in places.Reverse())
        {
            folder.Write($"{place}/a");
            Assert.DoesNotContain(Find(environment).Files, file => file.StartsWith(At($"{place}/b"), StringComparison.Ordinal));
            folder.Write($"{place}/b");
            Assert.Equal<string>([At($"{place}/a"), At($"{place}/b")], Find(environment).Files);
        }
    }

    [Fact]
    public void A_file_may_be_plain_or_compressed_and_plain_is_taken_first()
    {
        folder.Write("user/a.gz");
        folder.Write("user/b.gz");
        folder.Write("user/b");
        Assert.Equal<string>([At("user/a.gz"), At("user/b")], Find(Everything()).Files);
    }

    [Fact]
    public void Files_that_are_refused_are_passed_over_with_the_reason()
    {
        foreach (var place in new[] { "user", "cache/hybrid/set" })
        {
            folder.Write($"{place}/a");
            folder.Write($"{place}/b");
        }
        var lookup = DataFolders.Find("Set", Sub, Wanted, Everything(), files => files[1] == At("user/b") ? "holds another" : null);
        Assert.Equal(At("cache/hybrid/set"), lookup.Looked[^1].Folder);
        Assert.Equal($"{At("user")}: holds another", lookup.Looked[1].ToString());
    }

    [Fact]
    public void The_message_tells_where_data_was_found()
    {
        folder.Write("user/set/a");
        folder.Write("user/set/b");
        Assert.Equal($"Set was found in {At("user/set")}", Find(Everything()).Message);
    }

    [Fact]
    public void The_message_tells_every_place_and_why_it_has_nothing()
    {
        folder.Write("user/set/a");
        folder.Write("cache/hybrid/set/b");
        var lookup = Find(Everything());
        Assert.False(lookup.Found);
        Assert.Equal(
            $"Set was not found (looked in {At("user/set")}: lacks b; {At("user")}: lacks a; {At("shared/datasets/set")}: no such folder; "
                + $"{At("cache/hybrid/set")}: lacks a; {At("share/datasets/set")}: no such folder); "
                + "set HYBRID_DATA to the folder that holds a and b, plain or .gz",
            lookup.Message
        );
    }

    [Fact]
    public void Places_that_do_not_exist_here_say_why()
    {
        var lookup = Find(new DataEnvironment(ImmutableDictionary<string, string>.Empty, folder.Path, folder.Path, "", ""));
        Assert.Equal(
            "Set was not found (looked in HYBRID_DATA: not set; development layout: no Hybrid.sln above this program; "
                + "cache: this user has none; system: this system has none); set HYBRID_DATA to the folder that holds a and b, plain or .gz",
            lookup.Message
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_repository_is_found_from_the_current_folder_and_from_the_program(bool fromCurrent)
    {
        folder.Write("work/repo/Hybrid.sln");
        var inside = folder.Folder("work", "repo", "x", "y");
        var outside = folder.Folder("elsewhere");
        folder.Write("work/shared/datasets/set/a");
        folder.Write("work/shared/datasets/set/b");
        var environment = new DataEnvironment(
            ImmutableDictionary<string, string>.Empty,
            fromCurrent ? inside : outside,
            (fromCurrent ? outside : inside) + Path.DirectorySeparatorChar,
            "",
            ""
        );
        Assert.Equal<string>([At("work/shared/datasets/set/a"), At("work/shared/datasets/set/b")], Find(environment).Files);
    }

    [Fact]
    public void A_named_folder_that_does_not_exist_is_an_error()
    {
        var environment = Everything() with { Variables = Variables(("HYBRID_DATA", At("typo"))) };
        var error = Assert.Throws<DataException>(() => Find(environment));
        Assert.Equal(
            $"HYBRID_DATA: expected a folder that exists, got {At("typo")}. Set it to the folder that holds your data, or unset it.",
            error.Message
        );
    }

    [Fact]
    public void A_named_folder_may_be_relative_to_the_current_one_and_an_empty_name_is_none()
    {
        folder.Write("user/set/a");
        folder.Write("user/set/b");
        var environment = Everything() with { CurrentFolder = folder.Path, Variables = Variables(("HYBRID_DATA", "user")) };
        Assert.Equal(At("user/set"), Find(environment).Looked[^1].Folder);
        var none = Find(environment with { Variables = Variables(("HYBRID_DATA", "")) });
        Assert.Equal("HYBRID_DATA: not set", none.Looked[0].ToString());
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("")]
    public void A_relative_cache_folder_is_ignored_as_the_XDG_specification_wants(string value)
    {
        var environment = Everything() with { Variables = Variables(("XDG_CACHE_HOME", value)), PlatformCacheFolder = At("platform") };
        Assert.Contains(Find(environment).Looked, looked => looked.Folder == At("platform/hybrid/set"));
    }

    [Fact]
    public void The_environment_of_this_process_has_the_folders_of_this_process()
    {
        var environment = DataEnvironment.OfThisProcess();
        Assert.Equal(Directory.GetCurrentDirectory(), environment.CurrentFolder);
        Assert.Equal(AppContext.BaseDirectory, environment.ApplicationFolder);
        Assert.Equal(OperatingSystem.IsLinux() ? "/usr/share" : "", environment.ShareFolder);
        Assert.Equal(["HYBRID_DATA", "XDG_CACHE_HOME"], environment.Variables.Keys.Order(StringComparer.Ordinal));
    }

    private static ImmutableDictionary<string, string> Variables(params (string Name, string Value)[] values) =>
        values.ToImmutableDictionary(value => value.Name, value => value.Value);

    private static DataLookup Find(DataEnvironment environment) => DataFolders.Find("Set", Sub, Wanted, environment);

    private string At(string path) => Path.Combine(folder.Path, path.Replace('/', Path.DirectorySeparatorChar));

    private DataEnvironment Everything()
    {
        folder.Write("repo/Hybrid.sln");
        folder.Folder("user");
        return new(Variables(("HYBRID_DATA", At("user")), ("XDG_CACHE_HOME", At("cache"))), At("repo"), At("repo"), At("platform"), At("share"));
    }
}
