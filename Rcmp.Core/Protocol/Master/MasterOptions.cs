using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Settings of the master.</summary>
internal sealed record MasterOptions
{
    /// <summary>What every rack must agree on; null takes the first rack's.</summary>
    public PoolSettings? Settings { get; init; }

    /// <summary><c>rcmp.master.grace</c>: how long after its start a master waits for known racks before it gives out a number.</summary>
    public long GraceNs { get; init; } = 1_000_000_000;

    /// <summary>A rack that has said nothing for so long is offered to nobody as room: three times as long as a rack that lives is silent (<see cref="RackCoreOptions.RegisterIntervalNs"/>).</summary>
    public long SilenceNs { get; init; } = 6_000_000_000;
}
