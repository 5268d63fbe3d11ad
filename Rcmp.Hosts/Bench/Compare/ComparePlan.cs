namespace Rcmp.Hosts.Bench.Compare;

/// <summary>How long <c>bench compare</c> measures.</summary>
internal sealed record ComparePlan
{
    /// <summary>Each a measurement of everything; the table has the medians.</summary>
    public required int Rounds { get; init; }

    /// <summary>Of one measurement of one thing.</summary>
    public required TimeSpan RoundTime { get; init; }

    public required int RemoteOperations { get; init; }

    /// <summary>The large range of the rack hits, in bytes.</summary>
    public long Range { get; init; } = 1L << 30;

    /// <summary>Of a workload in a cluster of processes.</summary>
    public required TimeSpan ClusterWarmup { get; init; }

    public required TimeSpan ClusterTime { get; init; }

    /// <summary>Of one stream of remote accesses.</summary>
    public TimeSpan StreamTime => RoundTime / 4;

    /// <summary>Of the workloads under several policies, which take long.</summary>
    public required int PolicyRounds { get; init; }

    /// <summary>All workloads, or the two that tell most.</summary>
    public required bool AllPolicyLoads { get; init; }

    public required TimeSpan PolicyWarmup { get; init; }

    public required TimeSpan PolicyTime { get; init; }

    /// <summary>How many hot sets come one after the other.</summary>
    public required int PolicyShifts { get; init; }

    public static ComparePlan Full { get; } = new()
    {
        Rounds = 5, RoundTime = TimeSpan.FromSeconds(2), RemoteOperations = 20_000, ClusterWarmup = TimeSpan.FromSeconds(20), ClusterTime = TimeSpan.FromSeconds(10),
        PolicyRounds = 5, AllPolicyLoads = true, PolicyWarmup = TimeSpan.FromSeconds(8), PolicyTime = TimeSpan.FromSeconds(4), PolicyShifts = 4,
    };

    public static ComparePlan Quick { get; } = new()
    {
        Rounds = 3, RoundTime = TimeSpan.FromSeconds(0.6), RemoteOperations = 5_000, ClusterWarmup = TimeSpan.FromSeconds(7), ClusterTime = TimeSpan.FromSeconds(3),
        PolicyRounds = 1, AllPolicyLoads = false, PolicyWarmup = TimeSpan.FromSeconds(2), PolicyTime = TimeSpan.FromSeconds(3), PolicyShifts = 2,
    };
}
