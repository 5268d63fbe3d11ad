using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>Measures reads and writes by client processes, in a cluster of its own unless one is named.</summary>
internal sealed class BenchRun(BenchOptions options, Action<string> say)
{
    private const long PageSizeOwn = 4096;

    public async Task<BenchResult> RunAsync(CancellationToken ct)
    {
        if (options.Configuration is { } configuration) return await MeasureAsync(configuration, configuration, ct);
        var cluster = LocalCluster.Prepare(
            new LocalClusterOptions
            {
                Directory = Path.Combine(Path.GetTempPath(), $"rcmp-bench-{Environment.ProcessId}"),
                Racks = options.Racks,
                RegionSize = ByteSize.MiB((options.Range.Bytes * 9 / 8 >> 20) + 64),
                PageSize = new ByteSize(PageSizeOwn),
                Ephemeral = true,
                Settings = new Dictionary<string, string> { ["rcmp.swap.policy"] = options.Policy },
            },
            say);
        await using (cluster)
        {
            say($"starting {options.Racks} racks of {new ByteSize(cluster.Manifest.RegionSize).ToShortString()}");
            await cluster.StartAsync(_ => { }, ct);
            return await MeasureAsync(cluster.ClientConfiguration(options.BornIn), cluster.ClientConfiguration(options.RunIn), ct);
        }
    }

    private async Task<BenchResult> MeasureAsync(string bornIn, string runIn, CancellationToken ct)
    {
        await using var owner = await ClientProcess.StartAsync(bornIn, ct);
        var pages = Math.Max(1, options.Range.Bytes / owner.PageSize);
        var address = (await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Allocate, Pages = pages }, null, ct)).Address;
        var clients = new List<ClientProcess>();
        try
        {
            await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Fill, Address = address, Pages = pages }, null, ct);
            for (var i = 0; i < options.Clients; i++) clients.Add(await ClientProcess.StartAsync(runIn, ct));
            return await MeasureAsync(clients, address, pages, runIn, ct);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
            // In a cluster that stays the pages must not; in one that goes it does not matter.
            if (options.Configuration is not null && !ct.IsCancellationRequested)
                await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Free, Address = address, Pages = pages }, null, CancellationToken.None);
        }
    }

    private async Task<BenchResult> MeasureAsync(List<ClientProcess> clients, GAddr address, long pages, string configuration, CancellationToken ct)
    {
        say($"{clients.Count} clients of {options.Threads} threads {options.Operation} {options.Payload} in {new ByteSize(pages * clients[0].PageSize).ToShortString()}, {options.Distribution}"
            + (options.Distribution == KeyDistribution.Zipf ? $" {options.Theta}" : "") + $", policy {options.Policy}");
        await using var monitor = PoolMonitor.Of(configuration);
        var swapsBefore = await monitor.SwapsAsync(ct);
        var replies = await Task.WhenAll(clients.Select((client, i) => client.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = SpecOf(i, address, pages) }, null, ct)));
        var swaps = await monitor.SwapsAsync(ct) - swapsBefore;
        var totals = new WorkloadTotals();
        foreach (var reply in replies) totals.Add(reply.Report!);
        var baseline = options.Baseline
            ? await clients[0].AskAsync(new ClientRequest { Kind = ClientRequest.Baseline, Address = address, Pages = pages, Workload = SpecOf(0, address, pages) }, null, ct)
            : null;
        return ResultOf(totals, swaps, pages * clients[0].PageSize, baseline);
    }

    private WorkloadSpec SpecOf(int client, GAddr address, long pages) => new()
    {
        Address = address,
        Pages = pages,
        Payload = (int)options.Payload.Bytes,
        Distribution = options.Distribution,
        Theta = options.Theta,
        Operation = options.Operation,
        WriteShare = options.WriteShare,
        Threads = options.Threads,
        Seed = (ulong)client + 1,
        WarmupSeconds = options.Warmup.Value.TotalSeconds,
        Seconds = options.Duration.Value.TotalSeconds,
        Count = options.Operations > 0 ? Math.Max(1, options.Operations / options.Clients) : 0,
    };

    private BenchResult ResultOf(WorkloadTotals totals, long swaps, long range, ClientReply? baseline) => new()
    {
        Ok = true,
        Policy = options.Policy,
        Distribution = options.Distribution,
        Theta = options.Theta,
        Payload = options.Payload.Bytes,
        Threads = options.Threads,
        Clients = options.Clients,
        Op = options.Operation,
        Range = range,
        Operations = totals.Operations,
        ThroughputPerSecond = Math.Round(totals.OperationsPerSecond, 1),
        LatencyNs = BenchLatency.Of(totals.All()),
        RackHitLatencyNs = BenchLatency.Of(totals.Hits),
        DirectIoLatencyNs = BenchLatency.Of(totals.Remote),
        RackHits = totals.RackHits,
        DirectIo = totals.DirectIo,
        Swaps = swaps,
        RackHitMeanNs = baseline?.RackHitMeanNs,
        PlainCopyMeanNs = baseline?.PlainCopyMeanNs,
    };
}
