using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>What the clients report while they measure, put together by the number of the interval: all begin at the same time, near enough.</summary>
internal sealed class BenchTimeline(int clients)
{
    private readonly Lock _lock = new();
    private readonly List<(long EndNs, WorkloadTotals Totals)> _intervals = [];
    private readonly (int Reports, long ElapsedNs)[] _clients = new (int, long)[clients];

    /// <summary>All that was reported so far.</summary>
    public long Operations { get; private set; }

    public void Add(int client, WorkloadReport report)
    {
        lock (_lock)
        {
            var (index, elapsed) = _clients[client];
            elapsed += report.ElapsedNs;
            _clients[client] = (index + 1, elapsed);
            if (index == _intervals.Count) _intervals.Add((elapsed, new WorkloadTotals()));
            _intervals[index].Totals.Add(report);
            Operations += report.Operations;
        }
    }

    public IReadOnlyList<BenchInterval> Intervals()
    {
        lock (_lock) return [.. _intervals.Select(i => IntervalOf(i.EndNs, i.Totals))];
    }

    private static BenchInterval IntervalOf(long endNs, WorkloadTotals totals)
    {
        var all = totals.All();
        return new BenchInterval(
            Math.Round(endNs / 1e9, 3), Math.Round(all.Mean, 1), all.Percentile(50), all.Percentile(99), Math.Round(totals.OperationsPerSecond, 1), totals.RackHits, totals.DirectIo);
    }
}
