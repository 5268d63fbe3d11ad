using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Chaos;

/// <summary>What <c>chaos</c> was asked for.</summary>
internal sealed record ChaosOptions
{
    public Duration Duration { get; init; } = Duration.Seconds(60);

    public ulong Seed { get; init; } = 1;

    public int Masters { get; init; } = 2;

    public int Racks { get; init; } = 3;

    public int Clients { get; init; } = 3;

    /// <summary>This process is where it may make networks (<see cref="Local.LinkNamespace"/>), and cuts links.</summary>
    public bool CutsLinks { get; init; }

    /// <summary>Otherwise: why it does not.</summary>
    public string LinksNotCut { get; init; } = "not asked for";

    /// <summary>If not 0: no faults, but so many times every process is ended in order and started again, one after the other.</summary>
    public int RollingRestarts { get; init; }

    /// <summary><c>rcmp.timing-profile</c>.</summary>
    public string TimingProfile { get; init; } = "fast";

    /// <summary>Logs and journals are kept.</summary>
    public bool Keep { get; init; }
}

/// <summary>A client process's part of a run.</summary>
/// <param name="Layout">Where the words are.</param>
/// <param name="Client">Its number, from 0.</param>
/// <param name="Journal">The path of its journal.</param>
/// <param name="Seed">Of its choices.</param>
/// <param name="History">The words that all clients share, and where what was done to them is written down.</param>
/// <param name="Start">How often it was started before.</param>
internal sealed record ChaosAssignment(ChaosLayout Layout, int Client, string Journal, ulong Seed, HistoryPlan History, int Start);
