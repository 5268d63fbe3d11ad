namespace Rcmp.Hosts.Doctor;

/// <summary>One thing that a machine offers or lacks.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Ok">It is there.</param>
/// <param name="Value">What was found.</param>
/// <param name="Cost">If it lacks: what that costs, and how to get it.</param>
internal sealed record MachineCheck(string Name, bool Ok, string Value, string? Cost);
