using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>What moving pages is worth: a skewed workload on pages born in the other rack, in clusters of processes of their own.</summary>
internal sealed class PolicyRows(ComparePlan plan, Action<string> say)
{
    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        var adaptive = await MeasureAsync("adaptive", ct);
        var rdma = await MeasureAsync("rdma-only", ct);
        const string What = "Zipf 0.99, 64 B, half writes, born in the other rack, adaptive";
        return
        [
            new CompareRow { What = What + ": mean latency", Against = "rdma-only", Kind = RatioKind.SpeedUp, Measured = adaptive.LatencyNs.Mean, Baseline = rdma.LatencyNs.Mean, Floor = 5.2, Aim = 20 },
            new CompareRow
            {
                What = What + ": throughput", Against = "rdma-only", Unit = "1/s", Kind = RatioKind.SpeedUp, Measured = adaptive.ThroughputPerSecond, Baseline = rdma.ThroughputPerSecond,
                Floor = 3.8, Aim = 20,
            },
        ];
    }

    private Task<BenchResult> MeasureAsync(string policy, CancellationToken ct)
    {
        var bench = new BenchOptions
        {
            Policy = policy, Distribution = KeyDistribution.Zipf, Operation = WorkloadSpec.Mixed, WriteShare = 0.5, Range = ByteSize.MiB(8), BornIn = 0, RunIn = 1,
            Warmup = new Duration(plan.ClusterWarmup), Duration = new Duration(plan.ClusterTime),
        };
        return new BenchRun(bench, say).RunAsync(ct);
    }
}
