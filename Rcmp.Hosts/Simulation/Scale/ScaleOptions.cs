using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A pool without faults whose size is the question. Times of this kind are measured ones (docs/performance.md), so that decisions that depend on them are those of a real pool.</summary>
internal sealed record ScaleOptions
{
    public int Racks { get; init; } = 4;

    public long Pages { get; init; } = 100_000;

    /// <summary>Pages that a rack uses most, anywhere in the pool, each rack its own; the first of them more than the last (Zipf 0.99).</summary>
    public int HotPages { get; init; } = 1000;

    /// <summary>By each rack's clients together.</summary>
    public int AccessesPerSecond { get; init; } = 10_000;

    public double WarmupSeconds { get; init; } = 1;

    public double Seconds { get; init; } = 1;

    public ulong Seed { get; init; } = 1;

    public SwapPolicy Policy { get; init; } = SwapPolicy.Adaptive;

    /// <summary>A control message from one process to another.</summary>
    public long HopNs { get; init; } = 300_000;

    public long RemoteNs { get; init; } = 15_000;

    public long PullNs { get; init; } = 100_000;

    public void Validate()
    {
        if (Pages < (long)Racks * PagesPerRackMin) throw CommandException.Usage($"--pages: {Pages} is too few for {Racks} racks, each has {PagesPerRackMin} or more");
    }

    private const int PagesPerRackMin = 64;
}

/// <summary>What one size costs.</summary>
internal sealed record ScalePoint
{
    public required int Racks { get; init; }

    public required long Pages { get; init; }

    public required int HotPages { get; init; }

    public required long Accesses { get; init; }

    /// <summary>Of the accesses, those to a page in the own rack.</summary>
    public required double RackHitShare { get; init; }

    public required double DirectoryMessagesPerAccess { get; init; }

    public required double MovesPerSecond { get; init; }

    public required double BytesMovedPerRackSecond { get; init; }

    public required double HeatBytesPerRackSecond { get; init; }

    public required double BusiestShardMessagesPerSecond { get; init; }

    public required double MasterMessagesPerSecond { get; init; }

    /// <summary>Tables of a region, without the frames.</summary>
    public required double RegionBytesPerPage { get; init; }

    /// <summary>Of pages that a second rack has used; the others cost the directory nothing.</summary>
    public required double DirectoryBytesPerPage { get; init; }

    public required double RebuildMessagesPerShard { get; init; }

    /// <summary>From the start of all shards anew to their last message, in the simulated time.</summary>
    public required double RebuildSeconds { get; init; }

    /// <summary>Of the whole point on this machine.</summary>
    public required double WallSeconds { get; init; }
}
