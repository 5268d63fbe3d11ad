namespace Rcmp.Hosts.Chaos;

/// <summary>What is done to a process.</summary>
internal enum FaultKind
{
    KillRack,
    StopRack,
    KillMaster,
    StopMaster,
    KillClient,
    StopClient,
}

/// <summary>One fault of the schedule.</summary>
/// <param name="Kind">What.</param>
/// <param name="Target">Which rack, master or client, from 0.</param>
/// <param name="Held">How long it stays dead or stopped.</param>
/// <param name="Gap">The rest before it.</param>
internal sealed record Fault(FaultKind Kind, int Target, TimeSpan Held, TimeSpan Gap)
{
    public bool IsKill => Kind is FaultKind.KillRack or FaultKind.KillMaster or FaultKind.KillClient;

    public string Name => Kind switch
    {
        FaultKind.KillRack or FaultKind.StopRack => $"rack{Target}",
        FaultKind.KillMaster or FaultKind.StopMaster => $"master{Target}",
        _ => $"client{Target}",
    };

    public string Describe() => $"{(IsKill ? "SIGKILL" : "SIGSTOP")} {Name}, {(IsKill ? "down" : "stopped")} for {Held.TotalSeconds:0.0} s";
}

/// <summary>The faults that follow from a seed: what, whom and for how long. Nodes and clients have a schedule each, and both run at a time;
/// the next fault of a schedule waits until the one before is healed, so that a majority of the nodes is always there.</summary>
internal sealed class FaultPlan(ulong seed, int masters, int racks, int clients)
{
    private readonly Random _nodes = new((int)(seed * 2654435761 + 1));
    private readonly Random _clients = new((int)(seed * 2654435761 + 2));

    public Fault NextForNodes()
    {
        var kind = _nodes.Next(100) switch
        {
            < 35 => FaultKind.KillRack,
            < 60 => FaultKind.StopRack,
            < 80 => FaultKind.KillMaster,
            _ => FaultKind.StopMaster,
        };
        return Next(_nodes, kind, _nodes.Next(kind is FaultKind.KillRack or FaultKind.StopRack ? racks : masters));
    }

    public Fault NextForClients() => Next(_clients, _clients.Next(2) == 0 ? FaultKind.KillClient : FaultKind.StopClient, _clients.Next(clients));

    private static Fault Next(Random random, FaultKind kind, int target)
    {
        // At once, which is the hardest for the others, or after a while; a stop is sometimes shorter, sometimes longer than the cluster's patience.
        var isKill = kind is FaultKind.KillRack or FaultKind.KillMaster or FaultKind.KillClient;
        var held = isKill ? Math.Max(0, random.NextDouble() * 5 - 2) : 0.1 + random.NextDouble() * random.NextDouble() * 6;
        return new Fault(kind, target, TimeSpan.FromSeconds(held), TimeSpan.FromSeconds(0.3 + random.NextDouble() * 1.5));
    }
}
