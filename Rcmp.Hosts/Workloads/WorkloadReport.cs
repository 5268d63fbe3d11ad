using Rcmp.DataPath;

namespace Rcmp.Hosts.Workloads;

/// <summary>What was measured, in an interval or in all. Latencies are pairs of nanoseconds and count.</summary>
internal sealed record WorkloadReport
{
    public required long Operations { get; init; }

    public required long ElapsedNs { get; init; }

    /// <summary>Operations that stayed in the rack.</summary>
    public required IReadOnlyList<long[]> Hits { get; init; }

    /// <summary>Operations of which at least a part went to another rack.</summary>
    public required IReadOnlyList<long[]> Remote { get; init; }

    public required long RackHits { get; init; }

    public required long DirectIo { get; init; }

    public required long Misses { get; init; }

    public required long Retries { get; init; }

    public static WorkloadReport Of(long elapsedNs, LatencyHistogram hits, LatencyHistogram remote, PoolClientStatistics statistics) => new()
    {
        Operations = hits.Count + remote.Count,
        ElapsedNs = elapsedNs,
        Hits = hits.ToPairs(),
        Remote = remote.ToPairs(),
        RackHits = statistics.RackHits,
        DirectIo = statistics.DirectIo,
        Misses = statistics.Misses,
        Retries = statistics.Retries,
    };
}

/// <summary>Reports of several clients, added up.</summary>
internal sealed class WorkloadTotals
{
    public LatencyHistogram Hits { get; } = new();

    public LatencyHistogram Remote { get; } = new();

    public long Operations { get; private set; }

    public long RackHits { get; private set; }

    public long DirectIo { get; private set; }

    public double OperationsPerSecond { get; private set; }

    public void Add(WorkloadReport report)
    {
        Hits.Add(report.Hits);
        Remote.Add(report.Remote);
        Operations += report.Operations;
        RackHits += report.RackHits;
        DirectIo += report.DirectIo;
        if (report.ElapsedNs > 0) OperationsPerSecond += report.Operations * 1e9 / report.ElapsedNs;
    }

    public LatencyHistogram All()
    {
        var all = new LatencyHistogram();
        all.Add(Hits);
        all.Add(Remote);
        return all;
    }
}
