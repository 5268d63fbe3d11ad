using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

public sealed class RemoteTests : IDisposable
{
    private const int Pages = 40;
    private static readonly PoolClientOptions Options = new() { Timeout = TimeSpan.FromSeconds(3), Neighbours = 3 };

    private readonly HandDrivenRack _owner = new(rack: 2);
    private readonly HandDrivenRack _rack = new(rack: 1, slotsPerSession: 16);
    private readonly FakeControlPlane _control = new();
    private readonly FaultyFabric _fabric = new(new NativeFabric());
    private readonly PoolClient _pool;
    private int _slot;
    private LinkRecord _link;

    public RemoteTests()
    {
        _owner.PlaceFirst(Pages);
        (_slot, _link) = _rack.LinkTo(_owner);
        for (var i = 0; i < Pages; i++)
            Refer(i);
        _rack.PlaceFirst(4);
        _pool = _rack.Connect(_control, Options, _fabric);
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
        _owner.Dispose();
    }

    private void Refer(int i) => _rack.Set(_owner.Page((ulong)i + 1), Location.Remote(_slot, new FrameIndex((uint)i), new Epoch(1)));

    [Fact]
    public void RemotePagesAreReadAndWrittenOneSided()
    {
        var data = new byte[4096 * 20 + 33];
        new Random(3).NextBytes(data);
        _pool.Write(_owner.Address(2, 100), data);
        Assert.True(data.AsSpan(0, 500).SequenceEqual(_owner.Region.FrameSpan(new(1)).Slice(100, 500)));
        var back = new byte[data.Length];
        _pool.Read(_owner.Address(2, 100), back);
        Assert.Equal(data, back);
        Assert.Empty(_control.Requests);
        Assert.Equal(21, _pool.Statistics.DirectIoReads);
        Assert.Equal(21, _pool.Statistics.DirectIoWrites);
        Assert.True(_pool.Statistics.DirectIoNs > 0);
    }

    [Fact]
    public void RemoteAtomicsAgreeWithTheOwnersClients()
    {
        var word = _owner.Address(5, 64);
        using var atHome = _owner.Connect(new FakeControlPlane());
        Assert.Equal(0UL, _pool.Exchange(word, 10));
        Assert.Equal(10UL, atHome.FetchAdd(word, 5));
        Assert.Equal(15UL, _pool.CompareExchange(word, 1, 14));
        Assert.Equal(15UL, _pool.CompareExchange(word, 1, 15));
        Assert.Equal(1UL, _pool.FetchAdd(word, 1));
        Assert.Equal(2UL, atHome.Read<ulong>(word));
        Assert.Equal(2UL, _pool.Read<ulong>(word));
        Assert.Equal(4, _pool.Statistics.DirectIoAtomics);
    }

    [Fact]
    public async Task BatchesAndAsynchronousFormsReachOtherRacksToo()
    {
        var writes = Enumerable.Range(0, 100).Select(i => new WriteRequest(
            i % 3 == 0 ? _rack.Address(1 + ((ulong)i & 3), i * 8) : _owner.Address(1 + ((ulong)i % Pages), i * 8), BitConverter.GetBytes((long)i))).ToArray();
        await _pool.WriteBatchAsync(writes);
        var reads = writes.Select(write => new ReadRequest(write.Address, new byte[8])).ToArray();
        await _pool.ReadBatchAsync(reads);
        for (var i = 0; i < reads.Length; i++)
            Assert.Equal(i, BitConverter.ToInt64(reads[i].Destination.Span));
        var one = new byte[8];
        await _pool.ReadAsync(writes[1].Address, one);
        Assert.Equal(1, BitConverter.ToInt64(one));
        Assert.Equal(1UL, await _pool.FetchAddAsync(writes[1].Address, 1));
        Assert.Equal(2UL, await _pool.ExchangeAsync(writes[1].Address, 1));
        Assert.Equal(1UL, await _pool.CompareExchangeAsync(writes[1].Address, 1, 1));
    }

