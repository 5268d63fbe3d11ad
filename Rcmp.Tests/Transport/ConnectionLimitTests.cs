using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Remote;
using Rcmp.Cluster.Nodes;
using Rcmp.Cluster.Transport;
using Rcmp.Protocol.Messages;
using Rcmp.Tests.Cluster;
using static Rcmp.Tests.Transport.SocketTransportTests;

namespace Rcmp.Tests.Transport;

/// <summary>What strangers, and nodes with other limits, may cost a node: over the real loopback.</summary>
[Collection(ClusterCollection.Name)]
public sealed class ConnectionLimitTests : IDisposable
{
    // So that Akka's handshake timer does not do what the limits are to do.
    private const string PatientHandshake = "akka.remote.dot-netty.tcp.connection-timeout = 300 s";

    private readonly LogLines _log = new();
    private readonly List<Socket> _peers = [];

    [Fact]
    public async Task AFloodOfSilentConnectionsKeepsABoundedNumberAndNobodyOut()
    {
        using var one = Start("one");
        using var other = StartOther(PatientHandshake);
        var losses = LossesOf(one);
        await AssertAnsweredAsync(one, other);
        var started = Stopwatch.GetTimestamp();
        const int flood = 3 * InboundConnections.StrangersMax;
        for (var i = 0; i < flood; i++)
        {
            var peer = await ConnectAsync(other);
            // Some say half of a frame.
            if (i % 3 == 1) await peer.SendAsync(BitConverter.GetBytes(100));
        }

        // In the order in which they came; the others stay.
        for (var i = 0; i < flood - InboundConnections.StrangersMax; i++) await AssertEndedAsync(_peers[i]);
        Assert.All(_peers.Skip(flood - InboundConnections.StrangersMax), peer => Assert.False(peer.Poll(0, SelectMode.SelectRead)));

        // Who speaks at once is let in, and who was there before has not noticed.
        using var late = Start("late");
        await AssertAnsweredAsync(late, other);
        await AssertEndedAsync(_peers[flood - InboundConnections.StrangersMax]);
        await AssertAnsweredAsync(one, other);
        Assert.Empty(losses);
        var lines = _log.Lines.Where(line => line.Contains("nothing has been heard from it yet", StringComparison.Ordinal)).ToList();
        Assert.InRange(lines.Count, 1, 1 + (int)(Stopwatch.GetElapsedTime(started) / TransportLog.Pause));
        Assert.Contains($"from {_peers[0].LocalEndPoint} is closed", lines[0]);
        Assert.Contains($"{InboundConnections.StrangersMax} newer ones", lines[0]);
        Assert.Contains("rcmp.node.max-connections", lines[0]);
        await EndAsync(one, other, late);
    }

    /// <summary>Whoever has spoken, and has not been read because the actors have other work, must not go for those who came later.</summary>
    [Fact]
    public async Task ConnectionsThatComeFasterThanAkkaTakesThemWaitInTheKernelsQueue()
    {
        using var one = Start("one");
        using var other = StartOther(PatientHandshake);
        await AssertAnsweredAsync(one, other);
        using var busy = new Busy();
        ActorLane.Of(other).Execute(busy);
        await Task.Run(busy.Begun.Wait);
        for (var i = 0; i < 3 * InboundConnections.StrangersMax; i++) await ConnectAsync(other);
        Assert.False(_peers[0].Poll(TimeSpan.FromMilliseconds(500), SelectMode.SelectRead), "the first one was closed, and nobody has listened to it");

        busy.End.Set();
        // Now they are silent indeed.
        await AssertEndedAsync(_peers[0]);
        using var late = Start("late");
        await AssertAnsweredAsync(late, other);
        await EndAsync(one, other, late);
    }

    [Fact]
    public async Task ItIsNotWaitedForAkkaForLongerThanAHandshakeMayTake()
    {
        using var other = StartOther("akka.remote.dot-netty.tcp.connection-timeout = 500 ms");
        using var busy = new Busy();
        ActorLane.Of(other).Execute(busy);
        await Task.Run(busy.Begun.Wait);
        for (var i = 0; i < 2 * InboundConnections.StrangersMax; i++) await ConnectAsync(other);
        await AssertEndedAsync(_peers[0]);
        busy.End.Set();
        await EndAsync(other);
    }

