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
    /// <summary>The owner records one holder of a page and no other.</summary>
    ForgetHolder,
    /// <summary>The end of a link leaves its entries in place.</summary>
    LinksOutliveRegistrations,
    /// <summary>A page counts as missing before every rack of the roster has answered.</summary>
    MissingTooEarly,
    // The rest are rules of hosts and of the data path; the simulation's models of these consult them.
    /// <summary>The daemon looks at guard slots without the barrier.</summary>
    DropBarrier,
    /// <summary>A client chooses its connection under the guard, and does not look again.</summary>
    ConnectUnderGuard,
    /// <summary>Connections of dead clients are not named.</summary>
    ForgetDeadClients,
    /// <summary>Connections are accepted under a registration that has ended.</summary>
    AcceptAnyRegistration,
    /// <summary>Holders and numbers are lost with the actor system.</summary>
    HoldersDieWithActors,
    /// <summary>A client repeats an operation whose outcome it does not know.</summary>
    ResendAtomic,
}
