using System.CommandLine;
using System.Text.Json;
using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

public sealed class CommandLineTests
{
    public static TheoryData<string> EveryCommand() => new(PathsOf(CommandTree.Build().Root, ""));

    [Theory]
    [MemberData(nameof(EveryCommand))]
    public async Task EveryCommandHasHelpThatNamesItsOptions(string path)
    {
        var result = await CommandRunner.RunAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Usage:", result.Out);
        Assert.Contains("--version", result.Out);
        Assert.Contains("--verbose", result.Out);
        Assert.Contains("--no-color", result.Out);
        Assert.Empty(result.Error);
    }

    [Theory]
    [MemberData(nameof(EveryCommand))]
    public void TheReferenceHasEveryCommandWithItsOptions(string path)
    {
        var tree = CommandTree.Build();
        var command = path.Split(' ', StringSplitOptions.RemoveEmptyEntries).Aggregate(tree.Root, static (c, name) => c.Subcommands.First(s => s.Name == name));
        if (command.Subcommands.Count > 0 && command.Options.All(o => o is System.CommandLine.Help.HelpOption || o.Recursive)) return;
        const string reference = "docs/reference/command-line.md";
        var lines = Repository.SourceTree.Read(reference).Split('\n');
        // Its row, of some also a section of their own.
        var rows = lines.Where(line => line.StartsWith('|') && line.Contains($"`{path}", StringComparison.Ordinal));
        var section = lines.SkipWhile(line => !line.StartsWith($"## {path}", StringComparison.Ordinal)).TakeWhile((line, i) => i == 0 || !line.StartsWith("## ", StringComparison.Ordinal));
        var text = string.Join('\n', [.. rows, .. section]);
        Assert.True(text.Length > 0, $"{reference} has no row of `{path}`");
        Assert.All(command.Options.Where(o => !o.Hidden && !o.Recursive && o is not System.CommandLine.Help.HelpOption), option => Assert.Matches($@"{option.Name}(?![\w-])", text));
        // Behind the command's name, and not the value of an option.
        Assert.All(command.Arguments.Where(a => !a.Hidden), argument => Assert.Matches($@"`{path} [^`]*(?<!--[\w-]+ |\w){argument.Name}(?!\w)", text));
    }

    [Theory]
    [MemberData(nameof(EveryCommand))]
    public async Task EveryCommandPrintsTheVersion(string path)
    {
        var result = await CommandRunner.RunAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--version"]);

        Assert.Equal(0, result.ExitCode);
        Assert.Equal($"rcmp {RcmpProgram.Version}", result.Out.Trim());
    }

