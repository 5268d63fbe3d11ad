using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>A region that survives the crash of its daemon, which may fall between any two of its writes. Rows are words, written in the order in which the mapped region's are.
/// Frames hold a few words.</summary>
internal sealed class SimStore(int frames, int entriesMax, SuperblockState state, Action<string> violated, int linkSlots = 64) : IRackStore
{
    public const int FrameWords = 2;
    private const int RowWords = FrameRow.SizeBytes / sizeof(ulong);

    private readonly ulong[] _rows = new ulong[frames * RowWords];
    private readonly Dictionary<PageId, Location> _entries = [];
    private readonly LinkRecord?[] _links = new LinkRecord?[linkSlots];
    private readonly HashSet<PageId> _referenced = [];
    private readonly Dictionary<PageId, AccessCounter> _counters = [];

    /// <summary>Called before a row changes.</summary>
    public Action<FrameIndex, FrameRow, FrameRow>? RowChanging { get; set; }

    /// <summary>Called before an entry is written.</summary>
    public Action<PageId, Location>? EntryChanging { get; set; }

    /// <summary>The daemon dies at this write, counted from now; 0 if it does not.</summary>
    public int CrashAtWrite { get; set; }

    public ulong[] Memory { get; } = new ulong[frames * FrameWords];

    public PageGeometry Geometry { get; } = new(4096);

    public int FrameCount => frames;

    public long EntryCount => entriesMax;

    public int LinkSlots => _links.Length;

    public SuperblockState State { get; private set; } = state;

    public FrameRow ReadRow(FrameIndex frame) => RegionStore.Mask(FrameRow.FromWords(_rows.AsSpan((int)frame.Value * RowWords, RowWords)));

    public bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next)
    {
        var at = (int)frame.Value * RowWords;
        if (_rows[at] != expected.Word) return false;
        RowChanging?.Invoke(frame, expected, next);
        var hasAttempt = next.State is RowState.Leaving or RowState.Incoming || (next.State == RowState.Resident && next.Unsettled);
        if (expected.State == RowState.Free) Write(at + 6, 0);
        Write(at + 1, next.Page.Value);
        if (hasAttempt)
        {
            Write(at + 2, next.Attempt.Term.Value);
            Write(at + 3, next.Attempt.Number);
            Write(at + 4, next.Peer.Value);
        }

        if (next.State != RowState.Free) Write(at + 5, next.Session.Value);
        Write(at + 6, next.Request.Value);
        Write(at, next.Word);
        return true;
    }

    private void Write(int index, ulong value)
    {
        if (_rows[index] == value) return;
        MayCrash();
        _rows[index] = value;
    }

    private void MayCrash()
    {
        if (CrashAtWrite > 0 && --CrashAtWrite == 0) throw new SimCrash();
    }

    public Location Lookup(PageId page) => _entries.GetValueOrDefault(page);

    public bool TrySetLocation(PageId page, Location location)
    {
        var known = _entries.TryGetValue(page, out var old);
        if (!known && location.Kind == LocationKind.Absent) return true;
        if (!known && _entries.Count >= entriesMax) return false;
        if (known && old == location) return true;
        EntryChanging?.Invoke(page, location);
        MayCrash();
        if (!known) _counters.Remove(page);
        _entries[page] = location;
        return true;
    }

    public void ReleaseEntry(PageId page)
    {
        if (Lookup(page).Kind != LocationKind.Absent) violated($"the entry of {page} was given up while it is {Lookup(page).Kind}");
        MayCrash();
        _entries.Remove(page);
    }

    public IEnumerable<(PageId Page, Location Location)> RemoteEntries() => Entries(absent: false);

    public IEnumerable<(PageId Page, Location Location)> YieldingEntriesNear(PageId page) => Entries(absent: true);

    private List<(PageId Page, Location Location)> Entries(bool absent)
    {
        var found = new List<(PageId, Location)>();
        foreach (var (page, location) in _entries)
        {
            if (location.Kind == LocationKind.Remote || (absent && location.Kind == LocationKind.Absent)) found.Add((page, location));
        }

        return found;
    }

    public void SaveState(SuperblockState state)
    {
        // Two copies, the checksum last: a save is done or not done.
        MayCrash();
        State = state;
    }

    public int TryPublishLink(LinkRecord link)
    {
        var slot = Array.IndexOf(_links, null);
        if (slot < 0) return slot;
        MayCrash();
        _links[slot] = link;
        return slot;
    }

    public void ReleaseLink(int slot)
    {
        foreach (var (page, location) in _entries)
        {
            if (location.Kind == LocationKind.Remote && location.LinkSlot == slot) violated($"link slot {slot} was given up while the entry of {page} names it");
        }

        MayCrash();
        _links[slot] = null;
    }

    public LinkRecord? ReadLink(int slot) => _links[slot];

    public void ClearFrame(FrameIndex frame) => Memory.AsSpan((int)frame.Value * FrameWords, FrameWords).Clear();

    public bool TestAndClearReference(PageId page) => _referenced.Remove(page);

    public AccessCounter ReadCounter(PageId page) => _counters.GetValueOrDefault(page);

    public void Touch(PageId page, uint remoteTime)
    {
        _referenced.Add(page);
        var old = _counters.GetValueOrDefault(page);
        _counters[page] = new AccessCounter { Accesses = old.Accesses + 1, RemoteTime = old.RemoteTime + remoteTime };
    }

    /// <summary>For the search of a violation's cause.</summary>
    public string Dump() => string.Join('\n', _entries.Select(e => $"  {e.Key} {e.Value.Kind} frame {e.Value.Frame} link {e.Value.LinkSlot}")
        .Concat(_links.Where(l => l is not null).Select(l => $"  {l}"))
        .Concat(Enumerable.Range(0, frames).Select(f => ReadRow(new FrameIndex((uint)f))).Select(r => $"  {r}")));

    /// <summary>What a daemon's start does to state and tables before its state machine runs. The links of the earlier start are returned: what guard slots still name of them is
    /// orphaned.</summary>
    public List<LinkRecord> Reattach(Func<PageId, bool> isNamed)
    {
        CrashAtWrite = 0;
        State = State with { Generation = new Generation(State.Generation.Value + 1) };
        for (uint i = 0; i < frames; i++)
        {
            if (RowRules.Violation(ReadRow(new FrameIndex(i)), Geometry) is { } wrong) violated($"frame {i} after a crash: {wrong}");
        }

        foreach (var (page, location) in _entries.ToArray())
        {
            var kept = location.Kind == LocationKind.Resident && ReadRow(location.Frame) is { State: RowState.Resident } row && row.Page == page
                && location == Location.Resident(location.Frame, row.Epoch);
            if (kept) continue;
            _entries[page] = Location.Absent;
            if (!isNamed(page)) _entries.Remove(page);
        }

        var links = _links.OfType<LinkRecord>().ToList();
        Array.Clear(_links);
        for (uint i = 0; i < frames; i++)
        {
            if (ReadRow(new FrameIndex(i)) is { State: RowState.Resident } row) TrySetLocation(row.Page, Location.Resident(new FrameIndex(i), row.Epoch));
        }

        return links;
    }
}
