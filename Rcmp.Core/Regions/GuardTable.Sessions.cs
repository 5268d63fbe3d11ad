namespace Rcmp.Regions;

internal sealed unsafe partial class GuardTable
{
    /// <summary>From now on the session's slots count. Before the client hears of the session.</summary>
    internal void Track(int session)
    {
        _slotsSeen[session] = 0;
        Volatile.Write(ref _dead[session], false);
        Volatile.Write(ref _tracked[session], true);
    }

    /// <summary>The process is gone: what it did locally is over. What it sent to other racks may still be carried out.</summary>
    internal void BuryLocal(int session)
    {
        var slots = _region.SlotsAt(session);
        // All of them: the count is the client's word.
        _slotsSeen[session] = _region.Layout.SlotsPerSession;
        for (var i = 0; i < _region.Layout.SlotsPerSession; i++)
        {
            // A connection without a page was chosen, and nothing was posted on it.
            if (slots[i].Connection == 0 || slots[i].Page == 0)
                Clear(slots + i);
        }

        Volatile.Write(ref _dead[session], true);
    }

    /// <summary>Stops looking at a dead session's slots if all are clear.</summary>
    internal bool TryUntrack(int session)
    {
        var slots = _region.SlotsAt(session);
        for (var i = 0; i < _region.Layout.SlotsPerSession; i++)
        {
            if (slots[i].Page != 0)
                return false;
        }

        Volatile.Write(ref _tracked[session], false);
        return true;
    }

    /// <summary>Clears slots of dead clients, and slots that live ones have retired, if they name one of the connections: the owner has confirmed that they are gone. Returns how many.</summary>
    public int ClearConnections(IReadOnlyCollection<ulong> names)
    {
        if (names.Count == 0)
            return 0;
        var set = names as IReadOnlySet<ulong> ?? names.ToHashSet();
        return ClearWhere(connection => set.Contains(connection));
    }

    /// <summary>The same for all connections of a link.</summary>
    public int ClearConnectionsOf(ulong linkNumber) => ClearWhere(connection => ConnectionName.IsOfLink(connection, linkNumber));

    private int ClearWhere(Func<ulong, bool> isGone)
    {
        var cleared = 0;
        for (var session = 1; session < _tracked.Length; session++)
        {
            if (!Volatile.Read(ref _tracked[session]))
                continue;
            var slots = _region.SlotsAt(session);
            var count = SlotCount(session);
            for (var i = 0; i < count; i++)
            {
                var connection = Volatile.Read(ref slots[i].Connection);
                if (connection == 0 || !isGone(connection))
                    continue;
                // A live client's thread may be using the slot at this moment, for another page already: only what it has given up is ours.
                if (!Volatile.Read(ref _dead[session]) && Volatile.Read(ref slots[i].Retired) == 0)
                    continue;
                Clear(slots + i);
                cleared++;
            }
        }

        return cleared;
    }

    private static void Clear(GuardSlot* slot)
    {
        Volatile.Write(ref slot->Page, 0);
        Volatile.Write(ref slot->Connection, 0);
        slot->Hits = 0;
        // Last: with it the slot is its session's again.
        Volatile.Write(ref slot->Retired, 0);
    }
}
