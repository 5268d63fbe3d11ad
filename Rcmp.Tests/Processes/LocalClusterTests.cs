using System.Text.Json;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Runtime;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Processes;

[Collection(ProcessCollection.Name)]
public sealed class LocalClusterTests
{
    [Fact]
    public async Task ARackReadsWhatAnotherWroteAndNothingIsLeftBehind()
    {
        await using var directory = new ClusterDirectory();
        var up = await directory.RunAsync("up --detach --region-size 32MiB");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
        var nodes = directory.Open().Nodes.Select(n => n.Running!.Value).ToList();
        var regions = directory.Open().Racks.Select(r => r.Node.RegionPath!).ToList();
        Assert.Equal(ExitCodes.Usage, (await directory.RunAsync("up --detach")).ExitCode);

        var written = await directory.RunAsync("shell --rack 0", "alloc 2\n");
        var address = written.Lines[0].Split(' ')[0];
        await directory.RunAsync("shell --rack 0", $"w {address} 41\nwrite {address} 2a\n");
        var read = await directory.RunAsync("shell --rack 1", $"r {address}\nfaa {address} 1\nr {address}\nbogus\nquit\n");
        Assert.Equal(0, read.ExitCode);
        Assert.Equal(["42", "42", "43"], read.Lines[..3]);
        Assert.StartsWith("error: ", read.Lines[3]);

        var status = await directory.RunAsync("status --json");
        using var json = JsonDocument.Parse(status.Out);
        Assert.Equal(2, json.RootElement.GetProperty("racks").GetArrayLength());
        foreach (var name in new[] { "id", "state", "framesTotal", "framesFree", "framesReserved", "sessions", "heat", "address", "sessionList" })
            Assert.True(json.RootElement.GetProperty("racks")[0].TryGetProperty(name, out _), name);
        foreach (var name in new[] { "poolId", "pageSize", "directoryShards", "master" }) Assert.True(json.RootElement.TryGetProperty(name, out _), name);

        var located = await directory.RunAsync($"locate {address} --json");
        using var location = JsonDocument.Parse(located.Out);
        foreach (var name in new[] { "address", "pageId", "owner", "epoch", "phase", "heat", "lastDecision" }) Assert.True(location.RootElement.TryGetProperty(name, out _), name);

        Assert.Equal(0, (await directory.RunAsync("down")).ExitCode);
        Assert.All(nodes, node => Assert.False(node.IsAlive));
        Assert.All(regions, region => Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(region)!, Path.GetFileName(region) + "*")));
    }

    [Fact]
    public async Task AKilledDaemonComesBackWithEveryPageWhileItsClientsGoOn()
    {
        await using var directory = new ClusterDirectory();
        var up = await directory.RunAsync("up --detach --region-size 32MiB");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
        var cluster = directory.Open();
        await using var client = await ClientProcess.StartAsync(cluster.ClientConfiguration(0), TestContext.Current.CancellationToken);
        await using var file = await StoredAsync(client);

        await cluster.Racks[0].KillAsync();
        Assert.Empty(await file.MismatchesAsync(client));
        cluster.Racks[0].Start(detached: true);
        await cluster.Racks[0].WaitReadyAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Assert.Empty(await file.MismatchesAsync(client));
        await using var other = await ClientProcess.StartAsync(cluster.ClientConfiguration(1), TestContext.Current.CancellationToken);
        Assert.Empty(await file.MismatchesAsync(other));
    }

    [Fact]
    public async Task KeptRegionsAreTakenUpAgain()
    {
        await using var directory = new ClusterDirectory();
        Assert.Equal(0, (await directory.RunAsync("up --detach --racks 1 --region-size 32MiB")).ExitCode);
        var address = (await directory.RunAsync("shell", "alloc 1\n")).Lines[0].Split(' ')[0];
        await directory.RunAsync("shell", $"w {address} 77\n");
        Assert.Equal(0, (await directory.RunAsync("down --keep")).ExitCode);
        Assert.Equal(ExitCodes.Unreachable, (await directory.RunAsync("status")).ExitCode);
        Assert.Equal(ExitCodes.Usage, (await directory.RunAsync("up --detach --racks 3 --region-size 32MiB")).ExitCode);

        Assert.Equal(0, (await directory.RunAsync("up --detach --racks 1 --region-size 32MiB")).ExitCode);

        Assert.Equal("77", (await directory.RunAsync("shell", $"r {address}\n")).Lines[0]);
    }

    /// <summary>They are all that is left of a pool: neither a start that fails nor a part that is missing costs them.</summary>
    [Fact]
    public async Task KeptRegionsOutliveAStartThatFailsAndAPartThatIsMissing()
    {
        await using var directory = new ClusterDirectory();
        Assert.Equal(0, (await directory.RunAsync("up --detach --racks 2 --region-size 32MiB")).ExitCode);
        Assert.Equal(0, (await directory.RunAsync("down --keep")).ExitCode);
        var regions = LocalCluster.Open(directory.Path).Racks.Select(rack => rack.Node.RegionPath!).ToArray();
        Assert.All(regions, region => Assert.True(File.Exists(region)));

        var options = new LocalClusterOptions { Directory = directory.Path, Racks = 2, RegionSize = ByteSize.MiB(32), Detached = true, Launcher = ["/bin/false"] };
        var failing = LocalCluster.Prepare(options, _ => { });
        await Assert.ThrowsAsync<CommandException>(() => failing.StartAsync(_ => { }, TestContext.Current.CancellationToken));
        Assert.All(regions, region => Assert.True(File.Exists(region)));
        Assert.Equal(regions, LocalCluster.Open(directory.Path).Racks.Select(rack => rack.Node.RegionPath));

        File.Move(regions[0], regions[0] + ".away");
        var up = await directory.RunAsync("up --detach");
        Assert.Equal(ExitCodes.Usage, up.ExitCode);
        Assert.Contains(regions[0], up.Error);
        Assert.True(File.Exists(regions[1]));
        File.Move(regions[0] + ".away", regions[0]);
        up = await directory.RunAsync("up --detach");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
    }

    [Fact]
    public async Task ASecondDaemonOnARegionAndATakenPortAreResourcesThatAreMissing()
    {
        await using var directory = new ClusterDirectory();
        Assert.Equal(0, (await directory.RunAsync("up --detach --racks 1 --region-size 32MiB")).ExitCode);
        var configuration = File.ReadAllText(ClusterFiles.ConfigurationOf(directory.Path, "rack0"));
        using var samePort = new TemporaryFile(configuration.Replace("-rack0", "-rack9"));
        using var sameRegion = new TemporaryFile(configuration + $"rcmp.node.port = {FreePorts.Take(1)[0]}\n");

        var second = await CommandRunner.RunAsync("rack", "--config", sameRegion.Path);
        var port = await CommandRunner.RunAsync("rack", "--config", samePort.Path);

        Assert.Equal(ExitCodes.ResourceMissing, second.ExitCode);
        Assert.Contains("in use", second.Error);
        Assert.Equal(ExitCodes.ResourceMissing, port.ExitCode);
        Assert.Contains("in use", port.Error);
        RegionFiles.Remove(directory.Open().Racks[0].Node.RegionPath!.Replace("-rack0", "-rack9"));
    }

    private static async Task<StoredCopy> StoredAsync(ClientProcess client)
    {
        var bytes = new byte[1_000_000];
        new Random(7).NextBytes(bytes);
        var path = Path.Combine(Path.GetTempPath(), $"rcmp-test-{Guid.NewGuid():n}.bin");
        await File.WriteAllBytesAsync(path, bytes);
        var request = new ClientRequest { Kind = ClientRequest.Store, Files = [new StoredFile(path, bytes.Length, GAddr.Null, "")] };
        return new StoredCopy(path, (await client.AskAsync(request, null, TestContext.Current.CancellationToken)).Files);
    }

    private sealed class StoredCopy(string path, IReadOnlyList<StoredFile> files) : IAsyncDisposable
    {
        public async Task<IReadOnlyList<string>> MismatchesAsync(ClientProcess client) =>
            (await client.AskAsync(new ClientRequest { Kind = ClientRequest.Verify, Files = files }, null, TestContext.Current.CancellationToken)).Mismatches;

        public ValueTask DisposeAsync()
        {
            File.Delete(path);
            return default;
        }
    }
}
