using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Bench;

/// <summary>Measures one combination after the other: those of one policy in one cluster, each on pages of its own, so that none finds pages where an earlier one has moved them.</summary>
internal sealed class BenchSweepRun(BenchSweep sweep, Action<string> say, IBenchProgress progress)
{
    private const long PageSizeOwn = 4096;

    private int _done;

    private BenchOptions Common => sweep.Common;

    /// <summary>Until all are measured; <paramref name="measured"/> hears of each at once.</summary>
    public async Task RunAsync(Action<BenchResult> measured, CancellationToken ct)
    {
        if (Common.Configuration is { } configuration)
        {
            await using var nodes = await BenchNodes.JoinAsync(Common, say, ct);
            await MeasureAsync(sweep.Points, configuration, configuration, nodes, measured, ct);
            return;
        }
        foreach (var points in sweep.Points.GroupBy(p => p.Policy)) await MeasureInOwnAsync([.. points], measured, ct);
    }

    private async Task MeasureInOwnAsync(IReadOnlyList<BenchOptions> points, Action<BenchResult> measured, CancellationToken ct)
    {
        var cluster = LocalCluster.Prepare(
            new LocalClusterOptions
            {
                Directory = Path.Combine(Path.GetTempPath(), $"rcmp-bench-{Environment.ProcessId}"),
                Racks = Common.Racks,
                RegionSize = ByteSize.MiB((Common.Range.Bytes * 9 / 8 >> 20) + 64),
                PageSize = new ByteSize(PageSizeOwn),
                Ephemeral = true,
                Settings = new Dictionary<string, string> { ["rcmp.swap.policy"] = points[0].Policy },
            },
            say);
        await using (cluster)
        {
            say($"starting {Common.Racks} racks of {new ByteSize(cluster.Manifest.RegionSize).ToShortString()}, policy {points[0].Policy}");
            await cluster.StartAsync(_ => { }, ct);
            await MeasureAsync(points, cluster.ClientConfiguration(Common.BornIn), cluster.ClientConfiguration(Common.RunIn), BenchNodes.Alone, measured, ct);
        }
    }

    private async Task MeasureAsync(
        IReadOnlyList<BenchOptions> points, string bornIn, string runIn, BenchNodes nodes, Action<BenchResult> measured, CancellationToken ct)
    {
        await using var owner = await ClientProcess.StartAsync(bornIn, ct);
        await using var monitor = PoolMonitor.Of(runIn);
        for (var i = 0; i < points.Count; i++)
        {
            var measurement = new BenchMeasurement(points[i], owner, runIn, monitor, nodes, say, progress);
            var what = $"{++_done} of {sweep.Count}: {sweep.NameOf(points[i].Policy, points[i].Payload.Bytes, points[i].Threads)}";
            await measurement.RunAsync(i, what, Common.Configuration is not null || i < points.Count - 1, measured, ct);
        }
    }
}