    [Fact]
    public void RemoteAccessesAreCountedInThePagesEntry()
    {
        for (var i = 0; i < 10; i++)
            _pool.Read<ulong>(_owner.Address(7));
        var counter = _rack.Store.ReadCounter(_owner.Page(7));
        Assert.Equal(10u, counter.Accesses);
        Assert.True(counter.RemoteTime > 0);
        Assert.True(_rack.Store.TestAndClearReference(_owner.Page(7)));
    }

    [Fact]
    public void RemoteReadsAndWritesAreCountedAlike()
    {
        for (var i = 0; i < 10; i++)
        {
            _pool.Read<ulong>(_owner.Address(7));
            _pool.Write(_owner.Address(8), (ulong)i);
        }

        foreach (var page in (PageId[])[_owner.Page(7), _owner.Page(8)])
        {
            var counter = _rack.Store.ReadCounter(page);
            Assert.Equal(10u, counter.Accesses);
            Assert.True(counter.RemoteTime > 0);
            Assert.True(_rack.Store.TestAndClearReference(page));
        }
    }

    [Fact]
    public void GuardSlotsAreClearAfterRemoteOperations()
    {
        _pool.Read(_owner.Address(1), new byte[4096 * 30]);
        foreach (var slot in _rack.Region.SlotSpan(1))
            Assert.Equal((0UL, 0UL, 0UL), (slot.Page, slot.Connection, slot.Retired));
    }

    [Fact]
    public void AReadWhoseConnectionBreaksIsRepeatedOnAnother()
    {
        var left = 1;
        _fabric.Spoil = status => Interlocked.Decrement(ref left) >= 0 ? FabricStatus.ConnectionLost : status;
        _owner.Region.FrameSpan(new(2))[0] = 9;
        Assert.Equal(9, _pool.Read<byte>(_owner.Address(3)));
        Assert.Equal(2, _fabric.Connections);
        Assert.Equal(1, _pool.Statistics.BrokenConnections);
    }

    [Fact]
    public async Task AWriteWhoseAnswerIsLostIsNotRepeatedAndItsGuardStays()
    {
        _pool.Write(_owner.Address(3), 1UL);
        _fabric.Spoil = static _ => FabricStatus.ConnectionLost;
        var e = Assert.Throws<PoolOutcomeUnknownException>(() => _pool.FetchAdd(_owner.Address(3), 1));
        Assert.Contains(_owner.Address(3).ToString(), e.Message);
        Assert.False(e.IsTransient);
        _fabric.Spoil = static status => status;
        Assert.Equal(2UL, _pool.Read<ulong>(_owner.Address(3)));

        var kept = Assert.Single(_rack.Region.SlotSpan(1).ToArray(), static slot => slot.Retired != 0);
        Assert.Equal(_owner.Page(3).Value, kept.Page);
        var quiet = _rack.Guards.WaitQuiet(_owner.Page(3), 1_000_000, false);
        Assert.Contains(kept.Connection, quiet.Connections);
        await Eventually.TrueAsync(() => _control.Requests.OfType<ReportConnection>().Any(r => r.Connection == kept.Connection && r.LinkNumber == _link.Number), "the report");

        // The owner has confirmed: the daemon clears the slot, and the client uses it again.
        _rack.Guards.ClearConnections([kept.Connection]);
        Assert.DoesNotContain(_rack.Region.SlotSpan(1).ToArray(), static slot => slot.Retired != 0 || slot.Page != 0);
        for (var i = 0; i < 100; i++)
        {
            using var pin = await _pool.PinAsync(_rack.Address(1));
        }
    }

    [Fact]
    public void ARangeWriteThatLosesItsAnswersSaysThatItMayBePartlyWritten()
    {
        _fabric.Spoil = static _ => FabricStatus.DeadlinePassed;
        var e = Assert.Throws<PoolOutcomeUnknownException>(() => _pool.Write(_owner.Address(1), new byte[4096 * 3]));
        Assert.Contains("partly written", e.Message);
    }

