namespace Rcmp;

/// <summary>A pool inside one process: for tests, samples and applications that want the API without a cluster. Its memory ends with it.</summary>
public sealed record EmbeddedPoolOptions
{
    /// <summary>How many racks, 1 to 16. Default 1.</summary>
    public int Racks { get; init; } = 1;

    /// <summary>The rack in which the client lives, from 0. Default 0.</summary>
    public int ClientRack { get; init; }

    /// <summary>Bytes per rack's region, tables included. Default 64 MiB.</summary>
    public long RegionSize { get; init; } = 64 << 20;

    /// <summary>Bytes per page: a power of two from 4 KiB to 2 MiB. Default 4 KiB.</summary>
    public int PageSize { get; init; } = 4096;

    /// <summary>Where the regions' files are created; they are removed when the pool is disposed. Default: <c>/dev/shm</c>, or the
    /// temporary directory where that is too small, which is logged; <see cref="PoolInfo.RegionPath"/> tells.</summary>
    public string? Directory { get; init; }

    /// <summary>When pages move to where they are used. Default adaptive.</summary>
    public SwapPolicy Policy { get; init; } = SwapPolicy.Adaptive;

    /// <summary>How long a call waits for a page before it fails. Default 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Where the pool logs; null logs nothing.</summary>
    public Microsoft.Extensions.Logging.ILoggerFactory? LoggerFactory { get; init; }

    internal void Validate()
    {
        if (Racks is < 1 or > 16) throw new ArgumentException($"Racks = {Racks}: an embedded pool has 1 to 16 racks.");
        if (ClientRack < 0 || ClientRack >= Racks) throw new ArgumentException($"ClientRack = {ClientRack}: with {Racks} racks it must be 0 to {Racks - 1}.");
        if (!PageGeometry.IsValidPageSize(PageSize)) throw new ArgumentException($"PageSize = {PageSize}: must be a power of two from 4 KiB to 2 MiB.");
        if (Timeout <= TimeSpan.Zero) throw new ArgumentException($"Timeout = {Timeout}: must be above zero.");
    }
}
