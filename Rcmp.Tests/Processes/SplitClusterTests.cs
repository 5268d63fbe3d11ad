using Rcmp.Cluster.Configuration;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>The pool's nodes in two clusters, which become one again.</summary>
public sealed class SplitClusterTests
{
    [Fact]
    public async Task AMasterThatFormedAClusterOfItsOwnWhileTheOthersWereSilentJoinsThem()
    {
        await using var pool = await ProcessPool.StartAsync(2, 2, ("rcmp.timing-profile", "fast"));
        var (first, second) = (pool.Cluster.Masters[0], pool.Cluster.Masters[1]);
        var client = await pool.StartClientAsync(0);
        var data = await client.AllocateAsync(16);
        await client.SayAsync($"{WorkerProtocol.Fill} {data} 16 1");
        await first.KillAsync();
        NodeProcess[] others = [second, .. pool.Cluster.Racks];
        foreach (var node in others) await node.SuspendAsync(true);
        await pool.Cluster.RestartAsync(first, TestContext.Current.CancellationToken);
        // It is up, so it has formed a cluster: nobody was there to let it in.
        Assert.Equal(first.Node.Address, await MasterAsync(pool, first));
        foreach (var node in others) await node.SuspendAsync(false);

        await Eventually.TrueAsync(
            async () => await MasterAsync(pool, first) is { } master && await MasterAsync(pool, second) == master
                && await MasterAsync(pool, pool.Cluster.Racks[0]) == master && await MasterAsync(pool, pool.Cluster.Racks[1]) == master,
            "all nodes to be in one cluster", TimeSpan.FromSeconds(60));
        var far = await pool.StartClientAsync(1);
        await far.SayAsync($"{WorkerProtocol.Verify} {data} 16 1");
        await client.SayAsync($"{WorkerProtocol.Verify} {data} 16 1");
    }

    /// <summary>The master of the node's cluster as it sees it, host and port; null if there is none or the node does not answer.</summary>
    private static async Task<string?> MasterAsync(ProcessPool pool, NodeProcess node)
    {
        await using var monitor = PoolMonitor.Of(pool.Cluster);
        if (!NodeAddress.TryParse(node.Node.Address, out var address)) return null;
        try
        {
            var status = await monitor.Admin.QueryStatusAsync(address, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
            return NodeAddress.TryParse(status.Master.Split('@')[^1], out var master) ? master.ToString() : null;
        }
        catch (PoolNotConnectedException)
        {
            return null;
        }
    }
}
