using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Merges what two sides know of the roster. Nobody is lost, forgotten stays forgotten, a later generation wins; at the same
/// generation the higher version knows the better address.</summary>
internal static class RosterMerge
{
    public static RosterChanged Merge(RosterChanged left, RosterChanged right)
    {
        var (newer, older) = right.Version >= left.Version ? (right, left) : (left, right);
        var entries = new SortedDictionary<RackId, RosterEntry>();
        foreach (var entry in older.Entries) entries[entry.Rack] = entry;
        foreach (var entry in newer.Entries)
        {
            entries[entry.Rack] = entries.TryGetValue(entry.Rack, out var known) ? Later(known, entry) : entry;
        }

        return new RosterChanged(newer.Version, ValueList<RosterEntry>.Of(entries.Values));
    }

    // The second is from the higher version.
    private static RosterEntry Later(RosterEntry known, RosterEntry entry)
    {
        var later = known.Generation.CompareTo(entry.Generation) > 0 || (known.Generation == entry.Generation && entry.NodeAddress.Length == 0)
            ? known
            : entry;
        return later with { Forgotten = known.Forgotten || entry.Forgotten };
    }
}
