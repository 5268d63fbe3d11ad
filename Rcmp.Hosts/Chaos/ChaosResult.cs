namespace Rcmp.Hosts.Chaos;

/// <summary>A fault that was injected, and how long its healing took.</summary>
/// <param name="Fault">What.</param>
/// <param name="AtSeconds">Since the clients began.</param>
/// <param name="Recovery">From the restart, the continuation, or the repair of the links, until the pool was whole (nodes) or the client worked again.</param>
internal sealed record FaultSeen(Fault Fault, double AtSeconds, TimeSpan Recovery);

/// <summary>Times of recovery in nanoseconds.</summary>
internal sealed record RecoveryTimes(long Median, long Max)
{
    public static RecoveryTimes Of(IEnumerable<FaultSeen> seen)
    {
        var sorted = seen.Select(s => (long)s.Recovery.TotalNanoseconds).Order().ToList();
        return new RecoveryTimes(sorted[(sorted.Count - 1) / 2], sorted[^1]);
    }
}

/// <summary>What <c>chaos --json</c> prints.</summary>
internal sealed record ChaosResult
{
    public required bool Ok { get; init; }

    public required ulong Seed { get; init; }

    public required double Seconds { get; init; }

    /// <summary>Links between nodes were cut too.</summary>
    public required bool LinksCut { get; init; }

    /// <summary>Why they were not.</summary>
    public string? LinksNotCut { get; init; }

    /// <summary>How many of each kind were injected.</summary>
    public required IReadOnlyDictionary<string, int> Faults { get; init; }

    public required IReadOnlyDictionary<string, RecoveryTimes> RecoveryNs { get; init; }

    /// <summary>Of a rolling restart, by the kind of the process.</summary>
    public required IReadOnlyDictionary<string, RestartTimes> Restarts { get; init; }

    public required long Operations { get; init; }

    public required long AcknowledgedWrites { get; init; }

    /// <summary>Writes and additions that failed with an unknown outcome, or whose client was killed meanwhile.</summary>
    public required long UnknownWrites { get; init; }

    /// <summary>Operations that failed as transient, without having done anything.</summary>
    public required long TransientErrors { get; init; }

    /// <summary>Pages that clients brought into their racks from another one; one that two clients of a rack ask for at once counts twice.</summary>
    public required long Moves { get; init; }

    /// <summary>Recorded histories, each of one word that all clients used, that the linearizability checker has judged.</summary>
    public required long Histories { get; init; }

    /// <summary>Operations in them.</summary>
    public required long HistoryOperations { get; init; }

    /// <summary>Those of them whose outcome is unknown.</summary>
    public required long HistoryUnknown { get; init; }

    /// <summary>Acknowledged writes that are not there.</summary>
    public required long Lost { get; init; }

    public required long Violations { get; init; }

    /// <summary>Registers that ended with an older write of unknown outcome.</summary>
    public required long LateWrites { get; init; }

    /// <summary>How long reading every word from a rack took in the end, by a new client, at most.</summary>
    public required long ReadableNs { get; init; }

    /// <summary>Of all processes, clients included.</summary>
    public required long NodeFilesMax { get; init; }

    public required long NodeMemoryMax { get; init; }

    /// <summary>By how much one process grew at most after its warm-up.</summary>
    public required long NodeFilesGrowth { get; init; }

    public required long NodeMemoryGrowth { get; init; }

    /// <summary>How long the process that lived longest was watched.</summary>
    public required double NodeLifeSeconds { get; init; }

    public required IReadOnlyList<string> Findings { get; init; }

    /// <summary>Where the logs are, if they were kept.</summary>
    public string? Directory { get; init; }
}
