using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Processes;

namespace Rcmp.Tests.Hosts;

/// <summary>Alone, since the state folder is that of the whole process.</summary>
[Collection(ProcessCollection.Name)]
public sealed class LastClusterTests : IDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable(TemporaryState.Variable);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rcmp-last-");

    public LastClusterTests() => Environment.SetEnvironmentVariable(TemporaryState.Variable, Path.Combine(_folder.FullName, "state"));

    private string Record => Path.Combine(_folder.FullName, "state", "rcmp", "last");

    [Fact]
    public void WithoutADirectoryTheClusterThatStartedLastIsMeant()
    {
        var (first, second) = (Made("first"), Made("second"));

        LastCluster.Record(first);
        Assert.Equal(first, LocalCluster.Open(null).Directory);
        LastCluster.Record(second + "/");
        Assert.Equal(second, LocalCluster.Open(null).Directory);
        Assert.Equal([Record], Directory.GetFileSystemEntries(Path.GetDirectoryName(Record)!));
        LastCluster.Forget(first);
        Assert.Equal(second, LocalCluster.Open(null).Directory);

        LastCluster.Forget(second);
        var failure = Assert.Throws<CommandException>(() => LocalCluster.Open(null));
        Assert.Contains(LocalClusterOptions.DefaultDirectory, failure.Message);
        Assert.Equal(first, LocalCluster.Open(first).Directory);
    }

    [Fact]
    public void AClusterThatIsGoneGivesWayToThatOfTheDefaultDirectory()
    {
        var directory = Made("gone");
        LastCluster.Record(directory);
        Made(LocalClusterOptions.DefaultDirectory);

        File.Delete(Path.Combine(directory, ClusterManifest.FileName));

        Assert.Equal(LocalClusterOptions.DefaultDirectory, LocalCluster.Open(null).Directory);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("relative")]
    [InlineData("/nowhere/at/all")]
    [InlineData("/a\0b")]
    public void ARecordThatNamesNoClusterIsAsNone(string text)
    {
        Made(LocalClusterOptions.DefaultDirectory);
        File.WriteAllText(Record, text);

        Assert.Equal(LocalClusterOptions.DefaultDirectory, LocalCluster.Open(null).Directory);
    }

    [Fact]
    public async Task CommandsFindTheClusterThatUpStartedElsewhereUntilItIsRemoved()
    {
        await using var directory = new ClusterDirectory();
        var up = await directory.RunAsync("up --detach --racks 1 --region-size 32MiB");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
        Assert.Equal(directory.Path, File.ReadAllText(Record));

        var shell = await CommandRunner.RunWithInputAsync("alloc 1\n", "shell", "--rack", "0");
        Assert.True(shell.ExitCode == 0, shell.Error);
        Assert.StartsWith("0x", shell.Out);
        Assert.Equal(0, (await CommandRunner.RunAsync("status", "--json")).ExitCode);
        Assert.Equal(0, (await CommandRunner.RunAsync("logs", "rack0", "--lines", "1")).ExitCode);

        var kept = await CommandRunner.RunAsync("down", "--keep");
        Assert.Equal(0, kept.ExitCode);
        Assert.Contains($"'rcmp up --dir {directory.Path}'", kept.Out);
        Assert.Equal(directory.Path, File.ReadAllText(Record));

        // The line as it is printed, and nothing else, brings the pool back as it was.
        up = await CommandRunner.RunAsync("up", "--dir", directory.Path, "--detach");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
        var again = await CommandRunner.RunWithInputAsync($"r {shell.Out.Split([' ', '\n'])[0]}\n", "shell", "--rack", "0");
        Assert.True(again.ExitCode == 0, again.Error);

        var down = await CommandRunner.RunAsync("down");

        Assert.Equal(0, down.ExitCode);
        Assert.Contains(directory.Path, down.Out);
        Assert.False(File.Exists(Record));
        var status = await CommandRunner.RunAsync("status");
        Assert.Equal(ExitCodes.Unreachable, status.ExitCode);
        Assert.Contains(LocalClusterOptions.DefaultDirectory, status.Error);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(TemporaryState.Variable, _before);
        _folder.Delete(true);
    }

    /// <summary>The files of a cluster that does not run.</summary>
    private string Made(string name) =>
        LocalCluster.Prepare(new LocalClusterOptions { Directory = Path.Combine(_folder.FullName, name), Racks = 1, RegionSize = ByteSize.MiB(8), Detached = true }, _ => { }).Directory;
}
