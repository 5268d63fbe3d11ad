using System.Runtime.InteropServices;
using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>The tables of a mapped region as its daemon writes them. One writer.</summary>
internal sealed unsafe partial class RegionStore : IRackStore
{
    private const int RowWords = FrameRow.SizeBytes / sizeof(ulong);
    private readonly Region _region;
    private readonly byte* _stateCopies;
    private ulong _stateNumber;
    private int _stateCopy;
    private readonly Dictionary<long, PageId> _formerPages = [];
    private GuardTable? _guards;
    private long _remoteCursor;

    /// <summary>Reads the state, raises the generation and writes it back.</summary>
    /// <exception cref="RegionDamagedException">Neither copy of the state is valid.</exception>
    public RegionStore(Region region)
    {
        if (region.Role != RegionRole.Daemon)
            throw new ArgumentException("Only the region's daemon may write its tables.", nameof(region));
        _region = region;
        _stateCopies = region.Base + region.Layout.StateOffset;
        var newest = StateCopies.Read(_stateCopies)
            ?? throw new RegionDamagedException($"Both copies of the state in the superblock of {region.Path} are damaged: format it anew, its pages are lost.");
        (State, _stateNumber, _stateCopy) = newest;
        SaveState(State with { Generation = new Generation(State.Generation.Value + 1) });
    }

    public PageGeometry Geometry => _region.Geometry;

    public int FrameCount => checked((int)_region.Layout.FrameCount);

    public long EntryCount => _region.PageTableMask + 1;

    public SuperblockState State { get; private set; }

    /// <summary>Words that have no meaning in the row's state may be left over, and read as none.</summary>
    public FrameRow ReadRow(FrameIndex frame) => Mask(FrameRow.FromWords(new ReadOnlySpan<ulong>(RowAt(frame), RowWords)));

    internal static FrameRow Mask(in FrameRow row)
    {
        var masked = HasAttempt(row) ? row : row with { Attempt = default, Peer = RackId.None };
        return masked.State == RowState.Free ? masked with { Session = default } : masked;
    }

