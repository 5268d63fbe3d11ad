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

public sealed class PullTimeoutTests
{
    [Fact]
    public void APullFromAnOwnerThatDoesNotAnswerEndsAfterTheTimeForConnecting()
    {
        using var fixture = new RegionFixture();
        using var region = fixture.OpenDaemon();
        // The kernel accepts for it; nobody welcomes.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var ended = new BlockingCollection<IRackEvent>();
        using var pulls = new PullWorker(region, new NativeFabric(), TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5), ended.Add);
        var link = new LinkRecord(1, ServedMemory.Link(), Guid.NewGuid(), $"tcp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var started = Stopwatch.GetTimestamp();
        pulls.Enqueue(1, new PageId(1), link, new FrameIndex(0), new FrameIndex(1));
        Assert.True(ended.TryTake(out var e, TimeSpan.FromSeconds(60)));
        Assert.False(Assert.IsType<PullEnded>(e).Ok);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30));
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
