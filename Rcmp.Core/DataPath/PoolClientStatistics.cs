namespace Rcmp.DataPath;

/// <summary>What a client has done so far. Sums over all threads, taken without stopping them.</summary>
/// <param name="RackHits">Page accesses through the rack's mapped memory.</param>
/// <param name="DirectIoReads">One-sided reads of remote pages that completed.</param>
/// <param name="DirectIoWrites">One-sided writes of remote pages that completed.</param>
/// <param name="DirectIoAtomics">Remote atomics that completed.</param>
/// <param name="Misses">Messages to the daemon to make a page reachable.</param>
/// <param name="Retries">Remote operations that were refused because the page was moving or had moved.</param>
/// <param name="BrokenConnections">Connections that were lost or passed a deadline.</param>
/// <param name="DirectIoNs">Time spent in remote operations, all threads together.</param>
internal readonly record struct PoolClientStatistics(
    long RackHits, long DirectIoReads, long DirectIoWrites, long DirectIoAtomics, long Misses, long Retries, long BrokenConnections,
    long DirectIoNs)
{
    public long DirectIo => DirectIoReads + DirectIoWrites + DirectIoAtomics;

    public static PoolClientStatistics operator -(PoolClientStatistics left, PoolClientStatistics right) => new(
        left.RackHits - right.RackHits, left.DirectIoReads - right.DirectIoReads, left.DirectIoWrites - right.DirectIoWrites,
        left.DirectIoAtomics - right.DirectIoAtomics, left.Misses - right.Misses, left.Retries - right.Retries,
        left.BrokenConnections - right.BrokenConnections, left.DirectIoNs - right.DirectIoNs);
}
