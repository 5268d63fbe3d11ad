using System.Diagnostics;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>Carries out faults, heals them, and measures how long the pool needs.</summary>
internal sealed class FaultInjector(LocalCluster cluster, IReadOnlyList<ChaosClient> clients, Stopwatch clock, Action<FaultSeen> seen, Action<string> violation)
{
    /// <summary>The pool must be whole so long in a row before it counts: a node that was stopped does not know at once that it was removed.</summary>
    private static readonly TimeSpan WholeFor = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>One fault after the other until the time is over; all are healed when it returns.</summary>
    public async Task RunAsync(Func<Fault> next, TimeSpan duration, CancellationToken ct)
    {
        while (true)
        {
            var fault = next();
            if (clock.Elapsed + fault.Gap > duration) return;
            await Task.Delay(fault.Gap, ct);
            await InjectAsync(fault, ct);
        }
    }

    /// <summary>Waits until the pool is whole, and says what is wrong if it does not become so.</summary>
    public async Task<string?> ProblemAsync(CancellationToken ct)
    {
        try
        {
            await WaitWholeAsync(ct);
            return null;
        }
        catch (TimeoutException e)
        {
            return e.Message;
        }
    }

    /// <summary>Whether the nodes name different masters, or one does not answer: a pool may be whole in two parts.</summary>
    private async Task<string?> SplitAsync(PoolMonitor monitor, CancellationToken ct)
    {
        var masters = new Dictionary<string, string>();
        foreach (var node in cluster.Nodes)
        {
            if (!NodeAddress.TryParse(node.Node.Address, out var address)) continue;
            try
            {
                masters[node.Name] = (await monitor.Admin.QueryStatusAsync(address, AnswerTime, ct)).Master;
            }
            catch (PoolNotConnectedException e)
            {
                return $"{node.Name}: {Failures.OneLine(e)}";
            }
        }
        return masters.Values.Distinct().Count() == 1 ? null : $"the nodes are in different clusters, by their masters: {string.Join(", ", masters.Select(m => $"{m.Key} {m.Value}"))}";
    }

    private async Task InjectAsync(Fault fault, CancellationToken ct)
    {
        var at = clock.Elapsed.TotalSeconds;
        var healing = TimeSpan.Zero;
        try
        {
            healing = fault.Kind switch
            {
                FaultKind.KillRack or FaultKind.StopRack => await OnNodesAsync([cluster.Racks[fault.Target]], fault, ct),
                FaultKind.KillMaster or FaultKind.StopMaster => await OnNodesAsync([cluster.Masters[fault.Target]], fault, ct),
                FaultKind.KillMasters => await OnNodesAsync(cluster.Masters, fault, ct),
                FaultKind.KillClient or FaultKind.StopClient => await OnClientAsync(clients[fault.Target], fault, ct),
                _ => await OnLinksAsync(cluster.Network!, fault, ct),
            };
        }
        catch (Exception e) when (e is TimeoutException or CommandException)
        {
            violation($"{fault.Describe()} at {at:0.0} s: {Failures.OneLine(e)}");
            healing = Patience;
        }
        seen(new FaultSeen(fault, Math.Round(at, 1), healing));
    }

    private async Task<TimeSpan> OnNodesAsync(IReadOnlyList<NodeProcess> nodes, Fault fault, CancellationToken ct)
    {
        await Task.WhenAll(nodes.Select(n => fault.IsKill ? n.KillAsync() : n.SuspendAsync(true)));
        await Task.Delay(fault.Held, ct);
        var healed = clock.Elapsed;
        await Task.WhenAll(nodes.Select(n => fault.IsKill ? cluster.RestartAsync(n, ct) : n.SuspendAsync(false)));
        return await WaitWholeAsync(ct) - healed;
    }

    private async Task<TimeSpan> OnLinksAsync(LinkNetwork network, Fault fault, CancellationToken ct)
    {
        TimeSpan healed;
        try
        {
            await network.CutAsync(LinksOf(network, fault));
            await Task.Delay(fault.Held, ct);
        }
        finally
        {
            healed = clock.Elapsed;
            await network.HealAllAsync();
        }
        return await WaitWholeAsync(ct) - healed;
    }

    private IEnumerable<Link> LinksOf(LinkNetwork network, Fault fault)
    {
        var node = fault.Kind == FaultKind.CutPair ? cluster.Nodes[fault.Target].Name : fault.Name;
        return fault.Kind switch
        {
            FaultKind.CutPair => [new Link(node, cluster.Nodes[fault.Other].Name), new Link(cluster.Nodes[fault.Other].Name, node)],
            FaultKind.DeafRack or FaultKind.DeafMaster => network.LinksTo(node),
            FaultKind.MuteRack or FaultKind.MuteMaster => network.LinksFrom(node),
            _ => network.LinksTo(node).Concat(network.LinksFrom(node)),
        };
    }

    private async Task<TimeSpan> OnClientAsync(ChaosClient client, Fault fault, CancellationToken ct)
    {
        if (fault.IsKill) await client.KillAsync();
        else await client.SuspendAsync(true);
        await Task.Delay(fault.Held, ct);
        var healed = clock.Elapsed;
        var before = client.Journal.Operations;
        if (fault.IsKill) await client.StartAsync(ct).WaitAsync(Patience, ct);
        else await client.SuspendAsync(false);
        while (client.Journal.Operations == before)
        {
            if (clock.Elapsed - healed > Patience) throw new TimeoutException($"the client did nothing for {Patience.TotalSeconds:0} s");
            await Task.Delay(Poll, ct);
        }
        return clock.Elapsed - healed;
    }

    /// <summary>Until there is a master, the same for all nodes, and every rack is registered; returns since when.</summary>
    public async Task<TimeSpan> WaitWholeAsync(CancellationToken ct)
    {
        await using var monitor = PoolMonitor.Of(cluster);
        var began = clock.Elapsed;
        TimeSpan? since = null;
        var last = "no node answers";
        while (clock.Elapsed - began < Patience)
        {
            if (await StatusAsync(monitor, ct) is not { } status) since = null;
            else if (Missing(status) is { } missing) (since, last) = (null, missing);
            else if (await SplitAsync(monitor, ct) is { } split) (since, last) = (null, split);
            else since ??= clock.Elapsed;
            if (since is { } whole && clock.Elapsed - whole >= WholeFor) return whole;
            await Task.Delay(Poll, ct);
        }
        throw new TimeoutException($"the pool is not whole after {Patience.TotalSeconds:0} s: {last}");
    }

    private static async Task<PoolStatusAnswered?> StatusAsync(PoolMonitor monitor, CancellationToken ct)
    {
        try
        {
            return await monitor.StatusAsync(ct);
        }
        catch (PoolNotConnectedException)
        {
            return null;
        }
    }

    private string? Missing(PoolStatusAnswered status)
    {
        if (status.Master.Length == 0) return "there is no master";
        var registered = status.Racks.Count(r => r.State == "registered");
        return registered == cluster.Racks.Count ? null : $"{registered} of {cluster.Racks.Count} racks are registered";
    }
}
