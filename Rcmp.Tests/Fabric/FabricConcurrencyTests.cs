using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Tests.Fabric;

public sealed class FabricConcurrencyTests
{
    public static TheoryData<string, int> Backends => new() { { "tcp", 1 }, { "tcp", 3 }, { "local", 1 } };

    [Theory, MemberData(nameof(Backends))]
    public async Task IncrementsFromConnectionsAndFromTheOwnersCpuSumExactly(string backend, int serviceThreads)
    {
        const int Connections = 4;
        const int Each = 3000;
        using var served = new ServedMemory(backend, options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        served.Server.AcceptRegistration(ServedMemory.Link());
        var stop = false;
        var own = 0L;
        var cpu = Task.Run(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                Interlocked.Increment(ref served.Words(new PageId(1))[0]);
                own++;
            }
        });
        var callers = Enumerable.Range(0, Connections).Select(_ => Task.Run(() =>
        {
            using var caller = served.Connect();
            for (var i = 0; i < Each; i++)
                Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.FetchAdd, 1, 0, operand: 1).Status);
        })).ToArray();
        await Task.WhenAll(callers);
        Volatile.Write(ref stop, true);
        await cpu;
        Assert.Equal((ulong)((Connections * Each) + own), served.Words(new PageId(1))[0]);
    }

    /// <summary>A word goes from 0 to 1 and back by compare-and-set alone, so successes in the two directions alternate, whoever has them.</summary>
    [Theory, MemberData(nameof(Backends))]
    public async Task CompareAndSetsFromConnectionsAndFromTheOwnersCpuNeverBothSucceed(string backend, int serviceThreads)
    {
        const int Connections = 3;
        const int Each = 4000;
        using var served = new ServedMemory(backend, options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        served.Server.AcceptRegistration(ServedMemory.Link());
        var stop = false;
        var balance = 0L;
        var cpu = Task.Run(() =>
        {
            var own = 0L;
            ref var word = ref served.Words(new PageId(1))[1];
            while (!Volatile.Read(ref stop))
            {
                if (Interlocked.CompareExchange(ref word, 1UL, 0UL) == 0) own++;
                if (Interlocked.CompareExchange(ref word, 0UL, 1UL) == 1) own--;
            }

            Interlocked.Add(ref balance, own);
        });
        var callers = Enumerable.Range(0, Connections).Select(_ => Task.Run(() =>
        {
            using var caller = served.Connect();
            var own = 0L;
            for (var i = 0; i < Each; i++)
            {
                if (caller.Do(FabricOp.CompareExchange, 1, 8, operand: 1, comparand: 0).Result == 0) own++;
                if (caller.Do(FabricOp.CompareExchange, 1, 8, operand: 0, comparand: 1).Result == 1) own--;
            }

            Interlocked.Add(ref balance, own);
        })).ToArray();
        await Task.WhenAll(callers);
        Volatile.Write(ref stop, true);
        await cpu;
        Assert.Equal(balance, (long)served.Words(new PageId(1))[1]);
    }

    [Theory, MemberData(nameof(Backends))]
    public async Task AnAligned8ByteAccessIsSingle(string backend, int serviceThreads)
    {
        using var served = new ServedMemory(backend, options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        served.Server.AcceptRegistration(ServedMemory.Link());
        var stop = false;
        var writer = Task.Run(() =>
        {
            using var caller = served.Connect();
            for (var i = 0; !Volatile.Read(ref stop); i++)
            {
                // Also inside a larger write: its aligned words are single stores.
                caller.Buffer[..4096].Fill(i % 2 == 0 ? (byte)0 : (byte)0xFF);
                Assert.Equal(FabricStatus.Ok, (i % 4 < 2 ? caller.Do(FabricOp.Write, 2, 8, 8) : caller.Do(FabricOp.Write, 2, 0, 4096)).Status);
            }
        });
        var owner = Task.Run(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                foreach (ref var word in served.Words(new PageId(2)))
                    Assert.True(Volatile.Read(ref word) is 0 or ulong.MaxValue);
            }
        });
        using (var reader = served.Connect())
        {
            for (var i = 0; i < 3000; i++)
            {
                Assert.Equal(FabricStatus.Ok, reader.Do(FabricOp.Read, 2, 8, 8).Status);
                Assert.True(BitConverter.ToUInt64(reader.Buffer) is 0 or ulong.MaxValue);
            }
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(writer, owner);
    }

    [Theory, MemberData(nameof(Backends))]
    public async Task AfterAFenceReturnsNothingOfTheRackTouchesTheMemory(string backend, int serviceThreads)
    {
        using var served = new ServedMemory(backend, 21, new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        for (var round = 1UL; round <= 10; round++)
        {
            var link = ServedMemory.Link(registration: round);
            served.Server.AcceptRegistration(link);
            using var started = new CountdownEvent(3);
            var writers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
            {
                Assert.Equal(FabricConnectStatus.Ok, ServedMemory.TryConnect(served.Record(link), ConnectionRole.Client, out var connection, out var error));
                Assert.Null(error);
                using var caller = new FabricCaller(served, connection!);
                caller.Buffer.Fill(0xEE);
                var completions = new FabricCompletion[64];
                for (var first = true; connection!.IsUsable;)
                {
                    for (var i = 0; i < 4; i++)
                        connection.TryPost(caller.Request(FabricOp.Write, 3, 0, served.PageSize));
                    connection.Wait(completions, 0, FabricCaller.Timeout);
                    if (first)
                        started.Signal();
                    first = false;
                }
            })).ToArray();
            started.Wait(TestContext.Current.CancellationToken);
            served.Server.Fence(link.Holder.Rack);
            served.Frame(new PageId(3)).Clear();
            var writes = served.Server.Counters.Writes;
            await Task.WhenAll(writers);
            Assert.Equal(-1, served.Frame(new PageId(3)).IndexOfAnyExcept((byte)0));
            Assert.Equal(writes, served.Server.Counters.Writes);
        }
    }

    /// <summary>With pages of 2 MiB, whose copy takes long enough to be caught in the middle.</summary>
    [Theory, MemberData(nameof(Backends))]
    public async Task APageThatBecomesQuietStaysUntouchedWhilePeersGoOn(string backend, int serviceThreads)
    {
        using var served = new ServedMemory(backend, 21, new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        Assert.True(Native.MemoryBarrierCalls.TryRegister());
        served.Server.AcceptRegistration(ServedMemory.Link());
        var stop = false;
        var page = new PageId(4);
        var peers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            using var caller = served.Connect();
            caller.Buffer.Fill(0xEE);
            while (!Volatile.Read(ref stop))
                Assert.True(caller.Do(FabricOp.Write, 4, 0, served.PageSize).Status is FabricStatus.Ok or FabricStatus.Retry);
        })).ToArray();
        for (var round = 0; round < 60; round++)
        {
            var written = served.Server.Counters.Writes + 2;
            Assert.True(SpinWait.SpinUntil(() => served.Server.Counters.Writes >= written, TimeSpan.FromSeconds(20)));
            Thread.SpinWait(round * 100);
            served.SetLocation(page, Location.Moving);
            Assert.True(Native.MemoryBarrierCalls.TryIssue());
            Assert.True(SpinWait.SpinUntil(() => Quiet(served, page), TimeSpan.FromSeconds(20)));
            served.Frame(page).Clear();
            Assert.Equal(-1, served.Frame(page).IndexOfAnyExcept((byte)0));
            served.SetLocation(page, Location.Resident(ServedMemory.FrameOf(page), new Epoch(4)));
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(peers);
    }

    [Theory, MemberData(nameof(Backends))]
    public void ManyConnectionsWorkAtOnce(string backend, int serviceThreads)
    {
        using var served = new ServedMemory(backend, options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, serviceThreads));
        served.Server.AcceptRegistration(ServedMemory.Link());
        var callers = Enumerable.Range(0, 200).Select(_ => served.Connect()).ToList();
        for (var round = 0; round < 5; round++)
        {
            foreach (var caller in callers)
            {
                Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.FetchAdd, 1, 0, operand: 1)));
                caller.Connection.Flush();
            }

            foreach (var caller in callers)
            {
                var completions = new FabricCompletion[2];
                Assert.Equal(1, caller.Connection.Wait(completions, 0, FabricCaller.Timeout));
                Assert.Equal(FabricStatus.Ok, completions[0].Status);
            }
        }

        Assert.Equal(1000UL, served.Words(new PageId(1))[0]);
        Assert.Equal(200, served.Server.Counters.Connections);
        callers.ForEach(caller => caller.Dispose());
    }

    private static bool Quiet(ServedMemory served, PageId page)
    {
        foreach (ref var slot in served.GuardSlots)
        {
            if (Volatile.Read(ref slot.Page) == page.Value)
                return false;
        }

        return true;
    }
}
