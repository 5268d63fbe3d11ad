using Rcmp.Native;

namespace Rcmp.Regions;

/// <summary>Who maps a region.</summary>
internal enum RegionRole
{
    Daemon,
    Client,
    /// <summary>Reads only, takes no lock.</summary>
    Inspector,
}

/// <summary>A mapped region. <see cref="Dispose"/> gives up the owner's reference; the memory is unmapped when the pins are gone too.</summary>
internal sealed unsafe partial class Region : IDisposable
{
    private readonly RegionMapping _mapping;
    private readonly SystemCalls.FileDescriptor _file;
    private readonly byte* _base;
    private volatile bool _disposed;

    private Region(string path, RegionRole role, RegionLayout layout, SystemCalls.FileDescriptor file, RegionMapping mapping)
    {
        Path = path;
        Role = role;
        Layout = layout;
        Geometry = new PageGeometry(layout.PageSize);
        _file = file;
        _mapping = mapping;
        _base = (byte*)mapping.Address;
    }

    public string Path { get; }

    public RegionRole Role { get; }

    public RegionLayout Layout { get; }

    public PageGeometry Geometry { get; }

    public byte* Base => _base;

    public PageTableEntry* PageTable => (PageTableEntry*)(_base + Layout.PageTableOffset);

    /// <summary>One <see cref="HitWord"/> per page-table entry.</summary>
    public ulong* HitTable => (ulong*)(_base + Layout.HitTableOffset);

    public long PageTableMask => Layout.PageTableMask;

    /// <summary>One per page-table entry.</summary>
    public AccessCounter* Counters => (AccessCounter*)(_base + Layout.CountersOffset);

    /// <summary>One per page-table entry.</summary>
    public byte* References => _base + Layout.ReferencesOffset;

    public byte* Frames => _base + Layout.FramesOffset;

    /// <summary>Eight words per frame; see <see cref="FrameRow"/>.</summary>
    public ulong* FrameTable => (ulong*)(_base + Layout.FrameTableOffset);

    public bool HugePagesRefused => _mapping.HugePagesRefused;

    /// <summary>The frame's first byte. The index comes from a location word: the caller checks it against <see cref="RegionLayout.FrameCount"/> if it does not trust it.</summary>
    public byte* FrameAt(FrameIndex frame) => Frames + ((long)frame.Value << Layout.PageShift);

    public SessionHeader* SessionAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Layout.SessionCount, nameof(index));
        return (SessionHeader*)(_base + Layout.SessionsOffset + index * Layout.SessionBytes);
    }

    public GuardSlot* SlotsAt(int sessionIndex) => (GuardSlot*)((byte*)SessionAt(sessionIndex) + RegionLayout.SessionHeaderBytes);

    public LinkEntry* LinkAt(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Layout.LinkSlots, nameof(slot));
        return (LinkEntry*)(_base + Layout.LinkTableOffset) + slot;
    }

    /// <summary>The page's entry, or −1; a client has set its guard before.</summary>
    public long FindEntry(PageId page) => Regions.PageTable.Find(PageTable, PageTableMask, page.Value);

    /// <summary>The link in a slot as it stands, or null: empty, or just changing.</summary>
    public Protocol.LinkRecord? ReadLink(int slot) => (uint)slot < (uint)Layout.LinkSlots ? LinkEntry.Read(LinkAt(slot)) : null;

    /// <summary>Keeps the memory mapped until the pin is disposed. False after <see cref="Dispose"/>.</summary>
    public bool TryPin(out RegionPin pin)
    {
        pin = default;
        if (_disposed)
            return false;
        var added = false;
        try
        {
            _mapping.DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            return false;
        }

        pin = new RegionPin(_mapping);
        return added;
    }

    /// <summary>Also gives up a daemon's lock.</summary>
    public void Dispose()
    {
        _disposed = true;
        _mapping.Dispose();
        _file.Dispose();
        _sidecar?.Dispose();
    }
}

/// <summary>A reference to a mapping; dispose it exactly once.</summary>
internal readonly struct RegionPin(RegionMapping mapping) : IDisposable
{
    public void Dispose() => mapping?.DangerousRelease();
}
