namespace Rcmp.Hosts.Chaos;

/// <summary>What is done to a process, or to the links of a node.</summary>
internal enum FaultKind
{
    KillRack,
    StopRack,
    KillMaster,

    /// <summary>All of them at once: nobody is left who knows the pool but its racks.</summary>
    KillMasters,
    StopMaster,
    KillClient,
    StopClient,

    /// <summary>Nothing passes between a rack, with its clients, and any other node.</summary>
    CutRack,

    /// <summary>It hears nobody, and is heard.</summary>
    DeafRack,

    /// <summary>Nobody hears it, and it hears all.</summary>
    MuteRack,
    CutMaster,
    DeafMaster,
    MuteMaster,

    /// <summary>Nothing passes between two nodes, and both reach all others.</summary>
    CutPair,
}

/// <summary>One fault of the schedule.</summary>
/// <param name="Kind">What.</param>
/// <param name="Target">Which rack, master or client, from 0; of a pair: which node, masters first.</param>
/// <param name="Held">How long it stays dead, stopped or cut.</param>
/// <param name="Gap">The rest before it.</param>
/// <param name="Other">The other node of a pair.</param>
internal sealed record Fault(FaultKind Kind, int Target, TimeSpan Held, TimeSpan Gap, int Other = 0)
{
    public bool IsKill => Kills(Kind);

    public bool IsOfRack => Kind is FaultKind.KillRack or FaultKind.StopRack or FaultKind.CutRack or FaultKind.DeafRack or FaultKind.MuteRack;

    public string Name => Kind switch
    {
        FaultKind.CutPair => $"nodes {Target} and {Other}",
        FaultKind.KillMasters => "all masters",
        FaultKind.KillClient or FaultKind.StopClient => $"client{Target}",
        _ => IsOfRack ? $"rack{Target}" : $"master{Target}",
    };

    public static bool Kills(FaultKind kind) => kind is FaultKind.KillRack or FaultKind.KillMaster or FaultKind.KillMasters or FaultKind.KillClient;

    public static bool IsOfLinks(FaultKind kind) => kind >= FaultKind.CutRack;

    public string Describe() => Kind switch
    {
        FaultKind.CutRack or FaultKind.CutMaster => $"{Name} cut off for {Seconds}",
        FaultKind.DeafRack or FaultKind.DeafMaster => $"{Name} hears nobody for {Seconds}",
        FaultKind.MuteRack or FaultKind.MuteMaster => $"nobody hears {Name} for {Seconds}",
        FaultKind.CutPair => $"{Name} cut from each other for {Seconds}",
        _ => $"{(IsKill ? "SIGKILL" : "SIGSTOP")} {Name}, {(IsKill ? "down" : "stopped")} for {Seconds}",
    };

    private string Seconds => $"{Held.TotalSeconds:0.0} s";
}

/// <summary>The faults that follow from a seed: what, whom and for how long. Nodes and clients have a schedule each, and both run at a time;
/// the next fault of a schedule waits until the one before is healed. One rack and one client are never killed, only stopped and
/// cut off: what grows slowly shows in a process that lives as long as the run.</summary>
internal sealed class FaultPlan(ulong seed, int masters, int racks, int clients, bool cutsLinks)
{
    private static readonly FaultKind[] OnRackLinks = [FaultKind.CutRack, FaultKind.CutRack, FaultKind.DeafRack, FaultKind.MuteRack];
    private static readonly FaultKind[] OnMasterLinks = [FaultKind.CutMaster, FaultKind.CutMaster, FaultKind.DeafMaster, FaultKind.MuteMaster];

    private readonly Random _nodes = new((int)(seed * 2654435761 + 1));
    private readonly Random _clients = new((int)(seed * 2654435761 + 2));

    public Fault NextForNodes() => cutsLinks && _nodes.Next(2) == 0 ? NextForLinks() : NextForProcesses();

    public Fault NextForClients()
    {
        var kind = _clients.Next(2) == 0 ? FaultKind.KillClient : FaultKind.StopClient;
        return Next(_clients, kind, kind == FaultKind.KillClient ? NotSpared(_clients, clients) : _clients.Next(clients));
    }

    private int NotSpared(Random random, int count) => count == 1 ? 0 : ((int)(seed % (ulong)count) + 1 + random.Next(count - 1)) % count;

    private Fault NextForProcesses()
    {
        var kind = _nodes.Next(100) switch
        {
            < 33 => FaultKind.KillRack,
            < 56 => FaultKind.StopRack,
            < 72 => FaultKind.KillMaster,
            < 82 => FaultKind.KillMasters,
            _ => FaultKind.StopMaster,
        };
        return Next(_nodes, kind, kind == FaultKind.KillRack ? NotSpared(_nodes, racks) : _nodes.Next(kind == FaultKind.StopRack ? racks : masters));
    }

    private Fault NextForLinks()
    {
        var choice = _nodes.Next(100);
        if (choice < 50) return Next(_nodes, OnRackLinks[_nodes.Next(OnRackLinks.Length)], _nodes.Next(racks));
        if (choice < 80) return Next(_nodes, OnMasterLinks[_nodes.Next(OnMasterLinks.Length)], _nodes.Next(masters));
        var one = _nodes.Next(masters + racks);
        var other = (one + 1 + _nodes.Next(masters + racks - 1)) % (masters + racks);
        return Next(_nodes, FaultKind.CutPair, one) with { Other = other };
    }

    private static Fault Next(Random random, FaultKind kind, int target)
    {
        // At once, which is the hardest for the others, or after a while; a stop or a cut is sometimes shorter, sometimes longer than the cluster's patience.
        var held = Fault.Kills(kind) ? Math.Max(0, random.NextDouble() * 5 - 2) : 0.1 + random.NextDouble() * random.NextDouble() * 6;
        // Most stops are short; a partition is there to outlast everybody's patience more often.
        if (Fault.IsOfLinks(kind)) held = 0.1 + random.NextDouble() * 7;
        return new Fault(kind, target, TimeSpan.FromSeconds(held), TimeSpan.FromSeconds(0.3 + random.NextDouble() * 1.5));
    }
}
