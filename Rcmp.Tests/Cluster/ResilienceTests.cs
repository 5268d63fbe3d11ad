using System.Diagnostics;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Cluster.Status;

namespace Rcmp.Tests.Cluster;

[Collection(ClusterCollection.Name)]
public sealed class ResilienceTests
{
    [Fact]
    public async Task ADownedRackGetsANewActorSystemAndKeepsItsSessions()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 2);
        await using var pool = await cluster.ConnectAsync(0);
        var address = await pool.AllocatePagesAsync(1);
        pool.Write(address, 7UL);
        var before = cluster.Racks[0].System!;
        var generation = cluster.Racks[0].Host.Generation;

        var self = Akka.Cluster.Cluster.Get(before);
        self.Down(self.SelfAddress);
        await Eventually.TrueAsync(() => cluster.Racks[0].System != before, "another actor system");
        Assert.Equal(7UL, pool.Read<ulong>(address));

        await AllocatesAgainAsync(pool);
        Assert.Equal(generation, cluster.Racks[0].Host.Generation);
        Assert.True(before.WhenTerminated.IsCompleted);
        // The other rack reaches the first under its new system.
        await using var other = await cluster.ConnectAsync(1);
        Assert.Equal(7UL, other.Read<ulong>(address));
    }

    [Fact]
    public async Task AClientComesBackToItsSessionWhenTheDaemonIsStartedAgain()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var pool = await cluster.ConnectAsync(0);
        var states = new List<PoolState>();
        pool.StateChanged += (_, change) =>
        {
            lock (states) states.Add(change.Current);
        };
        var address = await pool.AllocatePagesAsync(2);
        pool.Write(address, 7UL);
        var port = int.Parse(cluster.ClientOptions(0).Rack.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);

        await cluster.Racks[0].DisposeAsync();
        Assert.Equal(7UL, pool.Read<ulong>(address));
        await Eventually.TrueAsync(() => pool.State == PoolState.Disconnected, "the client to notice");
        pool.Write(address, 8UL);

        await cluster.StartRackAsync(index: 0, port: port);
        await Eventually.TrueAsync(() => pool.State == PoolState.Connected, "the client to come back");
        Assert.Equal(8UL, pool.Read<ulong>(address));
        await AllocatesAgainAsync(pool);
        await pool.FreePagesAsync(address, 2);
        lock (states) Assert.Equal([PoolState.Disconnected, PoolState.Connected], states);
    }

    [Fact]
    public async Task RacksJoinAMasterThatWasStartedAgain()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 2);
        await using var pool = await cluster.ConnectAsync(0);
        await cluster.StopMasterAsync();
        await cluster.StartMasterAsync();
        await using var admin = new PoolAdmin();
        await Eventually.TrueAsync(async () =>
        {
            var status = await admin.QueryStatusAsync(new NodeAddress("127.0.0.1", cluster.MasterPort), TimeSpan.FromSeconds(10));
            return status.Racks.Count(rack => rack.State == "registered") == 2;
        }, "both racks to register again", TimeSpan.FromSeconds(40));
        await AllocatesAgainAsync(pool);
    }

    [Fact]
    public async Task SynchronousMissesCompleteWhenEveryThreadOfThePoolIsBlocked()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 2);
        await using var owner = await cluster.ConnectAsync(0);
        await using var reader = await cluster.ConnectAsync(1);
        var pages = 64;
        var address = await owner.AllocatePagesAsync(pages);
        for (var i = 0; i < pages; i++) owner.Write(address + i * (long)owner.Info.PageSize, (ulong)i);

        // As many blocked work items as the thread pool would ever run at once here.
        using var release = new ManualResetEventSlim();
        ThreadPool.GetMinThreads(out var minThreads, out _);
        var blocked = Enumerable.Range(0, minThreads * 4).Select(_ => Task.Run(release.Wait)).ToArray();
        var sum = 0UL;
        var thread = new Thread(() =>
        {
            for (var i = 0; i < pages; i += 16) sum += reader.Read<ulong>(address + i * (long)reader.Info.PageSize);
        });
        thread.Start();
        var ended = thread.Join(TimeSpan.FromSeconds(20));
        release.Set();
        await Task.WhenAll(blocked);
        Assert.True(ended, "A synchronous read waits for a thread of the pool.");
        Assert.Equal(0UL + 16 + 32 + 48, sum);
    }

    [Fact]
    public async Task StatusTellsOfRacksAndSessions()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 2);
        await using var pool = await cluster.ConnectAsync(1);
        await using var admin = new PoolAdmin();
        var status = await admin.QueryStatusAsync(new NodeAddress("127.0.0.1", cluster.MasterPort), TimeSpan.FromSeconds(10));
        Assert.Equal(cluster.PoolId, status.PoolId);
        Assert.Equal(8, status.DirectoryShards);
        Assert.EndsWith($":{cluster.MasterPort}", status.Master);
        Assert.Equal(["registered", "registered"], status.Racks.Select(rack => rack.State));
        Assert.Empty(status.Racks[0].Sessions);
        Assert.Equal("test", Assert.Single(status.Racks[1].Sessions).Client);
        Assert.Equal(Environment.ProcessId, (int)status.Racks[1].Sessions[0].ProcessId);
    }

    [Fact]
    public async Task ARackOfAnotherPageSizeIsRefusedByTheMaster()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 0);
        var failure = await Assert.ThrowsAsync<PoolMismatchException>(() => cluster.StartRackAsync("\nrcmp.pool.page-size = 8KiB\n"));
        Assert.Contains("8192", failure.Message);
        Assert.Contains("4096", failure.Message);
    }

    [Fact]
    public async Task APortInUseIsNamedWithItsKey()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 0);
        var options = MasterNodeOptions.Read(ConfigLoader.Parse(
            $"rcmp {{ pool.id = \"{cluster.PoolId}\", seed-nodes = [\"127.0.0.1:{cluster.MasterPort}\"], node.port = {cluster.MasterPort} }}", "m.conf", NodeRole.Master));
        var failure = await Assert.ThrowsAsync<PoolException>(() =>
            MasterNode.RunAsync(options, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, null, CancellationToken.None));
        Assert.Contains($"127.0.0.1:{cluster.MasterPort}", failure.Message);
        Assert.Contains("rcmp.node.port", failure.Message);
        Assert.IsType<System.Net.Sockets.SocketException>(failure.InnerException);
    }

    [Fact]
    public async Task ARackWithoutAMasterGivesUpInTime()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 0);
        await cluster.StopMasterAsync();
        var start = Stopwatch.GetTimestamp();
        var failure = await Assert.ThrowsAsync<PoolNotConnectedException>(() => cluster.StartRackAsync("\nrcmp.join-timeout = 2s\n"));
        Assert.Contains($"127.0.0.1:{cluster.MasterPort}", failure.Message);
        Assert.Contains("rcmp.join-timeout", failure.Message);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task AClientOfNobodyGivesUpInTime()
    {
        var options = new RcmpClientOptions { Rack = $"127.0.0.1:{TestCluster.FreePort()}", Timeout = TimeSpan.FromSeconds(1), TimingProfile = "fast" };
        var failure = await Assert.ThrowsAsync<PoolNotConnectedException>(() => RcmpPool.ConnectAsync(options));
        Assert.Contains(options.Rack, failure.Message);
    }

    [Fact]
    public async Task AClientOfAnotherPoolIsRefused()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var options = cluster.ClientOptions(0) with { PoolId = Guid.NewGuid() };
        var failure = await Assert.ThrowsAsync<PoolMismatchException>(() => RcmpPool.ConnectAsync(options));
        Assert.Contains(options.PoolId.ToString()!, failure.Message);
        Assert.Contains(cluster.PoolId.ToString(), failure.Message);
    }

    private static async Task AllocatesAgainAsync(IMemoryPool pool) => await Eventually.TrueAsync(async () =>
    {
        try
        {
            var address = await pool.AllocatePagesAsync(1);
            await pool.FreePagesAsync(address, 1);
            return true;
        }
        catch (PoolException e) when (e.IsTransient || e is PoolOutcomeUnknownException)
        {
            return false;
        }
    }, "an allocation", TimeSpan.FromSeconds(60));
}
