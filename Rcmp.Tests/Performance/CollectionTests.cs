using System.Diagnostics;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Workloads;
using Rcmp.Tests.Cluster;
using Rcmp.Tests.Processes;

namespace Rcmp.Tests.Performance;

/// <summary>A garbage collection stops the managed threads of its own process alone: the pages of a daemon that collects are served by native threads, other clients of its
/// rack do not need it, and nobody needs a client.</summary>
[Trait("Tier", "perf")]
[Collection(ClusterCollection.Name)]
public sealed class CollectionTests
{
    private const int Pages = 64;
    private const int LiveObjects = 4_000_000;
    /// <summary>Between two collections, which take ten times as long.</summary>
    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task ADaemonThatCollectsDelaysNobodyElse()
    {
        // Both racks' daemons are in this process, the clients that measure are not.
        await using var cluster = await TestCluster.StartAsync(racks: 2, "rcmp.swap.policy = direct-io");
        await using var owner = await cluster.ConnectAsync(1);
        var pages = await owner.AllocatePagesAsync(Pages);
        var configuration = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(configuration, $"rcmp.client.rack = \"{cluster.ClientOptions(0).Rack}\"");
            await using var client = await ClientProcess.StartAsync(configuration, TestContext.Current.CancellationToken);
            await AssertNotDelayedAsync(client, ("remote reads", pages, report => report.Remote));
        }
        finally
        {
            File.Delete(configuration);
        }
    }

    [Fact]
    public async Task AClientThatCollectsDelaysNobodyElse()
    {
        // The client in this process collects and uses the same pages; the daemons and the client that measures are processes of their own.
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "direct-io"));
        await using var collecting = await RcmpPool.ConnectAsync(pool.Cluster.ClientConfiguration(0));
        await using var owner = await RcmpPool.ConnectAsync(pool.Cluster.ClientConfiguration(1));
        var far = await owner.AllocatePagesAsync(Pages);
        var near = await collecting.AllocatePagesAsync(Pages);
        await using var client = await ClientProcess.StartAsync(pool.Cluster.ClientConfiguration(0), TestContext.Current.CancellationToken);
        using var stop = new CancellationTokenSource();
        var usage = Task.Factory.StartNew(() =>
        {
            // With pauses, or the two that are compared would share a core.
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                collecting.FetchAdd(near + (i % Pages * (long)collecting.Info.PageSize), 1);
                collecting.FetchAdd(far + (i % Pages * (long)collecting.Info.PageSize), 1);
                Thread.Sleep(1);
            }
        }, TaskCreationOptions.LongRunning);
        try
        {
            await AssertNotDelayedAsync(client, ("reads in the rack", near, report => report.Hits), ("remote reads", far, report => report.Remote));
        }
        finally
        {
            await stop.CancelAsync();
            await usage;
        }
    }

    private static async Task AssertNotDelayedAsync(ClientProcess client, params (string What, GAddr Pages, Func<WorkloadReport, IReadOnlyList<long[]>> Latencies)[] reads)
    {
        var quiet = new List<LatencyHistogram>();
        foreach (var (_, pages, latencies) in reads) quiet.Add(await ReadsAsync(client, pages, latencies));

        using var stop = new CancellationTokenSource();
        var pauses = new List<TimeSpan>();
        var collector = new Thread(() => Collect(pauses, stop.Token)) { IsBackground = true };
        collector.Start();
        var collecting = new List<LatencyHistogram>();
        try
        {
            foreach (var (_, pages, latencies) in reads) collecting.Add(await ReadsAsync(client, pages, latencies));
        }
        finally
        {
            await stop.CancelAsync();
            collector.Join();
        }

        // The control: with collections that short or rare, nothing could be seen.
        Assert.True(pauses.Count >= 5, $"{pauses.Count} collections");
        pauses.Sort();
        var pause = pauses[pauses.Count / 2];
        Assert.True(pause > TimeSpan.FromMilliseconds(20), $"collections of {pause}");
        for (var i = 0; i < reads.Length; i++)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{reads[i].What} of another process: quiet p50 {Microseconds(quiet[i], 50):0.0} µs, p99 {Microseconds(quiet[i], 99):0.0} µs; with {pauses.Count} collections of {pause.TotalMilliseconds:0} ms (median) in this process "
                + $"p50 {Microseconds(collecting[i], 50):0.0} µs, p99 {Microseconds(collecting[i], 99):0.0} µs, p99.9 {Microseconds(collecting[i], 99.9):0.0} µs");
        }

        // Managed threads stand still for most of the time meanwhile: if anybody needed them, most reads would wait for a collection's end.
        Assert.All(collecting, latencies => Assert.True(Microseconds(latencies, 99) < pause.TotalMicroseconds / 4, $"p99 {Microseconds(latencies, 99):0} µs, a collection takes {pause}"));
    }

    private static async Task<LatencyHistogram> ReadsAsync(ClientProcess client, GAddr pages, Func<WorkloadReport, IReadOnlyList<long[]>> latencies)
    {
        var workload = new WorkloadSpec { Address = pages, Pages = Pages, Distribution = KeyDistribution.Uniform, WarmupSeconds = 1, Seconds = Measured.TotalSeconds };
        var reply = await client.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = workload }, null, TestContext.Current.CancellationToken);
        var read = new LatencyHistogram();
        read.Add(latencies(reply.Report!));
        return read;
    }

    private static void Collect(List<TimeSpan> pauses, CancellationToken stop)
    {
        // Small objects that point at each other: marking them is what takes long.
        var live = new List<object?[]>();
        for (var i = 0; i < LiveObjects; i++) live.Add([live.Count > 0 ? live[^1] : null]);
        while (!stop.IsCancellationRequested)
        {
            var started = Stopwatch.GetTimestamp();
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            pauses.Add(Stopwatch.GetElapsedTime(started));
            // Without a gap the test's own continuation would wait for minutes.
            Thread.Sleep(Gap);
        }

        GC.KeepAlive(live);
    }

    private static double Microseconds(LatencyHistogram latencies, double percentile) => latencies.Percentile(percentile) / 1e3;
}
