using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>What it costs not to know the workload: the adaptive policy against the better one of never moving a page and always moving it, on workloads that favour the one or
/// the other. Each policy has a cluster of processes; they work in turns.</summary>
internal sealed class PolicyCostRows(ComparePlan plan, Action<string> say)
{
    private const string Adaptive = "adaptive";
    private static readonly string[] Others = ["direct-io", "swap"];
    private static readonly TimeSpan Shift = TimeSpan.FromSeconds(3);

    /// <param name="What">For people.</param>
    /// <param name="Distribution">Of the addresses.</param>
    /// <param name="Theta">Its skew.</param>
    /// <param name="Range">Of the addresses.</param>
    private sealed record Load(string What, string Distribution, double Theta, ByteSize Range)
    {
        /// <summary>The hot set shifts; nothing is warmed up but the programs.</summary>
        public bool Shifts { get; init; }

        /// <summary>A client in either rack.</summary>
        public bool Shared { get; init; }
    }

    // The range in which the hot set shifts is too large to be moved as a whole meanwhile: else every shift is one among pages that are there already.
    private static readonly Load[] Loads =
    [
        new($"Zipf 0.99, hot set shifts every {Shift.TotalSeconds:0} s", KeyDistribution.Zipf, 0.99, ByteSize.MiB(64)) { Shifts = true },
        new("two racks share a hot page", KeyDistribution.Uniform, 0, ByteSize.KiB(4)) { Shared = true },
        new("uniform", KeyDistribution.Uniform, 0, ByteSize.MiB(8)),
        new("Zipf 0.6", KeyDistribution.Zipf, 0.6, ByteSize.MiB(8)),
        new("Zipf 0.9", KeyDistribution.Zipf, 0.9, ByteSize.MiB(8)),
        new("Zipf 1.2", KeyDistribution.Zipf, 1.2, ByteSize.MiB(8)),
    ];

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        var loads = plan.AllPolicyLoads ? Loads : Loads[..2];
        await using var sides = new Sides();
        foreach (var policy in Others.Prepend(Adaptive)) await sides.AddAsync(policy, say, ct);
        say("warming up: until the JIT of all processes has little left to recompile");
        var warm = plan with { PolicyWarmup = TimeSpan.Zero, PolicyTime = plan.ClusterWarmup };
        await Task.WhenAll(sides.All.Select(side => MeasureAsync(side, Loads[^1], warm, ct)));
        var means = loads.Select(_ => sides.All.ToDictionary(side => side.Policy, _ => new List<double>())).ToArray();
        for (var round = 0; round < plan.PolicyRounds; round++)
        {
            for (var i = 0; i < loads.Length; i++)
            {
                say($"64 B, half writes, {loads[i].What}");
                foreach (var side in sides.All) means[i][side.Policy].Add(await MeasureAsync(side, loads[i], plan, ct));
            }
        }

        return [.. loads.Select((load, i) => Row(load.What, load.Shifts, means[i].ToDictionary(pair => pair.Key, pair => Median.Of(pair.Value))))];
    }

    /// <summary>Against the better one of the others.</summary>
    internal static CompareRow Row(string what, bool shifts, IReadOnlyDictionary<string, double> means)
    {
        var better = Others.MinBy(policy => means[policy])!;
        return new CompareRow
        {
            What = $"64 B, half writes, {what}, adaptive: mean latency", Against = $"{better}, the better of {string.Join(" and ", Others)}", Measured = means[Adaptive], Baseline = means[better],
            Floor = 1.15, Aim = shifts ? 1 : null,
        };
    }

    private static async Task<double> MeasureAsync(Side side, Load load, ComparePlan plan, CancellationToken ct)
    {
        var pages = load.Range.Bytes / side.Owner.PageSize;
        var address = (await side.Owner.AskAsync(new ClientRequest { Kind = ClientRequest.Allocate, Pages = pages }, null, ct)).Address;
        await side.Owner.AskAsync(new ClientRequest { Kind = ClientRequest.Fill, Address = address, Pages = pages }, null, ct);
        var spec = new WorkloadSpec
        {
            Address = address, Pages = pages, Distribution = load.Distribution, Theta = load.Theta, Operation = WorkloadSpec.Mixed,
            WarmupSeconds = plan.PolicyWarmup.TotalSeconds, Seconds = plan.PolicyTime.TotalSeconds,
        };
        var totals = new WorkloadTotals();
        ClientProcess[] clients = load.Shared ? [side.Owner, side.Other] : [side.Other];
        for (var phase = 0; phase < (load.Shifts ? plan.PolicyShifts : 1); phase++)
        {
            if (load.Shifts) spec = spec with { HotSet = (ulong)phase + 1, WarmupSeconds = phase == 0 ? Shift.TotalSeconds : 0, Seconds = Shift.TotalSeconds };
            var replies = await Task.WhenAll(clients.Select((client, i) =>
                client.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = spec with { Seed = (ulong)(phase * clients.Length + i) + 1 } }, null, ct)));
            foreach (var reply in replies) totals.Add(reply.Report!);
        }

        await side.Owner.AskAsync(new ClientRequest { Kind = ClientRequest.Free, Address = address, Pages = pages }, null, ct);
        return totals.All().Mean;
    }

    /// <summary>A cluster under one policy, with a client in either rack.</summary>
    private sealed record Side(string Policy, LocalCluster Cluster, ClientProcess Owner, ClientProcess Other);

    private sealed class Sides : IAsyncDisposable
    {
        private readonly Stack<IAsyncDisposable> _started = new();

        public List<Side> All { get; } = [];

        public async Task AddAsync(string policy, Action<string> say, CancellationToken ct)
        {
            var largest = Loads.Max(load => load.Range.Bytes);
            var cluster = LocalCluster.Prepare(
                new LocalClusterOptions
                {
                    Directory = Path.Combine(Path.GetTempPath(), $"rcmp-compare-{Environment.ProcessId}-{policy}"), RegionSize = ByteSize.MiB((largest * 9 / 8 >> 20) + 64), Ephemeral = true,
                    Settings = new Dictionary<string, string> { ["rcmp.swap.policy"] = policy },
                },
                say);
            _started.Push(cluster);
            say($"starting a cluster under {policy}");
            await cluster.StartAsync(_ => { }, ct);
            All.Add(new Side(policy, cluster, await StartAsync(cluster, 0, ct), await StartAsync(cluster, 1, ct)));
        }

        private async Task<ClientProcess> StartAsync(LocalCluster cluster, int rack, CancellationToken ct)
        {
            var client = await ClientProcess.StartAsync(cluster.ClientConfiguration(rack), ct);
            _started.Push(client);
            return client;
        }

        public async ValueTask DisposeAsync()
        {
            while (_started.TryPop(out var started)) await started.DisposeAsync();
        }
    }
}
