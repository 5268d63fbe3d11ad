using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>A region that survives the crash of its daemon. Frames hold one word.</summary>
internal sealed class SimStore(int frames, int entriesMax, SuperblockState state, Action<string> violated) : IRackStore
{
    private readonly FrameRow[] _rows = new FrameRow[frames];
    private readonly SortedDictionary<PageId, Location> _entries = [];
    private readonly LinkRecord?[] _links = new LinkRecord?[64];
    private readonly HashSet<PageId> _referenced = [];

    /// <summary>Called with page and ±1 when a resident row appears or goes.</summary>
    public Action<PageId, int>? ResidentChanged { get; set; }

    public ulong[] Memory { get; } = new ulong[frames];

    public Dictionary<PageId, AccessCounter> Counters { get; } = [];

    public PageGeometry Geometry { get; } = new(4096);

    public int FrameCount => frames;

    public int LinkSlots => _links.Length;

    public SuperblockState State { get; private set; } = state;

    public FrameRow ReadRow(FrameIndex frame) => _rows[frame.Value];

    public bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next)
    {
        ref var row = ref _rows[frame.Value];
        if (row.Word != expected.Word) return false;
        if (row.State == RowState.Resident) ResidentChanged?.Invoke(row.Page, -1);
        row = next;
        if (row.State == RowState.Resident) ResidentChanged?.Invoke(row.Page, 1);
        return true;
    }

    public Location Lookup(PageId page) => _entries.GetValueOrDefault(page);

    public bool TrySetLocation(PageId page, Location location)
    {
        if (!_entries.ContainsKey(page) && _entries.Count >= entriesMax) return location.Kind == LocationKind.Absent;
        _entries[page] = location;
        return true;
    }

    public void ReleaseEntry(PageId page)
    {
        if (Lookup(page).Kind != LocationKind.Absent) violated($"the entry of {page} was given up while it is {Lookup(page).Kind}");
        _entries.Remove(page);
    }

    public IEnumerable<(PageId Page, Location Location)> RemoteEntries() =>
        _entries.Where(e => e.Value.Kind == LocationKind.Remote).Select(e => (e.Key, e.Value)).ToArray();

    public IEnumerable<(PageId Page, Location Location)> YieldingEntriesNear(PageId page) =>
        _entries.Where(e => e.Value.Kind is LocationKind.Remote or LocationKind.Absent).Select(e => (e.Key, e.Value)).ToArray();

    public void SaveState(SuperblockState state) => State = state;

    public int TryPublishLink(LinkRecord link)
    {
        var slot = Array.IndexOf(_links, null);
        if (slot >= 0) _links[slot] = link;
        return slot;
    }

    public void ReleaseLink(int slot)
    {
        if (RemoteEntries().Any(e => e.Location.LinkSlot == slot)) violated($"link slot {slot} was given up while entries name it");
        _links[slot] = null;
    }

    public LinkRecord? ReadLink(int slot) => _links[slot];

    public void ClearFrame(FrameIndex frame) => Memory[frame.Value] = 0;

    public bool TestAndClearReference(PageId page) => _referenced.Remove(page);

    public AccessCounter ReadCounter(PageId page) => Counters.GetValueOrDefault(page);

    public void Touch(PageId page, uint remoteTime)
    {
        _referenced.Add(page);
        var old = Counters.GetValueOrDefault(page);
        Counters[page] = new AccessCounter { Accesses = old.Accesses + 1, RemoteTime = old.RemoteTime + remoteTime };
    }

    /// <summary>For the search of a violation's cause.</summary>
    public string Dump() => string.Join('\n', _entries.Select(e => $"  {e.Key} {e.Value.Kind} frame {e.Value.Frame} link {e.Value.LinkSlot}")
        .Concat(_links.Where(l => l is not null).Select(l => $"  {l}")).Concat(_rows.Select(r => $"  {r.State} {r.Page} {r.Attempt}")));

    /// <summary>What a daemon's start does to tables and state before its state machine runs.</summary>
    public void Reattach()
    {
        State = State with { Generation = new Generation(State.Generation.Value + 1) };
        foreach (var (page, location) in _entries.ToArray())
        {
            var agrees = location.Kind == LocationKind.Resident && _rows[location.Frame.Value] is { State: RowState.Resident } row && row.Page == page;
            if (!agrees) _entries[page] = Location.Absent;
        }
    }
}
