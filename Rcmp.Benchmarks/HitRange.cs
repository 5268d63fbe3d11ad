using Rcmp.DataPath;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Benchmarks;

/// <summary>A range of pages in an embedded rack, each byte of it written, and addresses in it at random.</summary>
internal sealed class HitRange : IDisposable
{
    private const int AddressesMax = 1 << 20;
    private readonly EmbeddedCluster _cluster;
    private readonly PoolClient _pool;

    public HitRange(long bytes, int payload)
    {
        _cluster = new EmbeddedCluster(new EmbeddedPoolOptions { RegionSize = bytes + (bytes >> 3) + (64 << 20) });
        _cluster.StartAsync(CancellationToken.None).GetAwaiter().GetResult();
        _pool = _cluster.Connect(0);
        var pageSize = _pool.Info.PageSize;
        var first = _pool.AllocatePagesAsync(bytes / pageSize).AsTask().GetAwaiter().GetResult();
        var page = new byte[pageSize];
        Array.Fill(page, (byte)1);
        for (var at = 0L; at < bytes; at += pageSize) _pool.Write(first + at, page);
        var random = new Random(42);
        // A list for a small range is short: it must not push the range out of the caches.
        var addresses = new GAddr[Math.Min(AddressesMax, bytes / 128)];
        for (var i = 0; i < addresses.Length; i++) addresses[i] = first + random.NextInt64(bytes / payload) * payload;
        Layers = new HitBenchmark(_pool, addresses, payload);
    }

    public HitBenchmark Layers { get; }

    public void Dispose()
    {
        _pool.Dispose();
        _cluster.Dispose();
    }
}
