using System.Net.Sockets;
using System.Runtime.Serialization;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Akka.Serialization;
using Rcmp.Cluster.Messages;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Cluster;

/// <summary>Who says something to a rack's daemon that no client of the pool says.</summary>
[Collection(ClusterCollection.Name)]
public sealed class ForgedSessionTests
{
    [Fact]
    public async Task AClientOfAnotherPoolIsRefusedWithBothIds()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var other = Guid.NewGuid();
        var refusal = await Assert.ThrowsAsync<PoolMismatchException>(() => RcmpPool.ConnectAsync(cluster.ClientOptions(0) with { PoolId = other }));
        Assert.Contains($"{other}", refusal.Message);
        Assert.Contains($"{cluster.PoolId}", refusal.Message);
        Assert.Empty(cluster.Racks[0].Host.Clients);
    }

    [Fact]
    public async Task AClientOfAnotherRegionFormatIsRefusedNamingBoth()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        client.AskToOpen(version: RegionLayout.FormatVersion + 70);
        var refused = client.Hear<SessionRefused>();
        Assert.Equal(RequestStatus.Mismatch, refused.Status);
        Assert.Contains($"format {RegionLayout.FormatVersion + 70},", refused.Message);
        Assert.Contains($"has {RegionLayout.FormatVersion}:", refused.Message);
        Assert.Empty(cluster.Racks[0].Host.Clients);
    }

    [Fact]
    public async Task ATokenThatWasNeverGivenOutOpensNothing()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        var forged = new SessionToken(0x1234567);
        client.ToManager(new AttachSession(RawClient.NewRequest(), forged));
        Assert.Equal(RequestStatus.SessionUnknown, client.Hear<SessionRefused>().Status);
        client.ToManager(new SessionPing(forged, 1));
        Assert.False(client.Hear<SessionPong>().Attached);
    }

    [Fact]
    public async Task ASessionCannotSpeakForAnother()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var victim = await cluster.ConnectAsync(0);
        var address = await victim.AllocatePagesAsync(1);
        victim.Write(address, 7UL);
        var token = cluster.Racks[0].Host.Clients.Single().Token;
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        var own = client.Open().Token;
        var page = new PageGeometry(4096).PageOf(address);

        Assert.Equal(RequestStatus.SessionUnknown, client.Ask(own, new FreePages(token, RawClient.NewRequest(), page, 1)));
        Assert.Equal(RequestStatus.SessionUnknown, client.Ask(own, new CloseSession(token, RawClient.NewRequest())));
        Assert.Equal(RequestStatus.SessionUnknown, client.Ask(own, new AllocatePages(new SessionToken(99), RawClient.NewRequest(), 1, false)));
        Assert.Equal(7UL, victim.Read<ulong>(address));
        await victim.FreePagesAsync(address, 1);
    }

    [Fact]
    public async Task ASessionThatHasEndedIsRefusedEverything()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        var token = client.Open().Token;
        Assert.Equal(RequestStatus.Ok, client.Ask(token, new AllocatePages(token, RawClient.NewRequest(), 1, false)));
        Assert.Equal(RequestStatus.Ok, client.Ask(token, new CloseSession(token, RawClient.NewRequest())));
        Assert.Equal(RequestStatus.SessionUnknown, client.Ask(token, new AllocatePages(token, RawClient.NewRequest(), 1, false)));
        Assert.Equal(RequestStatus.SessionUnknown, client.Ask(token, new LocatePage(token, RawClient.NewRequest(), new PageId(1))));
        client.ToManager(new AttachSession(RawClient.NewRequest(), token));
        Assert.Equal(RequestStatus.SessionUnknown, client.Hear<SessionRefused>().Status);
    }

    [Fact]
    public async Task AnothersRecordAndAnothersFileAreRefused()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var victim = await cluster.ConnectAsync(0);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        var grant = client.Open();
        var other = cluster.Racks[0].Host.Clients.Single(c => c.Token != grant.Token);
        using var region = Region.OpenClient(grant.RegionPath, RegionExpectations.Any);
        Assert.Throws<PoolNotConnectedException>(() => ClientSession.Open(region, other.Index, grant.Token, grant.LockPath));
        Assert.Throws<PoolMismatchException>(() => ClientSession.Open(region, 0, grant.Token, grant.LockPath));
        Assert.Throws<PoolMismatchException>(() => ClientSession.Open(region, region.Layout.SessionCount, grant.Token, grant.LockPath));
        // The victim holds the lock of its own file.
        var locked = grant.LockPath.Replace($"session-{grant.Index}-{grant.Token}", $"session-{other.Index}-{other.Token}", StringComparison.Ordinal);
        Assert.True(File.Exists(locked));
        Assert.Throws<PoolNotConnectedException>(() => ClientSession.Open(region, other.Index, other.Token, locked));
        ClientSession.Open(region, grant.Index, grant.Token, grant.LockPath).Dispose();
        Assert.Equal(PoolState.Connected, victim.State);
    }

    [Fact]
    public async Task AClientsNameHasOneLineAndAnEnd()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        client.Open(name: "a\nERR forged line\e[31m" + new string('x', 100_000));
        var name = cluster.Racks[0].Host.Clients.Single().ClientName;
        Assert.Equal(129, name.Length);
        Assert.StartsWith("a?ERR forged line?[31m", name);
        Assert.Contains("128", Assert.Throws<PoolConfigurationException>(() => (cluster.ClientOptions(0) with { Name = new string('x', 200) }).Validate()).Message);
    }

    [Fact]
    public async Task ATypeOutsideTheProtocolDoesNotReachAnActor()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var system = cluster.Racks[0].System!;
        var listener = Inbox.Create(system);
        system.EventStream.Subscribe(listener.Receiver, typeof(UnhandledMessage));
        // A sender that serializes anything, with Akka's own serializer.
        await using var client = new RawClient(
            cluster.ClientOptions(0).Rack,
            "akka.actor { serialization-settings.allow-unregistered-types = on, serializers.json = \"Akka.Serialization.NewtonSoftJsonSerializer, Akka\" }");
        // The control: a message of the protocol that nobody there handles does reach the actor.
        client.ToManager(new FreeConfirmed(RackRigSelf, new PageId(1), true));
        Assert.IsType<FreeConfirmed>(((UnhandledMessage)listener.Receive(TimeSpan.FromSeconds(20))).Message);

        client.ToManager(new Foreign { Text = "x" });
        client.ToManager(new UriBuilder("http", "localhost"));
        client.ToManager(new SessionPing(new SessionToken(1), 5));
        Assert.Equal(5UL, client.Hear<SessionPong>().Number);
        client.ToManager(new FreeConfirmed(RackRigSelf, new PageId(2), true));
        Assert.Equal(new PageId(2), Assert.IsType<FreeConfirmed>(((UnhandledMessage)listener.Receive(TimeSpan.FromSeconds(20))).Message).Page);
    }

    [Fact]
    public async Task AFailureMakesNoExceptionOfTheTypeThatItNames()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        await using var client = new RawClient(cluster.ClientOptions(0).Rack);
        var failure = new Status.Failure(new ForeignException());
        // The control: a system as Akka makes it does build one from its bytes, by the constructor that nobody else calls.
        using (var foreign = ActorSystem.Create("foreign", "akka { loglevel = OFF, actor.provider = remote, remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 } }"))
        {
            var serializer = (SerializerWithStringManifest)foreign.Serialization.FindSerializerFor(failure);
            serializer.FromBinary(serializer.ToBinary(failure), serializer.Manifest(failure));
            Assert.Equal(1, Interlocked.Exchange(ref ForeignException.Rebuilt, 0));
        }

        client.ToManager(failure);
        client.ToManager(new SessionPing(new SessionToken(1), 5));
        Assert.Equal(5UL, client.Hear<SessionPong>().Number);
        Assert.Equal(0, Volatile.Read(ref ForeignException.Rebuilt));
    }

    [Fact]
    public async Task JunkOnTheControlPortIsSurvived()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var rack = cluster.ClientOptions(0).Rack.Split(':');
        await using var pool = await cluster.ConnectAsync(0);
        var random = new Random(20261123);
        for (var round = 0; round < 60; round++)
        {
            using var socket = new TcpClient(rack[0], int.Parse(rack[1], System.Globalization.CultureInfo.InvariantCulture));
            var junk = round % 4 == 0 ? Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\n\r\n") : new byte[random.Next(1, 20_000)];
            if (round % 4 != 0) random.NextBytes(junk);
            // Akka's frames have a length in front: a huge one, one below zero, and half a frame.
            if (round % 4 == 1 && junk.Length > 4) (round % 8 == 1 ? [0x7F, 0xFF, 0xFF, 0xFF] : new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }).CopyTo(junk, 0);
            if (round % 4 == 2 && junk.Length > 4) new byte[] { 0, 0, 0x10, 0 }.CopyTo(junk, 0);
            try
            {
                await socket.GetStream().WriteAsync(junk);
            }
            catch (IOException)
            {
                Assert.True(junk.Length > 4); // closed while it was still sending: as it should be
            }
        }

        var address = await pool.AllocatePagesAsync(3);
        pool.Write(address, 5UL);
        await using var other = await cluster.ConnectAsync(0);
        Assert.Equal(5UL, other.Read<ulong>(address));
    }

    private static readonly RackIncarnation RackRigSelf = new(new RackId(1), new Generation(1));

    /// <summary>Counts how often a deserializer has made one.</summary>
    public class ForeignException : Exception
    {
        internal static int Rebuilt;

        public ForeignException()
        {
        }

        protected ForeignException(SerializationInfo info, StreamingContext context)
            : base($"rebuilt of {info.MemberCount} members in {context}") => Interlocked.Increment(ref Rebuilt);
    }

    public sealed class Foreign
    {
        public string Text { get; set; } = "";
    }
}
