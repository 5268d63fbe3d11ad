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
    public async Task EveryCommandPrintsTheVersion(string path)
    {
        var result = await CommandRunner.RunAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--version"]);

        Assert.Equal(0, result.ExitCode);
        Assert.Equal($"rcmp {RcmpProgram.Version}", result.Out.Trim());
    }

    [Theory]
    [InlineData("doctr", "doctor")]
    [InlineData("doctor --jsn", "--json")]
    [InlineData("region creat x", "create")]
    [InlineData("config chekc x", "check")]
    [InlineData("region create x --sise 1MiB", "--size")]
    [InlineData("config check x --role rak", "rack")]
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
    [InlineData("region create /dev/shm/rcmp-never --size 16MiB --numa-node -3")]
    [InlineData("config check /nowhere/at-all.conf")]
    [InlineData("doctor surplus")]
    public async Task WrongUsageIsOneLineAndExitCode2AndTouchesNothing(string line)
    {
        var result = await CommandRunner.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Empty(result.Out);
        Assert.StartsWith("error: ", result.Error);
        AssertOneLine(result.Error);
        Assert.False(File.Exists("/dev/shm/rcmp-never"));
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
        foreach (var child in command.Subcommands)
        {
            foreach (var below in PathsOf(child, $"{path} {child.Name}".Trim())) yield return below;
        }
    }
}
