using System.Diagnostics;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Tests.Fabric;

public sealed class FabricOperationTests
{
    public static TheoryData<string> Backends => new(ServedMemory.Backends);

    [Theory, MemberData(nameof(Backends))]
    public void WhatIsWrittenIsReadBack(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        foreach (var (offset, length) in new[] { (0, 8), (0, 4096), (3, 61), (1, 7), (4088, 8), (4095, 1), (100, 0), (17, 3000) })
        {
            var expected = new byte[length];
            new Random(offset * 31 + length).NextBytes(expected);
            expected.CopyTo(caller.Buffer);
            Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Write, 2, offset, length).Status);
            Assert.Equal(expected, served.Frame(new PageId(2)).Slice(offset, length));
            caller.Buffer.Clear();
            Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 2, offset, length).Status);
            Assert.Equal(expected, caller.Buffer[..length]);
        }
    }

    [Theory, MemberData(nameof(Backends))]
    public void AWriteTouchesNothingBesideItsRange(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        caller.Buffer.Fill(0xFF);
        for (var offset = 0; offset < 20; offset++)
        {
            for (var length = 0; length < 150; length += 7)
            {
                var frame = served.Frame(new PageId(3));
                frame.Clear();
                Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Write, 3, offset, length).Status);
                Assert.Equal(-1, frame[..offset].IndexOfAnyExcept((byte)0));
                Assert.Equal(-1, frame.Slice(offset, length).IndexOfAnyExcept((byte)0xFF));
                Assert.Equal(-1, frame[(offset + length)..].IndexOfAnyExcept((byte)0));
            }
        }
    }

    [Theory, MemberData(nameof(Backends))]
    public void AtomicsReturnWhatWasThere(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        Assert.Equal(0UL, caller.Do(FabricOp.Exchange, 1, 16, operand: 5).Result);
        Assert.Equal(5UL, caller.Do(FabricOp.FetchAdd, 1, 16, operand: 3).Result);
        Assert.Equal(8UL, caller.Do(FabricOp.CompareExchange, 1, 16, operand: 9, comparand: 7).Result);
        Assert.Equal(8UL, served.Words(new PageId(1))[2]);
        Assert.Equal(8UL, caller.Do(FabricOp.CompareExchange, 1, 16, operand: 9, comparand: 8).Result);
        Assert.Equal(9UL, served.Words(new PageId(1))[2]);
        Assert.Equal(9UL, caller.Do(FabricOp.FetchAdd, 1, 16, operand: ulong.MaxValue).Result);
        Assert.Equal(8UL, served.Words(new PageId(1))[2]);
    }

    [Theory, MemberData(nameof(Backends))]
    public void AMovingPageIsAnsweredRetryAtOnce(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        served.SetLocation(new PageId(2), Location.Moving);
        var start = Stopwatch.GetTimestamp();
        foreach (var op in new[] { FabricOp.Read, FabricOp.Write, FabricOp.FetchAdd })
            Assert.Equal(FabricStatus.Retry, caller.Do(op, 2).Status);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1));
        Assert.Equal(3, served.Server.Counters.Retries);
        Assert.Equal(-1, served.Frame(new PageId(2)).IndexOfAnyExcept((byte)0));
    }

    [Theory, MemberData(nameof(Backends))]
    public void APageThatIsNotHereOrOfAnotherEpochIsStale(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        caller.Buffer.Fill(1);
        served.SetLocation(new PageId(2), Location.Absent);
        served.SetLocation(new PageId(3), Location.Remote(1, new FrameIndex(3), new Epoch(3)));
        Assert.Equal(FabricStatus.Stale, caller.Do(FabricOp.Write, 2).Status);
        Assert.Equal(FabricStatus.Stale, caller.Do(FabricOp.Write, 3).Status);
        Assert.Equal(FabricStatus.Stale, caller.Do(FabricOp.Read, 40).Status);
        Assert.Equal(FabricStatus.Stale, caller.Do(caller.Request(FabricOp.Write, 1) with { EpochLow = 2 }).Status);
        Assert.Equal(FabricStatus.Stale, caller.Do(caller.Request(FabricOp.FetchAdd, 1, operand: 1) with { Page = PageId.None }).Status);
        Assert.Equal(FabricStatus.Stale, caller.Do(caller.Request(FabricOp.FetchAdd, 1, operand: 1) with { Page = new PageId(ulong.MaxValue) }).Status);
        for (var page = 1UL; page <= 3; page++)
            Assert.Equal(-1, served.Frame(new PageId(page)).IndexOfAnyExcept((byte)0));
    }

    [Theory, MemberData(nameof(Backends))]
    public void WhatLeavesThePageOrIsMisalignedIsRefusedAndTheConnectionLives(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect(ConnectionRole.Daemon);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(FabricOp.Read, 1, 4090, 8).Status);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(FabricOp.Write, 1, 4096, 1).Status);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(FabricOp.Write, 1, 0, 4097).Status);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(caller.Request(FabricOp.Read, 1) with { Offset = uint.MaxValue }).Status);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(FabricOp.FetchAdd, 1, 4096).Status);
        Assert.Equal(FabricStatus.OutOfRange, caller.Do(caller.Request(FabricOp.PullFrame, 1) with { Frame = new FrameIndex(ServedMemory.FrameCount) }).Status);
        Assert.Equal(FabricStatus.Refused, caller.Do(FabricOp.FetchAdd, 1, 4).Status);
        Assert.Equal(FabricStatus.Refused, caller.Do((FabricOp)99, 1).Status);
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 1).Status);
    }

    [Theory, MemberData(nameof(Backends))]
    public void ADaemonPullsFramesAndRowsWhateverThePageTableSays(string backend)
    {
        using var served = new ServedMemory(backend);
        using var daemon = served.Connect(ConnectionRole.Daemon);
        served.SetLocation(new PageId(4), Location.Moving);
        served.Frame(new PageId(4)).Fill(0xAB);
        for (var i = 0; i < 8; i++)
            served.Row(new FrameIndex(3))[i] = (ulong)(i + 100);

        Assert.Equal(FabricStatus.Ok, daemon.Do(FabricOp.PullFrame, 4, 0, served.PageSize).Status);
        Assert.Equal(-1, daemon.Buffer[..served.PageSize].IndexOfAnyExcept((byte)0xAB));
        Assert.Equal(FabricStatus.Ok, daemon.Do(FabricOp.ReadRow, 4, 0, FrameRow.SizeBytes).Status);
        for (var i = 0; i < 8; i++)
            Assert.Equal((ulong)(i + 100), BitConverter.ToUInt64(daemon.Buffer[(i * 8)..]));
    }

    [Theory, MemberData(nameof(Backends))]
    public void AClientMayNotPullFramesOrReadRows(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        Assert.Equal(FabricStatus.Refused, caller.Do(FabricOp.PullFrame, 1, 0, 64).Status);
        Assert.Equal(FabricStatus.Refused, caller.Do(FabricOp.ReadRow, 1, 0, 64).Status);
    }

    [Theory, MemberData(nameof(Backends))]
    public void AnAccessMarksThePageAsUsedButIsNoHeatOfTheOwner(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        var entry = (int)RegionLayout.NaturalEntry(2, 63);
        Assert.Equal(0, served.References[entry]);
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 2).Status);
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 2).Status);
        Assert.Equal(1, served.References[entry]);
        Assert.Equal(0u, served.Counters[entry].Accesses);
    }

    [Theory, MemberData(nameof(Backends))]
    public void AFullWindowIsAnsweredCompletelyAndInOrderOfTheWrites(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        var connection = caller.Connection;
        for (var round = 0UL; round < 50; round++)
        {
            for (var i = 0; i < connection.Window; i++)
                Assert.True(connection.TryPost(caller.Request(FabricOp.FetchAdd, 5, 0, operand: 1) with { Token = (ulong)i }));
            Assert.False(connection.TryPost(caller.Request(FabricOp.Read, 5)));
            var seen = new HashSet<ulong>();
            var completions = new FabricCompletion[7];
            while (seen.Count < connection.Window)
            {
                var count = connection.Wait(completions, FabricCaller.Spin, FabricCaller.Timeout);
                Assert.InRange(count, 1, 7);
                foreach (var completion in completions.AsSpan(0, count))
                {
                    Assert.Equal(FabricStatus.Ok, completion.Status);
                    Assert.Equal(round * (ulong)connection.Window + completion.Token, completion.Result);
                    Assert.True(seen.Add(completion.Token));
                }
            }

            Assert.Equal(0, connection.Wait(completions, 0, FabricCaller.Timeout));
        }
    }

    [Theory, MemberData(nameof(Backends))]
    public void RefusedRequestsInAPipelineDoNotDisturbTheOthers(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        for (var i = 0; i < 30; i++)
        {
            var request = (i % 3) switch
            {
                0 => caller.Request(FabricOp.FetchAdd, 5, 8, operand: 1),
                1 => caller.Request(FabricOp.Read, 5, 0, 5000),
                _ => caller.Request(FabricOp.Read, 41),
            };
            Assert.True(caller.Connection.TryPost(request with { Token = (ulong)i }));
        }

        var completions = new FabricCompletion[64];
        var statuses = new FabricStatus[30];
        for (var done = 0; done < 30;)
        {
            var count = caller.Connection.Wait(completions, 0, FabricCaller.Timeout);
            foreach (var completion in completions.AsSpan(0, count)) statuses[completion.Token] = completion.Status;
            done += count;
        }

        for (var i = 0; i < 30; i++)
            Assert.Equal((i % 3) switch { 0 => FabricStatus.Ok, 1 => FabricStatus.OutOfRange, _ => FabricStatus.Stale }, statuses[i]);
        Assert.Equal(10UL, served.Words(new PageId(5))[1]);
    }

    [Theory, MemberData(nameof(Backends))]
    public void PagesOf2MiBTravelWholeAndPipelined(string backend)
    {
        using var served = new ServedMemory(backend, pageShift: 21);
        using var caller = served.Connect();
        var random = new Random(9);
        random.NextBytes(caller.Buffer);
        for (var page = 1; page <= 4; page++)
            Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Write, page, 0, served.PageSize)));
        Drain(caller.Connection, 4);
        for (var page = 1UL; page <= 4; page++)
            Assert.True(served.Frame(new PageId(page)).SequenceEqual(caller.Buffer[..served.PageSize]));

        served.Frame(new PageId(6)).Fill(6);
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Read, 6, 0, served.PageSize)));
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Read, 1, 5, served.PageSize - 5) with
        {
            BufferAddress = caller.BufferAddress + served.PageSize,
        }));
        Drain(caller.Connection, 2);
        Assert.Equal(-1, caller.Buffer[..served.PageSize].IndexOfAnyExcept((byte)6));
        Assert.True(caller.Buffer.Slice(served.PageSize, served.PageSize - 5).SequenceEqual(served.Frame(new PageId(1))[5..]));
    }

    [Theory, MemberData(nameof(Backends))]
    public void CountersTellWhatWasServed(string backend)
    {
        Assert.SkipWhen(backend == "verbs", "one-sided reads and writes pass the owner by");
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        caller.Do(FabricOp.Read, 1, 0, 100);
        caller.Do(FabricOp.Write, 1, 0, 30);
        caller.Do(FabricOp.FetchAdd, 1, 0);
        var counters = served.Server.Counters;
        Assert.Equal(new FabricServerCounters(1, 1, 1, 1, 0, 0, 100, 30), counters);
    }

    [Theory, MemberData(nameof(Backends))]
    public void NoGuardSlotStaysSetAfterAnAnswer(string backend)
    {
        using var served = new ServedMemory(backend);
        using var caller = served.Connect();
        foreach (var op in new[] { FabricOp.Read, FabricOp.Write, FabricOp.FetchAdd })
            caller.Do(op, 2);
        caller.Do(FabricOp.Read, 40);
        foreach (var slot in served.GuardSlots) Assert.Equal(0UL, slot.Page);
    }

    private static void Drain(IFabricConnection connection, int count)
    {
        var completions = new FabricCompletion[8];
        while (count > 0)
        {
            var got = connection.Wait(completions, FabricCaller.Spin, FabricCaller.Timeout);
            foreach (var completion in completions.AsSpan(0, got)) Assert.Equal(FabricStatus.Ok, completion.Status);
            count -= got;
        }
    }
}
