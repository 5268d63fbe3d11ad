using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Demo;

/// <summary>One interval of the demo's workload, as it is shown.</summary>
/// <param name="Seconds">Since the workload began.</param>
/// <param name="Phase">What the hot set is doing.</param>
/// <param name="OperationsPerSecond">All clients together.</param>
/// <param name="HitShare">Of the operations, how many stayed in the rack.</param>
/// <param name="DirectIoPerSecond">Accesses to pages of the other rack.</param>
/// <param name="Swaps">Pages moved so far.</param>
/// <param name="HitP50">Latency of what stayed in the rack, ns.</param>
/// <param name="DirectIoP50">Latency of Direct IO, ns.</param>
/// <param name="P99">Of all operations, ns.</param>
internal sealed record DemoRow(
    double Seconds, string Phase, double OperationsPerSecond, double HitShare, double DirectIoPerSecond, long Swaps, long HitP50, long DirectIoP50, long P99)
{
    public static readonly string[] Titles = ["time", "hot set", "operations/s", "rack hits", "Direct IO/s", "swaps", "hit p50", "Direct IO p50", "p99"];

    public static DemoRow Of(double seconds, string phase, long swaps, WorkloadReport report)
    {
        var totals = new WorkloadTotals();
        totals.Add(report);
        var perSecond = report.ElapsedNs == 0 ? 0 : 1e9 / report.ElapsedNs;
        return new DemoRow(
            seconds, phase, report.Operations * perSecond, report.Operations == 0 ? 0 : (double)totals.Hits.Count / report.Operations, report.DirectIo * perSecond, swaps,
            totals.Hits.Percentile(50), totals.Remote.Percentile(50), totals.All().Percentile(99));
    }

    public string[] Cells() =>
    [
        Seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s",
        Phase,
        Counts.Short(OperationsPerSecond),
        (HitShare * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %",
        Counts.Short(DirectIoPerSecond),
        Counts.Short(Swaps),
        Latency.Short(HitP50),
        Latency.Short(DirectIoP50),
        Latency.Short(P99),
    ];
}
