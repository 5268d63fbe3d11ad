using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>Looks over the guard slots of a region for what the daemon watches: whether anything is used, and connections that their
/// clients cannot clear any more.</summary>
internal static unsafe class SlotScan
{
    /// <summary>The accesses of all slots in use: changes when any client has touched a page.</summary>
    public static ulong TotalAccesses(Region region)
    {
        ulong total = 0;
        for (var session = 0; session < region.Layout.SessionCount; session++)
        {
            var header = region.SessionAt(session);
            if ((SessionSlotState)Volatile.Read(ref header->State) != SessionSlotState.Active) continue;
            var slots = region.SlotsAt(session);
            var used = Math.Min(Volatile.Read(ref header->SlotsUsed), (uint)region.Layout.SlotsPerSession);
            for (var i = 0; i < used; i++) total += Volatile.Read(ref slots[i].Hits) + Volatile.Read(ref slots[i].RemoteEnded);
        }

        return total;
    }

    /// <summary>Connections in slots of dead clients, and in slots that live ones have given up, by link number (its low 24 bits).</summary>
    public static Dictionary<ulong, List<ulong>>? FindOrphans(Region region)
    {
        Dictionary<ulong, List<ulong>>? orphans = null;
        for (var session = 1; session < region.Layout.SessionCount; session++)
        {
            var header = region.SessionAt(session);
            var state = (SessionSlotState)Volatile.Read(ref header->State);
            if (state is not (SessionSlotState.Active or SessionSlotState.Dead)) continue;
            var slots = region.SlotsAt(session);
            // A dead client's count may be anything.
            var used = state == SessionSlotState.Dead
                ? (uint)region.Layout.SlotsPerSession
                : Math.Min(Volatile.Read(ref header->SlotsUsed), (uint)region.Layout.SlotsPerSession);
            for (var i = 0; i < used; i++)
            {
                if (state == SessionSlotState.Active && Volatile.Read(ref slots[i].Retired) == 0) continue;
                var connection = Volatile.Read(ref slots[i].Connection);
                if (connection == 0) continue;
                orphans ??= [];
                var link = ConnectionName.LinkOf(connection);
                if (!orphans.TryGetValue(link, out var names)) orphans[link] = names = [];
                if (!names.Contains(connection)) names.Add(connection);
            }
        }

        return orphans;
    }
}
