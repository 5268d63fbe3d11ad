using System.Diagnostics;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Workloads;
using Rcmp.Tests.Cluster;

namespace Rcmp.Tests.Performance;

/// <summary>A garbage collection stops the managed threads of its own process alone: the pages of a daemon that collects are served by native threads, and other clients of its
/// rack do not need it.</summary>
[Trait("Tier", "perf")]
[Collection(ClusterCollection.Name)]
public sealed class CollectionTests
{
    private const int Pages = 64;
    private const int LiveObjects = 4_000_000;
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
            var quiet = await RemoteReadsAsync(client, pages, Measured);

            using var stop = new CancellationTokenSource();
            var pauses = new List<TimeSpan>();
            var collector = new Thread(() => Collect(pauses, stop.Token));
            collector.Start();
            var collecting = await RemoteReadsAsync(client, pages, Measured);
            await stop.CancelAsync();
            collector.Join();

            pauses.Sort();
            var pause = pauses[pauses.Count / 2];
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"remote reads of another process: quiet p50 {Microseconds(quiet, 50):0} µs, p99 {Microseconds(quiet, 99):0} µs; with {pauses.Count} collections of {pause.TotalMilliseconds:0} ms (median) in the daemon's process "
                + $"p50 {Microseconds(collecting, 50):0} µs, p99 {Microseconds(collecting, 99):0} µs, p99.9 {Microseconds(collecting, 99.9):0} µs");
            // The control: with collections that short, nothing could be seen.
            Assert.True(pauses.Count >= 5 && pause > TimeSpan.FromMilliseconds(20), $"{pauses.Count} collections of {pause}");
            // Managed threads stand still for most of the time meanwhile: if they served, most reads would wait for a collection's end.
            Assert.True(Microseconds(collecting, 99) < pause.TotalMicroseconds / 4, $"p99 {Microseconds(collecting, 99):0} µs, a collection takes {pause}");
        }
        finally
        {
            File.Delete(configuration);
        }
    }

    private static async Task<LatencyHistogram> RemoteReadsAsync(ClientProcess client, GAddr pages, TimeSpan time)
    {
        var workload = new WorkloadSpec { Address = pages, Pages = Pages, Distribution = KeyDistribution.Uniform, WarmupSeconds = 1, Seconds = time.TotalSeconds };
        var reply = await client.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = workload }, null, TestContext.Current.CancellationToken);
        var remote = new LatencyHistogram();
        remote.Add(reply.Report!.Remote);
        return remote;
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
        }

        GC.KeepAlive(live);
    }

    private static double Microseconds(LatencyHistogram latencies, double percentile) => latencies.Percentile(percentile) / 1e3;
}
