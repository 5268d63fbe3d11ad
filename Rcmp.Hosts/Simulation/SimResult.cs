namespace Rcmp.Hosts.Simulation;

/// <summary>How the run of one seed ended.</summary>
internal sealed record SimResult
{
    public required ulong Seed { get; init; }

    /// <summary>The rule that was broken; null if none was.</summary>
    public required string? Violation { get; init; }

    public required long Steps { get; init; }

    public required long Moves { get; init; }

    public required long Operations { get; init; }

    public required SimFaults Faults { get; init; }

    public required SimSchedule Schedule { get; init; }

    public required IReadOnlyList<string> Trace { get; init; }

    /// <summary>Runs one seed. The same options and schedule give the same result, always.</summary>
    public static SimResult Of(SimOptions options, SimSchedule? schedule = null)
    {
        var world = new SimWorld(options, schedule);
        string? violation = null;
        try
        {
            world.Run();
        }
        catch (SimViolation found)
        {
            violation = found.Message;
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or ArgumentException or NullReferenceException or IndexOutOfRangeException)
        {
            violation = $"the protocol's code failed: {e}";
        }

        return new SimResult
        {
            Seed = options.Seed, Violation = violation, Steps = world.Steps, Moves = world.Moves, Operations = world.Operations, Faults = world.Faults,
            Schedule = world.Schedule, Trace = world.TraceLines,
        };
    }
}