    [Fact]
    public async Task ConnectionsBeyondTheLimitAreClosedUntilOneEnds()
    {
        using var one = Start("one");
        using var two = Start("two");
        using var three = Start("three");
        using var other = StartOther($"{PatientHandshake}\nakka.remote.dot-netty.tcp.{SocketTransport.ConnectionsKey} = 2");
        var losses = LossesOf(one);
        var waiting = await ConnectAsync(other);
        await AssertAnsweredAsync(one, other);
        await AssertAnsweredAsync(two, other);
        Assert.DoesNotContain(_log.Lines, line => line.Contains("rcmp.node.max-connections", StringComparison.Ordinal));

        // One that was let in while there was room speaks when there is none any more.
        await waiting.SendAsync((byte[])[4, 0, 0, 0, 1, 2, 3, 4]);
        await AssertEndedAsync(waiting);
        await AssertFullAsync(waiting.LocalEndPoint!);
        // A new one need not even speak.
        await AssertEndedAsync(await ConnectAsync(other));
        Assert.False(await IsAnsweredAsync(three, other));
        await AssertAnsweredAsync(one, other);
        await AssertAnsweredAsync(two, other);
        Assert.Empty(losses);

        await EndAsync(two);
        await Eventually.TrueAsync(() => IsAnsweredAsync(three, other), "the place of the one that has ended");
        await EndAsync(one, other, three);
    }

    /// <summary>Akka's timer, which the pool relies on.</summary>
    [Fact]
    public async Task WhoeverDoesNotIntroduceItselfInTimeIsClosed()
    {
        using var one = Start("one");
        using var other = StartOther("akka.remote.dot-netty.tcp.connection-timeout = 500 ms");
        await AssertAnsweredAsync(one, other);
        var silent = await ConnectAsync(other);
        var half = await ConnectAsync(other);
        await half.SendAsync((byte[])[100, 0, 0, 0, 1]);
        await AssertEndedAsync(silent);
        await AssertEndedAsync(half);
        await AssertAnsweredAsync(one, other);
        await EndAsync(one, other);
    }

    [Theory]
    [InlineData(FrameReader.UsualFrameBytesMax + 1, "16381")]
    [InlineData(int.MaxValue, "2147483647")]
    [InlineData(-1, "4294967295")]
    public async Task AStrangerThatAnnouncesALargeFrameIsClosedWithOneWarning(int length, string named)
    {
        using var one = Start("one");
        using var other = StartOther(PatientHandshake);
        var losses = LossesOf(one);
        await AssertAnsweredAsync(one, other);
        var peer = await ConnectAsync(other);
        await peer.SendAsync(BitConverter.GetBytes(length));
        await AssertEndedAsync(peer);
        var line = Assert.Single(_log.Lines);
        Assert.Contains($"with {peer.LocalEndPoint} is closed: it announces a frame of {named} bytes, where {FrameReader.UsualFrameBytesMax} are allowed", line);
        await AssertAnsweredAsync(one, other);
        Assert.Empty(losses);
        await EndAsync(one, other);
    }

    [Fact]
    public async Task ANodeWithALargerLimitLosesItsConnectionAndNobodyElseDoes()
    {
        using var one = Start("one");
        using var large = Start("large", "rcmp-message-bytes-max = 20000000, akka.remote.dot-netty.tcp.maximum-frame-size = 21000000");
        using var other = StartOther();
        var losses = LossesOf(one);
        var lossesOfLarge = LossesOf(large);
        await AssertAnsweredAsync(one, other);
        await AssertAnsweredAsync(large, other);
        large.ActorSelection($"{AddressOf(other)}/user/echo").Tell(Numbered(1, 10_000_000));
        await Eventually.TrueAsync(() => !lossesOfLarge.IsEmpty, "the end of the connection");
        // The sender's side may say that its connection was lost, too.
        var line = Assert.Single(_log.Lines, line => line.StartsWith("The connection with", StringComparison.Ordinal));
        Assert.Matches(@"The connection with 127\.0\.0\.1:\d+ is closed: it announces a frame of 10000\d\d\d bytes, where 8388608 are allowed \(rcmp\.limits\.message-size", line);
        await AssertAnsweredAsync(one, other);
        Assert.Empty(losses);
        // It connects again, and what is not too large arrives.
        await Eventually.TrueAsync(() => IsAnsweredAsync(large, other), "an answer to the next message");
        await EndAsync(one, large, other);
    }

