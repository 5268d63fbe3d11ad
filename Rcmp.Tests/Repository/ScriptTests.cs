using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Commands;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Repository;

/// <summary>The script in a folder of its own, with a PATH that has what it needs, no C compiler, and stand-ins for what would change the machine.</summary>
public sealed class ScriptTests : IDisposable
{
    private const string Tools = "bash cat cut dirname env find flock grep head mkdir mktemp mv paste readlink rm sed tail tee timeout touch";
    private const string NoPassword = "echo 'sudo: a password is required' >&2; exit 1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rcmp-script-");

    public ScriptTests()
    {
        Directory.CreateDirectory(Bin);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "Rcmp.Hosts"));
        foreach (var file in new[] { "rcmp", "global.json", "Directory.Build.props" }) File.Copy(Path.Combine(SourceTree.Root, file), Path.Combine(_folder.FullName, file));
        Shell($"for tool in {Tools}; do ln -s \"$(command -v $tool)\" \"$1/$tool\"; done", Bin);
        Stub("dotnet", Record("dotnet"));
        Stub("apt-get", Record("apt-get"));
        Stub("id", "echo 0");
        Stub("true", "exit 0");
    }

    private string Bin => Path.Combine(_folder.FullName, "bin");

    /// <summary>The compiler, and what this machine lacks.</summary>
    private static string Missing => string.Join(' ', SetupCommand.Needs.Where(n => n.Probe == "gcc" || !File.Exists(n.Probe)).Select(n => n.Package));

    private static string Line => $"apt-get update && apt-get install -y --no-install-recommends {Missing}";

    [Theory]
    [InlineData(null)]
    [InlineData(NoPassword)]
    public async Task WithoutTheRightToInstallTheScriptPrintsTheLineToRun(string? sudo)
    {
        Stub("id", "echo 1000");
        if (sudo is not null) Stub("sudo", sudo);

        foreach (var command in new[] { "setup", "setup --yes", "demo --yes", "test" })
        {
            var result = await RunAsync(command);

            Assert.Equal(ExitCodes.ResourceMissing, result.ExitCode);
            Assert.Empty(result.Out);
            Assert.Equal($"rcmp: missing: {Missing}. To install them, run as root: {Line}\n", result.Error);
        }
        Assert.Empty(Calls("apt-get"));
        Assert.Empty(Calls("dotnet"));
    }

    [Theory]
    [InlineData("echo 0", null)]
    [InlineData("echo 1000", "[ \"$1\" = -n ] && shift && exec \"$@\"")]
    public async Task WhoMayInstallUnderCiInstallsWithoutAQuestion(string id, string? sudo)
    {
        Stub("id", id);
        if (sudo is not null) Stub("sudo", sudo);

        var result = await RunAsync("setup", ("CI", "true"));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal($"rcmp: installing: {Missing}\nrcmp: everything needed is here\n", result.Error);
        var calls = Calls("apt-get");
        Assert.Equal(2, calls.Length);
        Assert.EndsWith(" update", calls[0]);
        Assert.EndsWith($" install -y --no-install-recommends {Missing}", calls[1]);
    }

    [Fact]
    public async Task AnInstallationThatFailsEndsWithTheLineToRun()
    {
        Stub("apt-get", "exit 100");

        var result = await RunAsync("setup");

        Assert.Equal(ExitCodes.ResourceMissing, result.ExitCode);
        Assert.EndsWith($"run as root: {Line}\n", result.Error);
    }

    [Fact]
    public async Task AFileOfTheNameOfACommandIsNotThatCommand()
    {
        Stub("id", "echo 1000");
        File.WriteAllText(Path.Combine(_folder.FullName, "gcc"), "");

        Assert.Equal(ExitCodes.ResourceMissing, (await RunAsync("setup")).ExitCode);
    }

    [Theory]
    [InlineData("setup", "n\n", false)]
    [InlineData("setup", "", false)]
    [InlineData("setup", "y\n", true)]
    [InlineData("setup --yes", "", true)]
    [InlineData("demo --yes", "", true)]
    public async Task OnATerminalTheScriptAsksUnlessYesIsGiven(string line, string answer, bool installs)
    {
        const string Terminal = "/usr/bin/script";
        if (!File.Exists(Terminal)) Assert.Skip($"{Terminal} is not installed");

        var result = await RunAsync(Terminal, ["-qec", $"bash {_folder.FullName}/rcmp {line}", "/dev/null"], answer);

        Assert.Equal(installs ? ExitCodes.Done : ExitCodes.ResourceMissing, result.ExitCode);
        Assert.Equal(!line.Contains("--yes", StringComparison.Ordinal), result.Out.Contains("Install them with apt-get?", StringComparison.Ordinal));
        Assert.Equal(!installs, result.Out.Contains($"run as root: {Line}", StringComparison.Ordinal));
        Assert.Equal(installs ? 2 : 0, Calls("apt-get").Length);
    }

    [Theory]
    [InlineData("demo --yes --json", "demo --json")]
    [InlineData("--verbose --yes demo --no-color", "demo --verbose --no-color")]
    [InlineData("shell -- --yes --verbose", "shell -- --yes --verbose")]
    public async Task TheProgramIsNotToldOfYes(string line, string arguments)
    {
        var result = await RunAsync(line);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.EndsWith($"/Rcmp.Hosts.dll {arguments}", Calls("dotnet")[^1]);
    }

    [Theory]
    [InlineData("test --list --yes --verbose --no-color")]
    [InlineData("--no-color test --verbose --list")]
    public async Task TheTestsTakeTheOptionsOfEveryCommand(string line)
    {
        var result = await RunAsync(line);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.EndsWith(" -list methods", Calls("dotnet")[^1]);
        Assert.DoesNotContain("--", Calls("dotnet")[^1]);
    }

    [Fact]
    public async Task VerboseTestsTellOfTheirProgress()
    {
        await RunAsync("test --verbose --filter Nothing");
        Assert.Contains(Calls("dotnet"), call => call.Contains(" -method *Nothing* -diagnostics ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("test --version")]
    [InlineData("--version test --all")]
    [InlineData("setup --yes --version")]
    public async Task TheVersionIsThatOfTheProgram(string line)
    {
        var result = await RunAsync(line);

        Assert.Equal(new CommandResult(0, $"rcmp {RcmpProgram.Version}\n", ""), result);
        Assert.Empty(Calls("dotnet"));
    }

    [Theory]
    [InlineData("setup --help")]
    [InlineData("test --help")]
    public async Task HelpNamesTheOptionsOfEveryCommand(string line)
    {
        var result = await RunAsync(line);

        Assert.Equal(0, result.ExitCode);
        foreach (var text in new[] { "Usage: ./rcmp ", "--yes", "--version", "--verbose", "--no-color", "--help" }) Assert.Contains(text, result.Out);
        Assert.Empty(Calls("dotnet"));
    }

    [Theory]
    [InlineData("setup surplus")]
    [InlineData("setup --yes surplus")]
    [InlineData("test --al")]
    [InlineData("test --filter")]
    [InlineData("test --filter=")]
    public async Task WrongUsageIsOneLineAndTouchesNothing(string line)
    {
        var result = await RunAsync(line);

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
        Assert.Empty(Calls("apt-get"));
        Assert.Empty(Calls("dotnet"));
    }

    [Fact]
    public void TheProgramProbesWhatTheScriptDoes()
    {
        var needs = SourceTree.Read("rcmp").Split('\n').SkipWhile(line => line != "needs=(").Skip(1).TakeWhile(line => line != ")").Select(line => line.Trim());

        Assert.Equal(needs, SetupCommand.Needs.Select(n => $"{n.Package} {n.Probe}"));
        Assert.Equal(Missing.Split(' '), SetupCommand.Missing(Bin));
        Stub("gcc", "exit 0");
        Assert.DoesNotContain("gcc", SetupCommand.Missing(Bin));
    }

    public void Dispose() => _folder.Delete(true);

    private Task<CommandResult> RunAsync(string line, params (string Name, string Value)[] environment) =>
        RunAsync(Path.Combine(Bin, "bash"), [Path.Combine(_folder.FullName, "rcmp"), .. line.Split(' ')], "", environment);

    private async Task<CommandResult> RunAsync(string program, string[] arguments, string input, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Bin;
        start.Environment["TMPDIR"] = _folder.FullName;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return new CommandResult(process.ExitCode, output, await error);
    }

    private string[] Calls(string name) => File.Exists(CallsFile(name)) ? File.ReadAllLines(CallsFile(name)) : [];

    private string CallsFile(string name) => Path.Combine(_folder.FullName, name + ".calls");

    private string Record(string name) => $"echo \"$*\" >>'{CallsFile(name)}'";

    /// <summary>Written by another process: one that this process writes could not be run while another test's child has the open file from it.</summary>
    private void Stub(string name, string body) =>
        Shell("rm -f \"$1\"; printf '#!/bin/sh\n%s\n' \"$2\" >\"$1\"; chmod +x \"$1\"", Path.Combine(Bin, name), body);

    private static void Shell(string script, params string[] arguments)
    {
        using var shell = Process.Start("/bin/sh", ["-ec", script, "sh", .. arguments]);
        shell.WaitForExit();
        Assert.Equal(0, shell.ExitCode);
    }
}