    [Theory]
    [InlineData("doctr", "doctor")]
    [InlineData("tets", "test")]
    [InlineData("test --filtre x", "--filter")]
    [InlineData("doctor --jsn", "--json")]
    [InlineData("region creat x", "create")]
    [InlineData("config chekc x", "check")]
    [InlineData("region create x --sise 1MiB", "--size")]
    [InlineData("config check x --role rak", "rack")]
    [InlineData("bench rw --policy swap,adaptve", "adaptive")]
    public async Task AMistypedWordGetsASuggestion(string line, string suggestion)
    {
        var result = await CommandRunner.RunAsync(line.Split(' '));

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Empty(result.Out);
        Assert.StartsWith("error: ", result.Error);
        Assert.Contains($"did you mean '{suggestion}'", result.Error);
        AssertOneLine(result.Error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("region")]
    [InlineData("config")]
    [InlineData("region create")]
    [InlineData("region create a b")]
    [InlineData("region create /dev/shm/rcmp-never --size huge")]
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --pool 42")]
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --page-size 5000")]
    [InlineData("region create /dev/shm/rcmp-never --size 1MiB --page-size 2MiB")]
    [InlineData("region create /dev/shm/rcmp-never")]
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --sessions 0")]
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --guard-slots 3")]
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --numa-node -3")]
    [InlineData("config check /nowhere/at-all.conf")]
    [InlineData("doctor surplus")]
    [InlineData("test")]
    [InlineData("test --all --filter x --list")]
    [InlineData("setup surplus")]
    [InlineData("up --racks 0")]
    [InlineData("up --page-size 3KiB --dir /nowhere/cluster")]
    [InlineData("up --region-size 1MiB --dir /nowhere/cluster")]
    [InlineData("up --policy lazy")]
    [InlineData("master")]
    [InlineData("rack")]
    [InlineData("rack --config /nowhere/rack.conf")]
    [InlineData("rack drain")]
    [InlineData("rack forget zero")]
    [InlineData("locate")]
    [InlineData("locate nowhere")]
    [InlineData("shell --config /nowhere/client.conf")]
    [InlineData("shell --config a --rack 1")]
    [InlineData("demo --input /nowhere/at/all")]
    [InlineData("bench compare --range 1MiB")]
    [InlineData("bench rw --distribution gauss")]
    [InlineData("bench rw --payload 0")]
    [InlineData("bench rw --operations 10 --duration 1s")]
    [InlineData("bench rw --run-in 2")]
    [InlineData("bench rw --mix 0.5")]
    [InlineData("bench rw --op mixed --mix 2")]
    [InlineData("bench rw --op cas --payload 64")]
    [InlineData("bench rw --baseline --born-in 0 --run-in 1")]
    [InlineData("bench rw --csv /nowhere/at/all.csv")]
    [InlineData("bench rw --config a --racks 3")]
    [InlineData("bench rw --range 1KiB")]
    [InlineData("bench rw --payload 8B,,64B")]
    [InlineData("bench rw --payload 64B,64")]
    [InlineData("bench rw --payload 8B,128MiB")]
    [InlineData("bench rw --threads 1,2,0")]
    [InlineData("bench rw --policy adaptive,lazy")]
    [InlineData("bench rw --config a --policy adaptive,swap")]
    [InlineData("bench rw --shift 1s --distribution uniform")]
    [InlineData("bench rw --shift 1s --operations 10")]
    [InlineData("bench rw --shift 5s --duration 5s")]
    [InlineData("bench rw --shift 0s")]
    [InlineData("bench rw --rate 0")]
    [InlineData("bench rw --plot /tmp")]
    [InlineData("bench rw --payload 8,64 --plot /nowhere/at/all.png")]
    [InlineData("bench rw --payload 8,64 --plot /etc/hostname")]
    [InlineData("bench rw --nodes 2 --config a")]
    [InlineData("bench rw --node 0 --config a")]
    [InlineData("bench rw --nodes 2 --node 0")]
    [InlineData("bench rw --nodes 2 --node 2 --config a")]
    [InlineData("bench rw --nodes 2 --node 1 --config a --wait 0")]
    [InlineData("bench rw --wait 1s")]
    [InlineData("top --interval 3")]
    [InlineData("simulate --racks 17")]
    [InlineData("simulate --pages 5000")]
    [InlineData("simulate --scale --steps 10")]
    [InlineData("simulate --scale --racks 100 --pages 1000")]
    [InlineData("simulate --scale --sweep rack")]
    [InlineData("simulate --scale --pages 1000 --hot 2000")]
    [InlineData("simulate --scale --racks 8 --full")]
    [InlineData("simulate --scale --quick --full")]
    [InlineData("simulate --scale --measured 0s")]
    [InlineData("simulate --scale --racks 8 --plot /tmp")]
    [InlineData("simulate --scale --plot /nowhere/at/all")]
    [InlineData("simulate --scale --csv /nowhere/points.csv")]
    [InlineData("simulate --hot 10")]
    public async Task WrongUsageIsOneLineAndExitCode2AndTouchesNothing(string line)
    {
        var result = await CommandRunner.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Empty(result.Out);
        Assert.StartsWith("error: ", result.Error);
        AssertOneLine(result.Error);
        Assert.False(File.Exists("/dev/shm/rcmp-never"));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("top")]
    [InlineData("down")]
    [InlineData("logs")]
    [InlineData("shell")]
    [InlineData("locate 0x1000")]
    [InlineData("rack drain 1")]
    public async Task WithoutAClusterACommandSaysSoAndExits3(string line)
    {
        var result = await CommandRunner.RunAsync([.. line.Split(' '), "--dir", "/nowhere/cluster"]);

        Assert.Equal(ExitCodes.Unreachable, result.ExitCode);
        Assert.Contains("rcmp up", result.Error);
        AssertOneLine(result.Error);
    }

    [Fact]
    public async Task ARegionIsMadeShownAndCheckedAndAnotherIsNotMadeOverIt()
    {
        var path = Path.Combine(Path.GetTempPath(), $"rcmp-test-{Guid.NewGuid():n}.region");
        try
        {
            Assert.Equal(0, (await CommandRunner.RunAsync("region", "create", path, "--size", "16MiB", "--page-size", "8KiB")).ExitCode);
            var inspected = await CommandRunner.RunAsync("region", "inspect", path, "--json");
            using var json = JsonDocument.Parse(inspected.Out);
            Assert.Equal(8192, json.RootElement.GetProperty("pageSize").GetInt32());
            Assert.Equal(json.RootElement.GetProperty("framesTotal").GetInt64(), json.RootElement.GetProperty("frames").GetProperty("free").GetInt64());
            Assert.Contains("never registered", (await CommandRunner.RunAsync("region", "inspect", path)).Out);
            Assert.Equal(0, (await CommandRunner.RunAsync("region", "check", path)).ExitCode);
            Assert.Equal(ExitCodes.Usage, (await CommandRunner.RunAsync("region", "create", path, "--size", "16MiB")).ExitCode);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task ADamagedRegionIsRefusedWithExitCode1()
    {
        var path = Path.Combine(Path.GetTempPath(), $"rcmp-test-{Guid.NewGuid():n}.region");
        try
        {
            await CommandRunner.RunAsync("region", "create", path, "--size", "16MiB");
            using (var file = new FileStream(path, FileMode.Open, FileAccess.Write))
            {
                file.Position = 100;
                file.WriteByte(0xEE);
            }

            foreach (var command in new[] { "inspect", "check" })
            {
                var result = await CommandRunner.RunAsync("region", command, path);
                Assert.Equal(ExitCodes.CheckFailed, result.ExitCode);
                Assert.Contains("checksum", result.Error);
                AssertOneLine(result.Error);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("--size 16MiB --sessions 4095", "--sessions (4095).")]
    [InlineData("--size 16MiB --guard-slots 1024 --sessions 4000", "--sessions (4000) or --guard-slots (1024).")]
    [InlineData("--size 8KiB", "Change --size.")]
    public async Task ARegionTooSmallForItsTablesNamesWhatWasGivenOfThem(string options, string ending)
    {
        var result = await CommandRunner.RunAsync([.. $"region create /dev/shm/rcmp-never {options}".Split(' ')]);

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Contains("Change --size.", result.Error);
        Assert.EndsWith(ending, result.Error.TrimEnd());
        AssertOneLine(result.Error);
    }

    [Fact]
    public async Task HelpListsWhatTheScriptDoes()
    {
        var result = await CommandRunner.RunAsync("--help");

        Assert.Contains(result.Lines, line => line.TrimStart().StartsWith("test ", StringComparison.Ordinal));
        Assert.Contains(result.Lines, line => line.TrimStart().StartsWith("setup ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task VerboseAddsTheTraceBehindTheLine()
    {
        var result = await CommandRunner.RunAsync("config", "check", "/nowhere/at-all.conf", "--verbose");

        Assert.StartsWith("error: ", result.Error);
        Assert.Contains("   at ", result.Error);
    }

    [Fact]
    public async Task DoctorAsJsonIsOneObject()
    {
        var result = await CommandRunner.RunAsync("doctor", "--json");

        Assert.Equal(0, result.ExitCode);
        using var json = JsonDocument.Parse(result.Out);
        Assert.All(json.RootElement.GetProperty("checks").EnumerateArray(), check =>
        {
            Assert.NotEmpty(check.GetProperty("name").GetString()!);
            Assert.Equal(!check.GetProperty("ok").GetBoolean(), check.GetProperty("cost").ValueKind == JsonValueKind.String);
        });
    }

    [Theory]
    [InlineData("rcmp { node { prot = 4100 } }", "rcmp.node.port")]
    [InlineData("rcmp { swap { polcy = swap } }", "rcmp.swap.policy")]
    public async Task AnUnknownKeyIsNamedWithTheNearestOne(string text, string suggestion)
    {
        using var file = new TemporaryFile(text);

        var result = await CommandRunner.RunAsync("config", "check", file.Path);

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Contains(suggestion, result.Error);
        AssertOneLine(result.Error);
    }

    [Fact]
    public async Task ConfigShowMarksWhatTheFileChanges()
    {
        using var file = new TemporaryFile("rcmp.client { rack = \"127.0.0.1:4200\", threads = 7 }");

        var result = await CommandRunner.RunAsync("config", "show", file.Path);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("* rcmp.client.threads = 7", result.Lines);
        Assert.Contains("  rcmp.client.neighbours = 15", result.Lines);
    }

    private static void AssertOneLine(string text) => Assert.Equal(1, text.Count(c => c == '\n'));

    private static IEnumerable<string> PathsOf(Command command, string path)
    {
        yield return path;
        foreach (var child in command.Subcommands.Where(c => !c.Hidden))
        {
            foreach (var below in PathsOf(child, $"{path} {child.Name}".Trim())) yield return below;
        }
    }
}
