using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>What a daemon's start found in the region.</summary>
/// <param name="Resident">Rows by state.</param>
/// <param name="Leaving">Rows by state.</param>
/// <param name="Incoming">Rows by state.</param>
/// <param name="Free">Rows by state.</param>
/// <param name="Kept">Entries of resident pages that stayed as they were.</param>
/// <param name="Installed">Resident pages whose entry had to be written.</param>
/// <param name="Cleared">Entries that were set absent: remote ones of the old start, moving ones, and those that no row confirms.</param>
/// <param name="Connections">Connections that guard slots still name, by link of the old start: they are gone once the link's owner has taken a new registration; then clear them.</param>
/// <param name="Unreachable">Resident pages for which the page table has no room.</param>
/// <param name="Contradicted">Entries, of those cleared, that said "resident" against the row: no order of a kill leaves that, so something else wrote there.</param>
internal sealed record ReattachResult(
    long Resident, long Leaving, long Incoming, long Free, long Kept, long Installed, long Cleared,
    IReadOnlyList<(LinkRecord Link, IReadOnlyList<ulong> Connections)> Connections, IReadOnlyList<PageId> Unreachable, long Contradicted);

internal sealed unsafe partial class RegionStore
{
    /// <summary>Brings tables and rows into agreement after a start, while clients of the previous start are at work. Rows are the truth. An entry of a resident page that agrees
    /// with its row is not touched, so its clients notice nothing. All others become absent; remote ones since a link dies with the process that registered it. After
    /// the barrier, keys that no guard names are given up and the links' slots cleared.</summary>
    /// <exception cref="RegionDamagedException">A row makes no sense, or a page is resident twice.</exception>
    public ReattachResult Reattach(GuardTable guards, long budgetNs)
    {
        var counts = CheckRows();
        var (kept, cleared, contradicted) = ClearEntries();
        _guards = guards;
        guards.Barrier();
        var named = guards.WaitPagesQuiet(cleared, budgetNs);
        GiveUpKeys(cleared, named.Pages);
        var connections = ClearLinks(named.Connections);
        var unreachable = new List<PageId>();
        var installed = InstallResidents(unreachable);
        return new ReattachResult(
            counts[(int)RowState.Resident], counts[(int)RowState.Leaving], counts[(int)RowState.Incoming], counts[(int)RowState.Free], kept, installed,
            cleared.Count, connections, unreachable, contradicted);
    }

    private long[] CheckRows()
    {
        var counts = new long[4];
        for (uint frame = 0; frame < _region.Layout.FrameCount; frame++)
        {
            var row = ReadRow(new FrameIndex(frame));
            if ((RowRules.Violation(row, Geometry) ?? RowRules.BornTooEarly(row, State, Geometry) ?? StrayBits(frame, row)) is { } violation)
                throw new RegionDamagedException($"{_region.Path}: frame {frame}: {violation}. 'rcmp region check' lists everything.");
            counts[(int)row.State]++;
        }

        return counts;
    }

    /// <summary>Bits that no row has: what is wrong, if they have a meaning here; else they are wiped.</summary>
    private string? StrayBits(uint frame, in FrameRow row)
    {
        var words = RowAt(new FrameIndex(frame));
        if (words[4] > RackId.Max)
        {
            if (HasAttempt(row)) return $"a {row.State.ToString().ToLowerInvariant()} row names rack {words[4]}";
            words[4] = 0;
        }

        words[7] = 0;
        return null;
    }

    private (long Kept, HashSet<ulong> Cleared, long Contradicted) ClearEntries()
    {
        long kept = 0, contradicted = 0;
        var cleared = new HashSet<ulong>();
        for (long i = 0; i <= _region.PageTableMask; i++)
        {
            var entry = _region.PageTable + i;
            if (entry->Page is 0 or PageTable.Tombstone)
            {
                SetHitWord(i, 0);
                if (entry->Location != Location.Absent.Word) Volatile.Write(ref entry->Location, Location.Absent.Word);
                continue;
            }

            if (IsConfirmed(*entry) && _region.FindEntry(new PageId(entry->Page)) == i)
            {
                SetHitWord(i, HitWord.Of(i, entry->Page, new Location(entry->Location), _region.Layout));
                kept++;
                continue;
            }

            if (new Location(entry->Location).Kind == LocationKind.Resident) contradicted++;
            SetLocationAt(i, entry->Page, Location.Absent);
            cleared.Add(entry->Page);
        }

        return (kept, cleared, contradicted);
    }

    private bool IsConfirmed(PageTableEntry entry)
    {
        var location = new Location(entry.Location);
        if (location.Kind != LocationKind.Resident || location.Frame.Value >= _region.Layout.FrameCount)
            return false;
        var row = ReadRow(location.Frame);
        return row.State == RowState.Resident && row.Page.Value == entry.Page && entry.Location == Location.Resident(location.Frame, row.Epoch).Word;
    }

    /// <summary>A key that a guard still names stays, absent: it serves the same page again, and at the next start it is given up.</summary>
    private void GiveUpKeys(HashSet<ulong> cleared, IReadOnlySet<ulong> named)
    {
        if (cleared.Count == 0)
            return;
        for (long i = 0; i <= _region.PageTableMask; i++)
        {
            var entry = _region.PageTable[i];
            if (entry.Page is not (0 or PageTable.Tombstone) && entry.Location == Location.Absent.Word && !named.Contains(entry.Page))
                ReleaseEntryAt(i);
        }
    }

    private List<(LinkRecord Link, IReadOnlyList<ulong> Connections)> ClearLinks(IReadOnlyCollection<ulong> connections)
    {
        var byLink = new List<(LinkRecord, IReadOnlyList<ulong>)>();
        for (var slot = 0; slot < _region.Layout.LinkSlots; slot++)
        {
            if (_region.LinkAt(slot)->Number == 0)
                continue;
            var link = ReadLink(slot);
            if (link is not null && connections.Where(name => ConnectionName.IsOfLink(name, link.Number)).ToArray() is { Length: > 0 } names)
                byLink.Add((link, names));
            ReleaseLink(slot);
        }

        return byLink;
    }

    private long InstallResidents(List<PageId> unreachable)
    {
        long installed = 0;
        for (uint frame = 0; frame < _region.Layout.FrameCount; frame++)
        {
            var row = ReadRow(new FrameIndex(frame));
            if (row.State != RowState.Resident)
                continue;
            var wanted = Location.Resident(new FrameIndex(frame), row.Epoch);
            var present = Lookup(row.Page);
            if (present == wanted)
                continue;
            // The absent ones were cleared above, so another resident location is one that another row confirms.
            if (present.Kind == LocationKind.Resident)
                throw new RegionDamagedException($"{_region.Path}: page {row.Page} is resident twice, in frames {present.Frame} and {frame}. 'rcmp region check' lists everything.");
            if (TrySetLocation(row.Page, wanted))
                installed++;
            else
                unreachable.Add(row.Page);
        }

        return installed;
    }
}
