using Rcmp.Protocol;

namespace Rcmp.Regions;

/// <summary>What a daemon's start found in the region.</summary>
/// <param name="Resident">Rows by state.</param>
/// <param name="Leaving">Rows by state.</param>
/// <param name="Incoming">Rows by state.</param>
/// <param name="Free">Rows by state.</param>
/// <param name="RemoteEntries">Remote entries of the old start that were set absent.</param>
/// <param name="Connections">Connections in guard slots that still name such pages or links: have their owners destroy them, by link.</param>
/// <param name="Normalized">Rows that a kill left half written.</param>
internal sealed record ReattachResult(
    long Resident, long Leaving, long Incoming, long Free, long RemoteEntries, IReadOnlyList<(LinkRecord Link, IReadOnlyList<ulong> Connections)> Connections,
    long Normalized);

/// <summary>The tables of a mapped region as its daemon writes them. One writer.</summary>
internal sealed unsafe class RegionStore : IRackStore
{
    /// <summary>Reads the state, raises the generation and writes it back.</summary>
    public RegionStore(Region region) => throw new NotSupportedException();

    /// <summary>Brings tables and rows into agreement after a start, with clients of the previous start at work: entries of resident pages that agree with their row stay untouched.</summary>
    public ReattachResult Reattach(GuardTable guards, long budgetNs) => throw new NotSupportedException();

    public PageGeometry Geometry => throw new NotSupportedException();

    public int FrameCount => throw new NotSupportedException();

    public SuperblockState State => throw new NotSupportedException();

    public FrameRow ReadRow(FrameIndex frame) => throw new NotSupportedException();

    public bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next) => throw new NotSupportedException();

    public Location Lookup(PageId page) => throw new NotSupportedException();

    public bool TrySetLocation(PageId page, Location location) => throw new NotSupportedException();

    public void ReleaseEntry(PageId page) => throw new NotSupportedException();

    public IEnumerable<(PageId Page, Location Location)> RemoteEntries() => throw new NotSupportedException();

    public IEnumerable<(PageId Page, Location Location)> RemoteEntriesNear(PageId page) => throw new NotSupportedException();

    public int LinkSlots => throw new NotSupportedException();

    public void SaveState(SuperblockState state) => throw new NotSupportedException();

    public int TryPublishLink(LinkRecord link) => throw new NotSupportedException();

    public void ReleaseLink(int slot) => throw new NotSupportedException();

    public LinkRecord? ReadLink(int slot) => throw new NotSupportedException();

    public void ClearFrame(FrameIndex frame) => throw new NotSupportedException();

    public bool TestAndClearReference(PageId page) => throw new NotSupportedException();

    public AccessCounter ReadCounter(PageId page) => throw new NotSupportedException();
}
