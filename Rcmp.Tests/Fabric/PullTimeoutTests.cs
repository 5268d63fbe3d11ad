using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Rcmp.Cluster.Configuration;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Runtime;
using Rcmp.Tests.Regions;

namespace Rcmp.Tests.Fabric;

public sealed class PullTimeoutTests : IDisposable
{
    private readonly RegionFixture _fixture = new();
    private readonly Rcmp.Regions.Region _region;
    /// <summary>The kernel accepts for it; nobody welcomes.</summary>
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly BlockingCollection<IRackEvent> _ended = [];
    private readonly PullWorker _pulls;
    private readonly LinkRecord _link;

    public PullTimeoutTests()
    {
        _region = _fixture.OpenDaemon();
        _listener.Start();
        _pulls = new PullWorker(_region, new NativeFabric(), TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5), _ended.Add);
        _link = new LinkRecord(1, ServedMemory.Link(), Guid.NewGuid(), $"tcp://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
    }

    public void Dispose()
    {
        _pulls.Dispose();
        _ended.Dispose();
        _listener.Dispose();
        _region.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public void APullFromAnOwnerThatDoesNotAnswerEndsAfterTheTimeForConnecting()
    {
        var started = Stopwatch.GetTimestamp();
        _pulls.Enqueue(1, new PageId(1), _link, new FrameIndex(0), new FrameIndex(1));
        Assert.True(_ended.TryTake(out var e, TimeSpan.FromSeconds(60)));
        Assert.False(Assert.IsType<PullEnded>(e).Ok);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void PullsFromAnOwnerThatDoesNotAnswerDoNotEachWaitForIt()
    {
        const int Pulls = 10;
        for (var i = 0; i < Pulls; i++) _pulls.Enqueue((ulong)i, new PageId(1), _link, new FrameIndex(0), new FrameIndex(1));
        var errors = Enumerable.Range(0, Pulls).Select(_ => Assert.IsType<PullEnded>(_ended.Take()).Error).ToList();
        Assert.Single(errors.Distinct());
        var attempts = 0;
        for (; _listener.Pending(); attempts++) _listener.AcceptSocket().Dispose();
        Assert.InRange(attempts, 1, Pulls / 2);
    }

    [Fact]
    public void TheDaemonTakesItFromItsKey()
    {
        const string text = "rcmp { pool.id = \"6f1b0a52-3c0e-4d53-9d53-2a6c8f0d7e11\", seed-nodes = [\"127.0.0.1:1\"], node.port = 2, region.path = /dev/shm/x, fabric.connect-timeout = 70ms, fabric.deadline = 9s }";
        var host = RackNodeOptions.Read(ConfigLoader.Parse(text, "t.conf", NodeRole.Rack)).ToHost(Guid.NewGuid());
        Assert.Equal(TimeSpan.FromMilliseconds(70), host.FabricConnectTimeout);
        Assert.Equal(TimeSpan.FromSeconds(9), host.FabricTimeout);
    }
}
