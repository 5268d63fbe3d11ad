using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Rcmp.Regions;

namespace Rcmp.Hosts.Chaos;

/// <summary>One run: a cluster of its own, clients under load, faults from the seed; in the end everything is healed and checked.</summary>
internal sealed class ChaosRun(ChaosOptions options, Action<string> say)
{
    private const int Pages = 32;
    private static readonly ByteSize RegionSize = ByteSize.MiB(32);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan HealthInterval = TimeSpan.FromSeconds(2);

    /// <summary>How long faults may take to heal behind the end of the schedule: until then histories are recorded.</summary>
    private static readonly TimeSpan HealingMax = TimeSpan.FromMinutes(5);

    private readonly Stopwatch _clock = new();
    private readonly NodeHealth _health = new();
    private readonly List<string> _findings = [];
    private readonly List<FaultSeen> _seen = [];
    private readonly Lock _lock = new();
    private HistoryWatch? _histories;
    private IReadOnlyList<RestartSeen> _restarts = [];
    private long _lost;
    private long _late;
    private TimeSpan _readable;

    public async Task<(ChaosResult Result, IReadOnlyList<FaultSeen> Seen)> RunAsync(CancellationToken ct)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"rcmp-chaos-{Environment.ProcessId}-{options.Seed}");
        var network = options.CutsLinks ? await LinkNetwork.CreateAsync(LocalClusterOptions.NamesOf(options.Masters, options.Racks)) : null;
        var cluster = LocalCluster.Prepare(
            new LocalClusterOptions
            {
                Directory = directory,
                Masters = options.Masters,
                Racks = options.Racks,
                RegionSize = RegionSize,
                TimingProfile = options.TimingProfile,
                Ephemeral = true,
                Network = network,
                // A call that waits for a dead rack gives up early enough for much to happen in a run.
                Settings = new Dictionary<string, string> { ["rcmp.client.timeout"] = "4s" },
            },
            say);
        var clients = new List<ChaosClient>();
        string? kept = null;
        try
        {
            await using (cluster)
            {
                say($"starting {options.Masters} masters and {options.Racks} racks; seed {options.Seed}");
                await cluster.StartAsync(_ => { }, ct);
                var layout = await AllocateAsync(cluster, ct);
                var plan = await AllocateHistoriesAsync(cluster, ct);
                for (var i = 0; i < options.Clients; i++) clients.Add(Client(cluster, layout, plan, i));
                _histories = new HistoryWatch(plan, [.. clients.Select(c => c.Journal)], directory, text => Find([text]));
                await Task.WhenAll(clients.Select(c => c.StartAsync(ct)));
                await InjectAsync(cluster, clients, ct);
                foreach (var client in clients) await client.StopAsync(EndPatience);
                _histories.Finish();
                await CheckWordsAsync(cluster, layout, clients, ct);
                _health.Look(Processes(cluster, clients));
                Find(_health.Findings());
                await cluster.StopAsync(true);
                CheckRegions(cluster);
                kept = KeepLogs(directory);
            }
            return (Result(clients, kept), _seen);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    private static IEnumerable<(string Name, ProcessIdentity? Process)> Processes(LocalCluster cluster, IReadOnlyList<ChaosClient> clients) =>
        cluster.Nodes.Select(n => (n.Name, n.Running)).Concat(clients.Select(c => (c.Name, c.Running)));

    private ChaosClient Client(LocalCluster cluster, ChaosLayout layout, HistoryPlan plan, int number) => new(
        cluster.ClientConfiguration(number % options.Racks),
        cluster.ClientLauncher(number % options.Racks),
        new ChaosAssignment(layout, number, Path.Combine(cluster.Directory, $"client{number}.journal"), options.Seed * 1000 + (ulong)number * 100_000, plan, 0),
        text => Find([text]));

    private static string? Here(LocalCluster cluster) => cluster.Network is null ? null : LinkNetwork.Observer;

    private async Task<ChaosLayout> AllocateAsync(LocalCluster cluster, CancellationToken ct)
    {
        await using var pool = await Commands.ClientTarget.ConnectAsync(cluster.ClientConfiguration(0), ct, Here(cluster));
        return new ChaosLayout(await pool.AllocatePagesAsync(Pages, null, ct), pool.Info.PageSize, Pages, options.Clients);
    }

    /// <summary>Pages born in every rack.</summary>
    private async Task<HistoryPlan> AllocateHistoriesAsync(LocalCluster cluster, CancellationToken ct)
    {
        var duration = options.RollingRestarts > 0 ? options.RollingRestarts * RollingRestart.RoundMax : options.Duration.Value;
        var windows = HistoryPlan.WindowsFor(duration + HealingMax);
        var areas = new List<GAddr>();
        int pages = 0, pageSize = 0;
        for (var rack = 0; rack < options.Racks; rack++)
        {
            await using var pool = await Commands.ClientTarget.ConnectAsync(cluster.ClientConfiguration(rack), ct, Here(cluster));
            pageSize = pool.Info.PageSize;
            pages = HistoryPlan.PagesPerAreaFor(windows, options.Racks, pageSize);
            areas.Add(await pool.AllocatePagesAsync(pages, null, ct));
        }
        return new HistoryPlan(areas, pageSize, pages, windows, options.Clients, Stopwatch.GetTimestamp(), cluster.Directory);
    }

    private async Task InjectAsync(LocalCluster cluster, IReadOnlyList<ChaosClient> clients, CancellationToken ct)
    {
        _clock.Start();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var watch = WatchAsync(cluster, clients, over.Token);
        var injector = new FaultInjector(cluster, clients, _clock, Seen, text => Find([text]));
        if (options.RollingRestarts > 0)
        {
            var rolling = new RollingRestart(cluster, clients, injector, _clock, say, text => Find([text]));
            await rolling.RunAsync(options.RollingRestarts, ct);
            _restarts = rolling.Seen;
        }
        else
        {
            await InjectFaultsAsync(injector, ct);
        }
        if (await injector.ProblemAsync(ct) is { } problem) Find([problem]);
        _clock.Stop();
        await over.CancelAsync();
        await watch;
    }

    private async Task InjectFaultsAsync(FaultInjector injector, CancellationToken ct)
    {
        var plan = new FaultPlan(options.Seed, options.Masters, options.Racks, options.Clients, options.CutsLinks);
        await Task.WhenAll(injector.RunAsync(plan.NextForNodes, options.Duration.Value, ct), injector.RunAsync(plan.NextForClients, options.Duration.Value, ct));
    }

    private async Task WatchAsync(LocalCluster cluster, IReadOnlyList<ChaosClient> clients, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            _health.Look(Processes(cluster, clients));
            await Task.Run(_histories!.Look, CancellationToken.None);
            await Task.Delay(HealthInterval, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Reads every word, once from each rack: all must see the same, and what the clients know.</summary>
    private async Task CheckWordsAsync(LocalCluster cluster, ChaosLayout layout, IReadOnlyList<ChaosClient> clients, CancellationToken ct)
    {
        for (var rack = 0; rack < options.Racks; rack++)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                await using var pool = await Commands.ClientTarget.ConnectAsync(cluster.ClientConfiguration(rack), ct, Here(cluster));
                var registers = new List<(int, int, RegisterRecord, ulong)>();
                for (var c = 0; c < clients.Count; c++)
                    for (var r = 0; r < ChaosLayout.Registers; r++)
                        registers.Add((c, r, clients[c].Journal.ReadRegister(r), Read(pool, layout.Register(c, r), began, ct)));
                var counters = new List<(int, IReadOnlyList<CounterRecord>, ulong)>();
                for (var i = 0; i < ChaosLayout.Counters; i++)
                    counters.Add((i, [.. clients.Select(c => c.Journal.ReadCounter(i))], Read(pool, layout.Counter(i), began, ct)));
                var result = ChaosCheck.Run(registers, counters);
                (_lost, _late) = (Math.Max(_lost, result.Lost), Math.Max(_late, result.Late));
                Find(result.Findings.Select(f => $"from rack {rack}: {f}"));
            }
            catch (PoolException e)
            {
                Find([$"from rack {rack}: {Failures.OneLine(e)}"]);
            }
            var took = Stopwatch.GetElapsedTime(began);
            if (took > _readable) _readable = took;
        }
        foreach (var client in clients)
            if (client.Journal.Violations > 0)
                Find([$"{client.Journal.FirstViolation} ({client.Journal.Violations} in all)"]);
    }

    /// <summary>A rack that was down a moment ago may need a little; a page that stays out of reach is a violation.</summary>
    private static ulong Read(IMemoryPool pool, GAddr address, long began, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                return pool.Read<ulong>(address);
            }
            catch (PoolException e) when (e.IsTransient && Stopwatch.GetElapsedTime(began) < EndPatience)
            {
                ct.ThrowIfCancellationRequested();
            }
        }
    }

    private void CheckRegions(LocalCluster cluster)
    {
        foreach (var rack in cluster.Racks)
        {
            var check = RegionInspector.Check(rack.Node.RegionPath!);
            Find(check.Findings.Select(f => $"region of {rack.Name}: {f}"));
        }
        var owners = cluster.Racks.SelectMany(rack => RegionInspector.ResidentPages(rack.Node.RegionPath!).Select(page => (Page: page, rack.Name))).ToLookup(o => o.Page, o => o.Name);
        Find(owners.Where(o => o.Count() > 1).Select(o => $"page {o.Key} belongs to {string.Join(" and to ", o)}"));
    }

    /// <summary>Logs and journals are copied out of what is removed.</summary>
    private string? KeepLogs(string directory)
    {
        if (!options.Keep) return null;
        var kept = directory + "-kept";
        Directory.CreateDirectory(kept);
        foreach (var file in Directory.GetFiles(directory)) File.Copy(file, Path.Combine(kept, Path.GetFileName(file)), true);
        return kept;
    }

    private void Seen(FaultSeen seen)
    {
        lock (_lock) _seen.Add(seen);
        say($"{seen.AtSeconds,6:0.0} s  {seen.Fault.Describe()}; healed {seen.Recovery.TotalSeconds:0.0} s after that");
    }

    private void Find(IEnumerable<string> findings)
    {
        foreach (var finding in findings)
        {
            lock (_lock) _findings.Add(finding);
            say($"VIOLATION: {finding}");
        }
    }

    private ChaosResult Result(IReadOnlyList<ChaosClient> clients, string? kept)
    {
        var journals = clients.Select(c => c.Journal).ToList();
        var byKind = _seen.GroupBy(s => s.Fault.Kind).ToDictionary(g => Word(g.Key), g => g.ToList());
        return new ChaosResult
        {
            Ok = _findings.Count == 0 && _lost == 0,
            Seed = options.Seed,
            Seconds = Math.Round(_clock.Elapsed.TotalSeconds, 1),
            LinksCut = options.CutsLinks,
            LinksNotCut = options.CutsLinks ? null : options.LinksNotCut,
            Faults = Enum.GetValues<FaultKind>().ToDictionary(Word, kind => byKind.TryGetValue(Word(kind), out var seen) ? seen.Count : 0),
            RecoveryNs = byKind.ToDictionary(g => g.Key, g => RecoveryTimes.Of(g.Value)),
            Restarts = _restarts.GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => RestartTimes.Of([.. g])),
            Operations = journals.Sum(j => j.Operations),
            AcknowledgedWrites = journals.Sum(j => j.AcknowledgedWrites),
            UnknownWrites = journals.Sum(j => Enumerable.Range(0, ChaosLayout.Registers).Sum(r => j.ReadRegister(r).Unknown.Count)
                + Enumerable.Range(0, ChaosLayout.Counters).Sum(c => j.ReadCounter(c).Unknown)),
            Moves = journals.Sum(j => j.Moves),
            TransientErrors = journals.Sum(j => j.RefusedOperations),
            Histories = _histories!.Histories,
            HistoryOperations = _histories.Operations,
            HistoryUnknown = _histories.Unknown,
            Lost = _lost,
            Violations = _findings.Count,
            LateWrites = _late,
            ReadableNs = (long)_readable.TotalNanoseconds,
            NodeFilesMax = _health.FilesMax,
            NodeMemoryMax = _health.MemoryMax,
            NodeFilesGrowth = _health.FilesGrowthMax,
            NodeMemoryGrowth = _health.MemoryGrowthMax,
            NodeLifeSeconds = Math.Round(_health.LongestLife.TotalSeconds, 1),
            Findings = _findings,
            Directory = kept,
        };
    }

    private static string Word(FaultKind kind) => char.ToLowerInvariant(kind.ToString()[0]) + kind.ToString()[1..];
}
