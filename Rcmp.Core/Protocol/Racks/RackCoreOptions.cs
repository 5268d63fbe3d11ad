using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Settings of the rack's state machine: the <c>rcmp.*</c> keys with their defaults, in nanoseconds.</summary>
internal sealed record RackCoreOptions
{
    public required PoolSettings Settings { get; init; }

    public required Guid RegionId { get; init; }

    /// <summary><c>rcmp.swap.policy</c>: whether the directory must hear of first touches.</summary>
    public SwapPolicy Policy { get; init; } = SwapPolicy.Adaptive;

    /// <summary><c>rcmp.swap.reserve</c>: frames used by pulls alone.</summary>
    public int ReserveFrames { get; init; } = 64;

    /// <summary>How many evictions may be under way at once.</summary>
    public int EvictionsMax { get; init; } = 16;

    /// <summary><c>rcmp.revoke.timeout</c>: a holder that has not acknowledged by then is fenced.</summary>
    public long RevokeTimeoutNs { get; init; } = 1_000_000_000;

    /// <summary><c>rcmp.guard.budget</c>: how long a mover waits for guards.</summary>
    public long QuiesceBudgetNs { get; init; } = 2_000_000;

    /// <summary>First and longest wait before a page that did not get quiet is tried again.</summary>
    public long BackoffMinNs { get; init; } = 10_000_000;

    public long BackoffMaxNs { get; init; } = 2_560_000_000;

    /// <summary><c>rcmp.request-timeout</c>: when a session's request fails as unavailable.</summary>
    public long RequestTimeoutNs { get; init; } = 5_000_000_000;

    /// <summary>First and longest wait before a message without an answer is sent again.</summary>
    public long ResendMinNs { get; init; } = 100_000_000;

    public long ResendMaxNs { get; init; } = 1_000_000_000;

    /// <summary><c>rcmp.heat.half-life</c>.</summary>
    public long HeatHalfLifeNs { get; init; } = 1_000_000_000;

    /// <summary>How many pages one <see cref="SampleHeat"/> looks at.</summary>
    public int HeatSampleBatch { get; init; } = 4096;

    /// <summary>The most pages that one question asks for besides its own, whatever a client's <c>rcmp.client.neighbours-max</c> says.</summary>
    public int NeighboursMax { get; init; } = 1024;

    /// <summary>Sequence numbers are reserved in the superblock in blocks of so many.</summary>
    public int SequenceBlock { get; init; } = 1024;

    /// <summary>How often the rack tells the master that it is there.</summary>
    public long RegisterIntervalNs { get; init; } = 2_000_000_000;

    /// <summary>How long after the first registration the rack greets every shard of the directory. Racks that start together are all there by then: the first alone would get every shard.</summary>
    public long GreetDelayNs { get; init; } = 10_000_000_000;

    /// <summary><c>rcmp.limits.request-pages</c>: the most pages that one request allocates, frees or acknowledges.</summary>
    public long RequestPagesMax { get; init; } = 16 << 20;

    /// <summary><c>rcmp.limits.session-pages</c>: the most pages in this rack that end with one session; 0 is any number.</summary>
    public long SessionPagesMax { get; init; }

    /// <summary>For tests of the tests: a rule that is left out.</summary>
    public ProtocolMutation Mutation { get; init; }
}
