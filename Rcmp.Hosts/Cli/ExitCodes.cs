namespace Rcmp.Hosts.Cli;

/// <summary>What the program's exit says to a script.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>A check failed: verification, invariant, floor, damaged region.</summary>
    public const int CheckFailed = 1;

    /// <summary>Wrong usage or configuration.</summary>
    public const int Usage = 2;

    /// <summary>The pool or a node cannot be reached.</summary>
    public const int Unreachable = 3;

    /// <summary>A resource of the machine is missing: memory, device, privilege, port, package.</summary>
    public const int ResourceMissing = 4;

    /// <summary>Another node of a run on several machines did not come in time.</summary>
    public const int NodeMissing = 5;

    public const int Interrupted = 130;
}
