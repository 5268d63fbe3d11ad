using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>How a wait for guards ended.</summary>
/// <param name="Quiet">No slot without a connection names the page.</param>
/// <param name="Connections">Connections in slots that still name it, dead clients' too.</param>
/// <param name="HeldUpBy">If not quiet: session and process.</param>
internal sealed record QuiesceResult(bool Quiet, IReadOnlyList<ulong> Connections, string? HeldUpBy);

/// <summary>The mover's side of the guards: the barrier over all clients, and the wait until no slot names a page. Thread-safe.</summary>
internal sealed unsafe class GuardTable
{
    public GuardTable(Region region) => throw new NotSupportedException();

    /// <summary>Orders the caller's stores before the guards of every client: a guard set afterwards sees them.</summary>
    public void Barrier() => throw new NotSupportedException();

    /// <summary>Waits until no slot names the page, at most the budget. With <paramref name="remoteOnly"/> slots without a connection are not looked at. The barrier comes before.</summary>
    public QuiesceResult WaitQuiet(PageId page, long budgetNs, bool remoteOnly) => throw new NotSupportedException();

    /// <summary>The same for all slots that hold a connection of the link.</summary>
    public QuiesceResult WaitLinkQuiet(LinkRecord link, long budgetNs) => throw new NotSupportedException();

    /// <summary>Clears slots of dead clients, and slots that live ones have retired, if they name one of the connections: the owner has confirmed that they are gone. Returns how many.</summary>
    public int ClearConnections(IReadOnlyCollection<ulong> names) => throw new NotSupportedException();

    /// <summary>The same for all connections of a link.</summary>
    public int ClearConnectionsOf(ulong linkNumber) => throw new NotSupportedException();
}
