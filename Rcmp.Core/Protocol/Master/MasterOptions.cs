using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Settings of the master.</summary>
internal sealed record MasterOptions
{
    /// <summary>What every rack must agree on; null takes the first rack's.</summary>
    public PoolSettings? Settings { get; init; }

    /// <summary><c>rcmp.master.grace</c>: how long after its start a master waits for known racks before it gives out a number.</summary>
    public long GraceNs { get; init; } = 1_000_000_000;
}
