using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Status;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>Asks the nodes of a running pool how it is: the first that answers.</summary>
internal sealed class PoolMonitor(IReadOnlyList<NodeAddress> nodes, string host = "127.0.0.1") : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    private readonly PoolAdmin _admin = new(host);
    private int _preferred;

    public PoolAdmin Admin => _admin;

    /// <summary>The node that answered last.</summary>
    public NodeAddress Answering => nodes[_preferred];

    /// <summary>The nodes that a configuration names: a client's rack, or the masters.</summary>
    public static PoolMonitor Of(string configuration)
    {
        var loaded = ConfigLoader.Load(configuration, NodeRole.Client);
        var reader = loaded.Reader();
        IReadOnlyList<NodeAddress> nodes = reader.OptionalAddress("rcmp.client.rack") is { } rack ? [rack] : reader.Addresses("rcmp.seed-nodes");
        return nodes.Count > 0 ? new PoolMonitor(nodes, reader.Host()) : throw CommandException.Usage($"{configuration} names neither rcmp.client.rack nor rcmp.seed-nodes: nobody can be asked");
    }

    /// <summary>The nodes of a local cluster that run.</summary>
    public static PoolMonitor Of(LocalCluster cluster)
    {
        List<NodeAddress> nodes = [];
        foreach (var node in cluster.Racks.Concat(cluster.Masters))
        {
            if (node.Running is not null && NodeAddress.TryParse(node.Node.Address, out var address)) nodes.Add(address);
        }
        return nodes.Count > 0 ? new PoolMonitor(nodes, cluster.Network is null ? "127.0.0.1" : LinkNetwork.Observer) : throw CommandException.Unreachable($"no node of the cluster in {cluster.Directory} runs: '{cluster.StartedBy}' starts it");
    }

    public async Task<PoolStatusAnswered> StatusAsync(CancellationToken ct)
    {
        PoolNotConnectedException? failure = null;
        for (var i = 0; i < nodes.Count; i++)
        {
            var index = (_preferred + i) % nodes.Count;
            try
            {
                var status = await _admin.QueryStatusAsync(nodes[index], Timeout, ct);
                _preferred = index;
                return status;
            }
            catch (PoolNotConnectedException silent)
            {
                failure = silent;
            }
        }
        throw failure!;
    }

    /// <summary>Pages that have moved since the racks started, all racks together.</summary>
    public async Task<long> SwapsAsync(CancellationToken ct) => (await StatusAsync(ct)).Racks.Sum(r => r.MovedIn);

    public ValueTask DisposeAsync() => _admin.DisposeAsync();
}
