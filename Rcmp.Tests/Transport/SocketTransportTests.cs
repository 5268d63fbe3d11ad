using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Tests.Cluster;

namespace Rcmp.Tests.Transport;

/// <summary>The pool's transport over the real loopback: with itself, with Akka's own, and with what is neither.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SocketTransportTests
{
    private const string AkkasOwn = "akka.remote.dot-netty.tcp.transport-class = \"Akka.Remote.Transport.DotNetty.TcpTransport,Akka.Remote\"";
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("", "")]
    [InlineData(AkkasOwn, "")]
    [InlineData("", AkkasOwn)]
    public async Task SystemsUnderstandEachOtherWhicheverTransportTheyHave(string asker, string answerer)
    {
        using var one = Start("one", asker);
        using var other = Start("other", answerer);
        other.ActorOf<Echo>("echo");
        var echo = one.ActorSelection($"{AddressOf(other)}/user/echo");
        for (var i = 0; i < 100; i++)
        {
            var sent = Numbered(i, 10);
            Assert.Equal(sent, await echo.Ask<RequestDone>(sent, Patience));
        }

        await EndAsync(one, other);
    }

    [Fact]
    public async Task LargeMessagesArriveInTheirOrderBetweenSmallOnes()
    {
        using var one = Start("one");
        using var other = Start("other");
        other.ActorOf<Echo>("echo");
        var inbox = Inbox.Create(one);
        var echo = one.ActorSelection($"{AddressOf(other)}/user/echo");
        // More than the sockets' buffers take: the rest must wait for the peer.
        int[] lengths = [1, 3_000_000, 10, 5_000_000, 5_000_000, 0, 5_000_000, 17];
        for (var i = 0; i < lengths.Length; i++) echo.Tell(Numbered(i, lengths[i]), inbox.Receiver);
        for (var i = 0; i < lengths.Length; i++) Assert.Equal(Numbered(i, lengths[i]), inbox.Receive(Patience));
        await EndAsync(one, other);
    }

    [Fact]
    public async Task WhateverIsNoFrameEndsItsConnectionAndHarmsNobody()
    {
        using var one = Start("one");
        using var other = Start("other");
        other.ActorOf<Echo>("echo");
        var address = ((ExtendedActorSystem)other).Provider.DefaultAddress;
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var i = 0; i < 30; i++)
        {
            using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await peer.ConnectAsync(new IPEndPoint(IPAddress.Loopback, address.Port!.Value));
            var bytes = new byte[random.Next(1, 5000)];
            random.NextBytes(bytes);
            // A third is a length that nobody may announce, a third a whole frame of rubbish, a third an end in the middle.
            if (i % 3 == 0) BitConverter.GetBytes(int.MinValue | random.Next()).CopyTo(bytes.AsSpan(0, Math.Min(4, bytes.Length)));
            if (i % 3 == 1 && bytes.Length > 4) BitConverter.GetBytes(bytes.Length - 4).CopyTo(bytes, 0);
            await peer.SendAsync(bytes);
            if (i % 3 != 0 || bytes.Length < 4) continue;
            using var cancel = new CancellationTokenSource(Patience);
            Assert.Equal(0, await EndOfAsync(peer, cancel.Token));
        }

        var sent = Numbered(1, 10);
        Assert.Equal(sent, await one.ActorSelection($"{AddressOf(other)}/user/echo").Ask<RequestDone>(sent, Patience));
        await EndAsync(one, other);
    }

    [Fact]
    public async Task APeerThatIsRestartedAtItsPortIsReachedAgain()
    {
        using var one = Start("one");
        var port = 0;
        for (var i = 0; i < 3; i++)
        {
            using var other = Start("other", $"akka.remote.dot-netty.tcp.port = {port}");
            port = ((ExtendedActorSystem)other).Provider.DefaultAddress.Port!.Value;
            other.ActorOf<Echo>("echo");
            var sent = Numbered(i, 10);
            var echo = one.ActorSelection($"{AddressOf(other)}/user/echo");
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    return sent.Equals(await echo.Ask<RequestDone>(sent, TimeSpan.FromMilliseconds(500)));
                }
                catch (AskTimeoutException)
                {
                    return false;
                }
            }, "an answer of the restarted peer");
            await EndAsync(other);
        }

        await EndAsync(one);
    }

    [Fact]
    public void TlsNamesTheTransportThatHasIt()
    {
        var refusal = Assert.ThrowsAny<Exception>(() => Start("one", "akka.remote.dot-netty.tcp.enable-ssl = true"));
        Assert.Contains("transport-class", refusal.ToString());
    }

    internal static ActorSystem Start(string name, string extra = "") =>
        ActorSystem.Create(name, ConfigurationFactory.ParseString(extra + "\nakka.loglevel = OFF").WithFallback(SystemConfig.ForClient("127.0.0.1", 0, "fast")));

    internal static Task EndAsync(params ActorSystem[] systems) => Task.WhenAll(systems.Select(system => system.Terminate())).WaitAsync(Patience);

    internal static string AddressOf(ActorSystem system) => ((ExtendedActorSystem)system).Provider.DefaultAddress.ToString();

    internal static RequestDone Numbered(int number, int length) => new(new RequestId((ulong)number + 1), RequestStatus.Ok, new string((char)('a' + number % 26), length), number);

    internal static async Task<int> EndOfAsync(Socket peer, CancellationToken ct)
    {
        try
        {
            return await peer.ReceiveAsync(new byte[1], ct);
        }
        catch (SocketException)
        {
            // Reset: bytes of ours were left unread.
            return 0;
        }
    }

    internal sealed class Echo : ReceiveActor
    {
        public Echo() => Receive<IPoolProtocol>(message => Sender.Tell(message, Self));
    }
}
