using System.Net;
using Rcmp.DataPath;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>Values read from and written to the pool, in the rack and across racks, against GET and SET on servers that keep values in memory; one client thread.</summary>
internal sealed class CacheRows(ComparePlan plan, Action<string> say)
{
    private const int Values = 256;
    private const int FloorBytes = 1 << 10;
    private static readonly int[] Sizes = [100, FloorBytes, 64 << 10];

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        say("values of Redis and Garnet");
        using var redis = PeerServer.TryStartRedis(ct, out var whyNoRedis);
        using var garnet = PeerServer.TryStartGarnet(ct, out var whyNoGarnet);
        var options = new EmbeddedPoolOptions { Racks = 2, RegionSize = 64 << 20, Policy = SwapPolicy.DirectIo };
        using var cluster = new EmbeddedCluster(options, null, new EmbeddedPlaces { Fabric = "tcp://127.0.0.1:0" });
        await cluster.StartAsync(ct);
        await using var here = cluster.Connect(0);
        await using var there = cluster.Connect(1);
        var address = await here.AllocatePagesAsync(Values * (long)Sizes.Max() / here.Info.PageSize, null, ct);
        List<CompareRow> rows = [];
        foreach (var bytes in Sizes)
        {
            ct.ThrowIfCancellationRequested();
            var pools = new[] { here, there }.Select(pool => new PoolValues(pool, address, bytes)).ToArray();
            rows.AddRange(Rows("Redis", redis, whyNoRedis, pools, bytes));
            rows.AddRange(Rows("Garnet", garnet, whyNoGarnet, pools, bytes));
        }

        return rows;
    }

    /// <summary>In turns, so that all see the same noise.</summary>
    private IEnumerable<CompareRow> Rows(string name, PeerServer? server, string why, PoolValues[] pools, int bytes)
    {
        if (server is null) return Rows(name, bytes, null, why);
        using var values = new ServerValues(server, bytes);
        var times = Enumerable.Range(0, 6).Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < plan.Rounds; round++)
        {
            times[0].Add(Median.NsOf(plan.RemoteOperations, values.Get));
            times[1].Add(Median.NsOf(plan.RemoteOperations, values.Set));
            for (var i = 0; i < pools.Length; i++)
            {
                times[2 + 2 * i].Add(Median.NsOf(plan.RemoteOperations, pools[i].Read));
                times[3 + 2 * i].Add(Median.NsOf(plan.RemoteOperations, pools[i].Write));
            }
        }

        return Rows(name, bytes, [.. times.Select(Median.Of)], null);
    }

    /// <param name="name">The server's.</param>
    /// <param name="bytes">Of a value.</param>
    /// <param name="medians">GET and SET on the server; reads and writes in the rack, then across racks. Null: it was not there.</param>
    /// <param name="why">Then the reason.</param>
    internal static IEnumerable<CompareRow> Rows(string name, int bytes, double[]? medians, string? why)
    {
        string[] places = ["in the rack", "across racks"];
        string[] operations = ["read", "written"];
        string[] commands = ["GET", "SET"];
        for (var place = 0; place < places.Length; place++)
        {
            for (var operation = 0; operation < operations.Length; operation++)
            {
                yield return new CompareRow
                {
                    What = $"{new ByteSize(bytes).ToShortString()} {operations[operation]} {places[place]}", Against = $"{commands[operation]} on {name}", Kind = RatioKind.SpeedUp,
                    Measured = medians?[2 + 2 * place + operation] ?? 0, Baseline = medians?[operation] ?? 0, Floor = place == 1 ? 1 : bytes <= FloorBytes ? 20 : 4, Skipped = why,
                };
            }
        }
    }

    private sealed class PoolValues(PoolClient pool, GAddr first, int bytes)
    {
        private readonly byte[] _buffer = new byte[bytes];

        public void Read(int call) => pool.Read(Address(call), _buffer);

        public void Write(int call) => pool.Write(Address(call), _buffer);

        private GAddr Address(int call) => first + call % Values * (long)bytes;
    }

    private sealed class ServerValues : IDisposable
    {
        private readonly RespClient _client;
        private readonly byte[][] _gets;
        private readonly byte[][] _sets;

        public ServerValues(PeerServer server, int bytes)
        {
            var keys = Enumerable.Range(0, Values).Select(i => $"value:{i}").ToArray();
            _gets = [.. keys.Select(RespClient.GetRequest)];
            _sets = [.. keys.Select(key => RespClient.SetRequest(key, new byte[bytes]))];
            _client = new RespClient(new IPEndPoint(IPAddress.Loopback, server.Port));
            foreach (var request in _sets) _client.Set(request);
        }

        public void Get(int call) => _client.Get(_gets[call % Values]);

        public void Set(int call) => _client.Set(_sets[call % Values]);

        public void Dispose() => _client.Dispose();
    }
}
