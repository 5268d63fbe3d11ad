using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Akka.Cluster;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Transport;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Cluster;

/// <summary>Each limit has a key, and an error that names it.</summary>
[Collection(ClusterCollection.Name)]
public sealed class LimitTests
{
    [Fact]
    public async Task MoreClientsThanSessionsAreRefusedUntilOneLeaves()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1, "rcmp.region.sessions = 2");
        await using var first = await cluster.ConnectAsync(0);
        var second = await cluster.ConnectAsync(0);
        var refusal = await Assert.ThrowsAsync<PoolExhaustedException>(() => cluster.ConnectAsync(0));
        Assert.Contains("rcmp.region.sessions", refusal.Message);
        Assert.DoesNotContain('\n', refusal.Message);
        await second.DisposeAsync();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                await using var third = await cluster.ConnectAsync(0);
                return true;
            }
            catch (PoolExhaustedException)
            {
                return false;
            }
        }, "the record of the client that left");
    }

    [Fact]
    public async Task OneRequestNamesNoMorePagesThanTheLimit()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1, "rcmp.limits.request-pages = 100");
        await using var pool = await cluster.ConnectAsync(0);
        var refusal = await Assert.ThrowsAsync<PoolException>(async () => await pool.AllocatePagesAsync(101));
        Assert.Contains("rcmp.limits.request-pages", refusal.Message);
        Assert.Contains("101", refusal.Message);
        var address = await pool.AllocatePagesAsync(100);
        await pool.FreePagesAsync(address, 50);

        // What a client of ours never sends: the rack would loop for years.
        await using var raw = new RawClient(cluster.ClientOptions(0).Rack);
        var token = raw.Open().Token;
        foreach (var count in (long[])[0, -1, long.MinValue, long.MaxValue, 101])
        {
            Assert.Equal(RequestStatus.Invalid, raw.Ask(token, new AllocatePages(token, RawClient.NewRequest(), count, false)));
            Assert.Equal(RequestStatus.Invalid, raw.Ask(token, new FreePages(token, RawClient.NewRequest(), new PageId(1), count)));
            Assert.Equal(RequestStatus.Invalid, raw.Ask(token, new AcknowledgeAllocation(token, RawClient.NewRequest(), new PageId(1), count)));
        }

        await pool.FreePagesAsync(address + 50 * 4096, 50);
    }

    [Fact]
    public async Task ASessionHasNoMorePagesOfItsOwnThanTheLimit()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1, "rcmp.limits.session-pages = 10");
        await using var pool = await cluster.ConnectAsync(0);
        var options = new AllocationOptions { Lifetime = PageLifetime.Session };
        var first = await pool.AllocatePagesAsync(8, options);
        var refusal = await Assert.ThrowsAsync<PoolExhaustedException>(async () => await pool.AllocatePagesAsync(3, options));
        Assert.Contains("rcmp.limits.session-pages", refusal.Message);
        // Pages that outlive the session are nobody's in particular.
        await pool.AllocatePagesAsync(30);
        await pool.FreePagesAsync(first, 8);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                await pool.AllocatePagesAsync(10, options);
                return true;
            }
            catch (PoolExhaustedException)
            {
                return false;
            }
        }, "room for the session's pages");
    }

    [Fact]
    public void TheSizeOfMessagesAndTheNumberOfConnectionsAreKeys()
    {
        var options = ConfigLoader.Parse(
            "rcmp { pool.id = \"6f1b0a52-3c0e-4d53-9d53-2a6c8f0d7e11\", seed-nodes = [\"127.0.0.1:1\"], node.port = 1, node.max-connections = 77, limits.message-size = 20MiB }", "t.conf", NodeRole.Master);
        var config = Rcmp.Cluster.Nodes.SystemConfig.ForNode(MasterNodeOptions.Read(options).Node, "master");
        Assert.Equal(20 << 20, config.GetInt(Rcmp.Cluster.Serialization.PoolSerializer.LimitKey));
        Assert.Equal(21 << 20, config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size"));
        Assert.Equal(77, config.GetInt("akka.remote.dot-netty.tcp." + SocketTransport.ConnectionsKey));
    }

    [Fact]
    public async Task StrangersAtThePortsOfAClusterHarmNeitherItNorNewClients()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1, "rcmp.node.max-connections = 8");
        var members = Akka.Cluster.Cluster.Get(cluster.Master!.System!);
        int[] ports = [cluster.MasterPort, int.Parse(cluster.ClientOptions(0).Rack.Split(':')[1], CultureInfo.InvariantCulture)];
        var flood = new List<Socket>();
        try
        {
            for (var i = 0; i < 2 * InboundConnections.StrangersMax; i++)
            {
                foreach (var port in ports)
                {
                    var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                    flood.Add(peer);
                    await peer.ConnectAsync(IPAddress.Loopback, port);
                }
            }

            await using var pool = await cluster.ConnectAsync(0);
            await pool.FreePagesAsync(await pool.AllocatePagesAsync(10), 10);
            Assert.Equal(2, members.State.Members.Count(member => member.Status == MemberStatus.Up));
            Assert.Empty(members.State.Unreachable);
        }
        finally
        {
            flood.ForEach(peer => peer.Dispose());
        }
    }
}