    [Fact]
    public void ExplicitRefusalsAreRepeated()
    {
        var refusals = new Queue<FabricStatus>([FabricStatus.Retry, FabricStatus.Stale, FabricStatus.NotSent]);
        var executed = 0;
        _control.Answer = static request => FakeControlPlane.Done(request);
        // The operation is carried out in spite of the spoiled answer, so an exchange by the same value shows only that it was repeated.
        _fabric.Spoil = status =>
        {
            executed++;
            return refusals.TryDequeue(out var spoiled) ? spoiled : status;
        };
        _pool.Exchange(_owner.Address(4), 7);
        Assert.Equal(4, executed);
        Assert.Equal(2, _pool.Statistics.Retries);
        Assert.Equal(1, _control.Count<ResolveMiss>());
    }

    [Fact]
    public void AnOperationOnADeadLinkBeginsAgainOnTheNewOne()
    {
        _pool.Read<ulong>(_owner.Address(1));
        for (var i = 0; i < Pages; i++)
            _rack.TakeAway(_owner.Page((ulong)i + 1), Location.Absent);
        _rack.Store.ReleaseLink(_slot);
        (_slot, _link) = _rack.LinkTo(_owner);
        for (var i = 0; i < Pages; i++)
            Refer(i);
        _pool.Read<ulong>(_owner.Address(1));
        Assert.Equal(2, _fabric.Connections);
        Assert.All(_fabric.Names, static name => Assert.NotEqual(0UL, name));
        Assert.Equal(2, _fabric.Names.Distinct().Count());
    }

    [Fact]
    public void AnUnreachableRackIsAnErrorInTheConfiguredTime()
    {
        using var pool = _rack.Connect(_control, Options with { Timeout = TimeSpan.FromMilliseconds(300) }, new FaultyFabric(new NativeFabric()) { IsReachable = false });
        _control.Answer = static request => FakeControlPlane.Done(request);
        var e = Assert.Throws<PageUnavailableException>(() => pool.Read<ulong>(_owner.Address(1)));
        Assert.True(e.IsTransient);
        Assert.Contains(_owner.Address(1).ToString(), e.Message);
        Assert.Contains("unplugged", e.Message);
        Assert.Contains("rcmp.client.timeout = 0.3s", e.Message);
    }

    [Fact]
    public void RdmaOnlyReadsTheRacksOwnPagesThroughTheFabric()
    {
        var self = new LinkRecord(0xFFFFFF, new LinkId(_rack.Incarnation, _rack.Incarnation, 77), _rack.Key, _rack.Server.Address);
        _rack.Server.AcceptRegistration(self.Id);
        Assert.True(_rack.Store.TryPublishLink(self) >= 0);
        using var pool = _rack.Connect(_control, Options with { RdmaOnly = true });
        pool.Write(_rack.Address(1, 8), 5UL);
        Assert.Equal(5UL, pool.FetchAdd(_rack.Address(1, 8), 1));
        var mixed = new byte[4096 * 2];
        pool.Read(_rack.Address(1), mixed);
        Assert.Equal(6UL, BitConverter.ToUInt64(mixed, 8));
        Assert.Equal(0, pool.Statistics.RackHits);
        Assert.Equal(4, pool.Statistics.DirectIo);
        Assert.Equal(6UL, _pool.Read<ulong>(_rack.Address(1, 8)));
    }

    [Fact]
    public void ManyThreadsShareFewConnections()
    {
        var word = _owner.Address(9);
        var threads = Enumerable.Range(0, 12).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 200; i++)
                _pool.FetchAdd(word, 1);
        })).ToList();
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        Assert.Equal(2400UL, _pool.Read<ulong>(word));
        Assert.InRange(_fabric.Connections, 1, Options.ConnectionsPerLink);
    }
}
