namespace Rcmp.Regions;

/// <summary>Checked twins of the raw pointers, for whoever is not on the hit path.</summary>
internal sealed unsafe partial class Region
{
    public Span<byte> FrameBytes(FrameIndex frame)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame.Value, Layout.FrameCount, nameof(frame));
        return new Span<byte>(FrameAt(frame), Layout.PageSize);
    }

    public SessionHeader ReadSession(int index) => *SessionAt(index);

    public GuardSlot ReadSlot(int session, int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Layout.SlotsPerSession, nameof(slot));
        return SlotsAt(session)[slot];
    }

    public PageTableEntry ReadEntry(long index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)Layout.PageTableEntries, nameof(index));
        return PageTable[index];
    }

    /// <summary>The hit word of an entry.</summary>
    public ulong ReadHitWord(long index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)Layout.PageTableEntries, nameof(index));
        return Volatile.Read(ref HitTable[index]);
    }

    /// <summary>The page's location word, absent if it has no entry.</summary>
    public Location Lookup(PageId page)
    {
        var entry = FindEntry(page);
        return entry < 0 ? Location.Absent : new Location(Volatile.Read(ref PageTable[entry].Location));
    }
}
