using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

/// <summary>One small remote access goes without an operation, and becomes one when anything is in the way.</summary>
public sealed class RemoteAloneTests : IDisposable
{
    private const int Pages = 8;
    private static readonly PoolClientOptions Options = new() { Timeout = TimeSpan.FromSeconds(5), Neighbours = 0, ConnectionsPerLink = 1 };

    private readonly HandDrivenRack _owner = new(rack: 2);
    private readonly HandDrivenRack _rack = new(rack: 1, slotsPerSession: 16);
    private readonly FakeControlPlane _control = new();
    private readonly FaultyFabric _fabric = new(new NativeFabric());
    private readonly PoolClient _pool;
    private readonly int _slot;

    public RemoteAloneTests()
    {
        _owner.PlaceFirst(Pages);
        (_slot, _) = _rack.LinkTo(_owner);
        for (var i = 1; i <= Pages; i++)
            _rack.Set(_owner.Page((ulong)i), Reference(i));
        _control.Answer = static request => FakeControlPlane.Done(request);
        _pool = _rack.Connect(_control, Options, _fabric);
    }

    public static TheoryData<string, string> Refusals()
    {
        var data = new TheoryData<string, string>();
        foreach (var what in (string[])["read", "write", "atomic"])
        {
            foreach (var status in (FabricStatus[])[FabricStatus.Retry, FabricStatus.Stale, FabricStatus.OutOfRange, FabricStatus.Refused, FabricStatus.NotSent])
                data.Add(what, status.ToString());
        }

        return data;
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
        _owner.Dispose();
    }

