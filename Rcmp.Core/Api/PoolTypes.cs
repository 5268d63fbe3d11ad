namespace Rcmp;

/// <summary>The state of a client's session.</summary>
public enum PoolState
{
    /// <summary>Not connected yet.</summary>
    Connecting,

    /// <summary>The rack's daemon answers.</summary>
    Connected,

    /// <summary>The rack's daemon does not answer; resolved pages can still be used, and the client keeps trying.</summary>
    Disconnected,

    /// <summary>Disposed.</summary>
    Closed,
}

/// <summary>A change of <see cref="IMemoryPool.State"/>.</summary>
public sealed class PoolStateChangedEventArgs(PoolState previous, PoolState current) : EventArgs
{
    /// <summary>The state before.</summary>
    public PoolState Previous { get; } = previous;

    /// <summary>The state now.</summary>
    public PoolState Current { get; } = current;
}

/// <summary>What the pool and the client's rack are.</summary>
/// <param name="PoolId">Names the pool.</param>
/// <param name="PageSize">Bytes per page.</param>
/// <param name="Rack">The client's rack.</param>
/// <param name="RegionPath">The rack's region as this client maps it.</param>
public sealed record PoolInfo(Guid PoolId, int PageSize, RackId Rack, string RegionPath);

/// <summary>How long an allocation lives.</summary>
public enum PageLifetime
{
    /// <summary>Until it is freed.</summary>
    Pool,

    /// <summary>Until it is freed, or the session of its client ends.</summary>
    Session,
}

/// <summary>How to allocate.</summary>
public sealed record AllocationOptions
{
    /// <summary>Near the client, until freed.</summary>
    public static readonly AllocationOptions Default = new();

    /// <summary>How long the pages live.</summary>
    public PageLifetime Lifetime { get; init; }
}

/// <summary>One read of a batch.</summary>
/// <param name="Address">Where to read.</param>
/// <param name="Destination">Where the bytes go, and how many.</param>
public readonly record struct ReadRequest(GAddr Address, Memory<byte> Destination);

/// <summary>One write of a batch.</summary>
/// <param name="Address">Where to write.</param>
/// <param name="Source">What to write.</param>
public readonly record struct WriteRequest(GAddr Address, ReadOnlyMemory<byte> Source);

/// <summary>The heat of a page in one rack.</summary>
/// <param name="Rack">The rack.</param>
/// <param name="Value">Exponentially decayed count of accesses.</param>
public readonly record struct RackHeat(RackId Rack, double Value);

/// <summary>Where a page is.</summary>
/// <param name="Address">The address of the page's first byte.</param>
/// <param name="PageId">The page.</param>
/// <param name="Owner">The rack that holds it.</param>
/// <param name="Epoch">Rises with every change of owner.</param>
/// <param name="Phase">What the directory is doing with it: stable, leaving, pulling, committing, settling, freeing.</param>
/// <param name="Heat">Per rack, as last reported.</param>
/// <param name="LastDecision">Why it moved or stayed, with the figures; null if nothing was decided yet.</param>
public sealed record PageLocation(
    GAddr Address, PageId PageId, RackId Owner, long Epoch, string Phase, IReadOnlyList<RackHeat> Heat, string? LastDecision);
