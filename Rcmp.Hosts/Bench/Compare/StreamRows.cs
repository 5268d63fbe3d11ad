using System.Diagnostics;
using Rcmp.DataPath;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>Large remote reads and writes, and many small reads in flight, against the same messages in plain C. A large access takes one message a page, so it
/// is measured in a pool of the default page size and in one of the largest; C takes one message for all of it.</summary>
internal sealed class StreamRows(ComparePlan plan, string folder, Action<string> say)
{
    private const long Range = 16 << 20;
    private const int PageSizeLarge = 2 << 20;
    private const int SmallBytes = 64;
    // A batch keeps as many in flight as C does (ping.c's window is ClientConnection's) until its end.
    private const int BatchRequests = 4096;

    private static readonly TimeSpan WarmTime = TimeSpan.FromSeconds(0.4);

    // In the order in which ping prints.
    private static readonly (string Name, bool IsWrite, int Bytes)[] Large = [("reads", false, 64 << 10), ("writes", true, 64 << 10), ("reads", false, 2 << 20), ("writes", true, 2 << 20)];

    private readonly List<double>[] _theirs = [.. Enumerable.Range(0, Large.Length + 1).Select(_ => new List<double>())];

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        say("remote streams");
        var ping = BaselineProgram.TryBuild(folder, "ping.c", out var why);
        await using var small = await Side.StartAsync(new EmbeddedPoolOptions().PageSize, ct);
        await using var large = await Side.StartAsync(PageSizeLarge, ct);
        Side[] sides = [small, large];
        var bandwidths = sides.Select(_ => Large.Select(_ => new List<double>()).ToArray()).ToArray();
        var many = new List<double>();
        // The runtime compiles twice what runs often, and needs a second or two for it, once.
        foreach (var side in sides)
        {
            foreach (var (_, isWrite, bytes) in Large) side.LargePerSecond(isWrite, bytes, WarmTime);
        }

        await small.SmallPerSecondAsync(2 * WarmTime, ct);
        for (var round = 0; round < plan.Rounds; round++)
        {
            ct.ThrowIfCancellationRequested();
            if (ping is not null) RunPing(ping);
            for (var side = 0; side < sides.Length; side++)
            {
                for (var i = 0; i < Large.Length; i++) bandwidths[side][i].Add(sides[side].LargePerSecond(Large[i].IsWrite, Large[i].Bytes, plan.StreamTime));
            }
            many.Add(await small.SmallPerSecondAsync(plan.StreamTime, ct));
        }

        var skipped = ping is null ? why : null;
        return
        [
            .. sides.SelectMany((side, s) => Large.Select((c, i) => Row(c.Name, c.Bytes, side.PageSize, bandwidths[s][i], _theirs[i], skipped))),
            new CompareRow
            {
                What = "64 B remote reads, many in flight", Against = "the same messages in C over tcp, as many in flight", Unit = "1/s", Kind = RatioKind.SpeedUp,
                Measured = Median.Of(many), Baseline = Median.Of(_theirs[^1]), Floor = 0.7, Aim = 0.9, Skipped = skipped,
            },
        ];
    }

    private static CompareRow Row(string name, int bytes, int pageSize, List<double> ours, List<double> theirs, string? skipped) => new()
    {
        What = $"{new ByteSize(bytes).ToShortString()} remote {name}, pages of {new ByteSize(pageSize).ToShortString()}", Against = "one message each in C over tcp", Unit = "B/s",
        Kind = RatioKind.SpeedUp, Measured = Median.Of(ours) * bytes, Baseline = Median.Of(theirs) * bytes, Floor = 0.85, Aim = 0.95, Skipped = skipped,
    };

    private void RunPing(BaselineProgram ping)
    {
        var lines = ping.Run("stream", new PoolClientOptions().SpinNs, (long)plan.StreamTime.TotalMilliseconds);
        for (var i = 0; i < _theirs.Length; i++) _theirs[i].Add(BaselineProgram.Number(lines[i][3]));
    }

    /// <summary>Two racks of one page size, and a client in the one that does not have the pages.</summary>
    private sealed class Side : IAsyncDisposable
    {
        private readonly EmbeddedCluster _cluster;
        private readonly PoolClient _client;
        private readonly byte[] _buffer = new byte[Range];
        private GAddr _address;

        private Side(EmbeddedCluster cluster, PoolClient client, int pageSize) => (_cluster, _client, PageSize) = (cluster, client, pageSize);

        public int PageSize { get; }

        public static async Task<Side> StartAsync(int pageSize, CancellationToken ct)
        {
            var options = new EmbeddedPoolOptions { Racks = 2, PageSize = pageSize, RegionSize = 4 * Range, Policy = SwapPolicy.DirectIo };
            var cluster = new EmbeddedCluster(options, null, new EmbeddedPlaces { Fabric = "tcp://127.0.0.1:0" });
            try
            {
                await cluster.StartAsync(ct);
                var side = new Side(cluster, cluster.Connect(1), pageSize);
                await using var owner = cluster.Connect(0);
                side._address = await owner.AllocatePagesAsync(Range / pageSize, null, ct);
                owner.Write(side._address, side._buffer);
                side._client.Read(side._address, side._buffer);
                return side;
            }
            catch
            {
                cluster.Dispose();
                throw;
            }
        }

        public double LargePerSecond(bool write, int bytes, TimeSpan time)
        {
            long at = 0;
            return PerSecond(time, () =>
            {
                var part = _buffer.AsSpan((int)at, bytes);
                if (write) _client.Write(_address + at, part);
                else _client.Read(_address + at, part);
                at = (at + bytes) % Range;
            });
        }

        public async Task<double> SmallPerSecondAsync(TimeSpan time, CancellationToken ct)
        {
            var requests = new ReadRequest[BatchRequests];
            for (var i = 0; i < requests.Length; i++) requests[i] = new ReadRequest(_address + i * SmallBytes, _buffer.AsMemory(i * SmallBytes, SmallBytes));
            var batches = await Task.Run(() => PerSecond(time, () => _client.ReadBatchAsync(requests, ct).AsTask().GetAwaiter().GetResult()), ct);
            return batches * BatchRequests;
        }

        private static double PerSecond(TimeSpan time, Action step)
        {
            var warm = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(warm) < time / 4) step();
            var started = Stopwatch.GetTimestamp();
            long steps = 0;
            for (; Stopwatch.GetElapsedTime(started) < time; steps++) step();
            return steps / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        public async ValueTask DisposeAsync()
        {
            await _client.DisposeAsync();
            _cluster.Dispose();
        }
    }
}
