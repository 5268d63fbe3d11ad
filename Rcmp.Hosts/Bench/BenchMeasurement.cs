using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>One combination: allocates the pages, starts the clients, measures, frees. With other nodes, node 0 has the pages, and all begin and end together.</summary>
internal sealed class BenchMeasurement(
    BenchOptions options, ClientProcess owner, string runIn, PoolMonitor monitor, BenchNodes nodes, Action<string> say, IBenchProgress progress)
{
    // Numbers of nodes and clients make seeds: no two clients shall do the same.
    private const int ClientsPerNode = 4096;
    private const double ProgressSeconds = 0.5;

    /// <param name="index">Of the combination.</param>
    /// <param name="what">Names it to those who wait.</param>
    /// <param name="frees">Whether the pages are given back; in a cluster that goes it does not matter.</param>
    /// <param name="measured">Hears of the result, before other nodes are waited for.</param>
    /// <param name="ct">Ends it early.</param>
    public async Task RunAsync(int index, string what, bool frees, Action<BenchResult> measured, CancellationToken ct)
    {
        BenchRange? own = nodes.IsFirst ? await AllocateAsync(ct) : null;
        try
        {
            measured(await MeasureAsync(index, own, what, ct));
            await nodes.MeetAsync($"end/{index}", "", ct);
        }
        finally
        {
            if (own is { } range && frees) await FreeAsync(range);
        }
    }

    private async Task<BenchRange> AllocateAsync(CancellationToken ct)
    {
        var pages = Math.Max(1, options.Range.Bytes / owner.PageSize);
        return new BenchRange((await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Allocate, Pages = pages }, null, ct)).Address, pages);
    }

    /// <summary>A pool that stays must not keep them, however the measurement ended.</summary>
    private async Task FreeAsync(BenchRange range)
    {
        try
        {
            await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Free, Address = range.Address, Pages = range.Pages }, null, CancellationToken.None);
        }
        catch (Exception e) when (e is CommandException or IOException)
        {
            // What ended the measurement is the error that counts.
            say($"the {range.Pages} pages at {range.Address} could not be freed: {Failures.OneLine(e)}");
        }
    }

    private async Task<BenchResult> MeasureAsync(int index, BenchRange? own, string what, CancellationToken ct)
    {
        List<ClientProcess> clients = [];
        try
        {
            if (own is { } filled) await owner.AskAsync(new ClientRequest { Kind = ClientRequest.Fill, Address = filled.Address, Pages = filled.Pages }, null, ct);
            for (var i = 0; i < options.Clients; i++) clients.Add(await ClientProcess.StartAsync(runIn, ct));
            var range = BenchRange.Parse(await nodes.MeetAsync($"start/{index}", own?.ToString() ?? "", ct));
            return await MeasureAsync(clients, range, what, ct);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    private async Task<BenchResult> MeasureAsync(List<ClientProcess> clients, BenchRange range, string what, CancellationToken ct)
    {
        var bytes = range.Pages * clients[0].PageSize;
        say($"{clients.Count} clients of {options.Threads} threads {options.Operation} {options.Payload} in {new ByteSize(bytes).ToShortString()}, {options.Distribution}"
            + (options.Distribution == KeyDistribution.Zipf ? $" {options.Theta}" : "") + $", policy {PolicyName}");
        var swapsBefore = await monitor.SwapsAsync(ct);
        var timeline = new BenchTimeline(clients.Count);
        var expected = options.Operations > 0 ? TimeSpan.Zero : options.Warmup.Value + options.Duration.Value;
        var replies = await progress.ShowAsync(what, expected, advance => Task.WhenAll(clients.Select((client, i) => client.AskAsync(
            new ClientRequest { Kind = ClientRequest.Run, Workload = SpecOf(i, range) },
            reply =>
            {
                timeline.Add(i, reply.Report!);
                if (options.Operations > 0) advance(timeline.Operations / (double)options.Operations);
            },
            ct))));
        var swaps = await monitor.SwapsAsync(ct) - swapsBefore;
        var totals = new WorkloadTotals();
        foreach (var reply in replies) totals.Add(reply.Report!);
        var baseline = options.Baseline
            ? await clients[0].AskAsync(new ClientRequest { Kind = ClientRequest.Baseline, Address = range.Address, Pages = range.Pages, Workload = SpecOf(0, range) }, null, ct)
            : null;
        return ResultOf(totals, swaps, bytes, baseline) with { Intervals = options.IntervalSeconds > 0 ? timeline.Intervals() : null };
    }

    // What a running cluster does is not known here.
    private string PolicyName => options.Configuration is null ? options.Policy : "of the pool";

    private WorkloadSpec SpecOf(int client, BenchRange range) => new()
    {
        Address = range.Address,
        Pages = range.Pages,
        Payload = (int)options.Payload.Bytes,
        Distribution = options.Distribution,
        Theta = options.Theta,
        Operation = options.Operation,
        WriteShare = options.WriteShare,
        Threads = options.Threads,
        Seed = (ulong)(options.Node * ClientsPerNode + client) + 1,
        WarmupSeconds = options.Warmup.Value.TotalSeconds,
        Seconds = options.Duration.Value.TotalSeconds,
        Count = options.Operations > 0 ? Math.Max(1, options.Operations / options.Clients) : 0,
        ShiftSeconds = options.Shift.Value.TotalSeconds,
        Rate = options.Rate,
        ReportSeconds = options.IntervalSeconds > 0 ? options.IntervalSeconds : options.Operations > 0 && progress.IsShown ? ProgressSeconds : 0,
    };

    private BenchResult ResultOf(WorkloadTotals totals, long swaps, long range, ClientReply? baseline) => new()
    {
        Ok = true,
        Policy = PolicyName,
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
        Rate = options.Rate,
        ShiftSeconds = options.Shift.Value.TotalSeconds,
        Node = options.Nodes > 1 ? options.Node : null,
    };
}
