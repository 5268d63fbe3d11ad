using System.Diagnostics;
using Rcmp.Native;
using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>How a wait for guards ended.</summary>
/// <param name="Quiet">No slot without a connection names the page.</param>
/// <param name="Connections">Connections in slots that still name it, dead clients' too.</param>
/// <param name="HeldUpBy">If not quiet: session and process.</param>
internal sealed record QuiesceResult(bool Quiet, IReadOnlyList<ulong> Connections, string? HeldUpBy);

/// <summary>The mover's side of the guards: the barrier over all clients, and the wait until no slot names a page. Thread-safe.</summary>
internal sealed unsafe partial class GuardTable
{
    private const int SpinScans = 100;
    private const int YieldScans = 2000;
    private readonly Region _region;
    private readonly bool _fencesOnly;
    private readonly bool[] _tracked;
    private readonly bool[] _dead;
    private readonly int[] _slotsSeen;

    /// <param name="region">Opened as daemon.</param>
    /// <param name="fencesOnly">Every client orders its guards by a fence, and nothing is to be done here: set if the system has no membarrier.</param>
    public GuardTable(Region region, bool fencesOnly = false)
    {
        _region = region;
        _fencesOnly = fencesOnly || !MemoryBarrierCalls.TryRegister() || !MemoryBarrierCalls.TryIssue();
        _tracked = new bool[region.Layout.SessionCount];
        _dead = new bool[region.Layout.SessionCount];
        _slotsSeen = new int[region.Layout.SessionCount];
        // The service threads of the daemon itself: all slots, since nobody counts those.
        _slotsSeen[0] = region.Layout.SlotsPerSession;
        ClearOwnSlots();
        Volatile.Write(ref region.SessionAt(0)->UsesFence, _fencesOnly ? 1u : 0u);
        _tracked[0] = true;
    }

    /// <summary>Clients order their guards by a fence: the daemon cannot do it for them.</summary>
    public bool FencesOnly => _fencesOnly;

    /// <summary>Orders the caller's stores before the guards of every client: a guard set afterwards sees them, one set before is seen by a later wait.</summary>
    public void Barrier()
    {
        Interlocked.MemoryBarrier();
        if (!_fencesOnly && !MemoryBarrierCalls.TryIssue())
            throw new InvalidOperationException("membarrier worked at the start and fails now: without it no page may be taken away.");
    }

    /// <summary>Waits until no slot names the page, at most the budget. With <paramref name="remoteOnly"/> slots without a connection are not looked at. The barrier comes before.
    /// Slots of dead clients and retired ones are not waited for: they are named at once.</summary>
    public QuiesceResult WaitQuiet(PageId page, long budgetNs, bool remoteOnly) => Wait(new Wanted(page.Value, null, 0, remoteOnly), budgetNs, null);

    /// <summary>The same for all slots that hold a connection of the link.</summary>
    public QuiesceResult WaitLinkQuiet(LinkRecord link, long budgetNs) => Wait(new Wanted(0, null, link.Number, true), budgetNs, null);

    /// <summary>The same for any of many pages, and for all connections: which of both are still named.</summary>
    public (IReadOnlySet<ulong> Pages, IReadOnlyCollection<ulong> Connections) WaitPagesQuiet(IReadOnlySet<ulong> pages, long budgetNs)
    {
        var named = new HashSet<ulong>();
        var result = Wait(new Wanted(0, pages, 0, false), budgetNs, named);
        return (named, result.Connections);
    }

    private QuiesceResult Wait(Wanted wanted, long budgetNs, HashSet<ulong>? pages)
    {
        var started = Stopwatch.GetTimestamp();
        for (var scans = 0; ; scans++)
        {
            var seen = Scan(wanted, null, null);
            if (!seen.Any)
                return new QuiesceResult(true, [], null);
            if (!seen.WorthWaiting || Stopwatch.GetElapsedTime(started).TotalNanoseconds >= budgetNs)
                break;
            Pause(scans);
        }

        var connections = new HashSet<ulong>();
        var last = Scan(wanted, connections, pages);
        return new QuiesceResult(last.LocalSession < 0, [.. connections], last.LocalSession < 0 ? null : Describe(last.LocalSession));
    }

    private static void Pause(int scans)
    {
        if (scans < SpinScans)
            Thread.SpinWait(10);
        else if (scans < YieldScans)
            Thread.Yield();
        else
            Thread.Sleep(1);
    }

    private Seen Scan(Wanted wanted, HashSet<ulong>? connections, HashSet<ulong>? pages)
    {
        var seen = new Seen { LocalSession = -1 };
        for (var session = 0; session < _tracked.Length; session++)
        {
            if (!Volatile.Read(ref _tracked[session]))
                continue;
            var slots = _region.SlotsAt(session);
            var count = SlotCount(session);
            for (var i = 0; i < count; i++)
            {
                var slot = slots + i;
                var page = Volatile.Read(ref slot->Page);
                if (page == 0)
                    continue;
                var connection = Volatile.Read(ref slot->Connection);
                if (!wanted.Matches(page, connection))
                    continue;
                seen.Any = true;
                // The slot changed hands between the two loads: what it is now came after the barrier. Looked at again in the next scan.
                if (Volatile.Read(ref slot->Page) != page)
                {
                    seen.WorthWaiting = true;
                    continue;
                }

                Note(ref seen, session, slot, connection);
                if (connection != 0)
                    connections?.Add(connection);
                pages?.Add(page);
            }
        }

        return seen;
    }

    private void Note(ref Seen seen, int session, GuardSlot* slot, ulong connection)
    {
        if (connection == 0)
            seen.LocalSession = session;
        seen.WorthWaiting |= connection == 0 || !(Volatile.Read(ref _dead[session]) || Volatile.Read(ref slot->Retired) != 0);
    }

    /// <summary>Only ever upwards: a client that scribbles over its count does not hide slots.</summary>
    private int SlotCount(int session)
    {
        var used = (int)Math.Min(Volatile.Read(ref _region.SessionAt(session)->SlotsUsed), (uint)_region.Layout.SlotsPerSession);
        if (used > _slotsSeen[session])
            _slotsSeen[session] = used;
        return _slotsSeen[session];
    }

    private string Describe(int session) =>
        session == 0 ? "a service thread of the daemon" : $"session {session} (process {_region.SessionAt(session)->ProcessId})";

    private void ClearOwnSlots()
    {
        // Those of the previous daemon, whose threads are gone with it.
        new Span<byte>(_region.SlotsAt(0), _region.Layout.SlotsPerSession * RegionLayout.SlotBytes).Clear();
    }

    private readonly record struct Wanted(ulong Page, IReadOnlySet<ulong>? Pages, ulong Link, bool RemoteOnly)
    {
        public bool Matches(ulong page, ulong connection)
        {
            if (Link != 0)
                return ConnectionName.IsOfLink(connection, Link);
            if (Pages is not null)
                return connection != 0 || Pages.Contains(page);
            return page == Page && (connection != 0 || !RemoteOnly);
        }
    }

    private struct Seen
    {
        public bool Any;
        public bool WorthWaiting;
        public int LocalSession;
    }
}
