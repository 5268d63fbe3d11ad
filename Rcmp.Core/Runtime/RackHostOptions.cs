using Rcmp.Protocol;

namespace Rcmp.Runtime;

/// <summary>What a rack daemon needs besides the protocol's settings.</summary>
internal sealed record RackHostOptions
{
    /// <summary>The region, already formatted.</summary>
    public required string RegionPath { get; init; }

    /// <summary>Where session files are created; the same at every start on this region.</summary>
    public required string RuntimeDirectory { get; init; }

    /// <summary>The pool the region must belong to; null takes the region's.</summary>
    public Guid? PoolId { get; init; }

    /// <summary>The page size the region must have, in bytes; null takes the region's.</summary>
    public int? PageSize { get; init; }

    /// <summary>Where to serve the fabric, such as <c>tcp://127.0.0.1:0</c>.</summary>
    public required string FabricAddress { get; init; }

    /// <summary>Native threads that serve other racks.</summary>
    public int ServiceThreads { get; init; } = 1;

    /// <summary>How long a service thread polls before it sleeps.</summary>
    public TimeSpan FabricSpin { get; init; } = TimeSpan.FromMicroseconds(250);

    /// <summary>Fabric connections beyond are refused.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>How long opening a connection to another rack may take.</summary>
    public TimeSpan FabricConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one operation of the daemon itself may take.</summary>
    public TimeSpan FabricTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often heat is sampled while there is traffic; idle racks look ten times less often.</summary>
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How often the daemon looks for clients that are gone.</summary>
    public TimeSpan SessionPoll { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>A client that has not locked its session file by then has no session.</summary>
    public TimeSpan SessionOpenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Publishes a link of the rack to itself, which clients with policy rdma-only use for the rack's own pages.</summary>
    public bool PublishSelfLink { get; init; }

    /// <summary>Locks the region in memory.</summary>
    public bool LockMemory { get; init; }

    /// <summary>The protocol's settings.</summary>
    public required RackCoreOptions Core { get; init; }
}
