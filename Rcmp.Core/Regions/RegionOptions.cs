namespace Rcmp.Regions;

/// <summary>How to format a region.</summary>
internal sealed record RegionCreateOptions
{
    public required Guid PoolId { get; init; }

    /// <summary>Bytes, rounded up to 2 MiB; 0 takes all of a dax device.</summary>
    public long SizeBytes { get; init; }

    public int PageSizeBytes { get; init; } = PageGeometry.PageSizeMin;

    /// <summary>Bind the memory to this NUMA node.</summary>
    public int? NumaNode { get; init; }

    /// <summary>Ask for transparent huge pages for the frames (a hugetlbfs file has huge pages anyway).</summary>
    public bool HugePages { get; init; }

    /// <summary>Take all memory now, not at first touch.</summary>
    public bool Populate { get; init; }

    /// <summary>Format even if the file holds a region already.</summary>
    public bool Force { get; init; }

    /// <summary>0: by size.</summary>
    public int SessionCount { get; init; }

    /// <summary>0: by size.</summary>
    public int SlotsPerSession { get; init; }

    /// <summary>0: by size.</summary>
    public int LinkSlots { get; init; }
}

/// <summary>What whoever opens a region takes it for; null is "anything".</summary>
internal sealed record RegionExpectations(Guid? PoolId = null, int? PageSizeBytes = null, Guid? RegionId = null)
{
    public static readonly RegionExpectations Any = new();

    /// <summary>How long a daemon waits for the lock of one that is just ending.</summary>
    public TimeSpan LockWait { get; init; } = TimeSpan.FromMilliseconds(500);
}
