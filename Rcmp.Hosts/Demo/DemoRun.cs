using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Demo;

/// <summary>The demo: a pool of real processes, real files in it, and pages that move to where they are hot.</summary>
internal sealed class DemoRun(DemoInput input, IDemoView view)
{
    private const int Racks = 2;
    private const int WorkloadPages = 4096;
    private const double PhaseSeconds = 8;
    private const double ReportSeconds = 1;
    private static readonly ByteSize PageSize = ByteSize.KiB(4);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly WorkloadTotals _totals = new();
    private readonly List<DemoRow> _rows = [];

    public async Task<DemoResult> RunAsync(CancellationToken ct)
    {
        var (stored, mismatches, swaps, region) = await UsePoolAsync(ct);
        // Told only now that everything was taken down: the summary says so.
        var result = new DemoResult
        {
            Ok = mismatches.Count == 0,
            Racks = Racks,
            Files = stored.Count,
            BytesVerified = input.Bytes - stored.Where(f => mismatches.Contains(f.Path)).Sum(f => f.Length),
            RackHits = _totals.RackHits,
            DirectIo = _totals.DirectIo,
            Swaps = swaps,
            RackHitP50Ns = _totals.Hits.Percentile(50),
            DirectIoP50Ns = _totals.Remote.Percentile(50),
            ElapsedSeconds = Math.Round(_clock.Elapsed.TotalSeconds, 2),
        };
        view.Say("");
        DemoSummary.Tell(view, result, _rows, mismatches, region);
        return result;
    }

    private async Task<(IReadOnlyList<StoredFile> Stored, IReadOnlyList<string> Mismatches, long Swaps, string Region)> UsePoolAsync(CancellationToken ct)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"rcmp-demo-{Environment.ProcessId}");
        var options = new LocalClusterOptions { Directory = directory, Racks = Racks, RegionSize = RegionSize(), PageSize = PageSize, TimingProfile = "fast", Ephemeral = true };
        view.Say($"Starting a pool on this machine: one master and two racks, each a process, each rack with {options.RegionSize.ToShortString()} of memory.");
        await using var cluster = LocalCluster.Prepare(options, view.Say);
        await cluster.StartAsync(_ => { }, ct);
        await using var writer = await ClientProcess.StartAsync(cluster.ClientConfiguration(0), ct);
        await using var reader = await ClientProcess.StartAsync(cluster.ClientConfiguration(1), ct);
        view.Say($"It serves after {_clock.Elapsed.TotalSeconds:0.0} s. One client process is in rack {writer.Rack}, another in rack {reader.Rack}.");
        view.Say("");
        var stored = await StoreAsync(writer, ct);
        var mismatches = await VerifyAsync(reader, stored, ct);
        var region = cluster.Racks[0].Node.RegionPath!;
        if (mismatches.Count > 0) return (stored, mismatches, 0, region);
        view.Say("");
        return (stored, mismatches, await HeatAsync(writer, reader, cluster, ct), region);
    }

    /// <summary>Room for the files and the workload's pages in one rack, and some more, so that the hot ones fit into the other.</summary>
    private ByteSize RegionSize()
    {
        var pages = input.PagesOf(PageSize.Bytes) + WorkloadPages;
        var bytes = pages * PageSize.Bytes * 9 / 8 + ByteSize.MiB(64).Bytes;
        return ByteSize.MiB(Math.Max(256, (bytes + (1 << 20) - 1) >> 20));
    }

    private async Task<IReadOnlyList<StoredFile>> StoreAsync(ClientProcess writer, CancellationToken ct)
    {
        var started = _clock.Elapsed;
        var reply = await writer.AskAsync(new ClientRequest { Kind = ClientRequest.Store, Files = input.Files }, null, ct);
        view.Say($"Stored {reply.Files.Count} files, {new ByteSize(input.Bytes).ToShortString()}, of {input.Root} from rack {writer.Rack}: {Rate(started)}.");
        return reply.Files;
    }

    private async Task<IReadOnlyList<string>> VerifyAsync(ClientProcess reader, IReadOnlyList<StoredFile> stored, CancellationToken ct)
    {
        var started = _clock.Elapsed;
        var reply = await reader.AskAsync(new ClientRequest { Kind = ClientRequest.Verify, Files = stored }, null, ct);
        view.Say(reply.Mismatches.Count == 0
            ? $"Read every byte back from rack {reader.Rack}, out of the other rack's memory: {Rate(started)}. All {stored.Count} SHA-256 sums match."
            : $"{reply.Mismatches.Count} of {stored.Count} files came back changed: {string.Join(", ", reply.Mismatches.Take(3))}");
        return reply.Mismatches;
    }

    private string Rate(TimeSpan started) => $"{new ByteSize((long)(input.Bytes / Math.Max(0.001, (_clock.Elapsed - started).TotalSeconds))).ToShortString()}/s";

    /// <summary>The skewed workload; returns how many pages moved.</summary>
    private async Task<long> HeatAsync(ClientProcess writer, ClientProcess reader, LocalCluster cluster, CancellationToken ct)
    {
        var address = (await writer.AskAsync(new ClientRequest { Kind = ClientRequest.Allocate, Pages = WorkloadPages }, null, ct)).Address;
        await writer.AskAsync(new ClientRequest { Kind = ClientRequest.Fill, Address = address, Pages = WorkloadPages }, null, ct);
        view.Say($"Now rack {reader.Rack} reads and writes {WorkloadPages} pages that were born in rack {writer.Rack}, few of them often and many seldom (64 B, zipf 0.99, one write in ten).");
        view.Say("At first every access goes through the network (Direct IO). The pages that are hot there move over (swaps), and accesses become rack hits.");
        view.Say("Half-way, other pages become hot, and the pool follows.");
        view.Say("");
        await using var monitor = PoolMonitor.Of(cluster);
        var before = await monitor.SwapsAsync(ct);
        long swaps = 0;
        await view.ShowRowsAsync(async show =>
        {
            var began = _clock.Elapsed;
            foreach (var (hotSet, phase) in new[] { (1UL, "arrives"), (2UL, "shifts") })
            {
                var spec = new WorkloadSpec
                {
                    Address = address,
                    Pages = WorkloadPages,
                    Operation = WorkloadSpec.Mixed,
                    WriteShare = 0.1,
                    HotSet = hotSet,
                    Seed = hotSet,
                    Seconds = PhaseSeconds,
                    ReportSeconds = ReportSeconds,
                };
                var count = 0;
                var reply = await reader.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = spec }, progress =>
                {
                    // Reports come one after the other, so the wait for the number of swaps holds up nothing but the table.
                    swaps = monitor.SwapsAsync(ct).GetAwaiter().GetResult() - before;
                    var row = DemoRow.Of((_clock.Elapsed - began).TotalSeconds, count++ == 0 ? phase : "stays", swaps, progress.Report!);
                    _rows.Add(row);
                    show(row);
                }, ct);
                _totals.Add(reply.Report!);
            }
        });
        return await monitor.SwapsAsync(ct) - before;
    }
}
