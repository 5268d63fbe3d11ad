using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A region's tables without its frames' bytes, made for many pages: entries of pages that were born here are side by side, as the page table has them; those of other racks' pages
/// follow, as many as the page table has room for. Nothing in it survives a crash: there are none.</summary>
internal sealed class ScaleStore : IRackStore
{
    /// <summary>How many entries are looked at for one that can be given up.</summary>
    private const int YieldingMax = 16;

    private readonly FrameRow[] _rows;
    private readonly Dictionary<PageId, int> _others = [];
    private readonly LinkRecord?[] _links;
    private readonly long _entriesMax;
    private readonly RackId _self;
    private readonly int _born;
    private Entry[] _entries;
    private int _count;
    private int _hand;

    /// <param name="frames">Rows.</param>
    /// <param name="entriesMax">Of the page table.</param>
    /// <param name="born">Pages that are allocated here: sequences from 1.</param>
    /// <param name="state">Of the superblock.</param>
    /// <param name="links">Slots.</param>
    public ScaleStore(int frames, long entriesMax, int born, SuperblockState state, int links)
    {
        _rows = new FrameRow[frames];
        _born = _count = born + 1;
        _entries = new Entry[_born];
        _links = new LinkRecord?[links];
        _entriesMax = entriesMax;
        _self = state.Rack;
        State = state;
    }

    private struct Entry
    {
        /// <summary>None for those born here.</summary>
        public PageId Page;
        public Location Location;
        public AccessCounter Counter;
        public bool Referenced;
    }

    public PageGeometry Geometry { get; } = new(ScaleWorld.PageSize);

    public int FrameCount => _rows.Length;

    public int LinkSlots => _links.Length;

    public long EntryCount => _entriesMax;

    public SuperblockState State { get; private set; }

    public int References
    {
        get
        {
            var references = 0;
            foreach (ref readonly var entry in _entries.AsSpan(0, _count)) references += entry.Location.Kind == LocationKind.Remote ? 1 : 0;
            return references;
        }
    }

    public FrameRow ReadRow(FrameIndex frame) => _rows[frame.Value];

    public bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next)
    {
        ref var row = ref _rows[frame.Value];
        if (row.Word != expected.Word) return false;
        row = RegionStore.Mask(next);
        return true;
    }

    /// <summary>What a client does: looks the page up and, if it finds it, counts the access.</summary>
    public LocationKind Access(PageId page, uint remoteTime)
    {
        if (!TryFind(page, out var index)) return LocationKind.Absent;
        ref var entry = ref _entries[index];
        var kind = entry.Location.Kind;
        if (kind is not (LocationKind.Resident or LocationKind.Remote)) return kind;
        entry.Referenced = true;
        entry.Counter.Accesses++;
        if (kind == LocationKind.Remote) entry.Counter.RemoteTime += remoteTime;
        return kind;
    }

    public Location Lookup(PageId page) => TryFind(page, out var index) ? _entries[index].Location : Location.Absent;

    public bool TrySetLocation(PageId page, Location location)
    {
        if (TryFind(page, out var index))
        {
            _entries[index].Location = location;
            return true;
        }

        if (location.Kind == LocationKind.Absent) return true;
        if (_count > _entriesMax) return false;
        if (_count == _entries.Length) Array.Resize(ref _entries, _count + int.Max(64, _count / 4));
        _others[page] = _count;
        _entries[_count++] = new Entry { Page = page, Location = location };
        return true;
    }

    public void ReleaseEntry(PageId page)
    {
        if (!TryFind(page, out var index)) return;
        if (index < _born)
        {
            _entries[index] = default;
            return;
        }

        _others.Remove(page);
        var last = _entries[--_count];
        _entries[_count] = default;
        if (index == _count) return;
        _entries[index] = last;
        _others[last.Page] = index;
    }

    public IEnumerable<(PageId Page, Location Location)> RemoteEntries() => Yielding(_count - _born, absent: false);

    public IEnumerable<(PageId Page, Location Location)> YieldingEntriesNear(PageId page) => Yielding(int.Min(_count - _born, YieldingMax), absent: true);

    private List<(PageId Page, Location Location)> Yielding(int count, bool absent)
    {
        var found = new List<(PageId, Location)>(count);
        for (; count > 0; count--)
        {
            _hand = _hand >= _born && _hand + 1 < _count ? _hand + 1 : _born;
            ref var entry = ref _entries[_hand];
            if (entry.Location.Kind == LocationKind.Remote || (absent && entry.Location.Kind == LocationKind.Absent)) found.Add((entry.Page, entry.Location));
        }

        return found;
    }

    public void SaveState(SuperblockState state) => State = state;

    public int TryPublishLink(LinkRecord link)
    {
        var slot = Array.IndexOf(_links, null);
        if (slot >= 0) _links[slot] = link;
        return slot;
    }

    public void ReleaseLink(int slot) => _links[slot] = null;

    public LinkRecord? ReadLink(int slot) => _links[slot];

    public void ClearFrame(FrameIndex frame)
    {
    }

    public bool TestAndClearReference(PageId page)
    {
        if (!TryFind(page, out var index) || !_entries[index].Referenced) return false;
        _entries[index].Referenced = false;
        return true;
    }

    public AccessCounter ReadCounter(PageId page) => TryFind(page, out var index) ? _entries[index].Counter : default;

    private bool TryFind(PageId page, out int index)
    {
        var sequence = Geometry.SequenceOf(page);
        index = (int)sequence;
        return (sequence < (ulong)_born && Geometry.BirthRackOf(page) == _self) || _others.TryGetValue(page, out index);
    }
}
