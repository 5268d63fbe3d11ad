using System.Diagnostics;
using Rcmp.DataPath;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>Rack hits against a plain copy, against the C++ original's shape, and on all cores.</summary>
internal sealed class HitRows(ComparePlan plan, string folder, Action<string> say)
{
    private const int Line = 64;
    private const int AddressesMax = 1 << 20;

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        var original = BaselineProgram.TryBuild(folder, "original.cpp", out var why);
        var rows = new List<CompareRow>();
        foreach (var range in new[] { plan.Range, 16L << 20 })
            rows.AddRange(await RangeAsync(range, original, why, ct));
        return rows;
    }

    private async Task<IReadOnlyList<CompareRow>> RangeAsync(long range, BaselineProgram? original, string why, CancellationToken ct)
    {
        var size = new Cli.ByteSize(range).ToShortString();
        say($"rack hits in {size}");
        using var cluster = new EmbeddedCluster(new EmbeddedPoolOptions { RegionSize = range + (range >> 3) + (64 << 20) });
        await cluster.StartAsync(ct);
        await using var pool = cluster.Connect(0);
        var first = await FillAsync(pool, range, ct);
        var addresses = Addresses(first, range, 42);
        var hits = new List<double>();
        var copies = new List<double>();
        var originals = new List<double>();
        var shipped = new List<double>();
        var ones = new List<double>();
        var alls = new List<double>();
        var bench = new HitBenchmark(pool, addresses, Line);
        // In turns, so that all see the same noise.
        for (var round = 0; round < plan.Rounds; round++)
        {
            ct.ThrowIfCancellationRequested();
            var result = bench.Run(plan.RoundTime);
            hits.Add(result.RackHitMeanNs);
            copies.Add(result.PlainCopyMeanNs);
            if (original?.Run($"/dev/shm/rcmp-original-{Environment.ProcessId}", range, addresses.Length)[0] is { } line)
            {
                originals.Add(BaselineProgram.Number(line[0]));
                shipped.Add(BaselineProgram.Number(line[1]));
            }

            ones.Add(Rate(pool, first, range, 1, ct));
            alls.Add(Rate(pool, first, range, Environment.ProcessorCount, ct));
        }

        return
        [
            new CompareRow { What = $"64 B rack hit, {size} uniform, one thread", Against = "plain copy from the same mapping", Measured = Median.Of(hits), Baseline = Median.Of(copies), Floor = 1.6, Aim = 1.3 },
            new CompareRow
            {
                What = $"64 B rack hit, {size} uniform", Against = "a client cache of the C++ original's shape", Kind = RatioKind.SpeedUp,
                Measured = Median.Of(hits), Baseline = Median.Of(originals), Floor = 15, Aim = 30, Skipped = original is null ? why : null,
            },
            new CompareRow
            {
                What = $"64 B rack hit, {size} uniform", Against = "the same with its timers, as it ships", Kind = RatioKind.SpeedUp,
                Measured = Median.Of(hits), Baseline = Median.Of(shipped), Skipped = original is null ? why : null,
            },
            new CompareRow
            {
                What = $"64 B rack hit, {size} uniform, {Environment.ProcessorCount} threads", Against = "one thread", Unit = "1/s", Kind = RatioKind.SpeedUp,
                Measured = Median.Of(alls), Baseline = Median.Of(ones), Floor = Environment.ProcessorCount == 2 ? 1.7 : null, Aim = Environment.ProcessorCount == 2 ? 1.95 : null,
            },
        ];
    }

    private static async Task<GAddr> FillAsync(PoolClient pool, long range, CancellationToken ct)
    {
        var pages = range / pool.Info.PageSize;
        var first = await pool.AllocatePagesAsync(pages, null, ct);
        var page = new byte[pool.Info.PageSize];
        Array.Fill(page, (byte)1);
        for (var i = 0L; i < pages; i++) pool.Write(first + i * page.Length, page);
        return first;
    }

    /// <summary>As many as cover the range without being found in a cache again, or fewer in a small range: the list itself must not push it out.</summary>
    private static GAddr[] Addresses(GAddr first, long range, int seed)
    {
        var random = new Random(seed);
        var addresses = new GAddr[Math.Min(AddressesMax, range / 128)];
        for (var i = 0; i < addresses.Length; i++) addresses[i] = first + random.NextInt64(range / Line) * Line;
        return addresses;
    }

    /// <summary>Reads a second, all threads together.</summary>
    private double Rate(PoolClient pool, GAddr first, long range, int threads, CancellationToken ct)
    {
        using var ready = new Barrier(threads + 1);
        var stop = false;
        long reads = 0;
        var workers = Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            var addresses = Addresses(first, range, i + 1);
            Span<byte> buffer = stackalloc byte[Line];
            Walk(pool, addresses, buffer);
            ready.SignalAndWait();
            long own = 0;
            for (; !Volatile.Read(ref stop); own += addresses.Length) Walk(pool, addresses, buffer);
            Interlocked.Add(ref reads, own);
        })).ToArray();
        foreach (var worker in workers) worker.Start();
        ready.SignalAndWait();
        var started = Stopwatch.GetTimestamp();
        // Ctrl-C ends the round; the next one is not begun.
        ct.WaitHandle.WaitOne(plan.RoundTime);
        Volatile.Write(ref stop, true);
        foreach (var worker in workers) worker.Join();
        return reads / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Walk(PoolClient pool, GAddr[] addresses, Span<byte> buffer)
    {
        foreach (var address in addresses) pool.Read(address, buffer);
    }
}
