using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;
using Rcmp.Tests.Regions;

namespace Rcmp.Tests.Embedded;

public sealed class RackHostTests
{
    // Two hosts: the first is also the one whose code is compiled on the way.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task DeadlinesSurviveManyWhoAskAtOnce(int run)
    {
        using var fixture = new RegionFixture();
        var options = Options(fixture, $"local://timers-{run}-{Guid.NewGuid():n}");
        using var host = RackHost.Start(options, new NativeFabric(), NullLogger.Instance);
        var transport = new RegistrationCounter();
        host.Attach(transport);
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(0.5));
        // Whoever finds the host idle carries the work out, so every thread is its machine's for a while.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
            () =>
            {
                while (!end.IsCancellationRequested) host.StatusAsync().Wait();
            },
            TaskCreationOptions.LongRunning)));
        var before = transport.Count;
        await Eventually.TrueAsync(() => transport.Count > before + 100, "the rack to go on registering when nobody asks");
        Assert.Null(transport.FatalError);
    }

    [Fact]
    public void ARackThatWasRemovedFromThePoolIsRefused()
    {
        using var fixture = new RegionFixture();
        using (var region = Region.OpenDaemon(fixture.Path, RegionExpectations.Any))
        {
            var store = new RegionStore(region);
            store.SaveState(store.State with { Rack = new RackId(3), Roster = [new RosterEntry(new RackId(3), fixture.Layout.RegionId, store.State.Generation, "", Forgotten: true)] });
        }

        var options = Options(fixture, "local://removed");
        var refusal = Assert.Throws<PoolMismatchException>(() => RackHost.Start(options, new NativeFabric(), NullLogger.Instance));
        Assert.Contains("rack 3 was removed from the pool", refusal.Message, StringComparison.Ordinal);
    }

    private static RackHostOptions Options(RegionFixture fixture, string fabric) => new()
    {
        RegionPath = fixture.Path,
        RuntimeDirectory = fixture.RuntimeDirectory,
        FabricAddress = fabric,
        // No master answers: the rack registers again every millisecond.
        Core = new RackCoreOptions
        {
            Settings = new PoolSettings(fixture.PoolId, 4096, 4, RegionLayout.FormatVersion), RegionId = fixture.Layout.RegionId, ResendMinNs = 1_000_000, ResendMaxNs = 2_000_000,
        },
    };

    private sealed class RegistrationCounter : IRackTransport
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public string? FatalError { get; private set; }

        public string NodeAddress => "akka.tcp://rcmp@127.0.0.1:4200";

        public void ToShard(ShardId shard, IPoolProtocol message)
        {
        }

        public void ToRack(RackId rack, IPoolProtocol message)
        {
        }

        public void ToMaster(IPoolProtocol message)
        {
            if (message is RegisterRack) Interlocked.Increment(ref _count);
        }

        public void ToSession(SessionToken session, IPoolProtocol message)
        {
        }

        public void RosterKnown(RosterChanged roster)
        {
        }

        public void Fatal(string message) => FatalError = message;
    }
}
