namespace Rcmp.Protocol;

/// <summary>Settings of a directory shard: the <c>rcmp.*</c> keys with their defaults, in nanoseconds.</summary>
internal sealed record DirectoryOptions
{
    public required PageGeometry Geometry { get; init; }

    /// <summary><c>rcmp.directory.shards</c>.</summary>
    public int Shards { get; init; } = 64;

    /// <summary><c>rcmp.swap.policy</c>.</summary>
    public SwapPolicy Policy { get; init; } = SwapPolicy.Adaptive;

    /// <summary><c>rcmp.swap.watermark</c>.</summary>
    public double Watermark { get; init; } = 3;

    /// <summary><c>rcmp.swap.min-residence</c>: a page does not move again sooner.</summary>
    public long MinResidenceNs { get; init; } = 20_000_000;

    /// <summary>What a move costs until one was measured.</summary>
    public long MoveCostInitialNs { get; init; } = 1_000_000;

    /// <summary>How many moves a shard has under way at once.</summary>
    public int MovesMax { get; init; } = 64;

    /// <summary>While a page of the shard is closed for a move on account of heat, no other one is for so long: many at once only keep each other closed.</summary>
    public long MovePaceNs { get; init; } = 50_000_000;

    /// <summary>How long one step of a move may take before the move is given up.</summary>
    public long StepTimeoutNs { get; init; } = 3_000_000_000;

    /// <summary>First and longest wait before an order without an answer is sent again.</summary>
    public long ResendMinNs { get; init; } = 100_000_000;

    public long ResendMaxNs { get; init; } = 1_000_000_000;

    /// <summary>First and longest wait before a page is tried again that did not get quiet, or found no room.</summary>
    public long BackoffMinNs { get; init; } = 50_000_000;

    public long BackoffMaxNs { get; init; } = 10_000_000_000;

    /// <summary>How long a question about a page that is not known waits for racks before the asker hears that it is unavailable.</summary>
    public long LookupTimeoutNs { get; init; } = 2_000_000_000;

    /// <summary>For tests of the tests: a rule that is left out.</summary>
    public ProtocolMutation Mutation { get; init; }
}
