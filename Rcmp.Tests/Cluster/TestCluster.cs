using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Runtime;

namespace Rcmp.Tests.Cluster;

/// <summary>A master and racks in this process, each with an actor system of its own, over loopback with the fast profile.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly string _name = $"/dev/shm/rcmp-test-{Environment.ProcessId}-{Guid.NewGuid():n}";
    private readonly List<string> _regions = [];
    private readonly ILoggerFactory _loggers;

    private TestCluster(ILoggerFactory? loggers) => _loggers = loggers ?? TestLog.FromEnvironment() ?? NullLoggerFactory.Instance;

    public Guid PoolId { get; } = Guid.NewGuid();

    public int MasterPort { get; } = FreePort();

    public MasterNode? Master { get; private set; }

    public List<RackNode> Racks { get; } = [];

    public static async Task<TestCluster> StartAsync(int racks, string extra = "", ILoggerFactory? loggers = null)
    {
        var cluster = new TestCluster(loggers);
        try
        {
            await cluster.StartMasterAsync(extra);
            for (var i = 0; i < racks; i++) await cluster.StartRackAsync(extra);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async Task StartMasterAsync(string extra = "")
    {
        Master = new MasterNode(MasterNodeOptions.Read(ConfigLoader.Parse(Text(MasterPort) + extra, "master.conf", NodeRole.Master)), _loggers);
        await Master.StartAsync(Deadline());
    }

    public async Task StopMasterAsync()
    {
        await Master!.DisposeAsync();
        Master = null;
    }

    public async Task<RackNode> StartRackAsync(string extra = "", int? index = null, int? port = null)
    {
        var path = $"{_name}-{index ?? Racks.Count}";
        if (index is null) _regions.Add(path);
        var rack = new RackNode(RackOptions(port ?? FreePort(), path, extra), _loggers);
        if (index is { } at) Racks[at] = rack;
        else Racks.Add(rack);
        await rack.StartAsync(Deadline());
        return rack;
    }

    public RackNodeOptions RackOptions(int port, string path, string extra = "") => RackNodeOptions.Read(
        ConfigLoader.Parse(Text(port) + $"\nrcmp.region {{ path = {path}, size = 16MiB }}\n" + extra, "rack.conf", NodeRole.Rack));

    public RcmpClientOptions ClientOptions(int rack) => new()
    {
        Rack = Racks[rack].Host.Transport!.NodeAddress.Split('@')[1],
        PoolId = PoolId,
        TimingProfile = "fast",
        Name = "test",
        LoggerFactory = _loggers,
    };

    public async Task<IMemoryPool> ConnectAsync(int rack) => await RcmpPool.ConnectAsync(ClientOptions(rack), Deadline());

    public async ValueTask DisposeAsync()
    {
        var nodes = Racks.Cast<ClusterNode>().Concat(Master is null ? [] : [Master]);
        await Task.WhenAll(nodes.Select(node => node.DisposeAsync().AsTask()));
        foreach (var region in _regions) RegionFiles.Remove(region);
    }

    private string Text(int port) =>
        $$"""
        rcmp {
          timing-profile = fast
          pool.id = "{{PoolId}}"
          seed-nodes = ["127.0.0.1:{{MasterPort}}"]
          node.port = {{port}}
          join-timeout = 20s
          directory.shards = 8
          master.grace = 100ms
        }
        # The machine that runs the tests may be busy with much else.
        akka.cluster.failure-detector.acceptable-heartbeat-pause = 8s

        """;

    private static CancellationToken Deadline() => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
}
