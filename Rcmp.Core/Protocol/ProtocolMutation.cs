namespace Rcmp.Protocol;

/// <summary>A rule of the protocol that is left out, to prove that the simulation notices. Only tests set it.</summary>
internal enum ProtocolMutation
{
    None = 0,
    /// <summary>The owner's row leaves without waiting for local guards.</summary>
    SkipQuiesce,
    /// <summary>The owner does not wait for its holders.</summary>
    SkipRevoke,
    /// <summary>Orders of lower terms are accepted.</summary>
    AcceptLowerTerm,
    /// <summary>The term is not checked again at the end of a revocation.</summary>
    NoSecondTermCheck,
    /// <summary>The owner releases its frame before the commit.</summary>
    ReleaseBeforeCommit,
    /// <summary>The owner grants while its entry is moving.</summary>
    GrantWhileMoving,
    /// <summary>A holder installs a reference although it has a row.</summary>
    InstallOverRow,
    /// <summary>A holder takes grants whatever their number.</summary>
    IgnoreNumbers,
    /// <summary>The owner counts an acknowledgement of any revocation.</summary>
    AcceptAnyAcknowledgement,
    /// <summary>A repeated revocation is acknowledged without naming connections.</summary>
    ForgetConnections,
    /// <summary>The puller does not check the owner's row after the copy.</summary>
    SkipRowCheck,
    /// <summary>An unsettled page may move or be freed.</summary>
    MoveUnsettled,
    /// <summary>An incoming row that nobody answers for counts as committed.</summary>
    UnknownIsAbsent,
    /// <summary>A drop frees the frame while the copy is still running.</summary>
    DropWhilePulling,
}
