namespace Rcmp.Hosts.Simulation;

/// <summary>What kind of choice a seed made.</summary>
internal enum SimChoiceKind
{
    Disturbance = 1,
    Message = 2,
    Operation = 3,
}

/// <summary>A choice that a seed made and that can be taken back: a disturbance, a message that is not treated as usual, an operation of a client.</summary>
internal readonly record struct SimChoice(SimChoiceKind Kind, uint Actor, uint Number);

/// <summary>The choices of a run. A run that is limited to some choices of an earlier one makes those, and no others.</summary>
internal sealed class SimSchedule(IReadOnlySet<SimChoice>? allowed = null)
{
    private readonly List<(SimChoice Choice, long NowNs, string What)> _made = [];

    public IReadOnlyList<(SimChoice Choice, long NowNs, string What)> Made => _made;

    public bool Allows(SimChoice choice) => allowed is null || allowed.Contains(choice);

    public void Record(SimChoice choice, long nowNs, string what) => _made.Add((choice, nowNs, what));
}