    [Fact]
    public void RemoteAccessesAllocateNothing()
    {
        using var pool = _rack.Connect(_control, Options);
        var buffer = new byte[64];
        Use(pool, buffer, 500);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Use(pool, buffer, 10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(10_500, pool.Statistics.DirectIoReads);
        Assert.Equal(10_500, pool.Statistics.DirectIoWrites);
        Assert.Equal(31_500, pool.Statistics.DirectIoAtomics);
    }

    [Fact]
    public void EachIsCountedOnce()
    {
        var byThread = ThreadActivity.RemoteOperations;
        for (var i = 0; i < 5; i++)
            Act("read");
        for (var i = 0; i < 4; i++)
            Act("write");
        for (var i = 0; i < 3; i++)
            Act("atomic");
        var statistics = _pool.Statistics;
        Assert.Equal((0L, 5L, 4L, 3L), (statistics.RackHits, statistics.DirectIoReads, statistics.DirectIoWrites, statistics.DirectIoAtomics));
        Assert.Equal((0L, 0L, 0L), (statistics.Misses, statistics.Retries, statistics.BrokenConnections));
        Assert.True(statistics.DirectIoNs > 0);
        Assert.Equal(12, ThreadActivity.RemoteOperations - byThread);
        Assert.Equal(12u, _rack.Store.ReadCounter(_owner.Page(3)).Accesses);
        Assert.True(_rack.Store.ReadCounter(_owner.Page(3)).RemoteTime > 0);
        Assert.Equal(1, _fabric.Connections);
        AssertNoGuard();
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public void ARefusalIsRepeatedAndTheAccessCountedOnce(string what, string status)
    {
        var refusal = Enum.Parse<FabricStatus>(status);
        SpoilOnce(refusal);
        Act(what);
        var statistics = _pool.Statistics;
        Assert.Equal(1, statistics.DirectIo);
        Assert.Equal(refusal == FabricStatus.NotSent ? 0 : 1, statistics.Retries);
        Assert.Equal(refusal is FabricStatus.NotSent or FabricStatus.Retry ? 0 : 1, _control.Count<ResolveMiss>());
        Assert.Equal(0, statistics.BrokenConnections);
        Assert.Equal(1u, _rack.Store.ReadCounter(_owner.Page(3)).Accesses);
        AssertNoGuard();
    }

    [Theory]
    [InlineData("write", nameof(FabricStatus.ConnectionLost))]
    [InlineData("write", nameof(FabricStatus.DeadlinePassed))]
    [InlineData("atomic", nameof(FabricStatus.ConnectionLost))]
    [InlineData("atomic", nameof(FabricStatus.DeadlinePassed))]
    public async Task WhatIsNotRepeatableFailsAsUnknownAndItsGuardStays(string what, string lost)
    {
        SpoilOnce(Enum.Parse<FabricStatus>(lost));
        var e = Assert.Throws<PoolOutcomeUnknownException>(() => Act(what));
        Assert.Contains(_owner.Address(3, 64).ToString(), e.Message);
        Assert.Contains(lost == nameof(FabricStatus.ConnectionLost) ? "the connection was lost" : "rcmp.fabric.deadline", e.Message);
        Assert.Equal((0L, 1L), (_pool.Statistics.DirectIo, _pool.Statistics.BrokenConnections));
        var kept = Assert.Single(_rack.Region.SlotSpan(1).ToArray(), static slot => slot.Retired != 0);
        Assert.Equal(_owner.Page(3).Value, kept.Page);
        Assert.Contains(kept.Connection, _fabric.Names);
        await Eventually.TrueAsync(() => _control.Requests.OfType<ReportConnection>().Any(report => report.Connection == kept.Connection), "the report");
        Act(what);
        Assert.Equal((1L, 2), (_pool.Statistics.DirectIo, _fabric.Connections));
    }

    [Theory]
    [InlineData(nameof(FabricStatus.ConnectionLost))]
    [InlineData(nameof(FabricStatus.DeadlinePassed))]
    public void AReadIsRepeatedOnAnotherConnection(string lost)
    {
        _owner.Region.FrameSpan(new FrameIndex(2))[64] = 9;
        SpoilOnce(Enum.Parse<FabricStatus>(lost));
        Assert.Equal(9, _pool.Read<byte>(_owner.Address(3, 64)));
        Assert.Equal((1L, 1L, 2), (_pool.Statistics.DirectIoReads, _pool.Statistics.BrokenConnections, _fabric.Connections));
        Assert.Single(_rack.Region.SlotSpan(1).ToArray(), static slot => slot.Retired != 0);
    }

    [Fact]
    public void ALostAnswerIsReportedEvenIfThePoolIsClosedMeanwhile()
    {
        _fabric.Spoil = status =>
        {
            _ = _pool.DisposeAsync();
            Assert.True(SpinWait.SpinUntil(() => _pool.State == PoolState.Closed, TimeSpan.FromSeconds(5)));
            return FabricStatus.ConnectionLost;
        };
        Assert.Throws<PoolOutcomeUnknownException>(() => Act("write"));
    }

    [Fact]
    public void ARestOfARangeThatLosesItsAnswerSaysThatTheRangeMayBePartlyWritten()
    {
        _rack.Set(_owner.Page(3), Location.Resident(new FrameIndex(5), new Epoch(1)));
        SpoilOnce(FabricStatus.ConnectionLost);
        var e = Assert.Throws<PoolOutcomeUnknownException>(() => _pool.Write(_owner.Address(3, 4096 - 32), new byte[64]));
        Assert.Contains(_owner.Address(4).ToString(), e.Message);
        Assert.Contains("partly written", e.Message);
    }

    [Fact]
    public void APageThatComesHereMeanwhileIsReadHere()
    {
        // A connection is opened after the lookup and before the guard.
        _fabric.Connecting = _ =>
        {
            _rack.TakeAway(_owner.Page(3), Location.Moving);
            _rack.Region.FrameSpan(new FrameIndex(5))[64] = 7;
            _rack.Set(_owner.Page(3), Location.Resident(new FrameIndex(5), new Epoch(2)));
            return true;
        };
        Assert.Equal(7, _pool.Read<byte>(_owner.Address(3, 64)));
        Assert.Equal((1L, 0L, 0L), (_pool.Statistics.RackHits, _pool.Statistics.DirectIo, _pool.Statistics.BrokenConnections));
        AssertNoGuard();
    }

    [Fact]
    public void APageThatGoesAwayMeanwhileIsResolvedAnew()
    {
        _fabric.Connecting = _ =>
        {
            _rack.TakeAway(_owner.Page(3), Location.Absent);
            return true;
        };
        _control.Answer = request =>
        {
            if (request is ResolveMiss)
                _rack.Set(_owner.Page(3), Reference(3));
            return FakeControlPlane.Done(request);
        };
        Assert.Equal(0UL, _pool.FetchAdd(_owner.Address(3, 64), 1));
        Assert.Equal((1L, 1L), (_pool.Statistics.DirectIoAtomics, _pool.Statistics.Misses));
        AssertNoGuard();
    }

    [Fact]
    public void ARackThatCannotBeReachedIsAskedFor()
    {
        _fabric.IsReachable = false;
        _control.Answer = request =>
        {
            _fabric.IsReachable = true;
            return FakeControlPlane.Done(request);
        };
        Act("write");
        Assert.Equal((1L, 1), (_pool.Statistics.DirectIoWrites, _control.Count<ResolveMiss>()));
    }

    [Fact]
    public void WithoutAFreeConnectionItWaitsForOne()
    {
        using var taken = new ManualResetEventSlim();
        using var free = new ManualResetEventSlim();
        var first = 1;
        _fabric.Spoil = status =>
        {
            if (Interlocked.Exchange(ref first, 0) == 0)
                return status;
            taken.Set();
            free.Wait();
            return status;
        };
        var holder = new Thread(() => Act("read"));
        holder.Start();
        taken.Wait();
        var other = new Thread(() => Act("write"));
        other.Start();
        Assert.False(other.Join(20));
        free.Set();
        holder.Join();
        other.Join();
        Assert.Equal((1L, 1L, 1), (_pool.Statistics.DirectIoReads, _pool.Statistics.DirectIoWrites, _fabric.Connections));
    }

    private Location Reference(int page) => Location.Remote(_slot, new FrameIndex((uint)page - 1), new Epoch(1));

    private void Act(string what)
    {
        var at = _owner.Address(3, 64);
        if (what == "read")
            _pool.Read(at, new byte[64]);
        else if (what == "write")
            _pool.Write(at, new byte[64]);
        else
            _pool.FetchAdd(at, 1);
    }

    private void SpoilOnce(FabricStatus spoiled)
    {
        var left = 1;
        _fabric.Spoil = status => Interlocked.Decrement(ref left) >= 0 ? spoiled : status;
    }

    private void Use(PoolClient pool, byte[] buffer, int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            var address = _owner.Address(1 + ((ulong)i & 7), (i & 31) * 64);
            pool.Read(address, buffer);
            pool.Write(address, buffer);
            pool.FetchAdd(address, 1);
            pool.CompareExchange(address, 1, 2);
            pool.Exchange(address, 7);
        }
    }

    private void AssertNoGuard()
    {
        foreach (var slot in _rack.Region.SlotSpan(1))
            Assert.Equal((0UL, 0UL, 0UL), (slot.Page, slot.Connection, slot.Retired));
    }
}