    public bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next)
    {
        var row = RowAt(frame);
        if (Volatile.Read(ref row[0]) != expected.Word)
            return false;
        // A kill may fall between any two of these stores. What the old state gives meaning to must stay true until the word changes: a free row forgets who
        // freed its last page before it names another; the attempt of an unsettled row is not wiped by the row that has none, but masked when read.
        if (expected.State == RowState.Free)
            Volatile.Write(ref row[6], 0);
        Store(row, 1, next.Page.Value);
        if (HasAttempt(next))
        {
            Store(row, 2, next.Attempt.Term.Value);
            Store(row, 3, next.Attempt.Number);
            Store(row, 4, next.Peer.Value);
        }

        if (next.State != RowState.Free)
            Store(row, 5, next.Session.Value);
        Store(row, 6, next.Request.Value);
        // Full barrier by the exchange: whoever sees the new word sees the fields that belong to it.
        return Interlocked.CompareExchange(ref row[0], next.Word, expected.Word) == expected.Word;
    }

    private static void Store(ulong* row, int word, ulong value)
    {
        if (row[word] != value)
            Volatile.Write(ref row[word], value);
    }

    private static bool HasAttempt(in FrameRow row) => row.State is RowState.Leaving or RowState.Incoming || (row.State == RowState.Resident && row.Unsettled);

    public Location Lookup(PageId page)
    {
        var entry = _region.FindEntry(page);
        return entry < 0 ? Location.Absent : new Location(Volatile.Read(ref _region.PageTable[entry].Location));
    }

    public bool TrySetLocation(PageId page, Location location)
    {
        var entry = _region.FindEntry(page);
        if (entry < 0 && location.Kind == LocationKind.Absent)
            return true;
        if (entry < 0 && (entry = TryAddEntry(page)) < 0)
            return false;
        SetLocationAt(entry, page.Value, location);
        return true;
    }

    private void SetLocationAt(long entry, ulong page, Location location)
    {
        // No hit word may speak for a location that is not resident any more: it goes first, and comes last. A kill in between leaves none, which is slow, not wrong.
        var hit = HitWord.Of(entry, page, location, _region.Layout);
        if (hit == 0) SetHitWord(entry, 0);
        // Release: whoever loads this location finds the row, link or frame it speaks of in place.
        Volatile.Write(ref _region.PageTable[entry].Location, location.Word);
        if (hit != 0) SetHitWord(entry, hit);
    }

    private void SetHitWord(long entry, ulong word)
    {
        if (_region.HitTable[entry] != word)
            Volatile.Write(ref _region.HitTable[entry], word);
    }

    private long TryAddEntry(PageId page)
    {
        if (page.Value is 0 or PageTable.Tombstone)
            throw new ArgumentOutOfRangeException(nameof(page), page, "Not a page id.");
        var entry = PageTable.FindFree(_region.PageTable, _region.PageTableMask, page.Value);
        if (entry < 0 || !MayReuse(entry))
            return -1;
        // Nobody counts on an entry without a key. The location is absent since the key was given up.
        Volatile.Write(ref _region.PageTable[entry].Location, Location.Absent.Word);
        _region.Counters[entry] = default;
        _region.References[entry] = 0;
        Volatile.Write(ref _region.PageTable[entry].Page, page.Value);
        return entry;
    }

    /// <summary>Whoever found the entry by its former key may be about to load the location, and would take the new page's for the old one's. Its guard names
    /// the former page: behind the barrier nobody finds that key any more, and who found it before is seen.</summary>
    private bool MayReuse(long entry)
    {
        if (!_formerPages.TryGetValue(entry, out var former))
            return true;
        if (_guards?.WaitQuiet(former, 0, false) is { } guards && (!guards.Quiet || guards.Connections.Count > 0))
            return false;
        _formerPages.Remove(entry);
        return true;
    }

    public void ReleaseEntry(PageId page)
    {
        var entry = _region.FindEntry(page);
        if (entry >= 0)
            ReleaseEntryAt(entry);
    }

    private void ReleaseEntryAt(long entry)
    {
        _formerPages[entry] = new PageId(_region.PageTable[entry].Page);
        SetLocationAt(entry, _region.PageTable[entry].Page, Location.Absent);
        // Not 0: pages that were stored behind this entry while it was taken must still be found.
        Volatile.Write(ref _region.PageTable[entry].Page, PageTable.Tombstone);
    }

    /// <summary>Goes on where the last enumeration was left.</summary>
    public IEnumerable<(PageId Page, Location Location)> RemoteEntries()
    {
        for (long visited = 0; visited <= _region.PageTableMask;)
        {
            if (!NextRemote(ref visited, out var found))
                yield break;
            yield return found;
        }
    }

    private bool NextRemote(ref long visited, out (PageId Page, Location Location) found)
    {
        while (visited++ <= _region.PageTableMask)
        {
            var entry = _region.PageTable + _remoteCursor;
            _remoteCursor = (_remoteCursor + 1) & _region.PageTableMask;
            var location = new Location(entry->Location);
            if (location.Kind != LocationKind.Remote || entry->Page is 0 or PageTable.Tombstone)
                continue;
            found = (new PageId(entry->Page), location);
            return true;
        }

        found = default;
        return false;
    }

    public IEnumerable<(PageId Page, Location Location)> YieldingEntriesNear(PageId page)
    {
        var near = new List<(PageId, Location)>();
        foreach (var line in PageTable.Lines(page.Value, _region.PageTableMask).Distinct())
        {
            for (var i = line; i < line + RegionLayout.LineEntries; i++)
            {
                var entry = _region.PageTable[i];
                if (entry.Page is not (0 or PageTable.Tombstone) && new Location(entry.Location) is { Kind: LocationKind.Remote or LocationKind.Absent } location)
                    near.Add((new PageId(entry.Page), location));
            }
        }

        return near;
    }

    public void SaveState(SuperblockState state)
    {
        // Before anything is overwritten: it may not fit.
        var payload = StateCopies.Serialize(state);
        var copy = 1 - _stateCopy;
        StateCopies.Write(_stateCopies + copy * (long)RegionLayout.StateBytes, _stateNumber + 1, payload);
        (State, _stateNumber, _stateCopy) = (state, _stateNumber + 1, copy);
    }

    public int LinkSlots => _region.Layout.LinkSlots;

    public int TryPublishLink(LinkRecord link)
    {
        ArgumentOutOfRangeException.ThrowIfZero(link.Number);
        for (var slot = 0; slot < _region.Layout.LinkSlots; slot++)
        {
            if (_region.LinkAt(slot)->Number != 0)
                continue;
            LinkEntry.Publish(_region.LinkAt(slot), link);
            return slot;
        }

        return -1;
    }

    public void ReleaseLink(int slot) => LinkEntry.Clear(_region.LinkAt(slot));

    public LinkRecord? ReadLink(int slot) => _region.ReadLink(slot);

    public void ClearFrame(FrameIndex frame)
    {
        CheckFrame(frame);
        NativeMemory.Clear(_region.FrameAt(frame), (nuint)_region.Layout.PageSize);
    }

    public bool TestAndClearReference(PageId page)
    {
        var entry = _region.FindEntry(page);
        if (entry < 0 || _region.References[entry] == 0)
            return false;
        _region.References[entry] = 0;
        return true;
    }

    /// <summary>The counters begin at 0 with the page's entry.</summary>
    public AccessCounter ReadCounter(PageId page)
    {
        var entry = _region.FindEntry(page);
        return entry < 0 ? default : _region.Counters[entry];
    }

    private ulong* RowAt(FrameIndex frame)
    {
        CheckFrame(frame);
        return _region.FrameTable + (long)frame.Value * RowWords;
    }

    private void CheckFrame(FrameIndex frame) => ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame.Value, _region.Layout.FrameCount, nameof(frame));
}
