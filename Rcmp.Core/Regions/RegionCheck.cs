using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>One pass over the tables of a region.</summary>
internal sealed unsafe class RegionCheck(Region region)
{
    private const int LinesMax = 100;
    private readonly Lines _findings = new();
    private readonly Lines _notes = new();
    private readonly Dictionary<ulong, uint> _residentFrames = [];

    public RegionCheckResult Run()
    {
        var state = CheckState();
        CheckRows(state);
        CheckEntries();
        CheckResidents();
        CheckLinks();
        CheckSessions();
        return new RegionCheckResult(_findings.Shown, _notes.Shown);
    }

    private SuperblockState? CheckState()
    {
        var copies = region.Base + region.Layout.StateOffset;
        var newest = StateCopies.Read(copies);
        if (newest is null)
            _findings.Add("Both copies of the state in the superblock are damaged.");
        for (var copy = 0; copy < 2 && newest is not null; copy++)
        {
            if (StateCopies.IsValid(copies, copy))
                continue;
            if (StateCopies.IsBeingWritten(copies, copy))
                _notes.Add($"Copy {copy} of the state was being written when the daemon was killed; the other one counts.");
            else
                _findings.Add($"Copy {copy} of the state in the superblock is damaged; the other one counts.");
        }

        return newest?.State;
    }

    private void CheckRows(SuperblockState? state)
    {
        for (uint frame = 0; frame < region.Layout.FrameCount; frame++)
        {
            var words = new ReadOnlySpan<ulong>(region.FrameTable + (long)frame * 8, 8);
            var row = RegionStore.Mask(FrameRow.FromWords(words));
            if (RowRules.Violation(row, region.Geometry) is { } violation)
                _findings.Add($"Frame {frame}: {violation}.");
            else if (words[7] != 0 || words[4] > RackId.Max)
                _findings.Add($"Frame {frame}: bits are set that no row has.");
            else if (row.State == RowState.Resident && !_residentFrames.TryAdd(row.Page.Value, frame))
                _findings.Add($"Page {row.Page} is resident twice: in frames {_residentFrames[row.Page.Value]} and {frame}.");
            if (state is not null && RowRules.BornTooEarly(row, state, region.Geometry) is { } early)
                _findings.Add($"Frame {frame}: {early}.");
        }
    }

    private void CheckEntries()
    {
        for (long i = 0; i <= region.PageTableMask; i++)
        {
            var entry = region.PageTable[i];
            var location = new Location(entry.Location);
            CheckHitWord(i, entry);
            if (entry.Page is 0 or PageTable.Tombstone)
            {
                if (location != Location.Absent)
                    _findings.Add($"Page-table entry {i} has a location, but no page.");
                continue;
            }

            var page = new PageId(entry.Page);
            if (!RowRules.IsPage(page, region.Geometry))
                _findings.Add($"Page-table entry {i} is of {page}, which is no page.");
            else if (region.FindEntry(page) != i)
                _findings.Add($"Page-table entry {i} of page {page} is not where a lookup finds it.");
            else
                CheckLocation(i, page, location);
        }
    }

    private void CheckHitWord(long i, PageTableEntry entry)
    {
        var word = region.HitTable[i];
        var wanted = HitWord.Of(i, entry.Page, new Location(entry.Location), region.Layout);
        if (word == wanted)
            return;
        if (word == 0)
            _notes.Add($"Page {new PageId(entry.Page)} has no hit word: its hits take the long way until the daemon's next start.");
        else
            _findings.Add($"Hit word {i} is {word:x}, its page-table entry gives {wanted:x}.");
    }

    private void CheckLocation(long i, PageId page, Location location)
    {
        var isExact = location.IsWellFormed && location.Kind switch
        {
            LocationKind.Absent => location == Location.Absent,
            LocationKind.Moving => location == Location.Moving,
            LocationKind.Resident => location.LinkSlot == 0,
            _ => true,
        };
        if (!isExact)
            _findings.Add($"Page-table entry {i} of page {page} has bits that no {location.Kind.ToString().ToLowerInvariant()} location has.");
        else if (location.Kind == LocationKind.Resident)
            CheckFrameOf(i, page, location);
        else if (location.Kind == LocationKind.Remote && region.ReadLink(location.LinkSlot) is null)
            _findings.Add($"Page-table entry {i} of page {page} names link slot {location.LinkSlot}, which holds no link.");
    }

    private void CheckFrameOf(long i, PageId page, Location location)
    {
        if (location.Frame.Value >= region.Layout.FrameCount)
        {
            _findings.Add($"Page-table entry {i} of page {page} points to frame {location.Frame}, the region has {region.Layout.FrameCount}.");
            return;
        }

        var row = FrameRow.FromWords(new ReadOnlySpan<ulong>(region.FrameTable + (long)location.Frame.Value * 8, 8));
        if (row.State != RowState.Resident || row.Page != page)
            _findings.Add($"Page-table entry {i} of page {page} points to frame {location.Frame}, whose row is {row.State.ToString().ToLowerInvariant()} for page {row.Page}.");
        else if (row.Epoch.Low != location.EpochLow)
            _findings.Add($"Page-table entry {i} of page {page} has epoch {location.EpochLow} (low bits), its row {row.Epoch}.");
    }

    private void CheckResidents()
    {
        foreach (var (page, frame) in _residentFrames)
        {
            var location = region.Lookup(new PageId(page));
            if (location.Kind is LocationKind.Absent or LocationKind.Moving)
                _notes.Add($"Page {new PageId(page)} in frame {frame} is {location.Kind.ToString().ToLowerInvariant()} in the page table: the daemon's next start opens it.");
            else if (location.Kind == LocationKind.Remote)
                _findings.Add($"Page {new PageId(page)} is resident in frame {frame}, but remote in the page table.");
            else if (location.Frame.Value != frame)
                _findings.Add($"Page {new PageId(page)} is resident in frame {frame}, but the page table points to frame {location.Frame}.");
        }
    }

    private void CheckLinks()
    {
        for (var slot = 0; slot < region.Layout.LinkSlots; slot++)
        {
            if (region.LinkAt(slot)->Number != 0 && region.ReadLink(slot) is null)
                _findings.Add($"Link slot {slot} is damaged: its checksum is wrong.");
        }
    }

    private void CheckSessions()
    {
        for (var index = 1; index < region.Layout.SessionCount; index++)
        {
            var header = region.ReadSession(index);
            if (header.State > (uint)SessionSlotState.Dead)
                _findings.Add($"Session {index} has state {header.State}, which does not exist.");
            else if (header.State == (uint)SessionSlotState.Free && header.Token != 0)
                _findings.Add($"Session {index} is free, but has a token.");
            if (header.SlotsUsed > region.Layout.SlotsPerSession)
                _findings.Add($"Session {index} claims {header.SlotsUsed} guard slots, it has {region.Layout.SlotsPerSession}.");
        }
    }

    /// <summary>The first lines, and how many more there were: a region that is damaged all over has one for each frame.</summary>
    private sealed class Lines
    {
        private readonly List<string> _first = [];
        private long _more;

        public IReadOnlyList<string> Shown => _more == 0 ? _first : [.. _first, $"… and {_more} more."];

        public void Add(string line)
        {
            if (_first.Count < LinesMax) _first.Add(line);
            else _more++;
        }
    }
}
