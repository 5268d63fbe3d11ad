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

    public static ComparePlan Full { get; } = new()
    {
        Rounds = 5, RoundTime = TimeSpan.FromSeconds(2), RemoteOperations = 20_000, ClusterWarmup = TimeSpan.FromSeconds(20), ClusterTime = TimeSpan.FromSeconds(10),
    };

    public static ComparePlan Quick { get; } = new()
    {
        Rounds = 3, RoundTime = TimeSpan.FromSeconds(1), RemoteOperations = 5_000, ClusterWarmup = TimeSpan.FromSeconds(10), ClusterTime = TimeSpan.FromSeconds(5),
    };
}
