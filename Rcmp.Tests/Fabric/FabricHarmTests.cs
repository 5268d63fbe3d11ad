using System.Diagnostics;
using System.Net.Sockets;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Tests.Fabric;

/// <summary>What a broken or hostile peer sends over tcp never harms the owner or another peer.</summary>
public sealed class FabricHarmTests
{
    // 64 MB of requests: what the kernel's buffers take between the two is some 10 MB.
    private const int BatchesMax = 4000;

    [Fact]
    public void ARequestWithAWrongKeyClosesTheConnectionAndDoesNothing()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Send(peer.Request(FabricOp.Write, 1, 0, 8, Guid.NewGuid()), new byte[8]);
        Assert.Null(peer.Answer());
        Assert.Equal(1, served.Server.Counters.Refused);
        Assert.Equal(0, served.Server.Counters.Writes);
        AssertStillServes(served);
    }

    [Fact]
    public void TheSameRequestWithTheRightKeyIsServed()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Send(peer.Request(FabricOp.Write, 1, 0, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal(FabricStatus.Ok, peer.Answer());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], served.Frame(new PageId(1))[..8].ToArray());
    }

    [Fact]
    public void TheServerChecksBoundsAndRolesItself()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Send(peer.Request(FabricOp.Read, 1, 4090, 8));
        Assert.Equal(FabricStatus.OutOfRange, peer.Answer());
        peer.Send(peer.Request(FabricOp.Read, 1, uint.MaxValue, uint.MaxValue));
        Assert.Equal(FabricStatus.OutOfRange, peer.Answer());
        peer.Send(peer.Request(FabricOp.Write, 1, 4000, 4096), new byte[4096]);
        Assert.Equal(FabricStatus.OutOfRange, peer.Answer());
        peer.Send(peer.Request(FabricOp.FetchAdd, 1, 3, 8));
        Assert.Equal(FabricStatus.Refused, peer.Answer());
        peer.Send(peer.Request(FabricOp.PullFrame, 1, 0, 64));
        Assert.Equal(FabricStatus.Refused, peer.Answer());
        peer.Send(peer.Request((FabricOp)12345, 1, 0, 64));
        Assert.Equal(FabricStatus.Refused, peer.Answer());
        using var daemon = new RawPeer(served, role: ConnectionRole.Daemon);
        daemon.Send(daemon.Request(FabricOp.PullFrame, 1, 0, 64, frame: 1_000_000));
        Assert.Equal(FabricStatus.OutOfRange, daemon.Answer());
        daemon.Send(daemon.Request(FabricOp.ReadRow, 1, 0, 64, frame: ServedMemory.FrameCount));
        Assert.Equal(FabricStatus.OutOfRange, daemon.Answer());
        AssertStillServes(served);
    }

    [Fact]
    public void AWriteLongerThanAPageClosesTheConnection()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Send(peer.Request(FabricOp.Write, 1, 0, 4097));
        Assert.Null(peer.Answer());
        AssertStillServes(served);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void GarbageIsSurvived(int seed)
    {
        using var served = new ServedMemory("tcp");
        var random = new Random(seed);
        for (var i = 0; i < 50; i++)
        {
            using var peer = new RawPeer(served, greet: i % 2 == 0);
            var bytes = new byte[random.Next(1, 5000)];
            random.NextBytes(bytes);
            if (i % 3 == 0)
                peer.Request((FabricOp)random.Next(0, 9), random.Next(0, 12), (uint)random.Next(0, 5000), (uint)random.Next(0, 5000)).CopyTo(bytes, 0);
            try
            {
                peer.Send(bytes);
            }
            catch (SocketException)
            {
                Assert.True(peer.Socket.Blocking); // refused while it was still sending: as it should be
            }
        }

        AssertStillServes(served);
    }

    [Fact]
    public async Task AStalledHalfSentWriteHoldsNoGuardAndNobodyUp()
    {
        foreach (var pageShift in new[] { 12, 21 })
        {
            using var served = new ServedMemory("tcp", pageShift);
            using var peer = new RawPeer(served);
            var before = served.Server.Counters.Reads;
            peer.Send(peer.Request(FabricOp.Write, 1, 0, (uint)served.PageSize), new byte[served.PageSize / 2]);
            // A request of another connection, sent later, is answered by the same thread: the half one has been looked at by then.
            using var other = served.Connect();
            for (var i = 0; i < 100; i++)
                Assert.Equal(FabricStatus.Ok, other.Do(FabricOp.Read, 1).Status);
            Assert.Equal(before + 100, served.Server.Counters.Reads);
            Assert.True(NoGuardNames(served, new PageId(1)));
            // The page may go meanwhile; the rest of the write then finds that it has.
            served.SetLocation(new PageId(1), Location.Moving);
            peer.Send(new byte[served.PageSize / 2]);
            Assert.Equal(FabricStatus.Retry, peer.Answer());
            Assert.Equal(0, served.Server.Counters.Writes);
            await Eventually.TrueAsync(() => NoGuardNames(served, new PageId(1)), "clear guards");
        }
    }

    [Fact]
    public void APeerThatDoesNotDrainItsAnswersStopsBeingServedAndNobodyElseNotices()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Socket.SendTimeout = 300;
        var request = peer.Request(FabricOp.Read, 1, 0, 64);
        var sent = 0;
        var batch = Enumerable.Repeat(request, 256).SelectMany(bytes => bytes).ToArray();
        try
        {
            for (; sent < BatchesMax; sent++)
                peer.Socket.Send(batch);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            Assert.True(sent > 0);
        }

        Assert.True(sent < BatchesMax, "the server took every request of a peer that reads no answers");
        AssertStillServes(served);
        // What was asked is answered once the peer reads.
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(FabricStatus.Ok, peer.Answer());
            Assert.NotNull(peer.Receive(64));
        }
    }

    /// <summary>Long reads are sent from where the bytes are, and wait while the socket is full: in order, behind and before short ones.</summary>
    [Fact]
    public void LongAndShortReadsOfASlowPeerAreAnsweredInOrder()
    {
        const int pageShift = 18;
        const int rounds = 200;
        using var served = new ServedMemory("tcp", pageShift);
        using var peer = new RawPeer(served);
        var random = new Random(7);
        var bytes = new byte[served.PageSize];
        random.NextBytes(bytes);
        bytes.CopyTo(served.Frame(new PageId(1)));
        var lengths = Enumerable.Range(0, rounds).Select(i => i % 3 == 1 ? 64u : (uint)random.Next(20_000, 140_000)).ToArray();
        // Some 10 MB, of which nothing is read until all is asked for.
        peer.Send([.. lengths.Select((length, i) => peer.Request(FabricOp.Read, 1, (uint)i, length))]);
        AssertStillServes(served);
        Assert.True(NoGuardNames(served, new PageId(1)));
        for (var i = 0; i < rounds; i++)
        {
            Assert.Equal(FabricStatus.Ok, peer.Answer());
            Assert.True(bytes.AsSpan(i, (int)lengths[i]).SequenceEqual(peer.Receive((int)lengths[i])), $"answer {i} of {lengths[i]} bytes");
        }
    }

    [Fact]
    public void AFenceReachesAPeerThatStalls()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        peer.Send(peer.Request(FabricOp.Write, 1, 0, 4096), new byte[100]);
        var start = Stopwatch.GetTimestamp();
        served.Server.Fence(ServedMemory.Link().Holder.Rack);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(2));
        Assert.Null(peer.Answer());
    }

    [Fact]
    public void SilentStrangersDoNotKeepPeersOut()
    {
        using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, MaxConnections: 4));
        var strangers = Enumerable.Range(0, 20).Select(_ => new RawPeer(served, greet: false)).ToList();
        AssertStillServes(served);
        strangers.ForEach(stranger => stranger.Dispose());
    }

    private static bool NoGuardNames(ServedMemory served, PageId page)
    {
        foreach (ref var slot in served.GuardSlots)
        {
            if (Volatile.Read(ref slot.Page) == page.Value)
                return false;
        }

        return true;
    }

    private static void AssertStillServes(ServedMemory served)
    {
        using var caller = served.Connect();
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 2).Status);
    }
}
