using System.Diagnostics;
using Rcmp.Regions;

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
    public const int BatchReads = 4096;

    private readonly PoolClient _pool;
    private readonly GAddr[] _addresses;
    private readonly nint[] _locations;
    private readonly byte[] _buffer;
    private readonly int _payload;
    private int _at;

    /// <param name="pool">A client whose pages at these addresses are in its rack, and stay there.</param>
    /// <param name="addresses">Where to read, in this order, over and over: as many as cover the range at random.</param>
    /// <param name="payload">Bytes per read; not across a page.</param>
    /// <exception cref="PageUnavailableException">A page is not in the rack.</exception>
    public HitBenchmark(PoolClient pool, ReadOnlySpan<GAddr> addresses, int payload = 64)
    {
        _pool = pool;
        _payload = payload;
        _buffer = new byte[payload];
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

    /// <summary>The next batch as plain copies: what the memory allows.</summary>
    public void PlainCopies() => CopyBatch(NextBatch(), _buffer);

    /// <summary>As vector loads and stores in line, without the call of a copy.</summary>
    public void VectorCopies()
    {
        foreach (var location in _locations.AsSpan(NextBatch(), BatchReads)) WordCopy.Copy64(ref _buffer[0], ref *(byte*)location);
    }

    /// <summary>With lookup and guard, in line, by a thread that knows its slot: what a hit could cost at best. Payloads of a cache line.</summary>
    public void GuardedCopies()
    {
        var (slotAt, table, mask, frames, frameEnd) = _pool.PartsForBenchmark();
        if (slotAt == 0) throw new PoolException("All guard slots of this client are taken: use fewer threads, or raise rcmp.region.guard-slots.");
        var slot = (GuardSlot*)slotAt;
        var shift = _pool.PageShift;
        foreach (var address in _addresses.AsSpan(NextBatch(), BatchReads))
        {
            var page = address.Value >> shift;
            Volatile.Write(ref slot->Page, page);
            var match = HitWord.Match(Volatile.Read(ref ((ulong*)table)[RegionLayout.NaturalEntry(page, (long)mask)]), page, mask);
            if (match >= frameEnd) throw new PageUnavailableException($"The page at {address} left the rack while its hits were timed.");
            WordCopy.Copy64(ref _buffer[0], ref *(byte*)(frames + (nint)unchecked((((ulong)match - page) << shift) + address.Value)));
            Volatile.Write(ref slot->Page, 0);
        }
    }

    /// <summary>By the range API.</summary>
    public void RangeReads() => ReadBatch(NextBatch(), _buffer);

    /// <summary>By the range API.</summary>
    public void RangeWrites()
    {
        foreach (var address in _addresses.AsSpan(NextBatch(), BatchReads)) _pool.Write(address, _buffer);
    }

    /// <summary>Words, by the typed API.</summary>
    public ulong TypedReads()
    {
        ulong sum = 0;
        foreach (var address in _addresses.AsSpan(NextBatch(), BatchReads)) sum += _pool.Read<ulong>(address);
        return sum;
    }

    /// <summary>Words, each as one plain load.</summary>
    public ulong PlainLoads()
    {
        ulong sum = 0;
        foreach (var location in _locations.AsSpan(NextBatch(), BatchReads)) sum += *(ulong*)location;
        return sum;
    }

    private int NextBatch()
    {
        var at = _at;
        _at = Next(at);
        return at;
    }

    private HitBenchmarkResult Measure(TimeSpan duration)
    {
        var buffer = _buffer;
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