    [Theory]
    [InlineData("", 8_000_000, "A RequestDone of 80000", "rcmp.limits.message-size")]
    // Only a user's own akka section makes a frame smaller than a message may be.
    [InlineData("akka.remote.dot-netty.tcp.maximum-frame-size = 1 MiB", 2_000_000, "oversized payload", "1048576")]
    public async Task AMessageThatIsTooLargeIsNamedAtItsSenderAndEndsNoConnection(string limits, int length, string what, string limit)
    {
        using var one = SystemConfig.Start("one", ConfigurationFactory.ParseString(limits).WithFallback(Settings), _log, "");
        using var other = StartOther();
        var losses = LossesOf(one);
        await AssertAnsweredAsync(one, other);
        one.ActorSelection($"{AddressOf(other)}/user/echo").Tell(Numbered(1, length));
        // After it on the same connection.
        await AssertAnsweredAsync(one, other);
        await Eventually.TrueAsync(() => _log.Lines.Any(line => line.Contains(what, StringComparison.OrdinalIgnoreCase) && line.Contains(limit, StringComparison.Ordinal)), "the sender's line");
        Assert.Empty(losses);
        await EndAsync(one, other);
    }

    public void Dispose()
    {
        _peers.ForEach(peer => peer.Dispose());
        _log.Dispose();
    }

    private static Config Settings => SystemConfig.ForClient("127.0.0.1", 0, "fast");

    private ActorSystem StartOther(string extra = "")
    {
        var other = SystemConfig.Start("other", ConfigurationFactory.ParseString(extra).WithFallback(Settings), _log, "");
        other.ActorOf<Echo>("echo");
        return other;
    }

    private async Task<Socket> ConnectAsync(ActorSystem system)
    {
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _peers.Add(peer);
        await peer.ConnectAsync(new IPEndPoint(IPAddress.Loopback, ((ExtendedActorSystem)system).Provider.DefaultAddress.Port!.Value));
        return peer;
    }

    private static ConcurrentQueue<object> LossesOf(ActorSystem system)
    {
        var losses = new ConcurrentQueue<object>();
        var watcher = system.ActorOf(Props.Create(() => new Recorder(losses)));
        Assert.True(system.EventStream.Subscribe(watcher, typeof(DisassociatedEvent)));
        return losses;
    }

    private static async Task AssertEndedAsync(Socket peer)
    {
        using var cancel = new CancellationTokenSource(Patience);
        // Akka says that it ends the association, before it does.
        while (await EndOfAsync(peer, cancel.Token) > 0)
        {
        }
    }

    private static async Task AssertAnsweredAsync(ActorSystem from, ActorSystem to)
    {
        var sent = Numbered(1, 10);
        Assert.Equal(sent, await from.ActorSelection($"{AddressOf(to)}/user/echo").Ask<RequestDone>(sent, Patience));
    }

    private static async Task<bool> IsAnsweredAsync(ActorSystem from, ActorSystem to)
    {
        try
        {
            await from.ActorSelection($"{AddressOf(to)}/user/echo").Ask<RequestDone>(Numbered(1, 10), TimeSpan.FromSeconds(1));
            return true;
        }
        catch (AskTimeoutException)
        {
            return false;
        }
    }

    private Task AssertFullAsync(EndPoint peer) => Eventually.TrueAsync(
        () => _log.Lines.Any(line => line.Contains($"from {peer} is closed: there are 2 others already (rcmp.node.max-connections)", StringComparison.Ordinal)),
        "the line that names the limit");

    private sealed class Busy : IRunnable, IDisposable
    {
        public ManualResetEventSlim Begun { get; } = new();

        public ManualResetEventSlim End { get; } = new();

        public void Run()
        {
            Begun.Set();
            End.Wait();
        }

        public void Execute() => Run();

        public void Dispose()
        {
            End.Set();
            Begun.Dispose();
        }
    }

    private sealed class Recorder : ReceiveActor
    {
        public Recorder(ConcurrentQueue<object> to) => ReceiveAny(to.Enqueue);
    }
}
