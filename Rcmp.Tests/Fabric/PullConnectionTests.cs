using System.Collections.Concurrent;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Runtime;
using Rcmp.Tests.Regions;

namespace Rcmp.Tests.Fabric;

/// <summary>What the daemon's thread for pulling pages keeps open.</summary>
public sealed class PullConnectionTests : IDisposable
{
    private readonly RegionFixture _fixture = new();
    private readonly Region _region;
    private readonly CountingFabric _fabric = new();
    private readonly BlockingCollection<IRackEvent> _ended = [];
    private readonly PullWorker _pulls;

    public PullConnectionTests()
    {
        _region = _fixture.OpenDaemon();
        _pulls = new PullWorker(_region, _fabric, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), _ended.Add);
    }

    public void Dispose()
    {
        _pulls.Dispose();
        _ended.Dispose();
        _region.Dispose();
        _fixture.Dispose();
        Assert.Equal(0, _fabric.Open);
    }

    /// <summary>The connection to the start before is not used any more, so nobody would find out that it is closed.</summary>
    [Fact]
    public void ARackThatIsStartedAgainAndAgainCostsOneConnection()
    {
        for (var start = 1u; start <= 20; start++)
        {
            Pull(1, start);
            Pull(2, 1);
        }

        Assert.Equal(2, _fabric.Open);
        Assert.Equal(21, _fabric.Opened);
    }

    private void Pull(ushort rack, uint start)
    {
        var owner = new RackIncarnation(new RackId(rack), new Generation(start));
        var link = new LinkRecord(rack * 1000u + start, new LinkId(owner, new RackIncarnation(new RackId(3), new Generation(1)), 1), Guid.NewGuid(), $"tcp://192.0.2.{rack}:{start}");
        _pulls.Enqueue(start, new PageId(1), link, new FrameIndex(0), new FrameIndex(1));
        Assert.True(Assert.IsType<PullEnded>(_ended.Take()).Ok);
    }

    /// <summary>Everything succeeds, and nothing is copied.</summary>
    private sealed class CountingFabric : IFabric
    {
        public int Opened { get; private set; }

        public int Open { get; private set; }

        public IFabricServer Expose(Region region, FabricServerOptions options) => throw new NotSupportedException();

        public FabricConnectStatus TryConnect(LinkRecord link, ulong name, ConnectionRole role, TimeSpan timeout, out IFabricConnection? connection, out string? error)
        {
            (connection, error) = (new Connection(this, name), null);
            (Opened, Open) = (Opened + 1, Open + 1);
            return FabricConnectStatus.Ok;
        }

        private sealed class Connection(CountingFabric fabric, ulong name) : IFabricConnection
        {
            private ulong _token;

            public ulong Name => name;

            public bool IsUsable => true;

            public int Window => 1;

            public bool TryPost(in FabricRequest request)
            {
                _token = request.Token;
                return true;
            }

            public int Wait(Span<FabricCompletion> completions, long spinNs, long timeoutNs)
            {
                completions[0] = new FabricCompletion(_token, FabricStatus.Ok, 0);
                return 1;
            }

            public void Dispose() => fabric.Open--;
        }
    }
}
