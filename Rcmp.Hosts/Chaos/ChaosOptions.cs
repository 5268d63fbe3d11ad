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

    /// <summary>Logs and journals are kept.</summary>
    public bool Keep { get; init; }
}

/// <summary>A client process's part of a run.</summary>
/// <param name="Layout">Where the words are.</param>
/// <param name="Client">Its number, from 0.</param>
/// <param name="Journal">The path of its journal.</param>
/// <param name="Seed">Of its choices.</param>
internal sealed record ChaosAssignment(ChaosLayout Layout, int Client, string Journal, ulong Seed);
