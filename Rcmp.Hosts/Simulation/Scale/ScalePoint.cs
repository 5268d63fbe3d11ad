namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>What one size costs, after the warm-up unless it says otherwise.</summary>
internal sealed record ScalePoint
{
    /// <summary>Of which series.</summary>
    public string Sweep { get; init; } = "";

    public required int Racks { get; init; }

    public required long Pages { get; init; }

    public required int Clients { get; init; }

    public required int HotPages { get; init; }

    public required double AccessesPerRackSecond { get; init; }

    public required long Accesses { get; init; }

    /// <summary>Of the accesses, those to a page in the own rack.</summary>
    public required double RackHitShare { get; init; }

    public required double FirstRackHitShare { get; init; }

    public required double DirectoryMessagesPerAccess { get; init; }

    /// <summary>In the clients' first second.</summary>
    public required double FirstDirectoryMessagesPerAccess { get; init; }

    public required double ResolveMessagesPerAccess { get; init; }

    public required double HeatMessagesPerAccess { get; init; }

    public required double MoveMessagesPerAccess { get; init; }

    public required double MovesPerSecond { get; init; }

    public required double BytesMovedPerRackSecond { get; init; }

    public required double HeatBytesPerRackSecond { get; init; }

    public required double HeatMessagesPerRackSecond { get; init; }

    /// <summary>Of one report.</summary>
    public required double HeatPagesPerMessage { get; init; }

    /// <summary>That a rack holds in the end, to pages of others.</summary>
    public required double ReferencesPerRack { get; init; }

    public required double BusiestShardMessagesPerSecond { get; init; }

    public required double FirstBusiestShardMessagesPerSecond { get; init; }

    /// <summary>Share of one core: measured handling, and the cost of messages.</summary>
    public required double BusiestShardLoad { get; init; }

    public required double BusiestRackLoad { get; init; }

    public required double MasterLoad { get; init; }

    /// <summary>What the state machines take for a message, measured here.</summary>
    public required double ShardHandlingNs { get; init; }

    public required double RackHandlingNs { get; init; }

    public required double MasterHandlingNs { get; init; }

    /// <summary>Of a rack's daemon, for one turn of the sampler.</summary>
    public required double HeatSampleNs { get; init; }

    public required double MasterMessagesPerSecond { get; init; }

    public required double MasterBytesPerSecond { get; init; }

    /// <summary>Sent by the master when one more rack joins.</summary>
    public required double JoinBytes { get; init; }

    /// <summary>Tables of a region, without the frames.</summary>
    public required double RegionBytesPerPage { get; init; }

    /// <summary>In the memory of a rack's daemon, of a page that nobody else uses.</summary>
    public required double DaemonBytesPerPage { get; init; }

    /// <summary>In the memory of both daemons, the owner's and the holder's.</summary>
    public required double DaemonBytesPerReference { get; init; }

    /// <summary>Of pages that a second rack has used; the others cost the directory nothing.</summary>
    public required double DirectoryBytesPerPage { get; init; }

    public required double SharedPages { get; init; }

    public required double RebuildMessagesPerShard { get; init; }

    /// <summary>From the start of all shards anew to their last message, in the simulated time.</summary>
    public required double RebuildSeconds { get; init; }

    /// <summary>Of the whole point on this machine.</summary>
    public required double WallSeconds { get; init; }
}
