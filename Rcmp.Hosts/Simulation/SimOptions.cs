using Rcmp.Protocol;

namespace Rcmp.Hosts.Simulation;

/// <summary>What a simulation does.</summary>
/// <param name="Seed">Decides everything else.</param>
/// <param name="Steps">How many steps faults go on for; after them all must come right.</param>
/// <param name="Racks">Racks.</param>
/// <param name="Clients">Clients, spread over the racks.</param>
/// <param name="Pages">How many pages are there at most.</param>
/// <param name="Mutation">A rule that is left out.</param>
/// <param name="Trace">Keep a line for each step.</param>
/// <param name="Calm">No faults and no load of its own: for tests that tell a story.</param>
/// <param name="Policy">When pages move; by the seed if not given.</param>
internal sealed record SimOptions(
    ulong Seed, int Steps = 2500, int Racks = 3, int Clients = 6, int Pages = 6, ProtocolMutation Mutation = ProtocolMutation.None, bool Trace = false,
    bool Calm = false, SwapPolicy? Policy = null);

/// <summary>The rule that was broken.</summary>
internal sealed class SimViolation(string message) : Exception(message);

/// <summary>A daemon dies between two writes to its region.</summary>
internal sealed class SimCrash() : Exception("The daemon dies here.");

/// <summary>What was done to the world, by name, and how tight it was: samples of racks that were full, pages that were evicted.</summary>
internal sealed class SimFaults
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, long> Counts => _counts;

    public void Add(string fault, long count = 1) => _counts[fault] = _counts.GetValueOrDefault(fault) + count;

    public void Add(SimFaults other)
    {
        foreach (var (fault, count) in other._counts) Add(fault, count);
    }
}
