namespace Rcmp.DataPath;

/// <summary>Counts what is not a rack hit. One cache line would be shared by all threads, but each of these costs microseconds anyway, and what comes many at a time is counted once.</summary>
internal sealed class PoolClientCounters
{
    private long _reads;
    private long _writes;
    private long _atomics;
    private long _misses;
    private long _retries;
    private long _broken;
    private long _remoteNs;
    private long _unansweredCloses;

    /// <param name="op">What was done.</param>
    /// <param name="count">How often.</param>
    /// <param name="ns">How long all of them took.</param>
    public void CountRemote(Fabric.FabricOp op, int count, long ns)
    {
        ThreadActivity.CountRemote(count);
        ref var counter = ref _atomics;
        if (op == Fabric.FabricOp.Read)
            counter = ref _reads;
        else if (op == Fabric.FabricOp.Write)
            counter = ref _writes;
        Interlocked.Add(ref counter, count);
        Interlocked.Add(ref _remoteNs, ns);
    }

    public void CountMiss() => Interlocked.Increment(ref _misses);

    public void CountRetry() => Interlocked.Increment(ref _retries);

    public void CountBroken() => Interlocked.Increment(ref _broken);

    public void CountUnansweredClose() => Interlocked.Increment(ref _unansweredCloses);

    /// <param name="slotHits">What the guard slots count: rack hits and completed remote operations.</param>
    public PoolClientStatistics Snapshot(long slotHits)
    {
        var (reads, writes, atomics) = (Volatile.Read(ref _reads), Volatile.Read(ref _writes), Volatile.Read(ref _atomics));
        return new PoolClientStatistics(
            Math.Max(0, slotHits - reads - writes - atomics), reads, writes, atomics, Volatile.Read(ref _misses), Volatile.Read(ref _retries),
            Volatile.Read(ref _broken), Volatile.Read(ref _remoteNs));
    }
}
