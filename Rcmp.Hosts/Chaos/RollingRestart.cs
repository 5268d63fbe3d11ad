using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>A process that was ended in order and started again.</summary>
/// <param name="Kind">master, rack or client.</param>
/// <param name="Name">Which.</param>
/// <param name="Ended">From SIGTERM until it was gone.</param>
/// <param name="Whole">From its start until the pool was whole, or the client worked.</param>
/// <param name="Pause">How long a client made no progress meanwhile, at most; the one that was restarted does not count.</param>
internal sealed record RestartSeen(string Kind, string Name, TimeSpan Ended, TimeSpan Whole, TimeSpan Pause);

/// <summary>The times of all restarts of a kind of process, in nanoseconds.</summary>
internal sealed record RestartTimes(int Count, long EndedMedianNs, long EndedMaxNs, long WholeMedianNs, long WholeMaxNs, long PauseMedianNs, long PauseMaxNs)
{
    public static RestartTimes Of(IReadOnlyList<RestartSeen> seen)
    {
        var (ended, whole, pause) = (Sorted(seen, s => s.Ended), Sorted(seen, s => s.Whole), Sorted(seen, s => s.Pause));
        return new RestartTimes(seen.Count, Median(ended), ended[^1], Median(whole), whole[^1], Median(pause), pause[^1]);
    }

    private static List<long> Sorted(IEnumerable<RestartSeen> seen, Func<RestartSeen, TimeSpan> time) => [.. seen.Select(s => (long)time(s).TotalNanoseconds).Order()];

    private static long Median(List<long> sorted) => sorted[(sorted.Count - 1) / 2];
}

/// <summary>Ends every process by SIGTERM, one after the other, and starts it again; the next one is touched when the pool is whole.</summary>
internal sealed class RollingRestart(
    LocalCluster cluster, IReadOnlyList<ChaosClient> clients, FaultInjector injector, Stopwatch clock, Action<string> say, Action<string> violation)
{
    /// <summary>A round takes no longer, if all is well.</summary>
    public static readonly TimeSpan RoundMax = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan WorkPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly List<RestartSeen> _seen = [];

    public IReadOnlyList<RestartSeen> Seen => _seen;

    public async Task RunAsync(int rounds, CancellationToken ct)
    {
        await injector.WaitWholeAsync(ct);
        for (var round = 0; round < rounds; round++)
        {
            foreach (var master in cluster.Masters) await TryAsync("master", master.Name, null, () => RestartAsync(master, ct), ct);
            foreach (var rack in cluster.Racks) await TryAsync("rack", rack.Name, null, () => RestartAsync(rack, ct), ct);
            foreach (var client in clients) await TryAsync("client", client.Name, client, () => RestartAsync(client, ct), ct);
        }
    }

    private async Task TryAsync(string kind, string name, ChaosClient? restarted, Func<Task<(TimeSpan Ended, TimeSpan Whole)>> restart, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var pause = WatchAsync([.. clients.Where(c => c != restarted)], over.Token);
        try
        {
            var (ended, whole) = await restart();
            await over.CancelAsync();
            var seen = new RestartSeen(kind, name, ended, whole, await pause);
            _seen.Add(seen);
            say($"{clock.Elapsed.TotalSeconds,6:0.0} s  SIGTERM {name}, gone after {ended.TotalSeconds:0.0} s; whole {whole.TotalSeconds:0.0} s after its start; clients paused for {seen.Pause.TotalSeconds:0.00} s at most");
        }
        catch (Exception e) when (e is TimeoutException or CommandException)
        {
            violation($"restart of {name} at {clock.Elapsed.TotalSeconds:0.0} s: {Failures.OneLine(e)}");
            await over.CancelAsync();
            await pause;
        }
    }

    private async Task<(TimeSpan Ended, TimeSpan Whole)> RestartAsync(NodeProcess node, CancellationToken ct)
    {
        var began = clock.Elapsed;
        if (!await node.StopAsync(EndPatience)) violation($"{node.Name} did not end within {EndPatience.TotalSeconds:0} s after SIGTERM");
        var ended = clock.Elapsed;
        await cluster.RestartAsync(node, ct);
        return (ended - began, await injector.WaitWholeAsync(ct) - ended);
    }

    private async Task<(TimeSpan Ended, TimeSpan Whole)> RestartAsync(ChaosClient client, CancellationToken ct)
    {
        var began = clock.Elapsed;
        if (!await client.EndAsync(EndPatience)) violation($"{client.Name} did not end within {EndPatience.TotalSeconds:0} s after SIGTERM");
        var ended = clock.Elapsed;
        var before = client.Journal.Operations;
        await client.StartAsync(ct).WaitAsync(WorkPatience, ct);
        while (client.Journal.Operations == before)
        {
            if (clock.Elapsed - ended > WorkPatience) throw new TimeoutException($"it did nothing for {WorkPatience.TotalSeconds:0} s");
            await Task.Delay(Poll, ct);
        }
        return (ended - began, clock.Elapsed - ended);
    }

    /// <summary>The longest time in which one of them did not complete an operation.</summary>
    private async Task<TimeSpan> WatchAsync(IReadOnlyList<ChaosClient> watched, CancellationToken ct)
    {
        var counts = watched.Select(c => c.Journal.Operations).ToArray();
        var since = watched.Select(_ => clock.Elapsed).ToArray();
        var longest = TimeSpan.Zero;
        while (!ct.IsCancellationRequested)
        {
            await Task.Delay(Poll, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            for (var i = 0; i < watched.Count; i++)
            {
                var (count, now) = (watched[i].Journal.Operations, clock.Elapsed);
                if (now - since[i] > longest) longest = now - since[i];
                if (count != counts[i]) (counts[i], since[i]) = (count, now);
            }
        }
        return longest;
    }
}
