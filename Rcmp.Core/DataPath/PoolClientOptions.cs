namespace Rcmp.DataPath;

/// <summary>How a client behaves. Each value is a setting of the same name in HOCON.</summary>
internal sealed record PoolClientOptions
{
    /// <summary><c>rcmp.client.timeout</c>: how long a call waits for a page, a rack or the daemon.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary><c>rcmp.fabric.deadline</c>: how long one operation on the wire may take before its connection is given up.</summary>
    public TimeSpan OperationDeadline { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary><c>rcmp.fabric.connect-timeout</c>.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary><c>rcmp.fabric.spin</c>, in nanoseconds: how long a thread polls for a completion before it sleeps.</summary>
    public long SpinNs { get; init; } = 250_000;

    /// <summary><c>rcmp.client.connections-per-link</c>: threads beyond it wait for one to come free.</summary>
    public int ConnectionsPerLink { get; init; } = 4;

    /// <summary><c>rcmp.client.neighbours</c>: how many pages around a missed one are resolved together with it.</summary>
    public int Neighbours { get; init; } = 15;

    /// <summary><c>rcmp.client.neighbours-max</c>: how many pages are resolved ahead of a run of misses.</summary>
    public int NeighboursMax { get; init; } = 512;

    /// <summary><c>rcmp.client.threads</c>: the pool's own threads, on which asynchronous calls that miss are carried out.</summary>
    public int Threads { get; init; } = 4;

    /// <summary>Every access goes through the fabric, even to the rack's own pages (<c>rcmp.swap.policy = rdma-only</c>).</summary>
    public bool RdmaOnly { get; init; }
}
