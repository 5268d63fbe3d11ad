using System.Diagnostics;

namespace Rcmp.DataPath;

/// <summary>What a rack hit costs, against a plain copy from the same mapping at the same addresses.</summary>
/// <param name="RackHitMeanNs">Per guarded read, mean of the median batch.</param>
/// <param name="PlainCopyMeanNs">Per plain copy, likewise.</param>
internal readonly record struct HitBenchmarkResult(double RackHitMeanNs, double PlainCopyMeanNs)
{
    public double Ratio => RackHitMeanNs / PlainCopyMeanNs;
}

/// <summary>Times rack hits and plain copies in alternating batches, since a clock read costs more than a hit and the machine's speed drifts.</summary>
internal sealed unsafe class HitBenchmark
{
    private const int BatchReads = 4096;

    private readonly PoolClient _pool;
    private readonly GAddr[] _addresses;
    private readonly nint[] _locations;
    private readonly int _payload;

    /// <param name="pool">A client whose pages at these addresses are in its rack, and stay there.</param>
    /// <param name="addresses">Where to read, in this order, over and over: as many as cover the range at random.</param>
    /// <param name="payload">Bytes per read; not across a page.</param>
    /// <exception cref="PageUnavailableException">A page is not in the rack.</exception>
    public HitBenchmark(PoolClient pool, ReadOnlySpan<GAddr> addresses, int payload = 64)
    {
        _pool = pool;
        _payload = payload;
        _addresses = addresses[..(addresses.Length / BatchReads * BatchReads)].ToArray();
        ArgumentOutOfRangeException.ThrowIfZero(_addresses.Length, nameof(addresses));
        _locations = new nint[_addresses.Length];
        for (var i = 0; i < _addresses.Length; i++)
            _locations[i] = pool.FindForBenchmark(_addresses[i]);
    }

    /// <summary>At least this long each, after as much warm-up: the tiers of the JIT need it.</summary>
    public HitBenchmarkResult Run(TimeSpan duration)
    {
        Measure(duration / 2);
        return Measure(duration);
    }

    private HitBenchmarkResult Measure(TimeSpan duration)
    {
        var buffer = new byte[_payload];
        var hits = new List<long>();
        var copies = new List<long>();
        var at = 0;
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            var begin = Stopwatch.GetTimestamp();
            ReadBatch(at, buffer);
            var middle = Stopwatch.GetTimestamp();
            // Both walk the same addresses, half the list apart: the second would find the first one's cache lines.
            CopyBatch(Opposite(at), buffer);
            copies.Add(Stopwatch.GetTimestamp() - middle);
            hits.Add(middle - begin);
            at = Next(at);
        }

        return new HitBenchmarkResult(MedianNs(hits), MedianNs(copies));
    }

    /// <summary>The mean of the median batch: one in which the thread was preempted says nothing.</summary>
    private static double MedianNs(List<long> batches)
    {
        batches.Sort();
        return batches[batches.Count / 2] * 1e9 / Stopwatch.Frequency / BatchReads;
    }

    private int Opposite(int at) => (at + _addresses.Length / 2 / BatchReads * BatchReads) % _addresses.Length;

    private int Next(int at) => at + BatchReads == _addresses.Length ? 0 : at + BatchReads;

    private void ReadBatch(int from, Span<byte> buffer)
    {
        foreach (var address in _addresses.AsSpan(from, BatchReads))
            _pool.Read(address, buffer);
    }

    private void CopyBatch(int from, Span<byte> buffer)
    {
        foreach (var location in _locations.AsSpan(from, BatchReads))
            new ReadOnlySpan<byte>((byte*)location, buffer.Length).CopyTo(buffer);
    }
}
